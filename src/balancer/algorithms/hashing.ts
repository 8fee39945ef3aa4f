/** Hashes that every balancer computes alike from the same file and client, whatever its keys. Not for secrets. */

/** FNV-1a over `bytes[from, to)`, begun at `seed` and mixed; an Int32. */
export function hashBytes(bytes: Uint8Array, from: number, to: number, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return mix(hash);
}

/** Spreads every bit over all others (the end of MurmurHash3); an Int32. */
export function mix(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** A hash as a fraction, above 0 and below 1. */
export function share(hash: number): number {
  return ((mix(hash) >>> 0) + 0.5) / 0x1_0000_0000;
}
