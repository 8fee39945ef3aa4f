/**
 * Who goes where. Pure: a function of the client, the scoreboard, the sticky table and the clock; no socket, no waiting, no
 * allocation. Taking the place (`reserve`), queueing and connecting are the worker's.
 *
 * The order: a pinned route; then the server that the client is known on, in whichever of the pools it is; then, as long as
 * that one is down and will have its clients back (`on-down: keep`), one that stands in for it; then the first
 * pool with a usable server picks one, a primary before a backup; then, where every check fails, the last known good.
 */
import type { Span } from "../protocols/http1/fields.ts";
import type { ResponseHead } from "../protocols/http1/response.ts";
import { TOO_LONG } from "../protocols/http1/write.ts";
import { type PickRequest, usableWeight } from "./algorithms/algorithm.ts";
import { hashBytes, share } from "./algorithms/hashing.ts";
import type { Candidate, TriedSet } from "./candidate.ts";
import { type Client, newClient } from "./client.ts";
import type { PoolRuntime, Tier } from "./pool-runtime.ts";
import type { ServerId } from "./shared/server-id.ts";
import { Reason, Recognised, ReturnCode, ServerState } from "./shared/words.ts";

export { PoolRuntime } from "./pool-runtime.ts";

/** `server` is chosen and had room a moment ago. */
export const CHOSEN = 1;
/** `server` is the client's own and full: wait for it, in the queue of `pool`. */
export const WAIT_FOR_SERVER = 2;
/** Every usable server of `pool` is full: wait for any of them. */
export const WAIT_FOR_POOL = 3;
/** Nobody may take the client. */
export const NO_SERVER = 0;

export type Outcome = typeof CHOSEN | typeof WAIT_FOR_SERVER | typeof WAIT_FOR_POOL | typeof NO_SERVER;

/** `returned` of a client whom nobody remembered. */
export const NOT_RETURNING = -1;

/** What was decided for one client. Asked again (after a wait or a failed connect), it keeps what is told only once. */
export class Decision {
  server: Candidate | null = null;
  pool: PoolRuntime | null = null;
  /** Position in RECOGNISED_BY. */
  recognisedBy: number = Recognised.NEW;
  /** Position in REASONS: why the client is not where it would have been, or was not recognised in a better way. */
  reason: number = Reason.NONE;
  /** Position in RETURNS, or NOT_RETURNING. */
  returned: number = NOT_RETURNING;
  /** What is remembered of the client stays as it is (`on-down: keep`). */
  keep = false;
  /** The server that the client was known on and does not get; null also when it has left the pool. */
  lost: Candidate | null = null;
  /** The pool of `lost`, and how the client was known there. */
  lostPool: PoolRuntime | null = null;
  lostBy: number = Recognised.NEW;
  /** The route's, best first. */
  pools: readonly PoolRuntime[] = [];
  /** The client was remembered for too long. The table forgets it when it says so. */
  forgotten = false;

  begin(pools: readonly PoolRuntime[]): void {
    this.server = null;
    this.pool = null;
    this.recognisedBy = Recognised.NEW;
    this.reason = this.forgotten ? Reason.FORGOTTEN : Reason.NONE;
    this.returned = this.forgotten ? ReturnCode.forgotten : NOT_RETURNING;
    this.keep = false;
    this.lost = null;
    this.lostPool = null;
    this.lostBy = Recognised.NEW;
    this.pools = pools;
  }
}

/** What the algorithms are asked; filled anew by each `decide`. */
const request: PickRequest = { client: newClient(), lastKnown: false };

/**
 * Decides for one client. `pools` are the route's, best first; `pinned` its only server, or 0. Asked again after a failed
 * connect, with that server in `tried`. Fills `out`.
 */
export function decide(
  client: Client,
  pools: readonly PoolRuntime[],
  pinned: ServerId | 0,
  tried: TriedSet,
  nowSec: number,
  out: Decision,
): Outcome {
  out.begin(pools);
  request.client = client;
  request.lastKnown = false;
  if (pinned !== 0) return goToPinned(pinned, tried, out);
  const known = goToKnown(tried, nowSec, out);
  if (known !== NO_SERVER) return known;
  const standIn = goToStandIn(tried, nowSec, out);
  if (standIn !== NO_SERVER) return standIn;
  const picked = pickNew(tried, nowSec, out);
  return picked === NO_SERVER ? goToLastKnown(tried, nowSec, out) : picked;
}

