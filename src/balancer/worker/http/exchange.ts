/**
 * One request and its answer, in the order of their life: the head, a route, a server, the request on its way, the answer's
 * head, its body, the end. A worker keeps exchanges and uses them again.
 *
 * | state     | waits for                               | deadline                                                     |
 * |-----------|-----------------------------------------|--------------------------------------------------------------|
 * | PLACING   | a server, perhaps in a queue            | the placement's own                                          |
 * | AWAITING  | the request's body, the answer's head   | body: `timeouts.body` of silence and `bodyRate`: 408;        |
 * |           |                                         | the pool's `responseTimeoutMs` behind the request: 504       |
 * | ANSWERING | the answer's body                       | `timeouts.idle` without a byte: cut off                      |
 * | OWN       | the client, to take our own answer      | `timeouts.idle`                                              |
 * | TUNNEL    | either side (relay.ts)                  | the relay's own                                              |
 *
 * What happens when a server fails:
 *
 * | the server                              | the connection was kept idle, and the request may be sent again | otherwise |
 * |-----------------------------------------|------------------------------------------|-----------------------------|
 * | cannot be connected                     |                                          | another server (placement)  |
 * | ends before any answer                  | once more, on a new connection           | 502                         |
 * | resets before any answer                | once more, on a new connection           | another server, if the request may be sent again |
 * | answers what is no HTTP                 | 502                                      | 502                         |
 * | ends or resets within its answer        | the client's connection ends: it must not take a part for the whole    | the same |
 *
 * A reset of a new connection means that the server has not read all of the request: its process died with the connection
 * still waiting to be accepted, say.
 *
 * A request may be sent again if its method is idempotent (RFC 9110 9.2.2) and all of it is still at hand. Any other request
 * goes over a kept connection only if that was in use a moment ago and has nothing to read; else over a new one.
 *
 * An answer may come before the request is complete (413, say). Then it is the connection's last one: the client is told, the
 * answer is passed on whole, the server's connection is closed.
 */
import type { Answer } from "../../../protocols/http1/answer.ts";
import { CHUNKED, isIdempotent, Method, NO_BODY, TUNNEL, UNTIL_CLOSE } from "../../../protocols/http1/request.ts";
import { bodyOf, PROXIED, readResponseHead } from "../../../protocols/http1/response.ts";
import { endHead, writeResponseHead } from "../../../protocols/http1/write.ts";
import { NEED_MORE } from "../../../protocols/result.ts";
import type { Candidate } from "../../candidate.ts";
import type { Client } from "../../client.ts";
import { learn, type PoolRuntime, touch, writeFields } from "../../decide.ts";
import type { AnswerPlan } from "../../plan.ts";
import { ServerCounter } from "../../shared/server-view.ts";
import { ServiceCounter } from "../../shared/service-view.ts";
import { UNTRACKED } from "../../shared/sources.ts";
import { EndCode, RefusalCode } from "../../shared/words.ts";
import { type Channel, type ChannelOwner, LOST, NOTHING_YET } from "../channel.ts";
import type { Unfinished, WorkerContext } from "../context.ts";
import type { JournaledRequest } from "../http-journal.ts";
import { http2ServersOf } from "../http2/server-connections.ts";
import { Placement, type PlacementOwner } from "../placement.ts";
import type { RouteRuntime } from "../routing.ts";
import type { ServiceRuntime } from "../service.ts";
import { READ_BYTES } from "../way.ts";
import { BodyClock } from "./body-clock.ts";
import { BodyWay, CUT_OFF, DONE, MALFORMED, MORE, SINK_LOST } from "./body-way.ts";
import type { HttpConnection } from "./http-connection.ts";
import type { HttpService } from "./http-service.ts";
import type { HttpWorker } from "./http-worker.ts";
import { asksWhoConnects } from "./login.ts";
import { locationFor } from "./redirect.ts";
import { RequestInput } from "./request-input.ts";
import { RequestName } from "./request-name.ts";
import { Tunnel } from "./tunnel.ts";

