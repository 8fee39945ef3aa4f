/**
 * Opens and writes sticky cookies with a worker's keys. A browser shows its cookie with every request, so those that were
 * found right are known again by their bytes: 90 ns instead of the 530 of decoding and an HMAC (measured on one machine).
 */
import {
  openStickyCookie,
  STICKY_COOKIE_CHARACTERS,
  type StickyCookie,
  writeStickyCookie,
} from "../../protocols/http1/sticky-cookie.ts";
import type { TokenKey } from "../../protocols/rdp/token.ts";

/** Cookies that are known again: 4,096 are 320 KiB in a worker that meets any. A power of two. */
const KNOWN = 4096;
/** Words of what a cookie says. */
const WORDS = 6;

export class StickyCookies {
  readonly #keys: readonly TokenKey[];
  readonly #random: () => number;
  /** A place for each of KNOWN hashes of values: the value, and what it says. Made when the first cookie comes. */
  #values = new Uint8Array(0);
  #words = new Uint32Array(0);

  /** `keys`: the first one signs, all open. `random`: even in [0, 1). */
  constructor(keys: readonly TokenKey[], random: () => number) {
    this.#keys = keys;
    this.#random = random;
  }

  /** Opens the value `bytes[from, to)`, as `openStickyCookie` does. */
  open(bytes: Uint8Array, from: number, to: number, out: StickyCookie): number {
    if (to - from !== STICKY_COOKIE_CHARACTERS) return openStickyCookie(this.#keys, bytes, from, to, out);
    if (this.#words.length === 0) {
      this.#values = new Uint8Array(KNOWN * STICKY_COOKIE_CHARACTERS);
      this.#words = new Uint32Array(KNOWN * WORDS);
    }
    const place = placeOf(bytes, to);
    const at = place * STICKY_COOKIE_CHARACTERS;
    if (this.#isKnown(at, bytes, from)) {
      this.#recall(place * WORDS, out);
      return STICKY_COOKIE_CHARACTERS;
    }
    const result = openStickyCookie(this.#keys, bytes, from, to, out);
    if (result > 0) {
      for (let i = 0; i < STICKY_COOKIE_CHARACTERS; i++) this.#values[at + i] = bytes[from + i]!;
      this.#keep(place * WORDS, out);
    }
    return result;
  }

  #keep(at: number, cookie: Readonly<StickyCookie>): void {
    const words = this.#words;
    words[at] = cookie.issuedSec;
    words[at + 1] = cookie.seenSec;
    words[at + 2] = cookie.serverHigh;
    words[at + 3] = cookie.serverLow;
    words[at + 4] = cookie.idHigh;
    words[at + 5] = cookie.idLow;
  }

  #recall(at: number, out: StickyCookie): void {
    const words = this.#words;
    out.issuedSec = words[at]!;
    out.seenSec = words[at + 1]!;
    out.serverHigh = words[at + 2]!;
    out.serverLow = words[at + 3]!;
    out.idHigh = words[at + 4]!;
    out.idLow = words[at + 5]!;
  }

  /** Writes a value at `into[at]`. @returns the position behind it. */
  write(cookie: Readonly<StickyCookie>, into: Uint8Array, at: number): number {
    return writeStickyCookie(this.#keys[0]!, cookie, into, at);
  }

  /** 32 random bits: half an id. Ids need not be secret, only each its own. */
  randomWord(): number {
    return Math.floor(this.#random() * 0x1_0000_0000);
  }

  /** In constant time: what it is compared with is another client's. */
  #isKnown(at: number, bytes: Uint8Array, from: number): boolean {
    let difference = 0;
    for (let i = 0; i < STICKY_COOKIE_CHARACTERS; i++) difference |= this.#values[at + i]! ^ bytes[from + i]!;
    return difference === 0;
  }
}

/** Of the last characters, which are the signature's and as good as random. */
function placeOf(bytes: Uint8Array, to: number): number {
  let hash = 0;
  for (let at = to - 8; at < to; at++) hash = Math.imul(hash, 31) + bytes[at]!;
  return (hash ^ (hash >>> 12)) & (KNOWN - 1);
}
