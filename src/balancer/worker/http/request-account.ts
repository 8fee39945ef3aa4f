/** What is written down of one request when it is over: when, what it was answered, how many bytes; and what is counted on the way. */
import type { Client } from "../../client.ts";
import { ServerCounter } from "../../shared/server-view.ts";
import { ServiceCounter } from "../../shared/service-view.ts";
import type { WorkerContext } from "../context.ts";
import type { JournaledRequest } from "../http-journal.ts";
import type { Placement } from "../placement.ts";
import type { RouteRuntime } from "../routing.ts";
import type { ServiceRuntime } from "../service.ts";
import type { Exchange } from "./exchange.ts";
import type { HttpConnection } from "./http-connection.ts";
import { RequestName } from "./request-name.ts";

const HTTP2 = 20;

export class RequestAccount implements JournaledRequest {
  /** What the client gets; 0 before it gets anything. */
  status = 0;
  /** When it began, monotonic and unix; how long the answer's head took, -1: it did not come. Milliseconds. */
  begunMs = 0;
  startedMs = 0;
  firstByteMs = -1;
  requestNumber = 0;
  route: RouteRuntime | null = null;
  readonly name = new RequestName();
  /** Bytes of heads: of the request as it came, of answers as the client gets them. */
  headsIn = 0;
  headsOut = 0;
  #countedIn = 0;
  #countedOut = 0;
  readonly #exchange: Exchange;
  readonly #plane: WorkerContext;

  constructor(plane: WorkerContext, exchange: Exchange) {
    this.#plane = plane;
    this.#exchange = exchange;
  }

  get connection(): HttpConnection {
    return this.#exchange.connection;
  }

  get service(): ServiceRuntime {
    return this.#exchange.service;
  }

  get client(): Client {
    return this.#exchange.client;
  }

  get placement(): Placement {
    return this.#exchange.placement;
  }

  get version(): number {
    const { connection, input } = this.#exchange;
    return connection.visit.stream > 0 ? HTTP2 : 10 + input.head.minorVersion;
  }

  get tlsVersion(): number {
    return this.connection.peer.tlsVersion;
  }

  get requestId(): Uint8Array {
    return this.name.bytes;
  }

  get requestIdLength(): number {
    return this.name.length;
  }

  /** Heads included: as the client has sent them, as it was answered. */
  get bytesIn(): number {
    return this.headsIn + this.#exchange.transfer.bytesIn;
  }

  get bytesOut(): number {
    return this.headsOut + this.#exchange.transfer.bytesOut;
  }

  /** A request has begun; its head has so many bytes. */
  open({ visit, requests }: HttpConnection, headBytes: number): void {
    this.begunMs = this.#plane.nowMs;
    this.startedMs = this.#plane.unixMs;
    this.requestNumber = visit.stream || requests;
    this.headsIn = headBytes;
  }

  giveName(): void {
    const { peer, number } = this.connection;
    if (peer.trusted && this.name.keep(this.#exchange.input)) return;
    this.name.make(this.#plane.journal.idHigh, number, this.requestNumber);
  }

  /** Its head, of so many bytes, goes to the client. */
  answerBegins(status: number, headBytes: number): void {
    this.status = status;
    this.firstByteMs = this.#plane.nowMs - this.begunMs;
    this.headsOut += headBytes;
  }

  /** Counts what has come and gone since it was counted last. */
  count(): void {
    const bytesIn = this.bytesIn - this.#countedIn;
    const bytesOut = this.bytesOut - this.#countedOut;
    if (bytesIn > 0) this.countIn(bytesIn);
    if (bytesOut > 0) this.countOut(bytesOut);
  }

  /** So many more have come. */
  countIn(bytes: number): void {
    const { connection, service, placement } = this.#exchange;
    this.#countedIn += bytes;
    connection.bytesIn += bytes;
    service.view.count(ServiceCounter.BYTES_IN, bytes);
    placement.decision.server?.view.count(ServerCounter.BYTES_IN, bytes);
  }

  countOut(bytes: number): void {
    const { connection, service, placement } = this.#exchange;
    this.#countedOut += bytes;
    connection.bytesOut += bytes;
    service.view.count(ServiceCounter.BYTES_OUT, bytes);
    placement.decision.server?.view.count(ServerCounter.BYTES_OUT, bytes);
  }

  /** It is over; `end` is a position in ENDS. */
  close(end: number): void {
    this.count();
    this.#plane.journal.requests.ended(this, end, this.#plane.nowMs);
  }

  /** For the next request. */
  clear(): void {
    this.headsIn = this.headsOut = this.#countedIn = this.#countedOut = 0;
    this.status = 0;
    this.firstByteMs = -1;
    this.route = null;
    this.name.length = 0;
  }
}
