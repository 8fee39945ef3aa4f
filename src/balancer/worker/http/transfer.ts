/**
 * Between a client and the server of its request: the request on its way, the answer's head, the answer on its way, and what
 * follows a 101. What it cannot go on with, the exchange decides.
 *
 * | phase      | waits for                               | deadline                                              |
 * |------------|-----------------------------------------|-------------------------------------------------------|
 * | AWAITING   | the request's body, the answer's head   | body: `timeouts.body` of silence and `bodyRate`;      |
 * |            |                                         | the pool's `responseTimeoutMs` behind the request     |
 * | ANSWERING  | the answer's body                       | `timeouts.idle` without a byte                        |
 * | OWN        | the client, to take our own answer      | `timeouts.idle`                                       |
 * | TUNNELLING | either side (relay.ts)                  | the relay's own                                       |
 */
import { CHUNKED, NO_BODY, TUNNEL, UNTIL_CLOSE } from "../../../protocols/http1/request.ts";
import { bodyOf } from "../../../protocols/http1/response.ts";
import { NEED_MORE } from "../../../protocols/result.ts";
import { EndCode } from "../../shared/words.ts";
import { type Channel, type ChannelOwner, LOST, NOTHING_YET } from "../channel.ts";
import type { Unfinished, WorkerContext } from "../context.ts";
import { AnswerInput } from "./answer-input.ts";
import { BodyClock } from "./body-clock.ts";
import { BodyWay, CUT_OFF, DONE, MALFORMED, MORE, SINK_LOST } from "./body-way.ts";
import type { Exchange } from "./exchange.ts";
import type { HttpWorker } from "./http-worker.ts";
import { Tunnel } from "./tunnel.ts";

const RESTING = 0;
const AWAITING = 1;
const ANSWERING = 2;
const OWN = 3;
const TUNNELLING = 4;

/** An exchange that lasts so long gives back its buffer: thousands may wait for news. */
const LASTS_MS = 1_000;
/** Later than anything: somebody else has the deadline. */
export const NOT_MINE_MS = 3_600_000;

export class Transfer implements ChannelOwner, Unfinished {
  /** Bodies on their way. */
  readonly toServer = new BodyWay();
  readonly toClient = new BodyWay();
  readonly answer = new AnswerInput();
  readonly #exchange: Exchange;
  readonly #worker: HttpWorker;
  readonly #plane: WorkerContext;
  readonly #clock = new BodyClock();
  #phase = RESTING;
  #server: Channel | null = null;
  #tunnel: Tunnel | null = null;
  /** The server takes no more of the request. */
  #requestLost = false;
  #lastActiveMs = 0;
  /** When all of the request was on its way. */
  #sentMs = 0;
  #unfinished = false;

  constructor(worker: HttpWorker, exchange: Exchange) {
    this.#worker = worker;
    this.#plane = worker.plane;
    this.#exchange = exchange;
  }

  /** A request was read: nothing of it has moved yet. `body`: a number of bytes, or CHUNKED. */
  open(body: number): void {
    this.#lastActiveMs = this.#plane.nowMs;
    this.toServer.begin(body, false);
  }

  /** All of the request has gone to the server. */
  get requestIsSent(): boolean {
    return this.toServer.arrived && !this.toServer.holding;
  }

