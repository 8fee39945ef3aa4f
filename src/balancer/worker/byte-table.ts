/** Finds byte strings by their hash, in constant time and without making a string: what routes are looked up in. */

/** One more byte of a key, forwards or backwards (FNV-1a). Begin with EMPTY_HASH. */
export const EMPTY_HASH = 0x811c9dc5 | 0;
export function hashByte(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

/** Keys come from the configuration; whoever asks brings the hash, made over the bytes in one same order. */
export class ByteTable {
  readonly #mask: number;
  readonly #hashes: Int32Array;
  /** Position in the list given; -1 for an empty place. */
  readonly #positions: Int32Array;
  readonly #keys: readonly Uint8Array[];

  /** Every key once. `hashOf` makes the hash that `find` will be asked with. */
  constructor(keys: readonly Uint8Array[], hashOf: (key: Uint8Array) => number) {
    let places = 4;
    while (places < keys.length * 2) places *= 2;
    this.#mask = places - 1;
    this.#hashes = new Int32Array(places);
    this.#positions = new Int32Array(places).fill(-1);
    this.#keys = keys;
    keys.forEach((key, position) => {
      const hash = hashOf(key);
      let place = placeOf(hash) & this.#mask;
      while (this.#positions[place] !== -1) place = (place + 1) & this.#mask;
      this.#hashes[place] = hash;
      this.#positions[place] = position;
    });
  }

  /** The position of the key `bytes[from, to)`, or -1. */
  find(hash: number, bytes: Uint8Array, from: number, to: number): number {
    let place = placeOf(hash) & this.#mask;
    for (;;) {
      const position = this.#positions[place]!;
      if (position < 0) return -1;
      if (this.#hashes[place] === hash && isSame(this.#keys[position]!, bytes, from, to)) return position;
      place = (place + 1) & this.#mask;
    }
  }
}

/** The low bits of FNV-1a say little of the first bytes. */
function placeOf(hash: number): number {
  return hash ^ (hash >>> 15);
}

function isSame(key: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (key.length !== to - from) return false;
  for (let i = 0; i < key.length; i++) if (key[i] !== bytes[from + i]) return false;
  return true;
}
