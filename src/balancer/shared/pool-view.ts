/** A pool in the scoreboard: the cursors and the queue that all workers share, and its counters. */
import { MAX_POOLS, POOL_COLUMN_WORDS, POOL_COUNTERS, POOL_WORDS } from "./layout.ts";
import { type ColumnCount, sumCounters } from "./sums.ts";
import { HISTOGRAM_SECONDS } from "./words.ts";

// Words of a pool: shared, then in a worker's column.
const POOL_PASS = 0;
const POOL_CURSOR = 1;
const POOL_TICKET = 2;
/** What control has had forgotten: pairs of a second and a share (see `forgetShare`), then a second (see `forgetSome`). */
const POOL_FORGOTTEN = 4;
const FORGOTTEN_PAIRS = 4;
const POOL_SOME_FORGOTTEN = POOL_FORGOTTEN + FORGOTTEN_PAIRS * 2;
/** A share is held in parts of this, and compared with the upper bits of an id. */
const SHARE_BITS = 24;
export const WHOLE_SHARE = 1 << SHARE_BITS;
const POOL_QUEUED = 0;
const POOL_QUEUE_HEAD = 1;

/** A pool's counters: positions in a worker's column. */
export const PoolCounter = {
  /** + position in RETURNS */
  RETURNS: 0,
  CONNECT_COUNT: 5,
  CONNECT_SECONDS: 6,
  /** + bucket */
  CONNECT_BUCKET: 7,
  QUEUE_COUNT: 20,
  QUEUE_SECONDS: 21,
  /** + bucket */
  QUEUE_BUCKET: 22,
} as const;
if (POOL_SOME_FORGOTTEN >= POOL_WORDS) throw new Error("POOL_WORDS is too small");
if (PoolCounter.QUEUE_BUCKET + HISTOGRAM_SECONDS.length + 1 > POOL_COUNTERS)
  throw new Error("POOL_COUNTERS is too small");

/** One pool's words: the shared cursors and the counters. */
export class PoolView {
  readonly #board: ColumnCount;
  readonly #words: Int32Array;
  readonly #columns: Int32Array;
  readonly #counters: Float64Array;
  readonly #slot: number;
  readonly #at: number;
  readonly #mine: number;
  readonly #mineCounters: number;

  constructor(
    board: ColumnCount,
    words: Int32Array,
    columns: Int32Array,
    counters: Float64Array,
    slot: number,
    column: number,
  ) {
    this.#board = board;
    this.#words = words;
    this.#columns = columns;
    this.#counters = counters;
    this.#slot = slot;
    this.#at = slot * POOL_WORDS;
    this.#mine = (column * MAX_POOLS + slot) * POOL_COLUMN_WORDS;
    this.#mineCounters = (column * MAX_POOLS + slot) * POOL_COUNTERS;
  }