const IDLE = 0;
const PLACING = 1;
const AWAITING = 2;
const ANSWERING = 3;
const OWN = 4;
const TUNNELLING = 5;

/** In the ledger: a descriptor that counts against nobody. */
const UNTRACKED_SOURCE = -1;
/** Answers from it on are the server's fault. */
const FIRST_BAD_STATUS = 500;
/** An exchange that lasts so long gives back its buffer: thousands may wait for news. */
const LASTS_MS = 1_000;
/** Later than anything: somebody else has the deadline. */
const NOT_MINE_MS = 3_600_000;
const NO_BYTES = new Uint8Array(0);

export class Exchange implements PlacementOwner, ChannelOwner, Unfinished, JournaledRequest {
  readonly input = new RequestInput();
  readonly placement: Placement;
  /** Bodies on their way. */
  readonly toServer = new BodyWay();
  readonly toClient = new BodyWay();
  /** What the client gets; 0 before it gets anything. */
  status = 0;
  /** When it began, monotonic and unix; how long the answer's head took, -1: it did not come. Milliseconds. */
  begunMs = 0;
  startedMs = 0;
  firstByteMs = -1;
  requestNumber = 0;
  route: RouteRuntime | null = null;
  readonly name = new RequestName();
  /** The client may go on sending, whatever it was told. */
  clientMaySendMore = false;
  readonly #worker: HttpWorker;
  readonly #plane: WorkerContext;
  readonly #clock = new BodyClock();
  #connection: HttpConnection | null = null;
  #http: HttpService | null = null;
  #state = IDLE;
  /** In `input`. */
  #bodyAt = 0;
  #headsIn = 0;
  #headsOut = 0;
  #countedIn = 0;
  #countedOut = 0;
  #server: Channel | null = null;
  #tunnel: Tunnel | null = null;
  #sourceSlot = UNTRACKED;
  /** It waits, or has waited, for a server that is full. */
  #queued = false;
  /** No kept connection any more: one has failed this request. */
  #onlyNew = false;
  /** The server has said something. */
  #heard = false;
  /** It takes no more of the request. */
  #requestLost = false;
  /** The beginning of an answer's head. */
  #headPart: Uint8Array = NO_BYTES;
  /** Another request may follow on the client's connection; on the server's. */
  #keep = false;
  #serverKeeps = false;
  /** The server's connection speaks for this client only. */
  #own = false;
  #end: number = EndCode["client-closed"];
  #lastActiveMs = 0;
  /** When all of the request was on its way. */
  #sentMs = 0;
  #unfinished = false;

  constructor(worker: HttpWorker) {
    this.#worker = worker;
    this.#plane = worker.plane;
    this.placement = new Placement(worker.plane, this);
  }

  get connection(): HttpConnection {
    return this.#connection!;
  }

  /** As the access log has it. */
  get version(): number {
    return this.#connection!.visit.stream > 0 ? 20 : 10 + this.input.head.minorVersion;
  }

  get tlsVersion(): number {
    return this.#connection!.peer.tlsVersion;
  }

  get requestId(): Uint8Array {
    return this.name.bytes;
  }

  get requestIdLength(): number {
    return this.name.length;
  }

  get service(): ServiceRuntime {
    return this.#connection!.service;
  }

  get client(): Client {
    return this.#connection!.client;
  }

  get clientFd(): number {
    return this.#connection!.visit.clientFd;
  }

