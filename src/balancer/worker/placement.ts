/**
 * A server for one client: deciding, waiting for room, connecting; again, to another server, when that fails. A connection
 * that is relayed has one; an HTTP connection has one that every exchange uses again.
 */
import { EADDRNOTAVAIL, EMFILE, ENFILE, ETIMEDOUT } from "../../os/libc.ts";
import { type Candidate, NONE_TRIED, TriedSet } from "../candidate.ts";
import { CHOSEN, Decision, decide, NO_SERVER, type PoolRuntime, remember } from "../decide.ts";
import { PoolCounter } from "../shared/pool-view.ts";
import { ServerCounter } from "../shared/server-view.ts";
import { ServiceCounter } from "../shared/service-view.ts";
import { EndCode, Reason, RefusalCode } from "../shared/words.ts";
import type { Channel } from "./channel.ts";
import type { WorkerContext } from "./context.ts";
import { Dial, type Dialling, type DialOwner } from "./dial.ts";
import type { Waiting } from "./queue.ts";
import type { RouteRuntime } from "./routing.ts";
import { Timed } from "./timers.ts";

const IDLE = 0;
const QUEUED = 1;
const CONNECTING = 2;
const PLACED = 3;

/** How often a lost race for a server's last place is decided again. */
const RACES = 3;
const NO_BYTES = new Uint8Array(0);
const NO_POOLS: readonly PoolRuntime[] = [];

/** What a decision's reason says of a token or cookie that was shown, as positions in REFUSALS. */
const REFUSED_TOKENS: ReadonlyMap<number, number> = new Map([
  [Reason.TOKEN_UNKNOWN_SERVER, RefusalCode["token-unknown-server"]],
  [Reason.TOKEN_INVALID, RefusalCode["token-invalid"]],
  [Reason.COOKIE_UNKNOWN_SERVER, RefusalCode["cookie-unknown-server"]],
  [Reason.COOKIE_INVALID, RefusalCode["cookie-invalid"]],
]);

/** Whom a placement serves: a connection, or an exchange. */
export interface PlacementOwner extends Dialling {
  /**
   * A connection to `server` that is open already and may be used for this client, or null: dial. Where the pool sends PROXY
   * headers (`pool.plan.sendProxy`) it must be one that was dialled for the very same client.
   */
  takeIdle(server: Candidate, pool: PoolRuntime): Channel | null;
  /** It has to wait. Who wants to know that the client leaves meanwhile watches it from now on. */
  onQueued(): void;
  /**
   * A server is there, and has `sent` of the `first` bytes already: a PROXY header and `firstBytes`. The channel is the
   * owner's now: it sets `channel.owner`, reads if `channel.readable`, calls `channel.watch()`, and closes it.
   * An idle connection comes with no first bytes.
   */
  onServer(channel: Channel, first: Uint8Array, sent: number): void;
  /** There is none. `refusal` is a position in REFUSALS, `end` one in ENDS. Nothing was counted yet. */
  onNoServer(refusal: number, end: number): void;
}

export class Placement extends Timed implements DialOwner, Waiting {
  readonly decision = new Decision();
  /** Connects that were tried; an idle connection is one too. */
  attempts = 0;
  /** Milliseconds; -1 for what has not happened. */
  queueMs = -1;
  connectMs = -1;
  /** The server was reached over a connection that was open already. */
  reused = false;
  /** Place in the pool's queue; 0: not waiting. */
  ticket = 0;
  readonly #plane: WorkerContext;
  readonly #owner: PlacementOwner;
  #state = IDLE;
  #route: RouteRuntime | null = null;
  #tried = NONE_TRIED;
  /** The pool in whose queue it stands. */
  #waitsFor: PoolRuntime | null = null;
  readonly #dial: Dial;
  #reserved = false;
  #queuedMs = 0;

  constructor(plane: WorkerContext, owner: PlacementOwner) {
    super();
    this.#plane = plane;
    this.#owner = owner;
    this.#dial = new Dial(plane, owner, this);
  }

  /** Finds a server on `route`. The answer, `onServer` or `onNoServer`, may come before this returns. */
  begin(route: RouteRuntime): void {
    this.#route = route;
    this.#decide();
  }

  /** As new, for the next request. What was reserved is given back. */
  reset(): void {
    this.release();
    this.decision.forgotten = false;
    this.decision.begin(NO_POOLS);
    this.attempts = 0;
    this.queueMs = -1;
    this.connectMs = -1;
    this.reused = false;
    this.#tried = NONE_TRIED;
    this.#route = null;
  }

  /**
   * The client needs no server any more, or has left: whatever the state, the queue, the connect and the place at the server
   * are given up. A channel that was given to the owner stays the owner's. Harmless when nothing is held.
   */
  release(): void {
    this.#leaveQueue();
    this.#dial.close();
    this.#state = IDLE;
    this.#plane.timers.clear(this);
    this.#releaseServer();
  }

  /** Is it still looking for a server? */
  get searching(): boolean {
    return this.#state === QUEUED || this.#state === CONNECTING;
  }

  // Deciding and waiting

