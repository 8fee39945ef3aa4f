/**
 * Keyed fingerprints of what a client is recognised by: 128 bits that say nothing about the user to who reads the memory or
 * a snapshot, and that nobody without the key can make collide.
 *
 * SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, "SipHash: a fast short-input PRF"; the reference code's
 * `siphash` with outlen 16), with each 64-bit word as two 32-bit halves, because BigInt costs fifty times as much.
 */

/** Bytes of a fingerprint's key. */
export const FINGERPRINT_KEY_BYTES = 16;
/** Int32 words of a fingerprint. */
export const FINGERPRINT_WORDS = 4;

/** Makes fingerprints with one key. One for each thread: it keeps the state of the one it is making. */
export class Fingerprinter {
  readonly #start = new Int32Array(8);
  readonly #state = new Int32Array(8);

  /** `key`: 16 secret random bytes. Throws RangeError on another length. */
  constructor(key: Uint8Array) {
    if (key.length !== FINGERPRINT_KEY_BYTES) throw new RangeError("a fingerprint key has 16 bytes");
    const k0 = word(key, 0, 4);
    const k1 = word(key, 4, 8);
    const k2 = word(key, 8, 12);
    const k3 = word(key, 12, 16);
    // v0 to v3, each low half first; 0xee marks 128 bits of output.
    this.#start.set([
      k0 ^ 0x70736575,
      k1 ^ 0x736f6d65,
      k2 ^ 0x6e646f6d ^ 0xee,
      k3 ^ 0x646f7261,
      k0 ^ 0x6e657261,
      k1 ^ 0x6c796765,
      k2 ^ 0x79746573,
      k3 ^ 0x74656462,
    ]);
  }

  /**
   * The fingerprint of `bytes[from, to)` in the name space of `salt` (a pool or service, see saltOf) and `kind` (what the
   * bytes are), into the four words of `out`. What is hashed is salt and kind, little-endian, and then the bytes.
   */
  of(salt: number, kind: number, bytes: Uint8Array, from: number, to: number, out: Int32Array): void {
    const v = this.#state;
    v.set(this.#start);
    absorb(v, salt, kind);
    let at = from;
    for (; to - at >= 8; at += 8) absorb(v, word(bytes, at, at + 4), word(bytes, at + 4, at + 8));
    const length = to - from + 8;
    absorb(v, word(bytes, at, Math.min(at + 4, to)), word(bytes, at + 4, to) | (length << 24));
    v[4]! ^= 0xee;
    mix(v, 4);
    out[0] = v[0]! ^ v[2]! ^ v[4]! ^ v[6]!;
    out[1] = v[1]! ^ v[3]! ^ v[5]! ^ v[7]!;
    v[2]! ^= 0xdd;
    mix(v, 4);
    out[2] = v[0]! ^ v[2]! ^ v[4]! ^ v[6]!;
    out[3] = v[1]! ^ v[3]! ^ v[5]! ^ v[7]!;
  }
}

/** The salt of a pool or service: 32-bit FNV-1a of its name, so that it stays the same over restarts and reloads. */
export function saltOf(name: string): number {
  let hash = 0x811c9dc5 | 0;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

/** Up to four bytes of `bytes[from, to)`, little-endian; 0 when there are none. */
function word(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let at = from, shift = 0; at < to; at++, shift += 8) value |= bytes[at]! << shift;
  return value;
}

/** One 64-bit word of the message: two rounds. */
function absorb(v: Int32Array, low: number, high: number): void {
  v[6]! ^= low;
  v[7]! ^= high;
  mix(v, 2);
  v[0]! ^= low;
  v[1]! ^= high;
}

/** SipRounds. A carry is seen by the sum being smaller than what was added. */
function mix(v: Int32Array, rounds: number): void {
  let a = v[0]!;
  let A = v[1]!;
  let b = v[2]!;
  let B = v[3]!;
  let c = v[4]!;
  let C = v[5]!;
  let d = v[6]!;
  let D = v[7]!;
  for (; rounds > 0; rounds--) {
    let low: number;
    // v0 += v1; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32)
    a = (a + b) | 0;
    A = (A + B + (a >>> 0 < b >>> 0 ? 1 : 0)) | 0;
    low = ((b << 13) | (B >>> 19)) ^ a;
    B = ((B << 13) | (b >>> 19)) ^ A;
    b = low;
    low = a;
    a = A;
    A = low;
    // v2 += v3; v3 = rotl(v3, 16) ^ v2
    c = (c + d) | 0;
    C = (C + D + (c >>> 0 < d >>> 0 ? 1 : 0)) | 0;
    low = ((d << 16) | (D >>> 16)) ^ c;
    D = ((D << 16) | (d >>> 16)) ^ C;
    d = low;
    // v0 += v3; v3 = rotl(v3, 21) ^ v0
    a = (a + d) | 0;
    A = (A + D + (a >>> 0 < d >>> 0 ? 1 : 0)) | 0;
    low = ((d << 21) | (D >>> 11)) ^ a;
    D = ((D << 21) | (d >>> 11)) ^ A;
    d = low;
    // v2 += v1; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32)
    c = (c + b) | 0;
    C = (C + B + (c >>> 0 < b >>> 0 ? 1 : 0)) | 0;
    low = ((b << 17) | (B >>> 15)) ^ c;
    B = ((B << 17) | (b >>> 15)) ^ C;
    b = low;
    low = c;
    c = C;
    C = low;
  }
  v[0] = a;
  v[1] = A;
  v[2] = b;
  v[3] = B;
  v[4] = c;
  v[5] = C;
  v[6] = d;
  v[7] = D;
}
