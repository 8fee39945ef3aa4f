/** A body in chunks (RFC 9112 7.1), read as it comes. */
import { ascii, CR, LF } from "../ascii.ts";
import { NEED_MORE } from "../result.ts";
import { CHARACTERS, IN_HEX, IN_VALUE } from "./characters.ts";
import { type NameSet, NO_NAMES } from "./fields.ts";
import { copyAll, endLine } from "./pass-fields.ts";
import { BAD_CHUNK, BAD_LINE_END, CHUNK_EXTENSION_TOO_LONG } from "./reasons.ts";
import { Trailers } from "./trailers.ts";

/** Bytes of extensions in one body: they mean nothing to anybody, and who sends many wants to keep us busy. */
const MAX_EXTENSIONS = 16_384;
/** Digits of a size, zeros in front included. */
const MAX_DIGITS = 16;
const SEMICOLON = 0x3b;

/** Ends a body without trailers. */
export const LAST_CHUNK = ascii("0\r\n\r\n");
const LAST_SIZE = ascii("0\r\n");
const NOTHING = new Uint8Array(0);

/** What is read next, in the order of the wire. */
const SIZE = 0;
const EXTENSION = 1;
const SIZE_LF = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const FIRST_TRAILER = 6;
const LAST_LF = 7;
const TRAILERS = 8;
const DONE = 9;

/**
 * Reads a body in chunks, piece by piece, and leaves in the piece what is passed on: the same chunks in canonical form
 * (no extensions, no zeros in front), or with `dataOnly` their data. It is rewritten in place, and only where something is
 * taken out: a peer that sends canonical chunks costs no copy.
 *
 *     const used = reader.read(bytes, from, to);
 *     if (used < 0) …refuse: nothing that was passed on is a whole body
 *     …pass on bytes[from, reader.end)
 *     if (reader.done) …pass on reader.tail; what follows at from + used is no part of the body
 *
 * The last chunk is passed on when all of it was checked, the trailers too: nobody sees the end of a body that is refused.
 */
export class ChunkedReader {
  /** Behind `read`: what is passed on ends here. At most `from + used`. */
  end = 0;
  /** The body is complete, its trailers too. */
  done = false;
  /** When `done`, without `dataOnly`: the last chunk and trailers, where the piece had no room for them; mostly empty. */
  tail: Uint8Array = NOTHING;
  /** When `done`: whole lines of the trailers that are passed on, without the empty line. */
  trailers: Uint8Array = NOTHING;
  /** Bytes of data so far. */
  dataBytes = 0;

  #state: number = SIZE;
  #dataOnly = false;
  #removed = NO_NAMES;
  /** Of the size so far, then of the data that is still to come. */
  #size = 0;
  #digits = 0;
  #extensionBytes = 0;
  #collected: Trailers | null = null;
  /** In `read`: bytes from here on are passed on, and not yet moved up to `end`. */
  #keptAt = 0;

  /** Begins a body. Trailers in `removed`, and those that a balancer acts upon, are not passed on. */
  begin(dataOnly: boolean, removed: NameSet = NO_NAMES): void {
    this.end = 0;
    this.done = false;
    this.tail = NOTHING;
    this.trailers = NOTHING;
    this.dataBytes = 0;
    this.#state = SIZE;
    this.#dataOnly = dataOnly;
    this.#removed = removed;
    this.#size = 0;
    this.#digits = 0;
    this.#extensionBytes = 0;
    this.#collected = null;
  }