  /** Bytes of the bodies and of the tunnel. */
  get bytesIn(): number {
    return this.toServer.bytes + (this.#tunnel?.relay.toServer.bytes ?? 0);
  }

  get bytesOut(): number {
    return this.toClient.bytes + (this.#tunnel?.relay.toClient.bytes ?? 0);
  }

  get #channel(): Channel {
    return this.#exchange.connection.visit.channel;
  }

  // The request

  /** `server` is where the request goes. */
  begin(server: Channel): void {
    server.owner = this;
    this.#server = server;
    this.#phase = AWAITING;
    this.answer.heard = false;
  }

  /** The head, and what was at hand of the body, have gone to the server or are held for it: the rest, and the answer. */
  proceed(server: Channel): void {
    server.watch();
    if (this.requestIsSent) this.#requestSent();
    else {
      this.#clock.begin(this.#plane.nowMs);
      this.#exchange.connection.due(this.#clock.nextMs(this.#exchange.http.plan));
      this.#pumpRequest();
    }
    if (this.#server === server) this.onChannel(server);
  }

  #requestSent(): void {
    this.#sentMs = this.#plane.nowMs;
    if (this.#phase !== AWAITING) return;
    const exchange = this.#exchange;
    exchange.connection.due(Math.min(this.#answerDueMs(), exchange.account.begunMs + LASTS_MS));
  }

  #answerDueMs(): number {
    return this.#sentMs + this.#exchange.placement.decision.pool!.plan.responseTimeoutMs;
  }

  #pumpRequest(): void {
    const { toServer } = this;
    const server = this.#server;
    if (server === null || this.requestIsSent) return;
    const before = toServer.bytes;
    const result = toServer.pump(this.#channel, server, this.#plane.tools);
    if (toServer.bytes !== before) this.#lastActiveMs = this.#plane.nowMs;
    switch (result) {
      case DONE:
        return this.#requestSent();
      case MORE:
        return this.#goOnLater();
      case CUT_OFF:
        return this.#exchange.connection.finish(EndCode[toServer.lost ? "client-reset" : "client-closed"], false);
      case MALFORMED:
        return this.#exchange.badRequest(this.#phase === ANSWERING);
      case SINK_LOST:
        // It may have answered before it went; what it said can still be read.
        this.#requestLost = true;
        server.readable = true;
        if (this.#phase === AWAITING) this.#readAnswer(server);
    }
  }

  // Events

  /** The client has sent something, takes more, or is lost. */
  onClient(channel: Channel): void {
    switch (this.#phase) {
      case AWAITING:
      case ANSWERING:
        if (!this.#requestLost && (channel.readable || this.toServer.holding)) this.#pumpRequest();
        if (this.#phase === ANSWERING && channel.writable) this.#pumpAnswer();
        break;
      case OWN:
        if (channel.writable) this.#pumpAnswer();
    }
  }

  /** The server has sent something, takes more, or is lost. */
  onChannel(server: Channel): void {
    if (server.writable && this.toServer.holding && !this.#requestLost) this.#pumpRequest();
    if (server !== this.#server || !server.readable) return;
    if (this.#phase === AWAITING) this.#readAnswer(server);
    else if (this.#phase === ANSWERING) this.#pumpAnswer();
  }

  goOn(): void {
    this.#unfinished = false;
    const server = this.#server;
    if (this.#phase !== AWAITING && this.#phase !== ANSWERING && this.#phase !== OWN) return;
    this.#exchange.onClient();
    if (server !== null && server === this.#server) this.onChannel(server);
  }

  #goOnLater(): void {
    if (this.#unfinished) return;
    this.#unfinished = true;
    this.#plane.unfinished(this);
  }

  // The answer

  #readAnswer(server: Channel): void {
    const { answer } = this;
    const { tools } = this.#plane;
    while (this.#phase === AWAITING && this.#server === server && server.readable) {
      const read = answer.fill(server, tools.buffer, this.#worker.headBuffer);
      if (read === NOTHING_YET) return;
      if (read <= 0) return this.#exchange.serverFailed(read === LOST);
      this.#lastActiveMs = this.#plane.nowMs;
      this.#readHeads();
    }
  }

  /** Any number of interim answers, then the answer itself. */
  #readHeads(): void {
    const head = this.#worker.responseHead;
    for (;;) {
      const used = this.answer.readHead(head);
      if (used === NEED_MORE) return;
      if (used < 0) return this.#exchange.badAnswer();
      if (head.status >= 200 || head.status === 101) return this.#beginAnswer();
      if (!this.#passOnInterim()) return;
    }
  }

  /** 100 (Continue), 103 (Early Hints): to whom knows them (RFC 9110 15.2), as far as there is room. @returns whether the client is still there. */
  #passOnInterim(): boolean {
    const { out, responseHead, answerWriter } = this.#worker;
    const { input, http, account } = this.#exchange;
    this.#clock.continued = true;
    if (input.head.minorVersion === 0 || this.toClient.holding) return true;
    const end = answerWriter.writeInterim(this.answer.bytes, responseHead, http, out);
    if (end < 0) return true;
    account.headsOut += end;
    return this.#send(out, end);
  }

  /** The answer's head was read; behind it is what is at hand of its body. */
  #beginAnswer(): void {
    const { out, responseHead: head, answerWriter } = this.#worker;
    const { toClient, toServer, answer } = this;
    const exchange = this.#exchange;
    const { connection, http, input } = exchange;
    const { nowMs } = this.#plane;
    const body = bodyOf(head, input.head.method);
    if (body === TUNNEL && !(input.head.isUpgrade && this.requestIsSent)) return exchange.badAnswer();
    // HTTP/1.0 knows no chunks: it gets their data, until the end of the connection.
    const recoded = body === CHUNKED && input.head.minorVersion === 0;
    const sent = recoded ? UNTIL_CLOSE : body;
    if (sent === UNTIL_CLOSE || !toServer.arrived || connection.isLast) exchange.keep = false;
    const headEnd = answerWriter.write(exchange, answer.bytes, head, sent, this.#plane.nowSec, out);
    if (headEnd < 0) return exchange.badAnswer();
    let end = headEnd;
    if (body !== TUNNEL) {
      toClient.begin(body, recoded, http.responseRules.removed);
      end = toClient.takeAtHand(answer.bytes, answer.at, answer.end, out, end);
      if (end < 0) return exchange.badAnswer();
    }
    const serverKeeps = !head.close && body !== UNTIL_CLOSE && answer.at + toClient.used === answer.end;
    exchange.answerBegins(serverKeeps, answer.bytes, head, headEnd);
    if (!this.#send(out, end)) return;
    if (body === TUNNEL) return this.#beginTunnel(answer.bytes.slice(answer.at, answer.end));
    this.#phase = ANSWERING;
    if (!toClient.arrived) connection.due(nowMs + Math.min(connection.service.plan.timeouts.idle, LASTS_MS));
    this.#afterPiece();
    if (this.#phase === ANSWERING && this.#server?.readable) this.#pumpAnswer();
  }

  #pumpAnswer(): void {
    const { toClient } = this;
    const before = toClient.bytes;
    const result = toClient.pump(this.#server ?? this.#channel, this.#channel, this.#plane.tools);
    if (toClient.bytes !== before) this.#lastActiveMs = this.#plane.nowMs;
    switch (result) {
      case MORE:
        return this.#goOnLater();
      case SINK_LOST:
        return this.#exchange.connection.finish(EndCode["client-reset"], false);
      case CUT_OFF:
        return this.#exchange.answerBroken(EndCode[toClient.lost ? "server-reset" : "server-closed"]);
      case MALFORMED:
        return this.#exchange.answerBroken(EndCode["bad-answer"]);
    }
    this.#afterPiece();
  }

  /** A piece of the answer has gone, or waits for the client. */
  #afterPiece(): void {
    if (!this.toClient.arrived) return;
    const server = this.#server;
    if (server !== null) {
      this.#server = null;
      this.#exchange.answered(server);
    }
    if (!this.toClient.holding) this.#exchange.over();
  }

  /** Sends to the client, behind what it has not taken yet. @returns whether the client is still there. */
  #send(bytes: Uint8Array, length: number): boolean {
    const taken = this.toClient.holding ? 0 : this.#channel.write(bytes, length);
    if (taken === LOST) {
      this.#exchange.connection.finish(EndCode["client-reset"], false);
      return false;
    }
    if (taken < length) this.toClient.hold(bytes.slice(taken, length));
    return true;
  }

  /** An answer of our own, `bytes[0, length)`. */
  sendOwn(bytes: Uint8Array, length: number): void {
    const { connection } = this.#exchange;
    this.#phase = OWN;
    this.toClient.begin(NO_BODY, false);
    connection.due(this.#plane.nowMs + connection.service.plan.timeouts.idle);
    if (this.#send(bytes, length)) this.#afterPiece();
  }

  #beginTunnel(fromServer: Uint8Array): void {
    const exchange = this.#exchange;
    const { connection } = exchange;
    const fromClient = exchange.tunnelBegins();
    const unsent = this.toClient.takeHeld();
    this.#phase = TUNNELLING;
    connection.due(this.#plane.nowMs + NOT_MINE_MS);
    this.#tunnel = new Tunnel(connection, exchange, this.#server!);
    this.#tunnel.begin(fromClient, unsent === null ? fromServer : Buffer.concat([unsent, fromServer]));
  }

  // Deadlines

  /** A deadline has passed, or one of the body's ticks. */
  onDue(nowMs: number): void {
    const exchange = this.#exchange;
    const { connection, input } = exchange;
    const { toServer } = this;
    if (toServer.arrived && toServer.used === 0 && nowMs - exchange.account.begunMs >= LASTS_MS) input.shrink();
    if (this.#phase === AWAITING) {
      if (!this.requestIsSent) return this.#lookAtBody(nowMs);
      if (this.#answerDueMs() > nowMs) return connection.due(this.#answerDueMs());
      return exchange.noAnswer();
    }
    if (this.#phase !== ANSWERING && this.#phase !== OWN) return connection.due(nowMs + NOT_MINE_MS);
    const idleMs = this.#lastActiveMs + connection.service.plan.timeouts.idle;
    if (idleMs > nowMs) return connection.due(idleMs);
    exchange.cutOff(EndCode["idle-timeout"]);
  }

  #lookAtBody(nowMs: number): void {
    const exchange = this.#exchange;
    const { toServer } = this;
    const http = exchange.http.plan;
    const awaitsContinue = exchange.input.head.expectContinue && !this.#clock.continued && toServer.bytes === 0;
    if (this.#clock.isTooSlow(nowMs, toServer.bytes, toServer.holding || awaitsContinue, http))
      return exchange.tooSlow();
    const { responseTimeoutMs } = exchange.placement.decision.pool!.plan;
    if (nowMs - this.#lastActiveMs > responseTimeoutMs) return exchange.noAnswer();
    exchange.connection.due(this.#clock.nextMs(http));
  }

  // The end

  /** The server is left, in whatever state it is; the client may be answered by another, or by us. */
  leaveServer(): void {
    const server = this.#server;
    this.#server = null;
    server?.close(true);
    if (this.#phase === AWAITING) this.#phase = RESTING;
  }

  /** The request goes to another server, from its beginning. */
  startOver(): void {
    this.#requestLost = false;
    this.toServer.dispose(this.#plane.tools);
  }

  /** Nothing moves any more. */
  close(): void {
    const { tools } = this.#plane;
    this.#tunnel?.relay.dispose();
    if (this.#tunnel !== null) this.#server?.close(false);
    this.#tunnel = null;
    this.leaveServer();
    this.#phase = RESTING;
    this.toServer.dispose(tools);
    this.toClient.dispose(tools);
    this.answer.clear();
    this.#requestLost = false;
    this.#clock.continued = false;
  }
}
