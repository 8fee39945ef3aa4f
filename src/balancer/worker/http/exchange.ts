/**
 * One request and its answer, in the order of their life: the head, a route, a server, the way there and back (transfer.ts),
 * perhaps an answer of our own, the end. A worker keeps exchanges and uses them again.
 *
 * What happens when a server fails:
 *
 * | the server                              | the connection was kept idle, and the request may be sent again | otherwise |
 * |-----------------------------------------|------------------------------------------|-----------------------------|
 * | cannot be connected                     |                                          | another server (placement)  |
 * | ends before any answer                  | once more, on a new connection           | 502                         |
 * | resets before any answer                | once more, on a new connection           | another server, if the request may be sent again |
 * | answers what is no HTTP                 | 502                                      | 502                         |
 * | does not begin to answer in time        | 504                                      | 504                         |
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
import { CHUNKED, isIdempotent, Method, NO_BODY } from "../../../protocols/http1/request.ts";
import type { ResponseHead } from "../../../protocols/http1/response.ts";
import type { Candidate } from "../../candidate.ts";
import type { Client } from "../../client.ts";
import { type PoolRuntime, touch } from "../../decide.ts";
import { ServerCounter } from "../../shared/server-view.ts";
import { ServiceCounter } from "../../shared/service-view.ts";
import { EndCode, RefusalCode } from "../../shared/words.ts";
import { type Channel, LOST } from "../channel.ts";
import type { WorkerContext } from "../context.ts";
import { Placement, type PlacementOwner } from "../placement.ts";
import type { ServiceRuntime } from "../service.ts";
import type { HttpConnection } from "./http-connection.ts";
import type { HttpService } from "./http-service.ts";
import type { HttpWorker } from "./http-worker.ts";
import { RequestAccount } from "./request-account.ts";
import { RequestInput } from "./request-input.ts";
import { ServerLink } from "./server-link.ts";
import { SourcePlace } from "./source-place.ts";
import { NOT_MINE_MS, Transfer } from "./transfer.ts";

/** Answers from it on are the server's fault. */
const FIRST_BAD_STATUS = 500;
const NO_BYTES = new Uint8Array(0);

export class Exchange implements PlacementOwner {
  readonly input = new RequestInput();
  readonly placement: Placement;
  readonly transfer: Transfer;
  readonly account: RequestAccount;
  /** Another request may follow on the client's connection. */
  keep = false;
  /** The client may go on sending, whatever it was told. */
  clientMaySendMore = false;
  readonly #worker: HttpWorker;
  readonly #plane: WorkerContext;
  readonly #place: SourcePlace;
  readonly #link: ServerLink;
  #connection: HttpConnection | null = null;
  #http: HttpService | null = null;
  /** Of the request, in `input`. */
  #bodyAt = 0;
  /** It waits, or has waited, for a server that is full. */
  #queued = false;
  #end: number = EndCode["client-closed"];

  constructor(worker: HttpWorker) {
    this.#worker = worker;
    this.#plane = worker.plane;
    this.placement = new Placement(worker.plane, this);
    this.transfer = new Transfer(worker, this);
    this.account = new RequestAccount(worker.plane, this);
    this.#place = new SourcePlace(worker.plane);
    this.#link = new ServerLink(worker);
  }

  get connection(): HttpConnection {
    return this.#connection!;
  }

