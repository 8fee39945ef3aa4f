/** A parameter of a request's query, as forms write it. */
import type { Span } from "./fields.ts";

/** Finds the first parameter `name` (exact bytes) in the query `bytes[from, to)`. `out` is its value, not decoded. */
export function findParameter(_bytes: Uint8Array, _from: number, _to: number, _name: Uint8Array, _out: Span): boolean {
  return false;
}