/** After a successful connect: the client is remembered on the chosen server, under all names that the pool knows it by. */
export function remember(client: Client, decision: Decision, nowSec: number): void {
  const { server, pool, lost, pools } = decision;
  if (server === null || pool === null) return;
  if (!decision.keep) pool.remember(client, server.plan.id, nowSec);
  if (lost === null) return;
  // What another pool remembers of a server that is gone would call the client back there, away from the newer session.
  for (let i = 0; i < pools.length; i++) if (pools[i] !== pool) forgetLost(client, pools[i]!, lost, nowSec);
}

/** The client is still connected: it was seen now, wherever its pool remembers it. */
export function touch(client: Client, decision: Decision, nowSec: number): void {
  if (decision.pool !== null && !decision.keep) decision.pool.touch(client, nowSec);
}

/** HTTP: which part of a Cookie field of `client.request` is for us alone; empty: there is none. */
export function hide(client: Client, { pool }: Decision, out: Span): void {
  out.at = out.end = 0;
  if (pool !== null) pool.hide(client, out);
}

/**
 * HTTP: the head of the server's answer to `client.request` has come: learns by what the client will come back. Just before
 * `head` is written to the client, as fields of it may be dropped, and `writeFields` behind it.
 */
export function learn(
  client: Client,
  { server, pool, keep }: Decision,
  bytes: Uint8Array,
  head: ResponseHead,
  nowSec: number,
): void {
  if (server !== null && pool !== null && !keep) pool.learn(client, server, bytes, head, nowSec);
}

/**
 * HTTP: writes the field lines by which the client will be recognised at `out[at]`, behind the answer's head.
 * @returns the position behind them, or TOO_LONG where there is no room for `decision.pool.fieldBytes`.
 */
export function writeFields(
  client: Client,
  { server, pool, keep }: Decision,
  secure: boolean,
  nowSec: number,
  out: Uint8Array,
  at: number,
): number {
  if (server === null || pool === null || keep || pool.fieldBytes === 0) return at;
  return out.length - at < pool.fieldBytes ? TOO_LONG : pool.writeFields(client, server, secure, nowSec, out, at);
}

function forgetLost(client: Client, pool: PoolRuntime, lost: Candidate, nowSec: number): void {
  if (pool.plan.persistence?.onDown !== "forget") return;
  for (let i = 0; i < pool.kinds.length; i++) {
    const { recogniser } = pool.kinds[i]!;
    const id = recogniser.recognise(client, nowSec);
    const candidate = id > 0 ? pool.find(id as ServerId) : undefined;
    if (candidate !== undefined && (candidate === lost || !candidate.view.takesKnown())) recogniser.forget(client);
  }
}

/** A route's only server: a draining one too, as whoever wrote the route meant this one. */
function goToPinned(pinned: ServerId, tried: TriedSet, out: Decision): Outcome {
  for (let i = 0; i < out.pools.length; i++) {
    const candidate = out.pools[i]!.find(pinned);
    if (candidate === undefined) continue;
    const obstacle = obstacleTo(candidate, out.pools[i]!, tried);
    if (obstacle === Reason.NONE) return take(candidate, out.pools[i]!, Recognised.ROUTE, out);
    out.reason = obstacle;
    return NO_SERVER;
  }
  out.reason = Reason.SERVER_GONE;
  return NO_SERVER;
}

/**
 * The first way of recognising that names a usable server wins: the best way of every pool, then the second best, so that a
 * token for the second pool is worth more than an address known in the first.
 */
