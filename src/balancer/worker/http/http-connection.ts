/**
 * One client's HTTP/1 connection, in the order of its life: a request's head, its exchange with a server, the next request;
 * at the end what the client still sends is read for a while, so that the last answer is not lost to a reset.
 *
 * | state     | deadline                                        | bound                                |
 * |-----------|-------------------------------------------------|--------------------------------------|
 * | HEAD      | none read: `keepAlive`; some read: `request`    | `limits.head`                        |
 * | EXCHANGE  | the exchange's own                              | one read held for each way           |
 * | LINGERING | LINGER_MS                                       | LINGER_BYTES, read and dropped       |
 *
 * Between two requests it holds no buffer. Requests that come in one piece are served in their order, one at a time.
 */
import { statusOf } from "../../../protocols/http1/reasons.ts";
import type { Candidate } from "../../candidate.ts";
import type { Client } from "../../client.ts";
import { Decision } from "../../decide.ts";
import { slotOf } from "../../shared/server-id.ts";
import { ServiceCounter } from "../../shared/service-view.ts";
import { EndCode, RefusalCode } from "../../shared/words.ts";
import { type Channel, type ChannelOwner, NOTHING_YET } from "../channel.ts";
import type { Unfinished, WorkerContext } from "../context.ts";
import type { Journaled } from "../journal.ts";
import type { ServiceRuntime } from "../service.ts";
import { Timed } from "../timers.ts";
import type { Served, Visit } from "../visit.ts";
import type { Exchange } from "./exchange.ts";
import type { HttpWorker } from "./http-worker.ts";
import { OwnConnection } from "./own-connection.ts";
import { Peer } from "./peer.ts";

const HEAD = 0;
const EXCHANGE = 1;
const LINGERING = 2;
const CLOSED = 3;

/**
 * How long, and how many bytes, a client may go on sending once it has had its last answer (RFC 9112 9.6). More than the
 * sockets on the way hold of an upload, for a client that reads its answer only when it cannot send any more.
 */
const LINGER_MS = 5_000;
const LINGER_BYTES = 16 << 20;
const LINGER_READS = 16;
/**
 * How long a connection that nothing is asked over waits for a last request once this process takes no others: a request
 * may be on its way, and a client whose request is met by an end cannot know whether it was served.
 */
const LAST_CALL_MS = 2_000;
/** Pipelined requests that are answered in one turn of the loop, so that one client lets the others live. */
const REQUESTS_IN_TURN = 16;
const NO_BYTES = new Uint8Array(0);
/** Which server it was is said of each request. */
const NOWHERE = { decision: new Decision(), attempts: 0, queueMs: -1, connectMs: -1 };

export class HttpConnection extends Timed implements Served, ChannelOwner, Unfinished, Journaled {
  readonly worker: HttpWorker;
  readonly visit: Visit;
  readonly peer: Peer;
  /** The peer, or whom the request that is being served is from. */
  readonly client: Client;
  readonly number: number;
  readonly acceptedMs: number;
  readonly startedMs: number;
  /** Of the newest plan: it moves on between two requests. */
  service: ServiceRuntime;
  /** Nothing follows the request that is being served: the client is told so. */
  isLast = false;
  /** Of the whole connection, heads included. */
  bytesIn = 0;
  bytesOut = 0;
  requests = 0;
  /** Made where it is needed. */
  #own: OwnConnection | null = null;
  readonly #plane: WorkerContext;
  #state = HEAD;
  /** While a request is being read or served. */
  #exchange: Exchange | null = null;
  /** When the state is over. The timer may be set to an earlier time: it looks again then. */
  #dueMs: number;
  /** A part of a head is here, and its time runs. */
  #headBegun = false;
  #serving = false;
  #lingered = 0;
  #end: number = EndCode["client-closed"];

  constructor(worker: HttpWorker, visit: Visit) {
    super();
    this.worker = worker;
    this.#plane = worker.plane;
    this.visit = visit;
    this.peer = new Peer(visit);
    this.client = visit.client;
    this.service = visit.service;
    this.number = visit.number;
    this.acceptedMs = visit.acceptedMs;
    this.startedMs = visit.startedMs;
    this.#dueMs = visit.firstBytesDueMs;
  }