  #decide(): void {
    const route = this.#route!;
    const plane = this.#plane;
    for (let race = 0; race < RACES; race++) {
      const { client } = this.#owner;
      const outcome = decide(client, route.pools, route.server, this.#tried, plane.nowSec, this.decision);
      if (race === 0 && this.#state === IDLE) this.#countRefusedToken();
      if (outcome === NO_SERVER) return this.#noServer();
      if (outcome !== CHOSEN || this.#mustQueueUp()) break;
      if (this.decision.server!.view.reserve()) {
        this.#reserved = true;
        return this.#connect();
      }
      // Another worker took the last place a moment ago: there may be one elsewhere.
    }
    this.#wait();
  }

  /** A token or cookie that leads nowhere is refused, its client is not. Somebody may be looking for an open relay. */
  #countRefusedToken(): void {
    const refusal = REFUSED_TOKENS.get(this.decision.reason);
    if (refusal !== undefined) this.#owner.service.view.count(ServiceCounter.REFUSED + refusal, 1);
  }

  /** There is room, but others have waited longer for it. */
  #mustQueueUp(): boolean {
    if (this.#state === QUEUED || this.decision.server!.view.limit() === 0) return false;
    if (this.decision.pool!.view.queued() === 0) return false;
    this.#plane.queues.roomMayBe(this.decision.pool!);
    return true;
  }

  #noServer(): void {
    if (this.attempts > 0) return this.#giveUp(RefusalCode["connect-failed"], EndCode["connect-failed"]);
    this.#giveUp(RefusalCode["no-server"], EndCode["no-server"]);
  }

  #giveUp(refusal: number, end: number): void {
    this.release();
    this.#owner.onNoServer(refusal, end);
  }

  #wait(): void {
    if (this.#state === QUEUED) return;
    const pool = this.decision.pool!;
    const { queue } = pool.plan;
    if (pool.view.queued() >= queue.length) return this.#giveUp(RefusalCode["queue-full"], EndCode["queue-full"]);
    this.#state = QUEUED;
    this.#waitsFor = pool;
    this.#queuedMs = this.#plane.nowMs;
    this.#plane.timers.set(this, this.#plane.nowMs + queue.timeoutMs);
    this.#plane.queues.of(pool).add(this);
    this.#owner.onQueued();
  }

  /** There may be room now. @returns whether it no longer waits. */
  tryAgain(): boolean {
    if (this.#state === QUEUED) this.#decide();
    return this.#state !== QUEUED;
  }

  #leaveQueue(): void {
    const pool = this.#waitsFor;
    if (pool === null) return;
    this.#waitsFor = null;
    this.#state = IDLE;
    const waitedMs = this.#plane.nowMs - this.#queuedMs;
    this.queueMs = Math.max(this.queueMs, 0) + waitedMs;
    this.#plane.queues.of(pool).remove(this);
    pool.view.observe(PoolCounter.QUEUE_COUNT, waitedMs / 1000);
  }

  override onDeadline(): void {
    if (this.#state === QUEUED) this.#giveUp(RefusalCode["queue-timeout"], EndCode["queue-timeout"]);
    else if (this.#state === CONNECTING) this.onDialFailed(ETIMEDOUT);
  }

  // Connecting

  #connect(): void {
    this.#leaveQueue();
    this.#state = CONNECTING;
    this.attempts++;
    const server = this.decision.server!;
    const idle = this.#owner.takeIdle(server, this.decision.pool!);
    if (idle !== null) return this.#placed(idle, NO_BYTES, 0, true);
    this.#dial.begin(server, this.decision.pool!);
  }

  onDialling(): void {
    this.#plane.timers.set(this, this.#plane.nowMs + this.decision.pool!.plan.connectTimeoutMs);
  }

  onDialled(channel: Channel, first: Uint8Array, sent: number, ms: number): void {
    const { server, pool } = this.decision;
    this.connectMs = ms;
    server!.view.connected(ms * 1000);
    pool!.view.observe(PoolCounter.CONNECT_COUNT, ms / 1000);
    this.#placed(channel, first, sent, false);
  }

  #placed(channel: Channel, first: Uint8Array, sent: number, reused: boolean): void {
    const { server, pool, recognisedBy, returned } = this.decision;
    const { service, client } = this.#owner;
    this.#state = PLACED;
    this.reused = reused;
    this.#plane.timers.clear(this);
    server!.view.count(ServerCounter.TOTAL, 1);
    service.view.count(ServiceCounter.RECOGNISED + recognisedBy, 1);
    if (returned >= 0) pool!.view.count(PoolCounter.RETURNS + returned, 1);
    remember(client, this.decision, this.#plane.nowSec);
    this.#owner.onServer(channel, first, sent);
  }

  // Failing

  onDialFailed(code: number): void {
    // Our own lack of descriptors says nothing about the server. Nor does that of ports, but there may be some towards another.
    if (code === EMFILE || code === ENFILE) return this.#giveUp(RefusalCode["no-files"], EndCode["connect-failed"]);
    this.#tryAnother(code !== EADDRNOTAVAIL);
  }

  /**
   * The server that `onServer` gave failed before it answered anything, and the owner has closed its channel: counted against
   * it, and the next one is tried, within the pool's `retries`. `blame` false: the same again without a word against it,
   * as for a connection that was kept idle and turned out to be closed.
   */
  failed(blame: boolean): void {
    if (this.#state !== PLACED) return;
    if (blame) return this.#tryAnother(true);
    this.#releaseServer();
    this.#state = CONNECTING;
    this.#decide();
  }

  #tryAnother(blame: boolean): void {
    const server = this.decision.server!;
    this.#dial.close();
    this.#releaseServer();
    if (blame) {
      server.view.failed();
      server.view.count(ServerCounter.FAILURES, 1);
    }
    if (this.#tried === NONE_TRIED) this.#tried = new TriedSet();
    this.#tried.add(server.plan.id);
    if (this.attempts > this.decision.pool!.plan.retries) {
      return this.#giveUp(RefusalCode["connect-failed"], EndCode["connect-failed"]);
    }
    this.#decide();
  }

  #releaseServer(): void {
    if (!this.#reserved) return;
    this.#reserved = false;
    this.decision.server!.view.release();
    this.#plane.queues.roomMayBe(this.decision.pool!);
  }
}
