/** The fields that the other side of HPACK has told us to remember (RFC 7541 2.3.2 and 4), newest first. */
import { FIELD_OVERHEAD } from "./field-list.ts";

const NO_BYTES = new Uint8Array(0);
const NO_SPANS = new Int32Array(0);
const WORDS = 3; // where the name begins, where its value begins, where it ends

export class DynamicTable {
  /** The largest size that the other side may choose. */
  readonly limit: number;
  /** The size that it has chosen. */
  #most: number;
  #size = 0;
  /** Entries lie one behind the other in the order they came; twice the limit, so that they are moved seldom. */
  #bytes: Uint8Array = NO_BYTES;
  #end = 0;
  /** A ring of spans. */
  #spans: Int32Array = NO_SPANS;
  #ringSize = 0;
  #oldest = 0;
  count = 0;

  constructor(limit: number) {
    this.limit = limit;
    this.#most = limit;
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Sum over the entries: their bytes, and FIELD_OVERHEAD for each. */
  get size(): number {
    return this.#size;
  }

  /** The other side chooses another size (RFC 7541 4.3), at most `limit`. */
  resize(most: number): void {
    this.#most = most;
    this.#shrinkTo(most);
  }

  /** Adds `from[nameAt, end)`; what is too large for the table empties it (RFC 7541 4.4). */
  add(from: Uint8Array, nameAt: number, valueAt: number, end: number): void {
    const length = end - nameAt;
    if (length + FIELD_OVERHEAD > this.#most) return this.#shrinkTo(0);
    this.#shrinkTo(this.#most - length - FIELD_OVERHEAD);
    this.#makeRoom(length);
    const at = this.#end;
    const bytes = this.#bytes;
    // Most fields are shorter than a call of `set` costs.
    if (length > 256) bytes.set(from.subarray(nameAt, end), at);
    else for (let i = 0; i < length; i++) bytes[at + i] = from[nameAt + i]!;
    this.#end = at + length;
    const span = ((this.#oldest + this.count) % this.#ringSize) * WORDS;
    this.#spans[span] = at;
    this.#spans[span + 1] = at + valueAt - nameAt;
    this.#spans[span + 2] = at + length;
    this.count++;
    this.#size += length + FIELD_OVERHEAD;
  }

  /** Forgets everything: what becomes of the table when an entry is larger than it. */
  clear(): void {
    this.#shrinkTo(0);
  }

  /** `entry` 0 is the newest; below `count`. */
  nameAt(entry: number): number {
    return this.#spans[this.#spanOf(entry)]!;
  }

  valueAt(entry: number): number {
    return this.#spans[this.#spanOf(entry) + 1]!;
  }

  valueEnd(entry: number): number {
    return this.#spans[this.#spanOf(entry) + 2]!;
  }

  #spanOf(entry: number): number {
    return ((this.#oldest + this.count - 1 - entry) % this.#ringSize) * WORDS;
  }

  #shrinkTo(size: number): void {
    while (this.#size > size) {
      const span = this.#oldest * WORDS;
      this.#size -= this.#spans[span + 2]! - this.#spans[span]! + FIELD_OVERHEAD;
      this.#oldest = (this.#oldest + 1) % this.#ringSize;
      this.count--;
    }
  }

  #makeRoom(length: number): void {
    if (this.#ringSize === 0) {
      // Only now: many connections never make one.
      this.#ringSize = Math.floor(this.limit / FIELD_OVERHEAD);
      this.#spans = new Int32Array(this.#ringSize * WORDS);
      this.#bytes = new Uint8Array(2 * this.limit);
    }
    if (this.#end + length <= this.#bytes.length) return;
    const first = this.count === 0 ? this.#end : this.#spans[this.#oldest * WORDS]!;
    this.#bytes.copyWithin(0, first, this.#end);
    this.#end -= first;
    for (let entry = 0; entry < this.count; entry++) {
      const span = this.#spanOf(entry);
      for (let word = 0; word < WORDS; word++) this.#spans[span + word]! -= first;
    }
  }
}
