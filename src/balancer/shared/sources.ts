/**
 * What each source (a client address behind its mask, in one service) has open and how fast it comes: the limits for one
 * source, in bounded shared memory. A source with open connections is never evicted; when nothing else could go, the next
 * source is admitted untracked, and counted, rather than refused.
 *
 * The rate is a GCRA (ITU-T I.371 annex A; a token bucket in one number): the time at which the bucket would be full again.
 * `nowMs` is unix milliseconds, because two processes of a takeover share the table.
 */
import { BUCKET_WORDS, BucketTable, OWN_COUNTERS, WAYS } from "./buckets.ts";
import type { MemoryLayout } from "./layout.ts";

/** What `admit` returns below 0. */
export const REFUSED_CONNECTIONS = -1;
export const REFUSED_RATE = -2;
/** Admitted, but not counted: every entry that could hold it has open connections, or its bucket stayed locked. */
export const UNTRACKED = -3;

// A bucket besides state and tags: the time of each way's full bucket (Float64), then the entries.
const FULL_AT = 16 / 2;
const SHAPE = { entriesAt: 46, entryWords: 4 };
// Word of an entry after its key.
const OPEN = 3;
/** A slot is a bucket's number and a way. */
const WAY_BITS = 4;
const WAY_MASK = (1 << WAY_BITS) - 1;

const COUNT_UNTRACKED = OWN_COUNTERS;

/** One thread's view of the table. `column` marks what this thread is writing. */
export class SourceTable {
  readonly #table: BucketTable;
  readonly #words: Int32Array;
  readonly #floats: Float64Array;

  constructor(memory: ArrayBuffer, layout: MemoryLayout, column: number) {
    this.#table = new BucketTable(memory, layout.sources, layout.sourceEntries, SHAPE, column);
    this.#words = this.#table.words;
    this.#floats = new Float64Array(memory, this.#words.byteOffset, this.#words.length / 2);
  }

  /**
   * May this source open one connection more, with at most `maxConnections` open (0: any number) and `maxNew` in `perMs`
   * (0: any number)? A refused connection costs the source nothing. Any worker.
   * @returns a slot (0 or more) for `release`, or REFUSED_CONNECTIONS, REFUSED_RATE, UNTRACKED.
   */
  admit(key: Int32Array, maxConnections: number, maxNew: number, perMs: number, nowMs: number): number {
    const bucket = this.#table.bucketOf(key);
    if (!this.#table.lock(bucket)) return this.#untracked();
    const slot = this.#admitIn(bucket, key, maxConnections, maxNew, perMs, nowMs);
    this.#table.unlock(bucket);
    return slot === UNTRACKED ? this.#untracked() : slot;
  }

  /** One connection of an admitted source has ended; nothing for UNTRACKED. Any worker; control for a dead one. */
  release(slot: number): void {
    if (slot < 0) return;
    Atomics.sub(this.#words, this.#entryOf(slot) + OPEN, 1);
  }

  /** Open connections of the source in this slot. Any. */
  open(slot: number): number {
    return Atomics.load(this.#words, this.#entryOf(slot) + OPEN);
  }

  /** Sources in the table, those with nothing open included. Any. */
  entries(): number {
    return this.#table.entries();
  }

  /** How many sources fit. */
  get capacity(): number {
    return this.#table.capacity;
  }

  /** How many connections were admitted untracked (wraps at 2^32). Any. */
  untracked(): number {
    return Atomics.load(this.#table.header, COUNT_UNTRACKED) >>> 0;
  }

  /** Control, after the worker of `column` is gone: frees what it left locked. O(table). @returns buckets freed. */
  clearOwned(column: number): number {
    return this.#table.clearOwned(column);
  }

  /** The holder of the bucket decides. */
  #admitIn(bucket: number, key: Int32Array, most: number, maxNew: number, perMs: number, nowMs: number): number {
    let way = this.#table.search(bucket, key, -1);
    if (way < 0) {
      way = this.#roomIn(bucket);
      if (way < 0) return UNTRACKED;
      this.#table.mark(bucket, way);
      this.#words[this.#table.entryAt(bucket, way) + OPEN] = 0;
      this.#floats[this.#fullAt(bucket, way)] = 0;
      this.#table.putKey(bucket, way, key);
    }
    const entry = this.#table.entryAt(bucket, way);
    if (most !== 0 && Atomics.load(this.#words, entry + OPEN) >= most) return REFUSED_CONNECTIONS;
    if (maxNew !== 0 && !this.#takeToken(this.#fullAt(bucket, way), maxNew, perMs, nowMs)) return REFUSED_RATE;
    Atomics.add(this.#words, entry + OPEN, 1);
    return ((bucket / BUCKET_WORDS) << WAY_BITS) | way;
  }

  /** A burst of `maxNew`, then one each `perMs / maxNew`. */
  #takeToken(at: number, maxNew: number, perMs: number, nowMs: number): boolean {
    const interval = perMs / maxNew;
    // Never further ahead than an empty bucket, so that a clock that was set back costs at most `perMs`.
    const fullAt = Math.min(Math.max(this.#floats[at]!, nowMs), nowMs + perMs);
    // An eighth of the interval is for rounding: a double of unix milliseconds has some 0.0002 ms.
    if (fullAt - nowMs > perMs - interval + interval / 8) return false;
    this.#floats[at] = fullAt + interval;
    return true;
  }

  /** An empty way, or of those with nothing open the one whose rate loses least by being forgotten; -1 for none. */
  #roomIn(bucket: number): number {
    let best = -1;
    let bestAt = Number.POSITIVE_INFINITY;
    for (let way = 0; way < WAYS; way++) {
      if (!this.#table.isUsed(bucket, way)) return way;
      const fullAt = this.#floats[this.#fullAt(bucket, way)]!;
      if (fullAt >= bestAt || Atomics.load(this.#words, this.#table.entryAt(bucket, way) + OPEN) > 0) continue;
      best = way;
      bestAt = fullAt;
    }
    return best;
  }

  #untracked(): number {
    Atomics.add(this.#table.header, COUNT_UNTRACKED, 1);
    return UNTRACKED;
  }

  /** Position in `#floats`. */
  #fullAt(bucket: number, way: number): number {
    return bucket / 2 + FULL_AT + way;
  }

  #entryOf(slot: number): number {
    return this.#table.entryAt((slot >> WAY_BITS) * BUCKET_WORDS, slot & WAY_MASK);
  }
}
