/**
 * Which sticky cookies of a pool an administrator has had forgotten. Browsers keep their cookies, so what is kept here is
 * from when on they count: one second for each 256th part of all ids. Which ids are in which part is chance, so a share of
 * the clients is as many parts; the next share takes the parts that come next, and so meets other clients.
 */

/** Parts of the ids of a pool's cookies: a share is a whole number of them. */
export const FORGOTTEN_PARTS = 256;
const PART_BITS = 24;

// Words of a pool: the parts, then these.
const NEXT_PART = FORGOTTEN_PARTS;
const SOME_UNTIL = FORGOTTEN_PARTS + 1;
export const FORGOTTEN_WORDS = FORGOTTEN_PARTS + 16;

/** One pool's. Control writes; any thread reads. */
export class ForgottenView {
  readonly #words: Int32Array;
  readonly #at: number;

  constructor(words: Int32Array, slot: number) {
    this.#words = words;
    this.#at = slot * FORGOTTEN_WORDS;
  }

  /** Control: cookies issued up to `nowSec` are forgotten, in `parts` (1 to FORGOTTEN_PARTS) of the ids. */
  forgetParts(parts: number, nowSec: number): void {
    const first = this.nextPart();
    for (let part = first; part < first + parts; part++) {
      Atomics.store(this.#words, this.#at + (part % FORGOTTEN_PARTS), nowSec | 0);
    }
    Atomics.store(this.#words, this.#at + NEXT_PART, (first + parts) % FORGOTTEN_PARTS);
  }

  /** Control: single cookies are forgotten too, by entries of the sticky table that live until `untilSec`. */
  forgetSome(untilSec: number): void {
    const before = Atomics.load(this.#words, this.#at + SOME_UNTIL) >>> 0;
    Atomics.store(this.#words, this.#at + SOME_UNTIL, Math.max(before, untilSec) | 0);
  }

  /** Control: the part that the next share begins with. */
  nextPart(): number {
    return Atomics.load(this.#words, this.#at + NEXT_PART);
  }

  /** Control: all of it, to be kept over a restart; null when nothing was ever forgotten. */
  save(): number[] | null {
    const words = [...this.#words.subarray(this.#at, this.#at + FORGOTTEN_WORDS)];
    return words.some((word) => word !== 0) ? words : null;
  }

  /** Control: as it was saved. What does not look like it is left out. */
  restore(words: readonly unknown[]): void {
    words.slice(0, FORGOTTEN_WORDS).forEach((word, at) => {
      const isIt =
        Number.isInteger(word) && (at !== NEXT_PART || (0 <= (word as number) && (word as number) < NEXT_PART));
      if (isIt) Atomics.store(this.#words, this.#at + at, word as number);
    });
  }

  /** Is the cookie whose id begins with `idHigh` and that was issued then one of those that went by parts? */
  has(idHigh: number, issuedSec: number): boolean {
    return issuedSec < this.countsFrom(idHigh);
  }

  /** The second from which on cookies with an id that begins so count; 0 as long as nobody has said anything. */
  countsFrom(idHigh: number): number {
    const second = Atomics.load(this.#words, this.#at + (idHigh >>> PART_BITS)) >>> 0;
    return second === 0 ? 0 : second + 1;
  }

  /** May a single cookie have been forgotten? Then the sticky table knows. */
  mayHaveSome(nowSec: number): boolean {
    return nowSec < Atomics.load(this.#words, this.#at + SOME_UNTIL) >>> 0;
  }
}
