/** What streaming does not want on its way: so that the tests that want none of it can fail. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Passes an answer on when it has all of it. Listens on plain HTTP and asks `url`, whose certificate is signed by `ca`, for `host`. */
export function bufferingProxy(url: string, host: string, ca: string): { readonly port: number; stop(): void } {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 60,
    async fetch(request) {
      // No WebSocket either: an upgrade gets what a request without one gets.
      const { pathname, search } = new URL(request.url);
      const headers = new Headers(request.headers);
      for (const name of ["connection", "upgrade", "content-length"]) headers.delete(name);
      headers.set("host", host);
      const answer = await fetch(`${url}${pathname}${search}`, {
        method: request.method,
        headers,
        body: request.method === "POST" ? await request.text() : null,
        tls: { ca, checkServerIdentity: () => undefined },
        signal: request.signal,
      });
      const fields = new Headers(answer.headers);
      for (const name of ["transfer-encoding", "connection", "keep-alive"]) fields.delete(name);
      return new Response(await answer.arrayBuffer(), { status: answer.status, headers: fields });
    },
    error: () => new Response("bad gateway", { status: 502 }),
  });
  return { port: server.port!, stop: () => void server.stop(true) };
}

/** Takes all that comes from 127.0.0.1:`port`, whether the client reads or not. */
export async function greedyHop(port: number): Promise<{ readonly port: number; stop(): void }> {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect({ host: "127.0.0.1", port });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(socket);
      // What `write` says about it is not looked at: that is the mistake.
      socket.on("data", (bytes) => void other.write(bytes));
      socket.on("error", () => other.destroy());
      socket.on("close", () => other.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    stop() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}
