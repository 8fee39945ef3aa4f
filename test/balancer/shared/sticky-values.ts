/** Values that a torn entry would not have: all follow from the key and one of four variants. */
import type { ServerId } from "../../../src/balancer/shared/server-id.ts";
import type { StickyHit } from "../../../src/balancer/shared/sticky.ts";

/** Clients that threads fight for: more than a table of 1024 lines holds, so that entries are evicted all the time. */
export const KEYS = 2500;

export const serverOf = (key: Int32Array, variant: number): ServerId =>
  ((((key[2]! ^ key[3]!) << 2) | variant) & 0x7fffffff) as ServerId;
export const secOf = (variant: number): number => 1_800_000_000 + variant;

/** Server, first second and flags belong together and to this key. */
export function isWhole(key: Int32Array, known: StickyHit): boolean {
  const variant = known.server & 3;
  return known.server === serverOf(key, variant) && known.firstSec === secOf(variant) && known.flags === variant + 1;
}