  /** The turn of the pool's round-robin (see ServerView.nextTurn). Any. */
  turn(): number {
    return Atomics.load(this.#words, this.#at + POOL_PASS);
  }

  /** Any worker: the round has come to this turn. */
  setTurn(turn: number): void {
    Atomics.store(this.#words, this.#at + POOL_PASS, turn | 0);
  }

  /** A counter that all workers share: 0, 1, 2 … (wraps). */
  nextCursor(): number {
    return Atomics.add(this.#words, this.#at + POOL_CURSOR, 1) >>> 0;
  }

  /** Worker: a ticket for a place in the pool's queue, in order over all workers. Never 0. */
  takeTicket(): number {
    return (Atomics.add(this.#words, this.#at + POOL_TICKET, 1) & 0x3fffffff) + 1;
  }

  /** Worker: how many wait here and the ticket of the first of them (0: nobody). */
  setQueue(length: number, head: number): void {
    Atomics.store(this.#columns, this.#mine + POOL_QUEUED, length);
    Atomics.store(this.#columns, this.#mine + POOL_QUEUE_HEAD, head);
  }

  /** Clients that wait, over all workers. Any. */
  queued(): number {
    let total = 0;
    for (let column = this.#board.columnsInUse() - 1; column >= 0; column--) total += this.#load(column, POOL_QUEUED);
    return total;
  }

  /** The column whose first waiter has waited longest, or -1 when nobody waits. Any. */
  longestWaiting(): number {
    let best = -1;
    let bestTicket = 0;
    for (let column = this.#board.columnsInUse() - 1; column >= 0; column--) {
      const ticket = this.#load(column, POOL_QUEUE_HEAD);
      if (ticket === 0 || (best >= 0 && ((ticket - bestTicket) & 0x3fffffff) < 0x1fffffff)) continue;
      best = column;
      bestTicket = ticket;
    }
    return best;
  }

  /**
   * Control: cookies issued up to `nowSec` are forgotten, those whose id is in the first `share` (0 to WHOLE_SHARE) of all.
   * A client that comes back gets another id, so a second time meets others. `longestSec`: no cookie lives longer (0: no end).
   */
  forgetShare(share: number, nowSec: number, longestSec: number): void {
    // Kept sorted, newest first, with growing shares: a smaller one that is older says nothing more.
    const before: { sec: number; share: number }[] = [];
    for (let pair = 0; pair < FORGOTTEN_PAIRS; pair++) {
      const at = this.#at + POOL_FORGOTTEN + pair * 2;
      before.push({ sec: Atomics.load(this.#words, at) >>> 0, share: Atomics.load(this.#words, at + 1) });
    }
    const kept = before.filter((old) => old.share > share && (longestSec === 0 || nowSec - old.sec < longestSec));
    // With more than there is room for, the two oldest become one that forgets what either does, and some more.
    while (kept.length >= FORGOTTEN_PAIRS) kept[kept.length - 2] = { ...kept.pop()!, sec: kept.at(-1)!.sec };
    const pairs = [{ sec: nowSec, share }, ...kept];
    for (let pair = 0; pair < FORGOTTEN_PAIRS; pair++) {
      const at = this.#at + POOL_FORGOTTEN + pair * 2;
      Atomics.store(this.#words, at + 1, 0);
      Atomics.store(this.#words, at, (pairs[pair]?.sec ?? 0) | 0);
      Atomics.store(this.#words, at + 1, pairs[pair]?.share ?? 0);
    }
  }

  /** Is the cookie of this id, issued then, one of those that were forgotten by share? Any. */
  hasForgotten(idHigh: number, issuedSec: number): boolean {
    const part = idHigh >>> (32 - SHARE_BITS);
    for (let at = this.#at + POOL_FORGOTTEN; at < this.#at + POOL_SOME_FORGOTTEN; at += 2) {
      const share = Atomics.load(this.#words, at + 1);
      if (share === 0) return false;
      if (part < share && issuedSec <= Atomics.load(this.#words, at) >>> 0) return true;
    }
    return false;
  }

  /** A cookie issued in this second or later is not forgotten by what control has said so far. Any. */
  issueFrom(): number {
    return Atomics.load(this.#words, this.#at + POOL_FORGOTTEN + 1) === 0
      ? 0
      : (Atomics.load(this.#words, this.#at + POOL_FORGOTTEN) >>> 0) + 1;
  }

  /** Control: single cookies are forgotten, by entries of the sticky table that live until `untilSec`. */
  forgetSome(untilSec: number): void {
    const before = Atomics.load(this.#words, this.#at + POOL_SOME_FORGOTTEN) >>> 0;
    Atomics.store(this.#words, this.#at + POOL_SOME_FORGOTTEN, Math.max(before, untilSec) | 0);
  }

  /** May a single cookie have been forgotten? Any. */
  mayHaveForgottenSome(nowSec: number): boolean {
    return nowSec < Atomics.load(this.#words, this.#at + POOL_SOME_FORGOTTEN) >>> 0;
  }

  #load(column: number, word: number): number {
    return Atomics.load(this.#columns, (column * MAX_POOLS + this.#slot) * POOL_COLUMN_WORDS + word);
  }

  /** Worker: adds to a counter of PoolCounter. */
  count(counter: number, by: number): void {
    this.#counters[this.#mineCounters + counter]! += by;
  }

  /** Worker: puts a duration into the histogram whose count is at `counter` (CONNECT_COUNT or QUEUE_COUNT). */
  observe(counter: number, seconds: number): void {
    const at = this.#mineCounters + counter;
    this.#counters[at]! += 1;
    this.#counters[at + 1]! += seconds;
    let bucket = 0;
    while (bucket < HISTOGRAM_SECONDS.length && seconds > HISTOGRAM_SECONDS[bucket]!) bucket++;
    this.#counters[at + 2 + bucket]! += 1;
  }

  /** A counter of PoolCounter over all workers. Any. */
  total(counter: number): number {
    return sumCounters(this.#counters, MAX_POOLS * POOL_COUNTERS, this.#slot * POOL_COUNTERS + counter, this.#board);
  }
}
