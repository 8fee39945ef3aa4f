/** How a client's connection reaches the address under test. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";

/** Nothing tells when a port opens: it is asked again after this long. */
const BETWEEN_PROBES_MS = 50;

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** `wanted` when it is free on 127.0.0.1, else another. */
export async function portLike(wanted: number): Promise<number> {
  const probe = createServer().listen(wanted, "127.0.0.1");
  const free = await once(probe, "listening").then(
    () => true,
    () => false,
  );
  probe.close();
  return free ? wanted : freePort();
}

/** Resolves when 127.0.0.1:`port` accepts connections; rejects when it does not within `limitMs`. */
export async function accepts(port: number, limitMs: number): Promise<void> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const probe = connect({ host: "127.0.0.1", port });
    const accepted = await once(probe, "connect").then(
      () => true,
      () => false,
    );
    probe.destroy();
    if (accepted) return;
    if (performance.now() > deadline) throw new Error(`nothing listens on 127.0.0.1:${port} after ${limitMs} ms`);
    await setTimeout(BETWEEN_PROBES_MS);
  }
}

/** One hop that changes nothing but the source address. */
export interface Way {
  /** Where the client connects, on 127.0.0.1. */
  readonly port: number;
  close(): Promise<void>;
}

/**
 * xfreerdp cannot choose its source address, and every client on loopback would come from 127.0.0.1. So it connects to
 * a port here, and the bytes go on, unread and unchanged, in a connection that starts at `from` (any 127.0.0.0/8).
 * Ends and resets are passed on as they come.
 */
export async function openWay(from: string, host: string, port: number): Promise<Way> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (near) => {
    const far = connect({ host, port, localAddress: from, allowHalfOpen: true });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(socket);
      socket.on("error", () => other.resetAndDestroy());
      socket.on("close", () => open.delete(socket));
    }
    far.once("connect", () => {
      near.pipe(far);
      far.pipe(near);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
