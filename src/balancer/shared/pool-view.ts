/** A pool in the scoreboard: the cursors and the queue that all workers share, and its counters. */
import { MAX_POOLS, POOL_COLUMN_WORDS, POOL_COUNTERS, POOL_WORDS } from "./layout.ts";
import { type ColumnCount, sumCounters } from "./sums.ts";
import { HISTOGRAM_SECONDS } from "./words.ts";

// Words of a pool: shared, then in a worker's column.
const POOL_PASS = 0;
const POOL_CURSOR = 1;
const POOL_TICKET = 2;
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
