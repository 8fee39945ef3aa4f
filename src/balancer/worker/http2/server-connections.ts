/** The connections of HTTP/2 that a worker has to servers, for the requests of whoever comes. */
import type { Candidate } from "../../candidate.ts";
import type { PoolRuntime } from "../../decide.ts";
import type { Channel } from "../channel.ts";
import type { WorkerContext } from "../context.ts";
import { ServerConnection } from "./server-connection.ts";
import type { StreamChannel } from "./stream-channel.ts";

export class Http2Servers {
  readonly #plane: WorkerContext;
  readonly #servers = new Map<Candidate, Kept[]>();

  constructor(plane: WorkerContext) {
    this.#plane = plane;
  }

  /** A stream to `server` on `port` over a connection that is open and has a place for it; null: dial. */
  take(server: Candidate, port: number): StreamChannel | null {
    for (const kept of this.#servers.get(server) ?? []) {
      if (kept.port === port && kept.connection.hasPlace) return kept.connection.openStream();
    }
    return null;
  }

  /**
   * A connection was made over which HTTP/2 is spoken: its first stream. `before`: a PROXY header; then nobody else is
   * served over it. `idleMs`: how long a client may read nothing.
   */
  begin(
    server: Candidate,
    pool: PoolRuntime,
    port: number,
    channel: Channel,
    before: Uint8Array,
    idleMs: number,
  ): StreamChannel {
    const { plan } = pool;
    const times = { request: plan.connectTimeoutMs, keepAlive: plan.keepAlive.idleMs, idle: idleMs };
    const secure = plan.tls !== null;
    const connection = new ServerConnection(this.#plane, channel, secure, times, () =>
      this.#forget(server, connection),
    );
    const isShared = plan.sendProxy === "off" && plan.keepAlive.connections > 0;
    if (isShared) {
      const kept = this.#servers.get(server);
      if (kept === undefined) this.#servers.set(server, [{ port, connection }]);
      else kept.push({ port, connection });
    }
    connection.start(before);
    const stream = connection.openStream();
    if (!isShared) connection.takesNoMore();
    return stream;
  }

  #forget(server: Candidate, connection: ServerConnection): void {
    const kept = this.#servers.get(server)?.filter((one) => one.connection !== connection) ?? [];
    if (kept.length === 0) this.#servers.delete(server);
    else this.#servers.set(server, kept);
  }
}

interface Kept {
  readonly port: number;
  readonly connection: ServerConnection;
}

const workers = new WeakMap<WorkerContext, Http2Servers>();

/** Those of this worker. */
export function http2ServersOf(plane: WorkerContext): Http2Servers {
  let servers = workers.get(plane);
  if (servers === undefined) {
    servers = new Http2Servers(plane);
    workers.set(plane, servers);
  }
  return servers;
}