  begin(): this {
    const { visit } = this;
    visit.channel.owner = this;
    if (visit.early.length > 0) {
      this.#exchange = this.worker.takeExchange();
      this.#exchange.input.put(visit.early);
      visit.early = NO_BYTES;
    }
    // Who has to speak first has mostly spoken already.
    visit.channel.readable = true;
    this.#serve();
    if (this.#state !== CLOSED) visit.channel.watch();
    return this;
  }

  onChannel(): void {
    switch (this.#state) {
      case HEAD:
        return this.#serve();
      case EXCHANGE:
        return this.#exchange!.onClient();
      case LINGERING:
        return this.#linger();
    }
  }

  // Deadlines

  /** The state is over at `dueMs` at the latest. Costs a comparison where the timer would look early enough anyway. */
  due(dueMs: number): void {
    this.#dueMs = dueMs;
    if (this.timerSlot < 0 || dueMs < this.timerDue) this.#plane.timers.set(this, dueMs);
  }

  override onDeadline(nowMs: number): void {
    if (this.#dueMs > nowMs) return this.#plane.timers.set(this, this.#dueMs);
    switch (this.#state) {
      case HEAD:
        return this.#headTimedOut();
      case EXCHANGE:
        return this.#exchange!.onDue(nowMs);
      case LINGERING:
        return this.finish(this.#end, false);
    }
  }

  #headTimedOut(): void {
    // A client that has begun a request is told; one that has only connected, or that has had its answers, is not.
    const refusal = RefusalCode["first-bytes-timeout"];
    if (this.#headBegun) return this.#refuse(408, refusal, EndCode["first-bytes-timeout"]);
    if (this.isLast) return this.finish(EndCode["taken-over"], false);
    if (this.requests > 0) return this.finish(EndCode["idle-timeout"], false);
    this.service.view.count(ServiceCounter.REFUSED + refusal, 1);
    this.finish(EndCode["first-bytes-timeout"], false);
  }

  // Heads of requests

  /** Serves what is here. */
  #serve(): void {
    if (this.#serving) return;
    this.#serving = true;
    for (let left = REQUESTS_IN_TURN; this.#state === HEAD; left--) {
      if (left === 0) {
        this.#plane.unfinished(this);
        break;
      }
      if (!this.#readHead()) break;
    }
    this.#serving = false;
  }

  goOn(): void {
    if (this.#state === HEAD) this.#serve();
    else if (this.#state === LINGERING) this.#linger();
  }

  /** @returns whether the state was left; it may be the same again, after a request that was answered at once. */
  #readHead(): boolean {
    const exchange = this.#exchange ?? this.worker.takeExchange();
    this.#exchange = exchange;
    const { input } = exchange;
    const { limits } = this.service.plan.http!;
    for (;;) {
      if (input.mayHaveHead(limits)) {
        const used = input.readHead(limits);
        if (used > 0) {
          this.#beginExchange(exchange, used);
          return true;
        }
        if (used < 0) {
          this.#refuseHead(used);
          return true;
        }
      }
      if (!this.visit.channel.readable) break;
      const read = input.fill(this.visit.channel, limits.head);
      if (read === NOTHING_YET) break;
      if (read <= 0) {
        this.#leftEarly(exchange, read);
        return true;
      }
    }
    this.#rest(exchange);
    return false;
  }

  #beginExchange(exchange: Exchange, used: number): void {
    this.#state = EXCHANGE;
    this.#headBegun = false;
    this.requests++;
    if (this.requests > 1) this.#takeNewestPlan();
    exchange.begin(this, used);
  }

  #takeNewestPlan(): void {
    const service = this.#plane.newest(this.service);
    if (service === this.service) return;
    this.service = service;
    this.peer.trustAsIn(service);
  }

  /** Waits for the next head, or for the rest of it. */
  #rest(exchange: Exchange): void {
    const { timeouts } = this.service.plan;
    if (exchange.input.isEmpty) {
      this.#exchange = null;
      this.worker.giveExchange(exchange);
      if (this.requests === 0) return this.due(this.visit.firstBytesDueMs);
      if (this.isLast) return this.due(this.#plane.nowMs + LAST_CALL_MS);
      return this.due(this.#plane.nowMs + this.service.plan.http!.timeouts.keepAlive);
    }
    if (this.#headBegun) return;
    this.#headBegun = true;
    this.due(this.requests === 0 ? this.visit.firstBytesDueMs : this.#plane.nowMs + timeouts.request);
  }

  /** The client has ended, or was lost, in front of a request or within its head. */
  #leftEarly(exchange: Exchange, read: number): void {
    if (!exchange.input.isEmpty || this.requests === 0) {
      this.service.view.count(ServiceCounter.REFUSED + RefusalCode["closed-early"], 1);
    }
    this.finish(read === 0 ? EndCode["client-closed"] : EndCode["client-reset"], false);
  }

  #refuseHead(reason: number): void {
    this.#refuse(statusOf(reason), RefusalCode["bad-request"], EndCode["bad-protocol"]);
  }

  #refuse(status: number, refusal: number, end: number): void {
    this.#state = EXCHANGE;
    this.requests++;
    this.#exchange!.refuseHead(this, status, refusal, end);
  }

  /** The exchange is over, and everything of its answer was taken. `keep`: another may follow. */
  exchangeOver(keep: boolean, end: number): void {
    const exchange = this.#exchange!;
    if (!keep) {
      this.#end = end;
      return this.#beginLingering(exchange);
    }
    this.#state = HEAD;
    this.#serve();
  }

  // The end

  /** The client has its answer. What it still sends is dropped, so that the answer is not lost to the reset that closing would cause. */
  #beginLingering(exchange: Exchange): void {
    const { channel } = this.visit;
    this.#exchange = null;
    const sendsMore = exchange.clientMaySendMore;
    this.worker.giveExchange(exchange);
    if (!sendsMore || channel.broken) return this.finish(this.#end, false);
    this.#state = LINGERING;
    this.due(this.#plane.nowMs + LINGER_MS);
    channel.end();
    channel.readable = true;
    this.#linger();
  }

  #linger(): void {
    const { channel } = this.visit;
    const { buffer } = this.#plane.tools;
    for (let left = LINGER_READS; left > 0 && channel.readable; left--) {
      const read = channel.read(buffer, buffer.length);
      if (read === NOTHING_YET) return;
      if (read <= 0) return this.finish(this.#end, false);
      this.#lingered += read;
      if (this.#lingered > LINGER_BYTES) return this.finish(this.#end, false);
    }
    if (channel.readable) this.#plane.unfinished(this);
  }

  /** Control wants it to end. */
  close(end: number): void {
    this.finish(end, false);
  }

  closeAt(server: number, end: number): boolean {
    const on = this.#exchange?.placement.decision.server ?? null;
    if (this.#state !== EXCHANGE || on === null || slotOf(on.plan.id) !== server) return false;
    this.close(end);
    return true;
  }

  windDown(): void {
    this.isLast = true;
    const isResting = this.#state === HEAD && (this.#exchange?.input.isEmpty ?? true);
    if (isResting) this.due(Math.min(this.#dueMs, this.#plane.nowMs + LAST_CALL_MS));
  }

  /** The only end, whatever the state. */
  finish(end: number, withReset: boolean): void {
    if (this.#state === CLOSED) return;
    const plane = this.#plane;
    this.#state = CLOSED;
    plane.timers.clear(this);
    const exchange = this.#exchange;
    this.#exchange = null;
    if (exchange !== null) {
      exchange.abandon(end);
      this.worker.giveExchange(exchange);
    }
    this.#own?.close();
    // A stream's connection tells of its end itself.
    if (this.visit.stream === 0) plane.journal.ended(this, end, plane.nowMs);
    this.visit.finish(end, withReset);
  }

  // A connection to a server that is this client's alone

  /** Keeps it for the next request of this client. */
  keepOwn(server: Candidate, port: number, channel: Channel): void {
    this.#own ??= new OwnConnection();
    this.#own.keep(server, port, this.client, channel);
  }

  takeOwn(server: Candidate, port: number): Channel | null {
    return this.#own === null ? null : this.#own.take(server, port, this.client);
  }

  // For the record of its end

  readonly placement = NOWHERE;
  readonly serverFd = -1;
  readonly firstByteMs = -1;
}
