/** A parameter of a request's query, as forms write it. */
import type { Span } from "./fields.ts";

const AMPERSAND = 0x26;
const EQUALS = 0x3d;

/**
 * Finds the first parameter `name` (exact bytes, not decoded) in the query `bytes[from, to)`. `out` is its value, not
 * decoded; empty for a name alone.
 */
export function findParameter(bytes: Uint8Array, from: number, to: number, name: Uint8Array, out: Span): boolean {
  let at = from;
  while (at < to) {
    let matched = 0;
    while (at < to && matched < name.length && bytes[at] === name[matched]) {
      at++;
      matched++;
    }
    const ends = at === to || bytes[at] === AMPERSAND;
    const found = matched === name.length && (ends || bytes[at] === EQUALS);
    if (found && !ends) at++;
    const valueAt = at;
    while (at < to && bytes[at] !== AMPERSAND) at++;
    if (found) {
      out.at = valueAt;
      out.end = at;
      return true;
    }
    at++;
  }
  return false;
}
