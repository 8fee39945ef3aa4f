/**
 * The bounded table in shared memory that the sticky table and the source table are made of.
 *
 * A bucket has 15 ways and 128 words (eight cache lines):
 *
 *     word 0         state: who holds the bucket, which way is being written, version
 *     words 1-15     tags: the first word of each way's key, 0 for an empty way
 *     words 16-127   the owner's own: columns of 15, and an entry for each way, beginning with the rest of its key
 *
 * A key has one bucket, so two writers of one key meet at one lock and can never leave two entries. Writers take the state
 * word by compare-and-exchange. Readers take nothing: what they read counts if the state was the same before and after,
 * and they leave out the way that is being written. So a writer that dies in the middle harms that one way, until control
 * empties it (`clearOwned`). Nobody waits for ever: after a bounded number of tries a reader has a miss, a writer gives up.
 *
 * Words between two looks at the state are read and written plainly: the compiler moves nothing over an Atomics call, and
 * an Atomics.load of each would take the cache line from the other threads (it is a locked instruction here).
 */

/** Ways of a bucket. */
export const WAYS = 15;
/** Words of a bucket. */
export const BUCKET_WORDS = 128;
/** Bytes before the first bucket: counters of the table's owner. */
export const TABLE_HEADER_BYTES = 4096;
const TAGS = 1;

// The state word: owner's column + 1 (0: free), way being written + 1 (0: none), version.
const OWNER_MASK = 0x3f;
const WAY_SHIFT = 6;
const WAY_MASK = 0xf;
const VERSION = 1 << 10;

/** How often a reader looks before it takes the entry for missing, at some 20 ns each. */
export const READ_TRIES = 200;
/** Some 4 ms: a holder that has lost its core for a moment is waited for, so that limits stay exact; a dead one is not. */
const LOCK_TRIES = 1_000_000;

// Words of the header; the owner's counters begin at OWN_COUNTERS.
const ENTRIES = 0;
const CONTENDED = 1;
/** The first word of the header that is the owner's. */
export const OWN_COUNTERS = 16;

/** How the owner divides words 16-127: `entriesAt + way * entryWords` is where words 1-3 of a way's key lie. */
export interface BucketShape {
  readonly entriesAt: number;
  readonly entryWords: number;
}

/** One thread's view of such a table. Bucket numbers are word positions in `words`. */
export class BucketTable {
  readonly words: Int32Array;
  readonly header: Int32Array;
  /** Word position after the last bucket; a multiple of BUCKET_WORDS. */
  readonly end: number;
  readonly #owner: number;
  readonly #mask: number;
  readonly #entriesAt: number;
  readonly #entryWords: number;
  /** The state at the last `read`. */
  #seen = 0;

  /** `lines`: 64-byte lines of the table, a power of two; its header comes before them at `offset`. */
  constructor(memory: ArrayBuffer, offset: number, lines: number, shape: BucketShape, column: number) {
    this.header = new Int32Array(memory, offset, TABLE_HEADER_BYTES / 4);
    this.words = new Int32Array(memory, offset + TABLE_HEADER_BYTES, lines * 16);
    this.end = lines * 16;
    this.#owner = column + 1;
    this.#mask = this.end / BUCKET_WORDS - 1;
    this.#entriesAt = shape.entriesAt;
    this.#entryWords = shape.entryWords;
  }

  /** How many entries fit. */
  get capacity(): number {
    return (this.end / BUCKET_WORDS) * WAYS;
  }

  /** Entries now. Off by one for each writer that died in the middle of adding one. Any thread. */
  entries(): number {
    return Atomics.load(this.header, ENTRIES);
  }

  /** How often a writer gave up because the bucket stayed locked. Any thread. */
  contended(): number {
    return Atomics.load(this.header, CONTENDED) >>> 0;
  }