function goToKnown(tried: TriedSet, nowSec: number, out: Decision): Outcome {
  let more = true;
  for (let rank = 0; more; rank++) {
    more = false;
    for (let i = 0; i < out.pools.length; i++) {
      const pool = out.pools[i]!;
      if (rank >= pool.kinds.length) continue;
      more = true;
      const { code, recogniser } = pool.kinds[rank]!;
      const id = recogniser.recognise(request.client, nowSec);
      if (id <= 0) {
        noteUnknown(-id, out);
        continue;
      }
      const candidate = pool.find(id as ServerId);
      const obstacle = candidate === undefined ? Reason.SERVER_GONE : obstacleTo(candidate, pool, tried);
      if (obstacle === Reason.NONE) return takeKnown(candidate!, pool, code, out);
      noteLost(candidate ?? null, pool, code, obstacle, out);
    }
  }
  return NO_SERVER;
}

/** Why a client who belongs on the server cannot have it; NONE when it can, perhaps after waiting. */
function obstacleTo(candidate: Candidate, pool: PoolRuntime, tried: TriedSet): number {
  const state = candidate.view.state();
  if (state === ServerState.MAINTENANCE) return Reason.SERVER_MAINTENANCE;
  if (!candidate.view.takesKnown()) return Reason.SERVER_DOWN;
  if (tried.has(candidate.plan.id)) return candidate.view.hasRoom() ? Reason.SERVER_DOWN : Reason.SERVER_FULL;
  return pool.plan.queue.length > 0 || candidate.view.hasRoom() ? Reason.NONE : Reason.SERVER_FULL;
}

function takeKnown(candidate: Candidate, pool: PoolRuntime, code: number, out: Decision): Outcome {
  if (out.returned === NOT_RETURNING || out.returned === ReturnCode.forgotten) out.returned = ReturnCode.own;
  // A token or cookie that named nothing in one pool was meant for this one.
  if ((code === Recognised.TOKEN || code === Recognised.COOKIE) && out.lostPool === null) out.reason = Reason.NONE;
  return take(candidate, pool, code, out);
}

function take(candidate: Candidate, pool: PoolRuntime, code: number, out: Decision): Outcome {
  out.server = candidate;
  settle(pool, code, out);
  return candidate.view.hasRoom() ? CHOSEN : WAIT_FOR_SERVER;
}

function settle(pool: PoolRuntime, code: number, out: Decision): void {
  out.pool = pool;
  out.recognisedBy = code;
  out.keep =
    pool === out.lostPool &&
    pool.plan.persistence?.onDown === "keep" &&
    (out.reason === Reason.SERVER_DOWN || out.reason === Reason.SERVER_MAINTENANCE);
}

/** Nobody could be named. Says so unless something was said before. */
function noteUnknown(reason: number, out: Decision): void {
  if (reason === Reason.FORGOTTEN) {
    out.forgotten = true;
    if (out.returned === NOT_RETURNING) out.returned = ReturnCode.forgotten;
  }
  if (out.reason === Reason.NONE) out.reason = reason;
}

/** The client has a server and cannot have it. The first such weighs more than what could not be recognised. */
function noteLost(candidate: Candidate | null, pool: PoolRuntime, code: number, obstacle: number, out: Decision): void {
  if (out.lostPool !== null) return;
  out.lost = candidate;
  out.lostPool = pool;
  out.lostBy = code;
  out.reason = obstacle;
  out.returned = returnOf(obstacle);
}

function returnOf(obstacle: number): number {
  if (obstacle === Reason.SERVER_DOWN) return ReturnCode.server_down;
  return obstacle === Reason.SERVER_FULL ? ReturnCode.full : ReturnCode.drained;
}

/**
 * `on-down: keep`: nothing is remembered of where the client goes until its own server is back, and yet all its connections
 * and requests should go to one. So it is chosen by who the client is, weighted (rendezvous hashing, as in maglev.ts).
 */
