/**
 * The sticky table: which server a client is on, when it was last seen there and when first, in memory that all workers,
 * control and (during a takeover) a second process share. Keyed by fingerprints; bounded: a full bucket evicts the entry
 * that was not seen for longest.
 *
 * Seconds are unix seconds (`seenSec`); idle time and lifetime belong to the pool and come with each question, 0 for none.
 */
import { BUCKET_WORDS, BucketTable, OWN_COUNTERS, READ_TRIES, WAYS } from "./buckets.ts";
import type { MemoryLayout } from "./layout.ts";
import type { ServerId } from "./server-id.ts";

/** What `find` returns. */
export const MISS = 0;
export const FOUND = 1;
/** It was there, but not seen for `idleSec` or first seen `lifetimeSec` ago or more. It is there no longer. */
export const EXPIRED = 2;

/** Bits of an entry's flags. */
export const StickyFlag = {
  /** A session directory says that the client has a session there. */
  CONFIRMED: 1,
  /** It stands for a single cookie that does not count any more, and must stay as long as that could be shown. */
  FORGOTTEN: 2,
} as const;

/** What the table knows of one client. Belongs to the caller and is filled anew each time. */
export interface StickyHit {
  server: ServerId;
  seenSec: number;
  firstSec: number;
  /** StickyFlag bits. */
  flags: number;
}

/** A hit to reuse. */
export function stickyHit(): StickyHit {
  return { server: 0 as ServerId, seenSec: 0, firstSec: 0, flags: 0 };
}

/** Why entries were evicted: still wanted, or past the longest idle time of any pool. */
export interface Evictions {
  readonly full: number;
  readonly expired: number;
}

// Words of a bucket besides state and tags: seen of each way, then the entries.
const SEEN = 16;
const SHAPE = { entriesAt: 32, entryWords: 6 };
// Words of an entry after its key.
const SERVER = 3;
const FIRST = 4;
const FLAGS = 5;

// Words of the header.
const EVICTED_FULL = OWN_COUNTERS;
const EVICTED_EXPIRED = OWN_COUNTERS + 1;
const LONGEST_IDLE = OWN_COUNTERS + 2;

/** One thread's view of the table. `column` marks what this thread is writing; control gives its own. */
export class StickyTable {
  readonly #table: BucketTable;
  readonly #words: Int32Array;
  readonly #header: Int32Array;
  readonly #hit = stickyHit();

  constructor(memory: ArrayBuffer, layout: MemoryLayout, column: number) {
    this.#table = new BucketTable(memory, layout.sticky, layout.stickyEntries, SHAPE, column);
    this.#words = this.#table.words;
    this.#header = this.#table.header;
  }

