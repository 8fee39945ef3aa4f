/** Answers with the load as a number over HTTP: what a `number` agent check asks, and Kemp's adaptive agent. */
import type { Address } from "../config/quantities.ts";
import type { Sample } from "./sampler.ts";

/** A listening agent. `port`: the one the system gave, if the file said 0. */
export interface Listening {
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Serves `path`: the first line is the load, the second what it is made of. 503 while the load is not known, so that
 * balancers keep what they knew.
 * @throws when the address cannot be listened on.
 */
export function serveNumber(listen: Address, path: string, sample: () => Sample): Listening {
  const server = Bun.serve({
    hostname: listen.host,
    port: listen.port,
    idleTimeout: 10,
    maxRequestBodySize: 1024,
    fetch(request) {
      if (new URL(request.url).pathname !== path.split("?", 1)[0]) return new Response("not found\n", { status: 404 });
      if (request.method !== "GET" && request.method !== "HEAD") return new Response("GET only\n", { status: 405 });
      const now = sample();
      if ("failure" in now) return new Response(`${now.failure}\n`, { status: 503 });
      return new Response(`${now.load}\n${now.detail}\n`);
    },
  });
  return { port: server.port ?? listen.port, stop: () => server.stop(true) };
}