function goToStandIn(tried: TriedSet, nowSec: number, out: Decision): Outcome {
  const pool = out.lostPool;
  if (pool === null || pool.plan.persistence?.onDown !== "keep") return NO_SERVER;
  if (out.reason !== Reason.SERVER_DOWN && out.reason !== Reason.SERVER_MAINTENANCE) return NO_SERVER;
  const key = keyOfClient();
  for (let t = 0; t < pool.tiers.length; t++) {
    const { servers } = pool.tiers[t]!;
    let best: Candidate | null = null;
    let bestScore = 0;
    for (let i = 0; i < servers.length; i++) {
      const weight = usableWeight(servers[i]!, request, tried, nowSec);
      if (weight === 0) continue;
      const score = -weight / Math.log(share(key ^ servers[i]!.plan.tokenLow));
      if (best !== null && score <= bestScore) continue;
      best = servers[i]!;
      bestScore = score;
    }
    if (best !== null) return take(best, pool, Recognised.NEW, out);
  }
  return NO_SERVER;
}

/** What stays the same of a client: its cookie, or else its login, or else its address. */
function keyOfClient(): number {
  const { client } = request;
  if (client.request !== null && client.cookieIdLow !== 0) return client.cookieIdLow;
  if (client.userLength > 0 && !client.userMayBeCut) return hashBytes(client.user, 0, client.userLength, 0);
  return hashBytes(client.source, 0, client.source.length, 0);
}

/**
 * The first pool with a usable server. Usable but full: the client waits there, unless nobody may wait (`queue: 0`), when
 * backups and further pools come first.
 */
function pickNew(tried: TriedSet, nowSec: number, out: Decision): Outcome {
  let full: PoolRuntime | null = null;
  for (let i = 0; i < out.pools.length; i++) {
    const pool = out.pools[i]!;
    for (let t = 0; t < pool.tiers.length; t++) {
      const picked = pool.tiers[t]!.picker.pick(request, tried, nowSec);
      if (picked !== null) return take(picked, pool, Recognised.NEW, out);
      if (!isFull(pool.tiers[t]!, tried, nowSec)) continue;
      if (pool.plan.queue.length > 0) return waitFor(pool, out);
      full ??= pool;
    }
  }
  return full === null ? NO_SERVER : waitFor(full, out);
}

function waitFor(pool: PoolRuntime, out: Decision): Outcome {
  settle(pool, Recognised.NEW, out);
  return WAIT_FOR_POOL;
}

/** Would one of them take the client, but for its limit? Asked when the algorithm found none. */
function isFull(tier: Tier, tried: TriedSet, nowSec: number): boolean {
  for (let i = 0; i < tier.servers.length; i++) {
    const { plan, view } = tier.servers[i]!;
    if (view.takesNew() && !tried.has(plan.id) && view.weight(nowSec) > 0) return true;
  }
  return false;
}

/**
 * `all-down: last-known`: checks that all fail at once say more of the checks than of the servers. As long as one server
 * of any pool answers, the checks are believed.
 */
function goToLastKnown(tried: TriedSet, nowSec: number, out: Decision): Outcome {
  for (let i = 0; i < out.pools.length; i++) if (answers(out.pools[i]!)) return NO_SERVER;
  const { lost, lostPool } = out;
  if (lost !== null && lostPool!.plan.allDown === "last-known" && isLastKnown(lost, tried)) {
    out.reason = Reason.LAST_KNOWN;
    out.returned = ReturnCode.own;
    out.lost = null;
    return take(lost, lostPool!, out.lostBy, out);
  }
  request.lastKnown = true;
  for (let i = 0; i < out.pools.length; i++) {
    const pool = out.pools[i]!;
    if (pool.plan.allDown !== "last-known") continue;
    for (let t = 0; t < pool.tiers.length; t++) {
      const picked = pool.tiers[t]!.picker.pick(request, tried, nowSec);
      if (picked === null) continue;
      const outcome = take(picked, pool, Recognised.NEW, out);
      out.reason = Reason.LAST_KNOWN;
      return outcome;
    }
  }
  return NO_SERVER;
}

function answers(pool: PoolRuntime): boolean {
  for (let i = 0; i < pool.candidates.length; i++) if (pool.candidates[i]!.view.takesKnown()) return true;
  return false;
}

function isLastKnown(candidate: Candidate, tried: TriedSet): boolean {
  return candidate.view.wasUsable() && !tried.has(candidate.plan.id) && candidate.view.hasRoom();
}
