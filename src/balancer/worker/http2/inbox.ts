/** Bytes of a stream that have come and nobody has read: no more than its window, and memory in proportion. */

const SMALLEST = 1024;
const NO_BYTES = new Uint8Array(0);

export class Inbox {
  #bytes: Uint8Array = NO_BYTES;
  #from = 0;
  #to = 0;

  get length(): number {
    return this.#to - this.#from;
  }

  put(bytes: Uint8Array, from: number, to: number): void {
    this.#makeRoom(to - from);
    this.#bytes.set(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to), this.#to);
    this.#to += to - from;
  }

  /** Moves at most `most` bytes to `into[at]`. @returns how many. */
  take(into: Uint8Array, at: number, most: number): number {
    const count = Math.min(most, this.length);
    into.set(this.#bytes.subarray(this.#from, this.#from + count), at);
    this.#from += count;
    if (this.#from === this.#to) this.clear();
    return count;
  }

  clear(): void {
    this.#from = 0;
    this.#to = 0;
    this.#bytes = NO_BYTES;
  }

  #makeRoom(count: number): void {
    if (this.#to + count <= this.#bytes.length) return;
    const { length } = this;
    if (length + count > this.#bytes.length / 2) {
      let size = Math.max(SMALLEST, this.#bytes.length);
      while (size < length + count) size *= 2;
      const larger = new Uint8Array(size);
      larger.set(this.#bytes.subarray(this.#from, this.#to));
      this.#bytes = larger;
    } else {
      this.#bytes.copyWithin(0, this.#from, this.#to);
    }
    this.#from = 0;
    this.#to = length;
  }
}
