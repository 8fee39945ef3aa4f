/** The connection to a server that one request goes over: one that is kept, where there is one for it, and what becomes of it. */
import type { ResponseHead } from "../../../protocols/http1/response.ts";
import type { Candidate } from "../../candidate.ts";
import type { PoolRuntime } from "../../decide.ts";
import type { Channel } from "../channel.ts";
import { http2ServersOf } from "../http2/server-connections.ts";
import type { HttpConnection } from "./http-connection.ts";
import type { HttpWorker } from "./http-worker.ts";
import { asksWhoConnects } from "./login.ts";

export class ServerLink {
  /** No kept connection any more: one has failed this request. */
  onlyNew = false;
  /** It speaks for this client only. */
  #own = false;
  /** Another request may follow on it. */
  #keeps = false;
  readonly #worker: HttpWorker;

  constructor(worker: HttpWorker) {
    this.#worker = worker;
  }

  /** A kept connection, or null: dial. `certain`: only one that can hardly be closed by now. */
  take(connection: HttpConnection, server: Candidate, pool: PoolRuntime, certain: boolean): Channel | null {
    if (this.onlyNew) return null;
    const port = portOf(connection, server);
    const own = connection.takeOwn(server, port);
    this.#own = own !== null;
    if (own !== null || pool.plan.sendProxy !== "off") return own;
    if (pool.plan.http2) {
      const stream = http2ServersOf(this.#worker.plane).take(server, port);
      if (stream !== null) return stream;
    }
    return this.#worker.servers.take(server, port, certain);
  }

  /** The answer's head was read. `keeps`: as far as that says, another request may follow. */
  answerBegins(keeps: boolean, bytes: Uint8Array, head: ResponseHead, pool: PoolRuntime): void {
    this.#keeps = keeps;
    this.#own ||= asksWhoConnects(bytes, head) || pool.plan.sendProxy !== "off";
  }

  /** All of the answer has come; `complete`: all of the request has gone. */
  giveBack(
    connection: HttpConnection,
    server: Candidate,
    pool: PoolRuntime,
    channel: Channel,
    complete: boolean,
  ): void {
    const port = portOf(connection, server);
    if (!complete || !this.#keeps) channel.close(!complete);
    else if (this.#own) connection.keepOwn(server, port, channel);
    else this.#worker.servers.keep(server, pool, port, channel);
  }

  /** For the next request. */
  clear(): void {
    this.onlyNew = this.#own = this.#keeps = false;
  }
}

function portOf({ service }: HttpConnection, server: Candidate): number {
  return service.plan.serverPort || server.plan.port;
}