  /** The bucket of a key. */
  bucketOf(key: Int32Array): number {
    return (key[1]! & this.#mask) * BUCKET_WORDS;
  }

  /** Where the entry of a way begins in `words`. */
  entryAt(bucket: number, way: number): number {
    return bucket + this.#entriesAt + way * this.#entryWords;
  }

  /** Is anything in this way? */
  isUsed(bucket: number, way: number): boolean {
    return this.words[bucket + TAGS + way] !== 0;
  }

  /** The way that holds `key`, or -1. By the holder of the lock, or between `read` and `readAgain`. */
  search(bucket: number, key: Int32Array, skip: number): number {
    const words = this.words;
    const tag = tagOf(key);
    for (let way = 0; way < WAYS; way++) {
      if (words[bucket + TAGS + way] !== tag || way === skip) continue;
      const entry = this.entryAt(bucket, way);
      if (words[entry] === key[1] && words[entry + 1] === key[2] && words[entry + 2] === key[3]) return way;
    }
    return -1;
  }

  /**
   * A reader's loop, in four parts because a callback would cost more than the search:
   *
   *     for (let tries = READ_TRIES; tries > 0; tries--) {
   *       const way = table.search(bucket, key, table.read(bucket));
   *       …copy what is wanted…
   *       if (table.settled(bucket, way)) return way;
   *     }
   *
   * @returns the way to leave out because it is being written, or -1.
   */
  read(bucket: number): number {
    this.#seen = Atomics.load(this.words, bucket);
    return writtenWay(this.#seen);
  }

  /** Is what was read since `read` whole? A miss in a locked bucket is not: the key may be just arriving. */
  settled(bucket: number, way: number): boolean {
    if (Atomics.load(this.words, bucket) !== this.#seen) return false;
    return way >= 0 || (this.#seen & OWNER_MASK) === 0;
  }

  /** Takes the bucket for writing. @returns false when it stayed locked: counted, and the caller goes on without. */
  lock(bucket: number): boolean {
    for (let tries = LOCK_TRIES; tries > 0; tries--) {
      const state = Atomics.load(this.words, bucket);
      if ((state & OWNER_MASK) !== 0) continue;
      if (Atomics.compareExchange(this.words, bucket, state, state | this.#owner) === state) return true;
    }
    Atomics.add(this.header, CONTENDED, 1);
    return false;
  }

  /** The holder is about to change the key or the entry of `way` (single words that stand alone need no mark). */
  mark(bucket: number, way: number): void {
    const state = this.words[bucket]! & ~(WAY_MASK << WAY_SHIFT);
    Atomics.store(this.words, bucket, state | ((way + 1) << WAY_SHIFT));
  }

  /** The holder puts `key` into a marked way. Its tag comes last: until then the way is empty. */
  putKey(bucket: number, way: number, key: Int32Array): void {
    const words = this.words;
    const entry = this.entryAt(bucket, way);
    const isNew = words[bucket + TAGS + way] === 0;
    words[bucket + TAGS + way] = 0;
    words[entry] = key[1]!;
    words[entry + 1] = key[2]!;
    words[entry + 2] = key[3]!;
    words[bucket + TAGS + way] = tagOf(key);
    if (isNew) Atomics.add(this.header, ENTRIES, 1);
  }

  /** Copies the key of a used way into `key`. */
  copyKey(bucket: number, way: number, key: Int32Array): void {
    const entry = this.entryAt(bucket, way);
    key[0] = this.words[bucket + TAGS + way]!;
    key[1] = this.words[entry]!;
    key[2] = this.words[entry + 1]!;
    key[3] = this.words[entry + 2]!;
  }

  /** The holder empties a way. */
  empty(bucket: number, way: number): void {
    if (this.words[bucket + TAGS + way] === 0) return;
    this.words[bucket + TAGS + way] = 0;
    Atomics.sub(this.header, ENTRIES, 1);
  }

  /** The holder lets the bucket go. */
  unlock(bucket: number): void {
    release(this.words, bucket);
  }

  /**
   * Control only, after the worker of `column` is gone: frees the buckets it held and empties the way it was writing.
   * O(table). @returns how many buckets it held (0 or 1).
   */
  clearOwned(column: number): number {
    let held = 0;
    for (let bucket = 0; bucket < this.end; bucket += BUCKET_WORDS) {
      const state = Atomics.load(this.words, bucket);
      if ((state & OWNER_MASK) !== column + 1) continue;
      held++;
      const way = writtenWay(state);
      if (way >= 0) this.empty(bucket, way);
      release(this.words, bucket);
    }
    return held;
  }
}

function writtenWay(state: number): number {
  return ((state >>> WAY_SHIFT) & WAY_MASK) - 1;
}

function release(words: Int32Array, bucket: number): void {
  Atomics.store(words, bucket, ((words[bucket]! & -VERSION) + VERSION) | 0);
}

/** A key whose first word is 0 has tag 1: 0 is an empty way. */
function tagOf(key: Int32Array): number {
  return key[0] === 0 ? 1 : key[0]!;
}