  get #channel(): Channel {
    return this.#connection!.visit.channel;
  }

  // The request's head

  /** A head of `used` bytes is at the beginning of `input`: serves it. `connection.exchangeOver` may be called before this returns. */
  begin(connection: HttpConnection, used: number): void {
    const { head } = this.input;
    this.#open(connection, this.input.start + used);
    this.#headsIn = used;
    this.#keep = !head.close && !connection.isLast;
    this.clientMaySendMore = !head.close;
    this.toServer.begin(head.body, false);
    connection.peer.requestBegins(this.input, connection.service);
    if (head.method === Method.CONNECT) {
      // What follows may be meant for the tunnel, and is not read as requests.
      this.#keep = false;
      this.clientMaySendMore = true;
      return this.#refuse(405, RefusalCode["bad-request"], EndCode["not-allowed"]);
    }
    if (this.#http!.plan.requestId) this.#giveName(connection);
    if (this.#http!.limitsSources && !this.#admit()) return;
    const route = connection.service.routeOf(connection.client);
    this.route = route;
    if (route === null) return this.#refuse(503, RefusalCode["no-route"], EndCode["not-allowed"]);
    if (route.answer !== null) return this.#answerRoute(route.answer);
    this.placement.begin(route);
  }

  #giveName({ peer, number }: HttpConnection): void {
    if (peer.trusted && this.name.keep(this.input)) return;
    this.name.make(this.#plane.journal.idHigh, number, this.requestNumber);
  }

  /** What came is no head: our own answer, then the end. */
  refuseHead(connection: HttpConnection, status: number, refusal: number, end: number): void {
    this.#open(connection, this.input.end);
    this.#headsIn = this.input.end - this.input.start;
    this.#keep = false;
    this.clientMaySendMore = true;
    this.input.head.method = Method.OTHER;
    this.#refuse(status, refusal, end);
  }

  #open(connection: HttpConnection, bodyAt: number): void {
    const plane = this.#plane;
    this.#connection = connection;
    this.#http = this.#worker.serviceOf(connection.service);
    this.#state = PLACING;
    this.#bodyAt = bodyAt;
    this.begunMs = plane.nowMs;
    this.requestNumber = connection.visit.stream || connection.requests;
    this.startedMs = plane.unixMs;
    this.#lastActiveMs = plane.nowMs;
    connection.due(plane.nowMs + NOT_MINE_MS);
  }

  #admit(): boolean {
    const slot = this.#plane.admitRequest(this.service, this.client);
    if (slot >= 0 || slot === UNTRACKED) {
      this.#sourceSlot = slot;
      return true;
    }
    this.#refuse(429, this.#plane.sourceRefusal(slot), EndCode.limit);
    return false;
  }

  // A server

  takeIdle(server: Candidate, pool: PoolRuntime): Channel | null {
    if (this.#onlyNew) return null;
    const port = this.#portOf(server);
    const own = this.#connection!.takeOwn(server, port);
    this.#own = own !== null;
    if (own !== null || pool.plan.sendProxy !== "off") return own;
    if (pool.plan.http2) {
      const stream = http2ServersOf(this.#plane).take(server, port);
      if (stream !== null) return stream;
    }
    return this.#worker.servers.take(server, port, !this.#mayRepeat());
  }

  #portOf(server: Candidate): number {
    return this.service.plan.serverPort || server.plan.port;
  }

  /** May the request be sent twice? */
  #mayRepeat(): boolean {
    const { method, body } = this.input.head;
    return isIdempotent(method) && body !== CHUNKED && body <= this.input.end - this.#bodyAt;
  }

  onQueued(): void {
    this.#queued = true;
  }

  onNoServer(refusal: number, end: number): void {
    this.#refuse(503, refusal, end);
  }

  firstBytes(): Uint8Array {
    const end = this.#writeRequest();
    return end < 0 ? NO_BYTES : this.#worker.out.subarray(0, end);
  }

  /** Writes the head, and what is at hand of the body, to `worker.out`. @returns the end; below 0: no room, or no chunks. */
  #writeRequest(): number {
    const { out } = this.#worker;
    const { bytes, head, end } = this.input;
    const http = this.#http!;
    const { requestWriter } = this.#worker;
    const headEnd = requestWriter.write(this.#connection!, http, this.input, this.name, this.placement.decision, out);
    if (headEnd < 0 || head.body === NO_BODY) return headEnd;
    this.toServer.begin(head.body, false, http.requestRules.removed);
    return this.toServer.takeAtHand(bytes, this.#bodyAt, end, out, headEnd);
  }

  onServer(server: Channel, first: Uint8Array, sent: number): void {
    server.owner = this;
    this.#server = server;
    // If this worker dies, control gives the source's place back with the descriptor.
    if (this.#sourceSlot >= 0 && server.fd >= 0) this.#plane.ledger.setSource(server.fd, this.#sourceSlot);
    this.#state = AWAITING;
    this.#queued = false;
    this.#heard = false;
    if (this.placement.reused) {
      if (!this.#sendOverKept(server)) return;
    } else if (first.length === 0) {
      return this.#badRequest();
    } else if (sent < first.length) {
      this.toServer.hold(first.slice(sent));
    }
    server.watch();
    this.#sendBody(server);
  }

  /** @returns whether the request is on its way, as far as it is at hand. */
  #sendOverKept(server: Channel): boolean {
    const end = this.#writeRequest();
    if (end < 0) {
      this.#badRequest();
      return false;
    }
    const { out } = this.#worker;
    const taken = server.write(out, end);
    if (taken === LOST) {
      this.#serverFailed(true);
      return false;
    }
    if (taken < end) this.toServer.hold(out.slice(taken, end));
    return true;
  }

  #sendBody(server: Channel): void {
    if (this.toServer.arrived && !this.toServer.holding) this.#requestSent();
    else {
      this.#clock.begin(this.#plane.nowMs);
      this.#connection!.due(this.#clock.nextMs(this.#http!.plan));
      this.#pumpRequest();
    }
    if (this.#server === server) this.onChannel(server);
  }

  #requestSent(): void {
    this.#sentMs = this.#plane.nowMs;
    if (this.#state === AWAITING) this.#connection!.due(Math.min(this.#answerDueMs(), this.begunMs + LASTS_MS));
  }

  #answerDueMs(): number {
    return this.#sentMs + this.placement.decision.pool!.plan.responseTimeoutMs;
  }

  // Bodies

  /** The client has sent something, takes more, or is lost. */
  onClient(): void {
    const { toServer } = this;
    const channel = this.#channel;
    const server = this.#server;
    switch (this.#state) {
      case AWAITING:
      case ANSWERING:
        if (server !== null && !this.#requestLost && (channel.readable || toServer.holding)) this.#pumpRequest();
        if (this.#state === ANSWERING && channel.writable) this.#pumpAnswer();
        break;
      case OWN:
        if (channel.writable) this.#pumpAnswer();
    }
    if (this.#connection?.visit.channel !== channel) return;
    // Who ends its sending may await its answer all the same; who does so in a queue has become impatient.
    if (this.#queued && channel.endIsNear) return this.#connection.finish(EndCode["client-closed"], false);
    // Nothing that is written will arrive.
    if (channel.broken) this.#connection.finish(EndCode["client-reset"], false);
  }

  /** The server has sent something, takes more, or is lost. */
  onChannel(server: Channel): void {
    if (server.writable && this.toServer.holding && !this.#requestLost) this.#pumpRequest();
    if (server !== this.#server || !server.readable) return;
    if (this.#state === AWAITING) this.#readAnswer(server);
    else if (this.#state === ANSWERING) this.#pumpAnswer();
  }

  goOn(): void {
    this.#unfinished = false;
    const server = this.#server;
    if (this.#state !== AWAITING && this.#state !== ANSWERING && this.#state !== OWN) return;
    this.onClient();
    if (server !== null && server === this.#server) this.onChannel(server);
  }

  #goOnLater(): void {
    if (this.#unfinished) return;
    this.#unfinished = true;
    this.#plane.unfinished(this);
  }

  #pumpRequest(): void {
    const { toServer } = this;
    if (toServer.arrived && !toServer.holding) return;
    const before = toServer.bytes;
    const server = this.#server!;
    const result = toServer.pump(this.#channel, server, this.#plane.tools);
    if (toServer.bytes !== before) this.#lastActiveMs = this.#plane.nowMs;
    switch (result) {
      case DONE:
        return this.#requestSent();
      case MORE:
        return this.#goOnLater();
      case CUT_OFF:
        return this.#connection!.finish(EndCode[toServer.lost ? "client-reset" : "client-closed"], false);
      case MALFORMED:
        return this.#badRequest();
      case SINK_LOST:
        // It may have answered before it went; what it said can still be read.
        this.#requestLost = true;
        server.readable = true;
        if (this.#state === AWAITING) this.#readAnswer(server);
    }
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
        return this.#connection!.finish(EndCode["client-reset"], false);
      case CUT_OFF:
        this.#blame();
        return this.#cutOff(EndCode[toClient.lost ? "server-reset" : "server-closed"]);
      case MALFORMED:
        this.#blame();
        return this.#cutOff(EndCode["bad-answer"]);
    }
    this.#afterPiece();
  }

  /** A piece of the answer has gone, or waits for the client. */
  #afterPiece(): void {
    if (!this.toClient.arrived) return;
    if (this.#server !== null) this.#answered();
    if (!this.toClient.holding) this.#over();
  }

  // The answer

  #readAnswer(server: Channel): void {
    while (this.#state === AWAITING && this.#server === server && server.readable) {
      const held = this.#headPart.length;
      const buffer = held === 0 ? this.#plane.tools.buffer : this.#worker.headBuffer;
      const read = server.read(held === 0 ? buffer : buffer.subarray(held), READ_BYTES);
      if (read === NOTHING_YET) return;
      if (read <= 0) return this.#serverFailed(read === LOST);
      if (held > 0) buffer.set(this.#headPart);
      this.#heard = true;
      this.#lastActiveMs = this.#plane.nowMs;
      this.#readHeads(buffer, held + read);
    }
  }

  /** Any number of interim answers, then the answer itself. */
  #readHeads(buffer: Uint8Array, to: number): void {
    const head = this.#worker.responseHead;
    for (let from = 0; ; ) {
      const used = readResponseHead(buffer, from, to, PROXIED, head);
      if (used < 0 || (used === NEED_MORE && to - from >= PROXIED.head)) return this.#badAnswer();
      if (used === NEED_MORE) {
        this.#headPart = from < to ? buffer.slice(from, to) : NO_BYTES;
        return;
      }
      from += used;
      if (head.status >= 200 || head.status === 101) return this.#answer(buffer, from, to);
      if (!this.#passOnInterim(buffer)) return;
    }
  }

  /** 100 (Continue), 103 (Early Hints): to whom knows them (RFC 9110 15.2), as far as there is room. @returns whether the client is still there. */
  #passOnInterim(buffer: Uint8Array): boolean {
    this.#clock.continued = true;
    if (this.input.head.minorVersion === 0 || this.toClient.holding) return true;
    const { out, responseHead, responseFacts: facts } = this.#worker;
    facts.body = NO_BODY;
    facts.close = false;
    facts.keepAlive = false;
    const end = endHead(out, writeResponseHead(buffer, responseHead, this.#http!.responseRules, facts, out, 0));
    if (end < 0) return true;
    this.#headsOut += end;
    return this.#send(out, end);
  }

  /** The answer's head was read; what is at hand of its body is `buffer[from, to)`. */
  #answer(buffer: Uint8Array, from: number, to: number): void {
    const { out, responseHead: head, responseFacts: facts } = this.#worker;
    const { toClient, toServer, placement, client } = this;
    const { nowSec, nowMs } = this.#plane;
    const connection = this.#connection!;
    const { responseRules } = this.#http!;
    const asked = this.input.head;
    const body = bodyOf(head, asked.method);
    if (body === TUNNEL && !(asked.isUpgrade && toServer.arrived && !toServer.holding)) return this.#badAnswer();
    learn(client, placement.decision, buffer, head, nowSec);
    // HTTP/1.0 knows no chunks: it gets their data, until the end of the connection.
    const recoded = body === CHUNKED && asked.minorVersion === 0;
    facts.body = recoded ? UNTIL_CLOSE : body;
    if (facts.body === UNTIL_CLOSE || !toServer.arrived || connection.isLast) this.#keep = false;
    facts.close = !this.#keep && body !== TUNNEL;
    facts.keepAlive = this.#keep && asked.minorVersion === 0;
    let end = writeResponseHead(buffer, head, responseRules, facts, out, 0);
    if (end > 0) end = writeFields(client, placement.decision, connection.peer.secure, nowSec, out, end);
    end = endHead(out, end);
    if (end < 0) return this.#badAnswer();
    const headEnd = end;
    if (body !== TUNNEL) {
      toClient.begin(body, recoded, responseRules.removed);
      end = toClient.takeAtHand(buffer, from, to, out, end);
      if (end < 0) return this.#badAnswer();
      this.#own ||= asksWhoConnects(buffer, head) || placement.decision.pool!.plan.sendProxy !== "off";
      this.#serverKeeps = !head.close && body !== UNTIL_CLOSE && from + toClient.used === to;
    }
    this.status = head.status;
    this.firstByteMs = nowMs - this.begunMs;
    this.#headsOut += headEnd;
    if (!this.#send(out, end)) return;
    if (body === TUNNEL) return this.#beginTunnel(buffer.slice(from, to));
    this.#state = ANSWERING;
    if (!toClient.arrived) connection.due(nowMs + Math.min(connection.service.plan.timeouts.idle, LASTS_MS));
    this.#afterPiece();
    if (this.#state === ANSWERING && this.#server?.readable) this.#pumpAnswer();
  }

  /** Sends to the client, behind what it has not taken yet. @returns whether the client is still there. */
  #send(bytes: Uint8Array, length: number): boolean {
    const taken = this.toClient.holding ? 0 : this.#channel.write(bytes, length);
    if (taken === LOST) {
      this.#connection!.finish(EndCode["client-reset"], false);
      return false;
    }
    if (taken < length) this.toClient.hold(bytes.slice(taken, length));
    return true;
  }

  /** All of the answer has come: the server is free again, however slowly the client takes it. */
  #answered(): void {
    const server = this.#server!;
    const { server: on, pool } = this.placement.decision;
    this.#server = null;
    on!.view.answered(this.status < FIRST_BAD_STATUS);
    const complete = this.toServer.arrived && !this.toServer.holding;
    this.#count();
    if (this.#sourceSlot >= 0 && server.fd >= 0) this.#plane.ledger.setSource(server.fd, UNTRACKED_SOURCE);
    if (!complete || !this.#serverKeeps) server.close(!complete);
    else if (this.#own) this.#connection!.keepOwn(on!, this.#portOf(on!), server);
    else this.#worker.servers.keep(on!, pool!, this.#portOf(on!), server);
    this.placement.release();
  }

  #beginTunnel(fromServer: Uint8Array): void {
    const server = this.#server!;
    this.#state = TUNNELLING;
    this.placement.decision.server!.view.answered(true);
    const { input } = this;
    const fromClient = input.bytes.slice(this.#bodyAt, input.end);
    const unsent = this.toClient.takeHeld();
    this.#count();
    this.#connection!.due(this.#plane.nowMs + NOT_MINE_MS);
    input.end = this.#bodyAt;
    input.shrink();
    this.#tunnel = new Tunnel(this.#connection!, this, server);
    this.#tunnel.begin(fromClient, unsent === null ? fromServer : Buffer.concat([unsent, fromServer]));
  }

  // What goes wrong

  /** The server has ended or was lost before its answer. */
  #serverFailed(lost: boolean): void {
    const { placement } = this;
    this.#closeServer();
    if ((placement.reused || lost) && !this.#heard && this.#mayRepeat()) {
      this.#onlyNew = true;
      this.#requestLost = false;
      this.#state = PLACING;
      this.toServer.dispose(this.#plane.tools);
      return placement.failed(!placement.reused);
    }
    this.#blame();
    this.#refuse(502, -1, EndCode[lost ? "server-reset" : "server-closed"]);
  }

  /** The server has given no answer that can be passed on, or only a part of one. */
  #blame(): void {
    const { view } = this.placement.decision.server!;
    view.count(ServerCounter.FAILURES, 1);
    view.answered(false);
  }

  #badAnswer(): void {
    this.#closeServer();
    this.#blame();
    this.#refuse(502, -1, EndCode["bad-answer"]);
  }

  /** What of the request came behind its head is no body; or the head does not fit with what we add. */
  #badRequest(): void {
    this.#closeServer();
    this.#keep = false;
    if (this.#state === ANSWERING) return this.#cutOff(EndCode["bad-protocol"]);
    this.#refuse(400, RefusalCode["bad-request"], EndCode["bad-protocol"]);
  }

  /** The answer cannot be completed: the client must not take a part for the whole. */
  #cutOff(end: number): void {
    this.#connection!.finish(end, true);
  }

  /** A deadline has passed, or one of the body's ticks. */
  onDue(nowMs: number): void {
    const connection = this.#connection!;
    const { toServer } = this;
    const http = this.#http!.plan;
    const idleMs = this.#lastActiveMs + connection.service.plan.timeouts.idle;
    if (toServer.arrived && toServer.used === 0 && nowMs - this.begunMs >= LASTS_MS) this.input.shrink();
    if (this.#state === AWAITING && !(toServer.arrived && !toServer.holding)) {
      const awaitsContinue = this.input.head.expectContinue && !this.#clock.continued && toServer.bytes === 0;
      if (this.#clock.isTooSlow(nowMs, toServer.bytes, toServer.holding || awaitsContinue, http))
        return this.#tooSlow();
      if (nowMs - this.#lastActiveMs > this.placement.decision.pool!.plan.responseTimeoutMs) return this.#noAnswer();
      return connection.due(this.#clock.nextMs(http));
    }
    if (this.#state === AWAITING) {
      if (this.#answerDueMs() > nowMs) return connection.due(this.#answerDueMs());
      return this.#noAnswer();
    }
    if (this.#state !== ANSWERING && this.#state !== OWN) return connection.due(nowMs + NOT_MINE_MS);
    if (idleMs > nowMs) return connection.due(idleMs);
    this.#cutOff(EndCode["idle-timeout"]);
  }

  #tooSlow(): void {
    this.#closeServer();
    this.#keep = false;
    this.#refuse(408, RefusalCode["first-bytes-timeout"], EndCode["body-timeout"]);
  }

  #noAnswer(): void {
    this.#closeServer();
    this.#blame();
    this.#refuse(504, -1, EndCode["response-timeout"]);
  }

  #closeServer(): void {
    const server = this.#server;
    this.#server = null;
    server?.close(true);
  }

  // Our own answers

  #answerRoute(plan: AnswerPlan): void {
    const { bytes, head } = this.input;
    const http = this.#http!;
    if (plan.kind === "fixed") return this.#answerOurselves(http.fixed(plan));
    const location = locationFor(plan, bytes, head, this.#connection!.peer.secure);
    if (location === undefined) return this.#answerOurselves(http.answer(400));
    this.#answerOurselves(http.redirect(plan.status, location));
  }

  /** `refusal` is counted for the service; -1: there is none to count. */
  #refuse(status: number, refusal: number, end: number): void {
    if (refusal >= 0) this.service.view.count(ServiceCounter.REFUSED + refusal, 1);
    this.#end = end;
    this.#answerOurselves(this.#http!.answer(status));
  }

  /** The connection goes on behind it only where all of the request is here. */
  #answerOurselves(answer: Answer): void {
    const { head, bytes, end } = this.input;
    const connection = this.#connection!;
    this.placement.release();
    if (!this.toServer.arrived && this.toServer.bytes === 0) {
      this.toServer.takeAtHand(bytes, this.#bodyAt, end, this.#worker.out, 0);
    }
    this.#keep &&= this.toServer.arrived && head.minorVersion === 1 && !connection.isLast;
    const whole = this.#keep ? answer.kept : answer.closing;
    const headEnd = this.#keep ? answer.keptHead : answer.closingHead;
    this.#state = OWN;
    this.status = answer.status;
    this.firstByteMs = this.#plane.nowMs - this.begunMs;
    this.#headsOut += headEnd;
    this.toClient.begin(NO_BODY, false);
    connection.due(this.#plane.nowMs + connection.service.plan.timeouts.idle);
    if (this.#send(whole, head.method === Method.HEAD ? headEnd : whole.length)) this.#afterPiece();
  }

  // The end

  /** Everything was taken. */
  #over(): void {
    const connection = this.#connection!;
    const keep = this.#keep;
    const end = this.#end;
    if (!this.toServer.arrived) this.clientMaySendMore = true;
    const { input, toServer } = this;
    const next = Math.min(this.#bodyAt + toServer.used, input.end);
    const { surplus } = toServer;
    this.#close(end === EndCode["client-closed"] ? EndCode.complete : end);
    input.consume(next);
    if (surplus.length > 0) input.put(surplus);
    connection.exchangeOver(keep, end);
  }

  /** The connection ends, whatever the state. */
  abandon(end: number): void {
    if (this.#state !== IDLE) this.#close(end);
  }

  #close(end: number): void {
    const { tools, nowMs, journal } = this.#plane;
    this.#count();
    journal.requests.ended(this, end, nowMs);
    this.#tunnel?.relay.dispose();
    if (this.#tunnel !== null) this.#server?.close(false);
    this.#tunnel = null;
    this.#state = IDLE;
    this.#closeServer();
    this.placement.reset();
    this.toServer.dispose(tools);
    this.toClient.dispose(tools);
    if (this.#sourceSlot >= 0) this.#plane.sources.release(this.#sourceSlot);
    this.#sourceSlot = UNTRACKED;
    this.#connection!.peer.requestOver();
    this.#connection = null;
    this.#http = null;
    this.#headPart = NO_BYTES;
    this.#queued = false;
    this.#onlyNew = false;
    this.#requestLost = false;
    this.#own = false;
    this.#serverKeeps = false;
    this.#clock.continued = false;
    this.#end = EndCode["client-closed"];
    this.#headsIn = this.#headsOut = this.#countedIn = this.#countedOut = 0;
    this.status = 0;
    this.firstByteMs = -1;
    this.route = null;
    this.name.length = 0;
  }

  /** Bytes of this exchange, heads included: as the client sent them, as the server answered. */
  get bytesIn(): number {
    return this.#headsIn + this.toServer.bytes + (this.#tunnel?.relay.toServer.bytes ?? 0);
  }

  get bytesOut(): number {
    return this.#headsOut + this.toClient.bytes + (this.#tunnel?.relay.toClient.bytes ?? 0);
  }

  /** Counts what has come and gone since it was counted last. */
  #count(): void {
    const bytesIn = this.bytesIn - this.#countedIn;
    const bytesOut = this.bytesOut - this.#countedOut;
    if (bytesIn > 0) this.countIn(bytesIn);
    if (bytesOut > 0) this.countOut(bytesOut);
  }

  countIn(bytes: number): void {
    this.#countedIn += bytes;
    this.#connection!.bytesIn += bytes;
    this.service.view.count(ServiceCounter.BYTES_IN, bytes);
    this.placement.decision.server?.view.count(ServerCounter.BYTES_IN, bytes);
  }

  countOut(bytes: number): void {
    this.#countedOut += bytes;
    this.#connection!.bytesOut += bytes;
    this.service.view.count(ServiceCounter.BYTES_OUT, bytes);
    this.placement.decision.server?.view.count(ServerCounter.BYTES_OUT, bytes);
  }

  /** The client is still there. */
  touch(): void {
    touch(this.client, this.placement.decision, this.#plane.nowSec);
  }
}
