/** What the HTTP connections of one worker share: buffers, exchanges that are not in use, idle connections to servers. */
import { PROXIED, ResponseHead } from "../../../protocols/http1/response.ts";
import type { WorkerContext } from "../context.ts";
import type { ServiceRuntime } from "../service.ts";
import type { ProtocolHandler } from "../visit.ts";
import { READ_BYTES } from "../way.ts";
import { AnswerWriter } from "./answer-writer.ts";
import { Exchange } from "./exchange.ts";
import { HttpConnection } from "./http-connection.ts";
import { HttpService } from "./http-service.ts";
import { RequestWriter } from "./request-writer.ts";
import { ServerConnections } from "./server-connections.ts";

/** Exchanges that are kept for the next request: each has a buffer of READ_BYTES. */
const KEPT_EXCHANGES = 256;
/** A head with everything we add, what is at hand of a body, and its trailers. */
const OUT_BYTES = 128 * 1024;

export class HttpWorker {
  readonly plane: WorkerContext;
  readonly servers: ServerConnections;
  /** What is sent next; until the next write of anybody. */
  readonly out = new Uint8Array(OUT_BYTES);
  /** For an answer's head that comes in pieces. */
  readonly headBuffer = new Uint8Array(PROXIED.head + READ_BYTES);
  /** The answer that is being read. */
  readonly responseHead = new ResponseHead();
  readonly requestWriter = new RequestWriter();
  readonly answerWriter = new AnswerWriter();
  readonly #exchanges: Exchange[] = [];
  readonly #services = new WeakMap<ServiceRuntime, HttpService>();

  constructor(plane: WorkerContext) {
    this.plane = plane;
    this.servers = new ServerConnections(plane);
  }

  takeExchange(): Exchange {
    return this.#exchanges.pop() ?? new Exchange(this);
  }

  /** Takes back an exchange that is over. */
  giveExchange(exchange: Exchange): void {
    exchange.input.clear();
    if (exchange.input.isUsual && this.#exchanges.length < KEPT_EXCHANGES) this.#exchanges.push(exchange);
  }

  /** What a service's plan says of HTTP, made ready. */
  serviceOf(service: ServiceRuntime): HttpService {
    let ready = this.#services.get(service);
    if (ready === undefined) {
      ready = new HttpService(service.plan);
      this.#services.set(service, ready);
    }
    return ready;
  }
}

const workers = new WeakMap<WorkerContext, HttpWorker>();

/** The one of this worker. */
export function httpWorkerOf(plane: WorkerContext): HttpWorker {
  let worker = workers.get(plane);
  if (worker === undefined) {
    worker = new HttpWorker(plane);
    workers.set(plane, worker);
  }
  return worker;
}

/** HTTP/1.0 and 1.1, and each stream of HTTP/2, which speaks HTTP/1.1 to us. */
export const http: ProtocolHandler = { begin: (visit) => new HttpConnection(httpWorkerOf(visit.plane), visit).begin() };
