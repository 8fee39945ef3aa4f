/**
 * One connection, in the order of its life: first bytes (PROXY header, X.224 request), deciding, waiting for room,
 * connecting (again, to another server, when that fails), relaying, the end. Each state has a deadline and a bound; `close`
 * is the only end, and accounts and logs once.
 */
import { EADDRNOTAVAIL, EAGAIN, EMFILE, ENFILE, ETIMEDOUT, errno, sys } from "../../os/libc.ts";
import { FAILED, HUNG_UP, PEER_ENDED, type Pollable, READABLE, WRITABLE } from "../../os/poller.ts";
import { abort, dial, keepAlive, MSG_DONTWAIT, MSG_NOSIGNAL, SHUT_WR, socketError } from "../../os/socket.ts";
import { NEED_MORE } from "../../protocols/result.ts";
import { NONE_TRIED, TriedSet } from "../candidate.ts";
import { newClient } from "../client.ts";
import { CHOSEN, Decision, decide, NO_SERVER, type PoolRuntime, remember, touch } from "../decide.ts";
import { PoolCounter } from "../shared/pool-view.ts";
import { ServerCounter } from "../shared/server-view.ts";
import { ServiceCounter } from "../shared/service-view.ts";
import { UNTRACKED } from "../shared/sources.ts";
import { EndCode, Reason, RefusalCode } from "../shared/words.ts";
import type { WorkerContext } from "./context.ts";
import type { Greeting } from "./greetings.ts";
import { ENDED, MORE, READ_BYTES, SOURCE_FAILED, Way } from "./relay.ts";
import type { ServiceRuntime } from "./service.ts";
import { Timed } from "./timers.ts";

const FIRST_BYTES = 0;
const QUEUED = 1;
const CONNECTING = 2;
const RELAYING = 3;
const CLOSED = 4;

/** Read at once while a client's first bytes are awaited. */
const FIRST_READ = 4096;
/** How often a lost race for a server's last place is decided again. */
const RACES = 3;
const NO_BYTES = new Uint8Array(0);

export class Connection extends Timed implements Pollable {
  readonly number: number;
  readonly service: ServiceRuntime;
  readonly client = newClient();
  readonly decision = new Decision();
  #tried = NONE_TRIED;
  readonly toServer = new Way();
  readonly toClient = new Way();
  readonly acceptedMs: number;
  readonly startedMs: number;
  attempts = 0;
  /** Milliseconds; -1 for what has not happened. */
  queueMs = -1;
  connectMs = -1;
  firstByteMs = -1;
  /** Place in the pool's queue; 0: not waiting. */
  ticket = 0;
  readonly #plane: WorkerContext;
  readonly #clientFd: number;
  #serverFd = -1;
  #state = FIRST_BYTES;
  #greeting: Greeting | null;
  /** The pool in whose queue it stands. */
  #waitsFor: PoolRuntime | null = null;
  #early: Uint8Array = NO_BYTES;
  /** Where the bytes begin that the server gets: behind the PROXY header. */
  #earlyFrom = 0;
  #watched = false;
  #watchedForWriting = false;
  /** What the server's socket is watched for; 0: not watched yet. */
  #serverEvents = 0;
  #unfinished = false;
  #reserved = false;
  #sourceSlot = UNTRACKED;
  #dialledMs = 0;
  #queuedMs = 0;
  #lastActiveMs: number;
  #firstEnd = EndCode["client-closed"];

  constructor(plane: WorkerContext, service: ServiceRuntime, clientFd: number) {
    super();
    this.#plane = plane;
    this.service = service;
    this.#clientFd = clientFd;
    this.number = plane.journal.nextConnection();
    this.acceptedMs = plane.nowMs;
    this.startedMs = plane.unixMs;
    this.#lastActiveMs = plane.nowMs;
    this.#greeting = service.greeting;
  }

  get serverFd(): number {
    return this.#serverFd;
  }

