/** Puts the admin API on its unix socket, and the metrics page on its TCP address. */
import { chmodSync, renameSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import type { Balancer } from "../balancer/control/balancer.ts";
import { HoldfastError } from "../errors.ts";
import { metricsText, readScopes } from "../observe/metrics.ts";
import { PROMETHEUS_TYPE } from "../observe/prometheus.ts";

/** sockaddr_un holds 108 bytes with the final zero (unix(7)); the temporary name needs some of them. */
const MAX_SOCKET_PATH = 96;
const MAX_BODY = 64 * 1024;
const IDLE_SECONDS = 60;
/**
 * A reload may take long to answer, and says nothing until then: the command line gives up before this (see client.ts). Bun
 * 1.4.5 heeds it on unix sockets too (tried: without it, an answer that takes 10 s is cut off); its types do not have it there.
 */
const PATIENCE: object = { idleTimeout: 90 };
const PROBE_MS = 2_000;

export interface Served {
  /** Stops listening and removes the socket file if it is still ours. */
  stop(): Promise<void>;
}

/**
 * Listens on `path`, mode 0660. The file appears by a rename, so that a client meets either the process before or this one.
 * @param options.replace a running process is being taken over: its file may be replaced.
 * @throws HoldfastError `api/socket` when somebody answers there already, or when the path cannot be used.
 */
export async function serveApi(
  app: { fetch(request: Request): Response | Promise<Response> },
  path: string,
  options: { replace?: boolean } = {},
): Promise<Served> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    throw new HoldfastError("api/socket", `${path} is too long for a socket: at most ${MAX_SOCKET_PATH} bytes`);
  }
  if (options.replace !== true && (await isAnswered(path))) {
    throw new HoldfastError("api/socket", `a running Holdfast answers on ${path}`, {
      hint: "holdfast status, or start with --takeover to replace it",
    });
  }
  const temporary = `${path}.${process.pid}`;
  // Until chmod the umask alone decides who may connect.
  const umask = process.umask(0o117);
  try {
    rmSync(temporary, { force: true });
    const server = Bun.serve({
      unix: temporary,
      fetch: (request) => app.fetch(request),
      maxRequestBodySize: MAX_BODY,
      ...PATIENCE,
    });
    chmodSync(temporary, 0o660);
    renameSync(temporary, path);
    const inode = statSync(path).ino;
    return {
      stop: async () => {
        if (inodeOf(path) === inode) rmSync(path, { force: true });
        await server.stop(true);
      },
    };
  } catch (cause) {
    throw new HoldfastError("api/socket", `${path} cannot be listened on: ${(cause as Error).message}`, { cause });
  } finally {
    process.umask(umask);
  }
}

/**
 * Serves `GET /metrics` for Prometheus. The port is shared (SO_REUSEPORT), so that a process that takes over can listen
 * before the other one stops. @throws HoldfastError `api/socket` when the address cannot be listened on.
 */
export function serveMetrics(
  balancer: Balancer,
  address: { host: string; port: number },
): Served & { readonly port: number } {
  try {
    const server = Bun.serve({
      hostname: address.host,
      port: address.port,
      reusePort: true,
      idleTimeout: IDLE_SECONDS,
      maxRequestBodySize: 0,
      fetch: (request) => {
        const url = new URL(request.url);
        if (request.method !== "GET" || url.pathname !== "/metrics")
          return new Response("not found\n", { status: 404 });
        const scopes = readScopes(url.searchParams.get("scope") ?? undefined);
        if (scopes === null) return new Response("not a scope\n", { status: 400 });
        return new Response(metricsText(balancer, scopes), { headers: { "content-type": PROMETHEUS_TYPE } });
      },
    });
    return { port: server.port ?? address.port, stop: () => server.stop(true) };
  } catch (cause) {
    const where = `${address.host}:${address.port}`;
    throw new HoldfastError("api/socket", `the metrics page cannot listen on ${where}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** Does somebody accept connections on this socket? A file that nobody listens on is left over from a crash. */
export function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.setTimeout(PROBE_MS);
    const done = (yes: boolean) => {
      socket.destroy();
      resolve(yes);
    };
    socket.once("connect", () => done(true));
    socket.once("timeout", () => done(true)); // hung, but alive: never replace it
    socket.once("error", () => done(false));
  });
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
