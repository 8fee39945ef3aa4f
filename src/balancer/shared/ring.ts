/**
 * A ring of records from one worker to control, in shared memory: one writer, one reader, nobody waits. A record lies in
 * one piece behind a word with its length. When there is no room, the record is dropped and counted.
 *
 * Each side owns one position and publishes it after it has written, or read, the bytes. A writer that dies in the middle
 * has published nothing; the next one of the column goes on where it stopped.
 */
import { type MemoryLayout, RING_BYTES } from "./layout.ts";

// Words of the ring's head, a cache line for each side.
const READ_AT = 0;
const WRITE_AT = 16;
const DROPPED = 17;
const SEQUENCE = 18;
/** Where the records begin. */
const HEAD_BYTES = 128;
const DATA_BYTES = RING_BYTES - HEAD_BYTES;

/** Before each record: its length, then a word of padding so that its float64 fields lie on eight bytes. */
const PREFIX_BYTES = 8;
/** In place of a length: nothing more comes before the end, go on at the beginning. */
const WRAP = -1;

/** The same bytes as words, floats and bytes. */
class RingViews {
  readonly head: Int32Array;
  readonly words: Int32Array;
  readonly floats: Float64Array;
  readonly bytes: Uint8Array;

  constructor(memory: ArrayBuffer, layout: MemoryLayout, column: number) {
    const ring = layout.rings + column * RING_BYTES;
    this.head = new Int32Array(memory, ring, HEAD_BYTES / 4);
    this.words = new Int32Array(memory, ring + HEAD_BYTES, DATA_BYTES / 4);
    this.floats = new Float64Array(memory, ring + HEAD_BYTES, DATA_BYTES / 8);
    this.bytes = new Uint8Array(memory, ring + HEAD_BYTES, DATA_BYTES);
  }
}

/** The worker's end. Write at the offset that `reserve` gives, through the views, and `commit`. */
export class RingWriter {
  readonly words: Int32Array;
  readonly floats: Float64Array;
  readonly bytes: Uint8Array;
  readonly #head: Int32Array;
  #next = 0;

  constructor(memory: ArrayBuffer, layout: MemoryLayout, column: number) {
    const views = new RingViews(memory, layout, column);
    this.words = views.words;
    this.floats = views.floats;
    this.bytes = views.bytes;
    this.#head = views.head;
  }

  /**
   * Room for a record of `length` bytes (a small part of RING_BYTES).
   * @returns the byte offset to write at, on eight bytes, or -1: no room, dropped and counted.
   */
  reserve(length: number): number {
    const size = sizeOf(length);
    const readAt = Atomics.load(this.#head, READ_AT);
    let at = this.#head[WRITE_AT]!;
    // The writer never catches up with the reader: equal positions mean an empty ring.
    if (at >= readAt) {
      if (at + size >= DATA_BYTES) {
        if (size >= readAt) return this.#drop();
        this.words[at / 4] = WRAP;
        at = 0;
      }
    } else if (at + size >= readAt) return this.#drop();
    this.words[at / 4] = length;
    this.#next = at + size;
    return at + PREFIX_BYTES;
  }

  /** The record that was reserved is whole: control may read it. */
  commit(): void {
    Atomics.store(this.#head, WRITE_AT, this.#next);
  }

  /** 0, 1, 2 … (wraps at 2^32): goes on when another worker takes over the column. */
  nextSequence(): number {
    return Atomics.add(this.#head, SEQUENCE, 1) >>> 0;
  }

  #drop(): number {
    Atomics.add(this.#head, DROPPED, 1);
    return -1;
  }
}

/** Control's end. */
export class RingReader {
  readonly words: Int32Array;
  readonly floats: Float64Array;
  readonly bytes: Uint8Array;
  /** Bytes of the record that `next` found. */
  length = 0;
  readonly #head: Int32Array;
  #at = 0;

  constructor(memory: ArrayBuffer, layout: MemoryLayout, column: number) {
    const views = new RingViews(memory, layout, column);
    this.words = views.words;
    this.floats = views.floats;
    this.bytes = views.bytes;
    this.#head = views.head;
  }

  /** The byte offset of the oldest record, valid until `done`; -1 when there is none. */
  next(): number {
    const writeAt = Atomics.load(this.#head, WRITE_AT);
    this.#at = this.#head[READ_AT]!;
    if (this.#at === writeAt) return -1;
    if (this.words[this.#at / 4] === WRAP) {
      this.#at = 0;
      Atomics.store(this.#head, READ_AT, 0);
    }
    this.length = this.words[this.#at / 4]!;
    return this.#at + PREFIX_BYTES;
  }

  /** The record that `next` found is done with: its room is free. */
  done(): void {
    Atomics.store(this.#head, READ_AT, this.#at + sizeOf(this.length));
  }

  /** Records that found no room since the memory was made (wraps at 2^32). */
  dropped(): number {
    return Atomics.load(this.#head, DROPPED) >>> 0;
  }
}

/** Bytes that a record takes with its prefix, on eight bytes. */
function sizeOf(length: number): number {
  return PREFIX_BYTES + ((length + 7) & ~7);
}