  /** The first step, once `client.source` is set. `behindProxy`: a PROXY header comes first. */
  begin(behindProxy: boolean): void {
    if (behindProxy) this.#greeting = this.service.envelope;
    else if (!this.#admitSource()) return;
    if (this.#greeting === null) return this.#route();
    // Who has to speak first has mostly spoken already.
    this.#readFirstBytes();
    if (this.#state !== FIRST_BYTES) return;
    this.#plane.timers.set(this, this.#plane.nowMs + this.service.plan.timeouts.request);
    this.#watchClient();
  }

  onReady(fd: number, events: number): void {
    switch (this.#state) {
      case FIRST_BYTES:
        // Told once only: whoever relays later has to know it.
        if ((events & (PEER_ENDED | HUNG_UP | FAILED)) !== 0) this.toServer.endIsNear = true;
        return this.#readFirstBytes();
      case QUEUED:
        return this.#whileWaiting(events);
      case CONNECTING:
        return fd === this.#clientFd ? this.#whileWaiting(events) : this.#dialled(events);
      case RELAYING:
        return this.#relay(fd, events);
    }
  }

  override onDeadline(nowMs: number): void {
    switch (this.#state) {
      case FIRST_BYTES:
        return this.refuse(RefusalCode["first-bytes-timeout"], EndCode["first-bytes-timeout"]);
      case QUEUED:
        return this.refuse(RefusalCode["queue-timeout"], EndCode["queue-timeout"]);
      case CONNECTING:
        return this.#connectFailed(ETIMEDOUT);
      case RELAYING:
        return this.#idle(nowMs);
    }
  }

  // First bytes

  #watchClient(): void {
    if (this.#watched) return;
    this.#watched = true;
    this.#plane.poller.add(this.#clientFd, READABLE | PEER_ENDED, this);
  }

  #readFirstBytes(): void {
    const scratch = this.#plane.tools.buffer;
    for (;;) {
      const read = sys.recv(this.#clientFd, scratch, FIRST_READ, MSG_DONTWAIT) as number;
      if (read <= 0) {
        if (read < 0 && errno() === EAGAIN) return;
        return this.refuse(RefusalCode["closed-early"], read < 0 ? EndCode["client-reset"] : EndCode["client-closed"]);
      }
      this.#early = append(this.#early, scratch, read);
      if (this.#readGreetings()) return;
      if (read < FIRST_READ && !this.toServer.endIsNear) return;
    }
  }

  /** @returns whether the connection has left the state of first bytes. */
  #readGreetings(): boolean {
    while (this.#greeting !== null) {
      const used = this.#greeting.read(this.#early, this.#earlyFrom, this.#early.length, this.client, this.#plane);
      if (used === NEED_MORE) return false;
      if (used < 0) {
        this.refuse(this.#greeting.refusal(used), EndCode["bad-protocol"]);
        return true;
      }
      // A PROXY header is for us and is not passed on; a protocol's own request is.
      if (this.#greeting.isEnvelope) {
        this.#earlyFrom += used;
        if (!this.#admitSource()) return true;
      }
      this.#greeting = this.#greeting.next;
    }
    this.#route();
    return true;
  }

  #admitSource(): boolean {
    const { limits } = this.service.plan;
    if (limits.connectionsPerSource === 0 && limits.newPerSource === 0) return true;
    const slot = this.#plane.admitSource(this.service, this.client);
    if (slot >= 0) {
      this.#sourceSlot = slot;
      this.#plane.ledger.setSource(this.#clientFd, slot);
      return true;
    }
    if (slot === UNTRACKED) return true;
    this.refuse(this.#plane.sourceRefusal(slot), EndCode.limit);
    return false;
  }

  // Deciding and waiting

  #route(): void {
    const route = this.service.routeOf(this.client);
    if (route === null) return this.refuse(RefusalCode["no-route"], EndCode["not-allowed"]);
    const plane = this.#plane;
    for (let race = 0; race < RACES; race++) {
      const outcome = decide(this.client, route.pools, route.server, this.#tried, plane.nowSec, this.decision);
      if (race === 0 && this.#state === FIRST_BYTES) this.#countRefusedToken();
      if (outcome === NO_SERVER) return this.#refuseWithoutServer();
      if (outcome !== CHOSEN || this.#mustQueueUp()) break;
      if (this.decision.server!.view.reserve()) {
        this.#reserved = true;
        return this.#connect();
      }
      // Another worker took the last place a moment ago: there may be one elsewhere.
    }
    this.#wait();
  }

  /** A token that leads nowhere is refused, its client is not. Somebody may be looking for an open relay. */
  #countRefusedToken(): void {
    const { reason } = this.decision;
    if (reason === Reason.TOKEN_UNKNOWN_SERVER) this.#countRefusal(RefusalCode["token-unknown-server"]);
    else if (reason === Reason.TOKEN_INVALID) this.#countRefusal(RefusalCode["token-invalid"]);
  }

  #countRefusal(refusal: number): void {
    this.service.view.count(ServiceCounter.REFUSED + refusal, 1);
  }

  /** There is room, but others have waited longer for it. */
  #mustQueueUp(): boolean {
    if (this.#state === QUEUED || this.decision.server!.view.limit() === 0) return false;
    if (this.decision.pool!.view.queued() === 0) return false;
    this.#plane.roomMayBe(this.decision.pool!);
    return true;
  }

  #refuseWithoutServer(): void {
    if (this.attempts > 0) return this.refuse(RefusalCode["connect-failed"], EndCode["connect-failed"]);
    this.refuse(RefusalCode["no-server"], EndCode["no-server"]);
  }

  #wait(): void {
    if (this.#state === QUEUED) return;
    const pool = this.decision.pool!;
    const { queue } = pool.plan;
    if (pool.view.queued() >= queue.length) return this.refuse(RefusalCode["queue-full"], EndCode["queue-full"]);
    this.#state = QUEUED;
    this.#waitsFor = pool;
    this.#queuedMs = this.#plane.nowMs;
    this.#plane.timers.set(this, this.#plane.nowMs + queue.timeoutMs);
    this.#plane.queueOf(pool).add(this);
    this.#watchClient();
  }

  /** There may be room now. @returns whether it no longer waits. */
  tryAgain(): boolean {
    if (this.#state === QUEUED) this.#route();
    return this.#state !== QUEUED;
  }

  #leaveQueue(): void {
    if (this.#state !== QUEUED) return;
    const waitedMs = this.#plane.nowMs - this.#queuedMs;
    this.queueMs = Math.max(this.queueMs, 0) + waitedMs;
    const pool = this.#waitsFor!;
    this.#waitsFor = null;
    this.#plane.queueOf(pool).remove(this);
    pool.view.observe(PoolCounter.QUEUE_COUNT, waitedMs / 1000);
  }

  /** The client did something before a server is there: more bytes (they wait in the kernel), its end, or a reset. */
  #whileWaiting(events: number): void {
    if ((events & (FAILED | HUNG_UP)) !== 0) return this.close(EndCode["client-reset"]);
    if ((events & PEER_ENDED) === 0) return;
    // Who must speak first and then ends has gone; over plain TCP the end may belong to what was sent.
    if (this.service.greeting !== null) return this.close(EndCode["client-closed"]);
    this.toServer.endIsNear = true;
  }

  // Connecting

  #connect(): void {
    this.#leaveQueue();
    this.#state = CONNECTING;
    this.attempts++;
    const server = this.decision.server!;
    const fd = dial(this.service.addressOf(server));
    if (fd < 0) return this.#connectFailed(-fd);
    const plane = this.#plane;
    if (!plane.ledger.own(fd, plane.column)) {
      sys.close(fd);
      return this.#connectFailed(EMFILE);
    }
    this.#serverFd = fd;
    this.#dialledMs = performance.now();
    // A server nearby has accepted by now: bytes that are at hand go out at once, which saves a turn of the loop.
    const first = this.#bytesAtHand();
    const sent = first.length > 0 ? (sys.send(fd, first, first.length, MSG_NOSIGNAL | MSG_DONTWAIT) as number) : 0;
    if (sent > 0) return this.#connected(first, sent);
    if (sent < 0) {
      const code = errno();
      if (code !== EAGAIN) return this.#connectFailed(code);
    }
    plane.timers.set(this, plane.nowMs + this.decision.pool!.plan.connectTimeoutMs);
    this.#watchServer(READABLE | WRITABLE | PEER_ENDED);
  }

  /** What the server gets first, as far as it is here: a PROXY header, and what the client has sent. */
  #bytesAtHand(): Uint8Array {
    if (this.#early.length === 0 && !this.#watched) {
      const scratch = this.#plane.tools.buffer;
      const read = sys.recv(this.#clientFd, scratch, READ_BYTES, MSG_DONTWAIT) as number;
      if (read > 0) this.#early = scratch.slice(0, read);
    }
    return this.service.firstBytes(this.decision.pool!, this.client, this.#clientFd, this.#early, this.#earlyFrom);
  }

  #watchServer(events: number): void {
    this.#serverEvents = events;
    this.#plane.poller.add(this.#serverFd, events, this);
  }

  #connectFailed(code: number): void {
    const server = this.decision.server!;
    this.#closeServer();
    this.#releaseServer();
    // Our own lack of descriptors says nothing about the server. Nor does that of ports, but there may be some towards another.
    if (code === EMFILE || code === ENFILE) return this.refuse(RefusalCode["no-files"], EndCode["connect-failed"]);
    if (code !== EADDRNOTAVAIL) {
      server.view.failed();
      server.view.count(ServerCounter.FAILURES, 1);
    }
    if (this.#tried === NONE_TRIED) this.#tried = new TriedSet();
    this.#tried.add(server.plan.id);
    if (this.attempts > this.decision.pool!.plan.retries) {
      return this.refuse(RefusalCode["connect-failed"], EndCode["connect-failed"]);
    }
    this.#route();
  }

  #dialled(events: number): void {
    if ((events & (FAILED | HUNG_UP)) !== 0) {
      const code = socketError(this.#serverFd);
      if (code !== 0) return this.#connectFailed(code);
    }
    this.toClient.readable = (events & (READABLE | PEER_ENDED)) !== 0;
    this.toClient.endIsNear = (events & PEER_ENDED) !== 0;
    this.#connected(this.#bytesAtHand(), 0);
  }

  /** The server is there, and has `sent` of the `first` bytes already. */
  #connected(first: Uint8Array, sent: number): void {
    const plane = this.#plane;
    const { server, pool } = this.decision;
    const view = server!.view;
    const ms = performance.now() - this.#dialledMs;
    this.connectMs = ms;
    view.connected(ms * 1000);
    view.count(ServerCounter.TOTAL, 1);
    pool!.view.observe(PoolCounter.CONNECT_COUNT, ms / 1000);
    this.service.view.count(ServiceCounter.RECOGNISED + this.decision.recognisedBy, 1);
    if (this.decision.returned >= 0) pool!.view.count(PoolCounter.RETURNS + this.decision.returned, 1);
    remember(this.client, this.decision, plane.nowSec);
    plane.journal.opened(this);
    this.#beginRelay(first, sent);
  }

  // Relaying

  #beginRelay(first: Uint8Array, sent: number): void {
    const plane = this.#plane;
    this.#state = RELAYING;
    this.#lastActiveMs = plane.nowMs;
    plane.timers.set(this, plane.nowMs + Math.min(this.decision.pool!.touchMs, this.service.plan.timeouts.idle));
    const { toServer, toClient } = this;
    const early = this.#early.length - this.#earlyFrom;
    this.#early = NO_BYTES;
    toServer.begin(this.#clientFd, this.#serverFd, early);
    toClient.begin(this.#serverFd, this.#clientFd, 0);
    this.#countIn(early);
    if (sent < first.length) toServer.holdFirst(first.subarray(sent));
    // Readiness that was reported while nobody relayed is not reported again; what is watched only now will be.
    toServer.readable ||= this.#watched;
    if (toServer.holding || toServer.readable || toClient.readable) this.#pump(true, true);
    if (this.#state !== RELAYING) return;
    if (this.#serverEvents === 0) this.#watchServer(READABLE | PEER_ENDED);
    this.#watchClient();
    this.#watchForWriting();
  }

  #relay(fd: number, events: number): void {
    // Bytes that are only dropped keep nobody alive.
    if (!this.toServer.sinkGone && !this.toClient.sinkGone) this.#lastActiveMs = this.#plane.nowMs;
    const fromClient = fd === this.#clientFd;
    const incoming = fromClient ? this.toServer : this.toClient;
    const outgoing = fromClient ? this.toClient : this.toServer;
    if ((events & (PEER_ENDED | HUNG_UP | FAILED)) !== 0) incoming.endIsNear = true;
    if ((events & (READABLE | PEER_ENDED | HUNG_UP | FAILED)) !== 0) incoming.readable = true;
    let pumpOutgoing = false;
    if ((events & (WRITABLE | FAILED | HUNG_UP)) !== 0 && !outgoing.writable) {
      outgoing.writable = true;
      pumpOutgoing = true;
    }
    this.#pump(fromClient || pumpOutgoing, !fromClient || pumpOutgoing);
  }

  /** Goes on with a way that had used up its share of a turn. */
  goOn(): void {
    this.#unfinished = false;
    if (this.#state === RELAYING) this.#pump(true, true);
  }

  #pump(toServerToo: boolean, toClientToo: boolean): void {
    let more = false;
    if (toServerToo) {
      const before = this.toServer.bytes;
      const result = this.toServer.pump(this.#plane.tools, this.toClient.sinkReset);
      if (this.toServer.bytes !== before) this.#countIn(this.toServer.bytes - before);
      if (result === SOURCE_FAILED) return this.#reset(EndCode["client-reset"]);
      if (result === ENDED && this.#ended(this.toServer, this.toClient, EndCode["client-closed"])) return;
      more = result === MORE;
    }
    if (toClientToo) {
      const before = this.toClient.bytes;
      const result = this.toClient.pump(this.#plane.tools, this.toServer.sinkReset);
      if (this.toClient.bytes !== before) this.#countOut(before, this.toClient.bytes - before);
      if (result === SOURCE_FAILED) return this.#reset(EndCode["server-reset"]);
      if (result === ENDED && this.#ended(this.toClient, this.toServer, EndCode["server-closed"])) return;
      more ||= result === MORE;
    }
    // It has said everything and takes nothing any more: nobody is there to read what the server may send for ever.
    if (this.toClient.sinkGone && this.toServer.passedOn) return this.#reset(EndCode["client-reset"]);
    this.#watchForWriting();
    if (more && !this.#unfinished) {
      this.#unfinished = true;
      this.#plane.unfinished(this);
    }
  }

  /** A socket is watched for room to write only once it had none: most never have. */
  #watchForWriting(): void {
    const { poller } = this.#plane;
    if (!this.toClient.writable && this.#watched && !this.#watchedForWriting) {
      this.#watchedForWriting = true;
      poller.modify(this.#clientFd, READABLE | WRITABLE | PEER_ENDED);
    }
    if (!this.toServer.writable && this.#serverEvents !== 0 && (this.#serverEvents & WRITABLE) === 0) {
      this.#serverEvents |= WRITABLE;
      poller.modify(this.#serverFd, this.#serverEvents);
    }
  }

  #countIn(bytes: number): void {
    this.service.view.count(ServiceCounter.BYTES_IN, bytes);
    this.decision.server!.view.count(ServerCounter.BYTES_IN, bytes);
  }

  #countOut(before: number, bytes: number): void {
    if (before === 0) this.firstByteMs = this.#plane.nowMs - this.acceptedMs;
    this.service.view.count(ServiceCounter.BYTES_OUT, bytes);
    this.decision.server!.view.count(ServerCounter.BYTES_OUT, bytes);
  }

  /** One way has ended and everything is delivered. @returns whether that was the end of the connection. */
  #ended(way: Way, other: Way, end: number): boolean {
    if (other.passedOn) {
      this.close(this.#firstEnd);
      return true;
    }
    this.#firstEnd = end;
    way.passOn();
    way.dispose(this.#plane.tools);
    this.#plane.timers.set(this, this.#plane.nowMs + this.service.plan.timeouts.halfClose);
    return false;
  }

  #idle(nowMs: number): void {
    const { timeouts } = this.service.plan;
    const { toServer, toClient } = this;
    const oneSided = toServer.passedOn || toClient.passedOn || toServer.sinkGone || toClient.sinkGone;
    const limit = oneSided ? timeouts.halfClose : timeouts.idle;
    const due = this.#lastActiveMs + limit;
    if (due <= nowMs) return this.close(EndCode["idle-timeout"]);
    touch(this.client, this.decision, this.#plane.nowSec);
    // A server that vanishes without a word is noticed before the idle timeout of half a day. Who stays a while pays for it.
    keepAlive(this.#serverFd);
    this.#plane.timers.set(this, Math.min(due, nowMs + this.decision.pool!.touchMs));
  }

  // The end

  /** A side reset: the other one is reset as well, so that it does not take a part for the whole. */
  #reset(end: number): void {
    this.#finish(end, true);
  }

  /** The client gets no server: the protocol's own refusal, then the end. */
  refuse(refusal: number, end: number): void {
    if (this.#state === CLOSED) return;
    this.#countRefusal(refusal);
    const answer = this.service.refusalAnswer(end);
    if (answer !== null) {
      sys.send(this.#clientFd, answer, answer.length, MSG_NOSIGNAL | MSG_DONTWAIT);
      sys.shutdown(this.#clientFd, SHUT_WR);
    }
    this.#finish(end, false);
  }

  /** The regular end, whatever the state. */
  close(end: number): void {
    this.#finish(end, false);
  }

  #finish(end: number, withReset: boolean): void {
    if (this.#state === CLOSED) return;
    const plane = this.#plane;
    if (this.#state === RELAYING) touch(this.client, this.decision, plane.nowSec);
    this.#leaveQueue();
    this.#state = CLOSED;
    plane.timers.clear(this);
    plane.ended(this, end);
    this.toServer.dispose(plane.tools);
    this.toClient.dispose(plane.tools);
    plane.poller.forget(this.#clientFd);
    plane.ledger.disown(this.#clientFd);
    if (withReset) abort(this.#clientFd);
    else sys.close(this.#clientFd);
    this.#closeServer(withReset);
    this.service.view.count(ServiceCounter.ENDED + end, 1);
    this.service.view.release();
    if (this.#sourceSlot >= 0) plane.sources.release(this.#sourceSlot);
    this.#releaseServer();
  }

  #releaseServer(): void {
    if (!this.#reserved) return;
    this.#reserved = false;
    this.decision.server!.view.release();
    this.#plane.roomMayBe(this.decision.pool!);
  }

  #closeServer(withReset = false): void {
    const fd = this.#serverFd;
    if (fd < 0) return;
    this.#serverFd = -1;
    this.#serverEvents = 0;
    this.#plane.poller.forget(fd);
    this.#plane.ledger.disown(fd);
    if (withReset) abort(fd);
    else sys.close(fd);
  }
}

/** The first bytes arrive in few pieces, mostly one: copying them again is cheaper than a buffer for everybody. */
function append(before: Uint8Array, bytes: Uint8Array, length: number): Uint8Array {
  if (before.length === 0) return bytes.slice(0, length);
  const joined = new Uint8Array(before.length + length);
  joined.set(before);
  joined.set(bytes.subarray(0, length), before.length);
  return joined;
}