  /** Whose client is this? Fills `out` when FOUND or EXPIRED; an expired entry is taken out. Any thread. */
  find(key: Int32Array, nowSec: number, idleSec: number, lifetimeSec: number, out: StickyHit): number {
    if (this.#locate(key, out) < 0) return MISS;
    if (!hasExpired(out, nowSec, idleSec, lifetimeSec)) return FOUND;
    this.#takeOutExpired(key, nowSec, idleSec, lifetimeSec);
    return EXPIRED;
  }

  /**
   * The client is on `server` now. Known there: seen now, `flags` added, its lifetime goes on. New or from another server:
   * first seen now, with these flags. Any thread.
   * @returns false when the bucket stayed locked (a dead writer): not remembered, counted in `contended`.
   */
  remember(key: Int32Array, server: ServerId, nowSec: number, flags = 0): boolean {
    const hit = this.#hit;
    const known = this.#locate(key, hit);
    if (known >= 0 && hit.server === server && (hit.flags & flags) === flags) {
      this.#saw(this.#table.bucketOf(key), known, nowSec);
      return true;
    }
    const bucket = this.#table.bucketOf(key);
    if (!this.#table.lock(bucket)) return false;
    const way = this.#table.search(bucket, key, -1);
    const entry = this.#table.entryAt(bucket, way);
    if (way >= 0 && this.#words[entry + SERVER] === server) {
      this.#words[entry + FLAGS]! |= flags;
      this.#saw(bucket, way, nowSec);
    } else {
      this.#put(bucket, way >= 0 ? way : this.#roomIn(bucket, nowSec), key, server, nowSec, nowSec, flags);
    }
    this.#table.unlock(bucket);
    return true;
  }

  /** The client is still there: seen now. Nothing when it is not known. Any thread. */
  touch(key: Int32Array, nowSec: number): void {
    const way = this.#locate(key, this.#hit);
    if (way >= 0) this.#saw(this.#table.bucketOf(key), way, nowSec);
  }

  /** Takes the client out. Any thread. @returns whether it was there. */
  forget(key: Int32Array): boolean {
    const bucket = this.#table.bucketOf(key);
    if (!this.#table.lock(bucket)) return false;
    const way = this.#table.search(bucket, key, -1);
    if (way >= 0) this.#table.empty(bucket, way);
    this.#table.unlock(bucket);
    return way >= 0;
  }

  /** Puts back what a snapshot remembered; a client who is known already stays as it is. Control. @returns whether put. */
  restore(key: Int32Array, known: StickyHit, nowSec: number): boolean {
    const bucket = this.#table.bucketOf(key);
    if (!this.#table.lock(bucket)) return false;
    const isNew = this.#table.search(bucket, key, -1) < 0;
    if (isNew) {
      const way = this.#roomIn(bucket, nowSec);
      this.#put(bucket, way, key, known.server, known.seenSec, known.firstSec, known.flags);
    }
    this.#table.unlock(bucket);
    return isNew;
  }

  /** Takes out all clients of one server. Control; O(table). @returns how many. */
  forgetServer(server: ServerId): number {
    let forgotten = 0;
    for (let bucket = 0; bucket < this.#table.end; bucket += BUCKET_WORDS) {
      if (!this.#hasServer(bucket, server) || !this.#table.lock(bucket)) continue;
      for (let way = 0; way < WAYS; way++) {
        if (!this.#isOf(bucket, way, server)) continue;
        this.#table.empty(bucket, way);
        forgotten++;
      }
      this.#table.unlock(bucket);
    }
    return forgotten;
  }

  /**
   * Visits every entry of buckets [fromBucket, toBucket), numbered from 0; all by default. `key` and `known` are used again
   * for the next one. Writers go on meanwhile: who comes or goes during the visit may be missed. Control.
   */
  forEach(visit: (key: Int32Array, known: StickyHit) => void, fromBucket = 0, toBucket = this.buckets): void {
    const key = new Int32Array(4);
    const known = stickyHit();
    for (let bucket = fromBucket * BUCKET_WORDS; bucket < toBucket * BUCKET_WORDS; bucket += BUCKET_WORDS) {
      for (let way = 0; way < WAYS; way++) if (this.#copy(bucket, way, key, known)) visit(key, known);
    }
  }

  /** Buckets of the table, for visiting it in parts. */
  get buckets(): number {
    return this.#table.end / BUCKET_WORDS;
  }

  /** How many clients fit; the first are evicted a little earlier, when their bucket is full. */
  get capacity(): number {
    return this.#table.capacity;
  }

  /** Clients remembered, expired ones that nobody asked for included. Off by one for each writer that died. Any. */
  entries(): number {
    return this.#table.entries();
  }

  /** How many entries had to go for new ones (each wraps at 2^32). Any. */
  evictions(): Evictions {
    return {
      full: Atomics.load(this.#header, EVICTED_FULL) >>> 0,
      expired: Atomics.load(this.#header, EVICTED_EXPIRED) >>> 0,
    };
  }

  /** How often a write was given up because its bucket stayed locked. Any. */
  contended(): number {
    return this.#table.contended();
  }

  /** Control: the longest idle time of any pool (0: none ends by idling), to tell the two sorts of eviction apart. */
  setLongestIdle(sec: number): void {
    Atomics.store(this.#header, LONGEST_IDLE, sec);
  }

  /** Control, after the worker of `column` is gone: frees what it left locked. O(table). @returns buckets freed. */
  clearOwned(column: number): number {
    return this.#table.clearOwned(column);
  }

  /** The way of `key`, with `out` filled, or -1. Takes no lock. */
  #locate(key: Int32Array, out: StickyHit): number {
    const table = this.#table;
    const bucket = table.bucketOf(key);
    for (let tries = READ_TRIES; tries > 0; tries--) {
      const way = table.search(bucket, key, table.read(bucket));
      if (way >= 0) this.#fill(bucket, way, out);
      if (table.settled(bucket, way)) return way;
    }
    return -1;
  }

  #fill(bucket: number, way: number, out: StickyHit): void {
    const entry = this.#table.entryAt(bucket, way);
    out.server = this.#words[entry + SERVER] as ServerId;
    out.seenSec = this.#words[bucket + SEEN + way]! >>> 0;
    out.firstSec = this.#words[entry + FIRST]! >>> 0;
    out.flags = this.#words[entry + FLAGS]!;
  }

  /** A whole copy of one way. @returns false when it is empty or being written. */
  #copy(bucket: number, way: number, key: Int32Array, known: StickyHit): boolean {
    const table = this.#table;
    for (let tries = READ_TRIES; tries > 0; tries--) {
      const written = table.read(bucket);
      if (!table.isUsed(bucket, way) || way === written) return false;
      table.copyKey(bucket, way, key);
      this.#fill(bucket, way, known);
      if (table.settled(bucket, way)) return true;
    }
    return false;
  }

  /** A store that needs no lock: if the way went to another client just now, that one was seen now too. */
  #saw(bucket: number, way: number, nowSec: number): void {
    this.#words[bucket + SEEN + way] = nowSec;
  }

  /** The holder writes a whole entry. */
  #put(
    bucket: number,
    way: number,
    key: Int32Array,
    server: ServerId,
    seen: number,
    first: number,
    flags: number,
  ): void {
    const entry = this.#table.entryAt(bucket, way);
    this.#table.mark(bucket, way);
    this.#words[entry + SERVER] = server;
    this.#words[entry + FIRST] = first;
    this.#words[entry + FLAGS] = flags;
    this.#words[bucket + SEEN + way] = seen;
    this.#table.putKey(bucket, way, key);
  }

  /** The holder wants room: an empty way, or else the one that was not seen for longest. */
  #roomIn(bucket: number, nowSec: number): number {
    let oldest = 0;
    let oldestAge = -1;
    for (let way = 0; way < WAYS; way++) {
      if (!this.#table.isUsed(bucket, way)) return way;
      const age = ageOf(this.#words[bucket + SEEN + way]!, nowSec);
      if (age <= oldestAge) continue;
      oldest = way;
      oldestAge = age;
    }
    const longestIdle = Atomics.load(this.#header, LONGEST_IDLE);
    const expired = longestIdle !== 0 && oldestAge >= longestIdle;
    Atomics.add(this.#header, expired ? EVICTED_EXPIRED : EVICTED_FULL, 1);
    return oldest;
  }

  #takeOutExpired(key: Int32Array, nowSec: number, idleSec: number, lifetimeSec: number): void {
    const bucket = this.#table.bucketOf(key);
    if (!this.#table.lock(bucket)) return;
    const way = this.#table.search(bucket, key, -1);
    if (way >= 0) {
      // Another worker may have remembered the client anew since we looked.
      this.#fill(bucket, way, this.#hit);
      if (hasExpired(this.#hit, nowSec, idleSec, lifetimeSec)) this.#table.empty(bucket, way);
    }
    this.#table.unlock(bucket);
  }

  #isOf(bucket: number, way: number, server: ServerId): boolean {
    return this.#table.isUsed(bucket, way) && this.#words[this.#table.entryAt(bucket, way) + SERVER] === server;
  }

  /** Worth taking the lock? An entry that is just arriving may be missed. */
  #hasServer(bucket: number, server: ServerId): boolean {
    for (let way = 0; way < WAYS; way++) if (this.#isOf(bucket, way, server)) return true;
    return false;
  }
}

function hasExpired(known: StickyHit, nowSec: number, idleSec: number, lifetimeSec: number): boolean {
  if (idleSec !== 0 && ageOf(known.seenSec, nowSec) >= idleSec) return true;
  return lifetimeSec !== 0 && ageOf(known.firstSec, nowSec) >= lifetimeSec;
}

/** Seconds since then; 0 when the clock was set back. */
function ageOf(thenSec: number, nowSec: number): number {
  return Math.max(0, (nowSec - thenSec) | 0);
}