  get http(): HttpService {
    return this.#http!;
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

  // The request's head

  /** A head of `used` bytes is at the beginning of `input`: serves it. `connection.exchangeOver` may be called before this returns. */
  begin(connection: HttpConnection, used: number): void {
    const { head } = this.input;
    this.#open(connection, used);
    this.keep = !head.close && !connection.isLast;
    this.clientMaySendMore = !head.close;
    this.transfer.open(head.body);
    connection.peer.requestBegins(this.input, connection.service);
    if (head.method === Method.CONNECT) {
      // What follows may be meant for the tunnel, and is not read as requests.
      this.keep = false;
      this.clientMaySendMore = true;
      return this.#refuse(405, RefusalCode["bad-request"], EndCode["not-allowed"]);
    }
    if (this.#http!.plan.requestId) this.account.giveName();
    if (this.#http!.limitsSources && !this.#admit()) return;
    const route = connection.service.routeOf(connection.client);
    this.account.route = route;
    if (route === null) return this.#refuse(503, RefusalCode["no-route"], EndCode["not-allowed"]);
    if (route.answer === null) return this.placement.begin(route);
    this.#answerOurselves(this.#http!.answerOf(route.answer, this.input, connection.peer.secure));
  }

  /** What came is no head: our own answer, then the end. */
  refuseHead(connection: HttpConnection, status: number, refusal: number, end: number): void {
    this.#open(connection, this.input.end - this.input.start);
    this.keep = false;
    this.clientMaySendMore = true;
    this.input.head.method = Method.OTHER;
    this.transfer.open(NO_BODY);
    this.#refuse(status, refusal, end);
  }

  #open(connection: HttpConnection, headBytes: number): void {
    this.#connection = connection;
    this.#http = this.#worker.serviceOf(connection.service);
    this.#bodyAt = this.input.start + headBytes;
    this.account.open(connection, headBytes);
    connection.due(this.#plane.nowMs + NOT_MINE_MS);
  }

  #admit(): boolean {
    const refusal = this.#place.take(this.service, this.client);
    if (refusal >= 0) this.#refuse(429, refusal, EndCode.limit);
    return refusal < 0;
  }

  // A server

  takeIdle(server: Candidate, pool: PoolRuntime): Channel | null {
    return this.#link.take(this.#connection!, server, pool, !this.#mayRepeat());
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
    const { out, requestWriter } = this.#worker;
    const { decision } = this.placement;
    const { bytes, head, end } = this.input;
    const { toServer } = this.transfer;
    const http = this.#http!;
    const headEnd = requestWriter.write(this.#connection!, http, this.input, this.account.name, decision, out);
    if (headEnd < 0 || head.body === NO_BODY) return headEnd;
    toServer.begin(head.body, false, http.requestRules.removed);
    return toServer.takeAtHand(bytes, this.#bodyAt, end, out, headEnd);
  }

  onServer(server: Channel, first: Uint8Array, sent: number): void {
    this.#queued = false;
    this.#place.goesWith(server);
    this.transfer.begin(server);
    if (this.placement.reused) {
      if (!this.#sendOverKept(server)) return;
    } else if (first.length === 0) {
      return this.badRequest(false);
    } else if (sent < first.length) {
      this.transfer.toServer.hold(first.slice(sent));
    }
    this.transfer.proceed(server);
  }

  /** @returns whether the request is on its way, as far as it is at hand. */
  #sendOverKept(server: Channel): boolean {
    const end = this.#writeRequest();
    if (end < 0) {
      this.badRequest(false);
      return false;
    }
    const { out } = this.#worker;
    const taken = server.write(out, end);
    if (taken === LOST) {
      this.serverFailed(true);
      return false;
    }
    if (taken < end) this.transfer.toServer.hold(out.slice(taken, end));
    return true;
  }

  /** The client has sent something, takes more, or is lost. */
  onClient(): void {
    const { channel } = this.#connection!.visit;
    this.transfer.onClient(channel);
    if (this.#connection?.visit.channel !== channel) return;
    // Who ends its sending may await its answer all the same; who does so in a queue has become impatient.
    if (this.#queued && channel.endIsNear) return this.#connection.finish(EndCode["client-closed"], false);
    // Nothing that is written will arrive.
    if (channel.broken) this.#connection.finish(EndCode["client-reset"], false);
  }

  onDue(nowMs: number): void {
    this.transfer.onDue(nowMs);
  }

  // The answer, as the transfer tells of it

  /**
   * Its head was read, and goes to the client with so many bytes. `serverKeeps`: as far as it says, another request may follow
   * on the server's connection.
   */
  answerBegins(serverKeeps: boolean, bytes: Uint8Array, head: ResponseHead, headBytes: number): void {
    this.#link.answerBegins(serverKeeps, bytes, head, this.placement.decision.pool!);
    this.account.answerBegins(head.status, headBytes);
  }

  /** All of it has come: the server is free again, however slowly the client takes it. */
  answered(server: Channel): void {
    const { server: on, pool } = this.placement.decision;
    on!.view.answered(this.account.status < FIRST_BAD_STATUS);
    this.account.count();
    this.#place.leaves(server);
    this.#link.giveBack(this.#connection!, on!, pool!, server, this.transfer.requestIsSent);
    this.placement.release();
  }

  /** It is a 101. @returns what the client has sent already of what follows. */
  tunnelBegins(): Uint8Array {
    const { input } = this;
    const fromClient = input.bytes.slice(this.#bodyAt, input.end);
    this.placement.decision.server!.view.answered(true);
    this.account.count();
    input.end = this.#bodyAt;
    input.shrink();
    return fromClient;
  }

  /** The client of a tunnel is still there. */
  touch(): void {
    touch(this.client, this.placement.decision, this.#plane.nowSec);
  }

  // What goes wrong

  /** The server has ended or was lost before its answer. */
  serverFailed(lost: boolean): void {
    const { placement, transfer } = this;
    transfer.leaveServer();
    if ((placement.reused || lost) && !transfer.answer.heard && this.#mayRepeat()) {
      this.#link.onlyNew = true;
      transfer.startOver();
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

  badAnswer(): void {
    this.transfer.leaveServer();
    this.#blame();
    this.#refuse(502, -1, EndCode["bad-answer"]);
  }

  /** What of the request came behind its head is no body; or the head does not fit with what we add. */
  badRequest(answerHasBegun: boolean): void {
    this.transfer.leaveServer();
    this.keep = false;
    if (answerHasBegun) return this.cutOff(EndCode["bad-protocol"]);
    this.#refuse(400, RefusalCode["bad-request"], EndCode["bad-protocol"]);
  }

  /** The client has not sent the body in time. */
  tooSlow(): void {
    this.transfer.leaveServer();
    this.keep = false;
    this.#refuse(408, RefusalCode["first-bytes-timeout"], EndCode["body-timeout"]);
  }

  /** The server has not answered in time. */
  noAnswer(): void {
    this.transfer.leaveServer();
    this.#blame();
    this.#refuse(504, -1, EndCode["response-timeout"]);
  }

  /** The server has broken off within its answer. */
  answerBroken(end: number): void {
    this.#blame();
    this.cutOff(end);
  }

  /** The answer cannot be completed: the client must not take a part for the whole. */
  cutOff(end: number): void {
    this.#connection!.finish(end, true);
  }

  // Our own answers

  /** `refusal` is counted for the service; -1: there is none to count. */
  #refuse(status: number, refusal: number, end: number): void {
    if (refusal >= 0) this.service.view.count(ServiceCounter.REFUSED + refusal, 1);
    this.#end = end;
    this.#answerOurselves(this.#http!.answer(status));
  }

  /** The connection goes on behind it only where all of the request is here. */
  #answerOurselves(answer: Answer): void {
    const { head, bytes, end } = this.input;
    const { toServer } = this.transfer;
    this.placement.release();
    if (!toServer.arrived && toServer.bytes === 0) toServer.takeAtHand(bytes, this.#bodyAt, end, this.#worker.out, 0);
    this.keep &&= toServer.arrived && head.minorVersion === 1 && !this.#connection!.isLast;
    const whole = this.keep ? answer.kept : answer.closing;
    const headEnd = this.keep ? answer.keptHead : answer.closingHead;
    this.account.answerBegins(answer.status, headEnd);
    this.transfer.sendOwn(whole, head.method === Method.HEAD ? headEnd : whole.length);
  }

  // The end

  /** The client has taken everything. */
  over(): void {
    const connection = this.#connection!;
    const { input, keep } = this;
    const { toServer } = this.transfer;
    const end = this.#end;
    if (!toServer.arrived) this.clientMaySendMore = true;
    const next = Math.min(this.#bodyAt + toServer.used, input.end);
    const { surplus } = toServer;
    this.#close(end === EndCode["client-closed"] ? EndCode.complete : end);
    input.consume(next);
    if (surplus.length > 0) input.put(surplus);
    connection.exchangeOver(keep, end);
  }

  /** The connection ends, whatever the state. */
  abandon(end: number): void {
    if (this.#connection !== null) this.#close(end);
  }

  #close(end: number): void {
    this.account.close(end);
    this.transfer.close();
    this.placement.reset();
    this.#place.release();
    this.#link.clear();
    this.account.clear();
    this.#connection!.peer.requestOver();
    this.#connection = null;
    this.#http = null;
    this.#queued = false;
    this.#end = EndCode["client-closed"];
  }
}
