/** The framing of a body in chunks as our own engine writes it: canonical (RFC 9112 7.1), so that it is only followed. */
import { LF } from "../../../protocols/ascii.ts";

const SIZE = 0;
const BEFORE_DATA = 1;
const IN_DATA = 2;
const BEHIND_DATA = 3;
const TRAILERS = 4;
const OVER = 5;

/** Bytes of trailers that are kept; the engine's own limit is lower. */
const MOST_TRAILERS = 64 * 1024;
const NO_BYTES = new Uint8Array(0);

export class Chunks {
  /** Bytes of data that come next; 0: framing comes next. */
  data = 0;
  /** Whole lines, without the empty one, once it is `over`. */
  trailers: Uint8Array = NO_BYTES;
  #state = SIZE;
  #size = 0;

  get over(): boolean {
    return this.#state === OVER;
  }

  /**
   * Follows `bytes[from, to)` up to the next data or the end. @returns how many bytes were framing, or -1: it is none of ours.
   */
  follow(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    while (at < to && this.data === 0 && this.#state !== OVER) {
      if (this.#state === TRAILERS) at = this.#followTrailers(bytes, at, to);
      else if (!this.#followByte(bytes[at++]!)) return -1;
      if (at < 0) return -1;
    }
    return at - from;
  }

  /** So many bytes of data were passed on. */
  passed(count: number): void {
    this.data -= count;
    if (this.data === 0) this.#state = BEHIND_DATA;
  }

  #followByte(byte: number): boolean {
    switch (this.#state) {
      case BEHIND_DATA:
        if (byte === LF) this.#state = SIZE;
        return true;
      case BEFORE_DATA:
        // The rest of the line: CR, and LF.
        if (byte !== LF) return true;
        this.#state = this.#size === 0 ? TRAILERS : IN_DATA;
        this.data = this.#size;
        this.#size = 0;
        return true;
      default: {
        const digit = hexDigit(byte);
        if (digit < 0) this.#state = BEFORE_DATA;
        else this.#size = this.#size * 16 + digit;
        return this.#size <= Number.MAX_SAFE_INTEGER;
      }
    }
  }

  /** Line by line: a line that has not all come is kept with the others until it has. */
  #followTrailers(bytes: Uint8Array, from: number, to: number): number {
    const lf = bytes.indexOf(LF, from);
    const end = lf < 0 || lf >= to ? to : lf + 1;
    const lines = new Uint8Array(this.trailers.length + end - from);
    lines.set(this.trailers);
    lines.set(bytes.subarray(from, end), this.trailers.length);
    this.trailers = lines;
    if (lines.length > MOST_TRAILERS) return -1;
    const { length } = lines;
    const isEmptyLine = length >= 2 && lines[length - 1] === LF && (length === 2 || lines[length - 3] === LF);
    if (isEmptyLine) {
      this.trailers = lines.subarray(0, length - 2);
      this.#state = OVER;
    }
    return end;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
