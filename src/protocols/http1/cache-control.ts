/** Whether shared caches may keep an answer, as it says so itself (RFC 9111 5.2.2). */
import { ascii, isBlank, isWordInAnyCase } from "../ascii.ts";
import { Field, type FieldTable } from "./fields.ts";

const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const PRIVATE = ascii("private");
const NO_STORE = ascii("no-store");

/** A whole line that keeps shared caches from storing an answer. It is stronger than what other lines say (RFC 9111 4.2.1). */
export const CACHE_PRIVATE_LINE = ascii("Cache-Control: private\r\n");

/** Does the answer say `private` (for all of it, not for a field) or `no-store`? */
export function isForOneClient(bytes: Uint8Array, fields: FieldTable): boolean {
  for (let i = fields.find(Field.CACHE_CONTROL); i >= 0; i = fields.find(Field.CACHE_CONTROL, i + 1)) {
    if (hasDirective(bytes, fields.valueAt(i), fields.valueEnd(i))) return true;
  }
  return false;
}

function hasDirective(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    while (at < to && isBlank(bytes[at]!)) at++;
    const begin = at;
    for (let quoted = false; at < to && (quoted || bytes[at] !== COMMA); at++) {
      if (bytes[at] === QUOTE) quoted = !quoted;
      else if (quoted && bytes[at] === BACKSLASH) at++;
    }
    let end = Math.min(at, to);
    while (end > begin && isBlank(bytes[end - 1]!)) end--;
    if (isWordInAnyCase(bytes, begin, end, PRIVATE) || isWordInAnyCase(bytes, begin, end, NO_STORE)) return true;
  }
  return false;
}