  /**
   * Reads on in `bytes[from, to)`, of which nothing may be read again.
   * @returns bytes that belong to the body (all of them unless `done`), or a reason (< 0, reasons.ts).
   */
  read(bytes: Uint8Array, from: number, to: number): number {
    this.end = from;
    this.#keptAt = from;
    let at = from;
    while (at < to && this.#state !== DONE) {
      at = this.#step(bytes, at, to);
      if (at < 0) return at;
    }
    this.#drop(bytes, at, at);
    if (this.#state === DONE && !this.done) this.#finish(bytes, at);
    return at - from;
  }

  /** Reads one part, as far as it is there. @returns the position behind it, or a reason. */
  #step(bytes: Uint8Array, at: number, to: number): number {
    switch (this.#state) {
      case SIZE:
        return this.#readSize(bytes, at);
      case EXTENSION:
        return this.#skipExtension(bytes, at, to);
      case SIZE_LF:
        if (bytes[at] !== LF) return BAD_LINE_END;
        this.#state = this.#size > 0 ? DATA : FIRST_TRAILER;
        return this.#frame(bytes, at, this.#size === 0);
      case DATA: {
        const length = Math.min(this.#size, to - at);
        this.dataBytes += length;
        this.#size -= length;
        if (this.#size === 0) this.#state = DATA_CR;
        return at + length;
      }
      case DATA_CR:
        if (bytes[at] !== CR) return BAD_CHUNK;
        this.#state = DATA_LF;
        return this.#frame(bytes, at, false);
      case DATA_LF:
        if (bytes[at] !== LF) return BAD_LINE_END;
        this.#state = SIZE;
        this.#digits = 0;
        return this.#frame(bytes, at, false);
      case FIRST_TRAILER:
        this.#state = bytes[at] === CR ? LAST_LF : TRAILERS;
        return bytes[at] === CR ? this.#frame(bytes, at, true) : at;
      case LAST_LF:
        if (bytes[at] !== LF) return BAD_LINE_END;
        this.#state = DONE;
        return this.#frame(bytes, at, true);
      default:
        return this.#takeTrailers(bytes, at, to);
    }
  }

  /** A size's next byte: a digit, or what ends it. Zeros in front, and so the size of the last chunk, are not passed on. */
  #readSize(bytes: Uint8Array, at: number): number {
    const byte = bytes[at]!;
    if ((CHARACTERS[byte]! & IN_HEX) !== 0) {
      this.#size = this.#size * 16 + (byte & 15) + (byte > 0x39 ? 9 : 0);
      if (++this.#digits > MAX_DIGITS || this.#size > Number.MAX_SAFE_INTEGER) return BAD_CHUNK;
    } else {
      if (this.#digits === 0) return BAD_CHUNK;
      if (byte === SEMICOLON) {
        this.#state = EXTENSION;
        return at;
      }
      if (byte !== CR) return byte === LF ? BAD_LINE_END : BAD_CHUNK;
      this.#state = SIZE_LF;
    }
    return this.#frame(bytes, at, this.#size === 0);
  }

  /** RFC 9112 7.1.1: what a recipient does not understand it ignores. */
  #skipExtension(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    while (at < to && (CHARACTERS[bytes[at]!]! & IN_VALUE) !== 0) at++;
    this.#extensionBytes += at - from;
    if (this.#extensionBytes > MAX_EXTENSIONS) return CHUNK_EXTENSION_TOO_LONG;
    this.#drop(bytes, from, at);
    if (at === to) return at;
    if (bytes[at] !== CR) return bytes[at] === LF ? BAD_LINE_END : BAD_CHUNK;
    this.#state = SIZE_LF;
    return this.#frame(bytes, at, this.#size === 0);
  }

  #takeTrailers(bytes: Uint8Array, at: number, to: number): number {
    this.#collected ??= new Trailers();
    const taken = this.#collected.take(bytes, at, to, this.#removed);
    if (taken < 0) return taken;
    const next = taken === NEED_MORE ? to : at + taken;
    this.#drop(bytes, at, next);
    if (taken === NEED_MORE) return next;
    this.trailers = this.#collected.lines;
    this.#state = DONE;
    return next;
  }

  /** A byte that is no data. @returns the position behind it. */
  #frame(bytes: Uint8Array, at: number, ofLastChunk: boolean): number {
    if (ofLastChunk || this.#dataOnly) this.#drop(bytes, at, at + 1);
    return at + 1;
  }

  /** Takes out `bytes[from, to)`: what is before them moves up to what was passed on. */
  #drop(bytes: Uint8Array, from: number, to: number): void {
    if (this.end !== this.#keptAt) bytes.copyWithin(this.end, this.#keptAt, from);
    this.end += from - this.#keptAt;
    this.#keptAt = to;
  }

  /** The last chunk takes the place of what it was read from; only where that lay in pieces before, there may be no room. */
  #finish(bytes: Uint8Array, at: number): void {
    this.done = true;
    if (this.#dataOnly) return;
    const tail = this.trailers.length > 0 ? lastChunkWith(this.trailers) : LAST_CHUNK;
    if (at - this.end >= tail.length) this.end = copyAll(tail, bytes, this.end);
    else this.tail = tail;
  }
}

function lastChunkWith(trailers: Uint8Array): Uint8Array {
  const tail = new Uint8Array(LAST_SIZE.length + trailers.length + 2);
  return tail.subarray(0, endLine(tail, copyAll(trailers, tail, copyAll(LAST_SIZE, tail, 0))));
}

/**
 * Begins a chunk of `length` bytes (above 0) at `into[at]`: its size and CRLF. Behind its data comes CRLF.
 * @returns the position behind it.
 */
export function writeChunkSize(into: Uint8Array, at: number, length: number): number {
  let digits = 1;
  for (let rest = length; rest >= 16; rest = Math.floor(rest / 16)) digits++;
  for (let i = digits - 1, rest = length; i >= 0; i--, rest = Math.floor(rest / 16)) {
    const digit = rest % 16;
    into[at + i] = digit < 10 ? 0x30 + digit : 0x57 + digit;
  }
  return endLine(into, at + digits);
}
