/** Field lines (RFC 9112 5): the same strict reading for requests, responses and trailers. */
import { CR, isBlank, LF } from "../ascii.ts";
import { NEED_MORE } from "../result.ts";
import { CHARACTERS, IN_TOKEN, IN_VALUE } from "./characters.ts";
import { Field, type FieldTable, fieldCode, UNDERSCORED } from "./fields.ts";
import {
  AMBIGUOUS_NAME,
  BAD_FIELD_NAME,
  BAD_FIELD_VALUE,
  BAD_LINE_END,
  BLANK_BEFORE_COLON,
  FOLDED_LINE,
  TOO_MANY_FIELDS,
} from "./reasons.ts";

const COLON = 0x3a;

/**
 * Reads lines from `from` up to and with the empty one, and adds them to `table`. `most`: fields it may have. `lineFeeds`:
 * a line may end in LF alone, which only who passes nothing on may tolerate.
 * @returns the position behind the empty line (above `from`), NEED_MORE (0), or a reason (< 0).
 */
export function readFieldLines(
  bytes: Uint8Array,
  from: number,
  to: number,
  most: number,
  lineFeeds: boolean,
  table: FieldTable,
): number {
  const kinds = CHARACTERS;
  let at = from;
  for (;;) {
    const nameAt = at;
    while (at < to && (kinds[bytes[at]!]! & IN_TOKEN) !== 0) at++;
    if (at === to) return NEED_MORE;
    const behindName = bytes[at]!;
    if (at === nameAt) {
      if (behindName === CR) {
        if (at + 1 === to) return NEED_MORE;
        return bytes[at + 1] === LF ? at + 2 : BAD_LINE_END;
      }
      if (behindName === LF) return lineFeeds ? at + 1 : BAD_LINE_END;
      return isBlank(behindName) ? FOLDED_LINE : BAD_FIELD_NAME;
    }
    if (behindName !== COLON) return isBlank(behindName) ? BLANK_BEFORE_COLON : BAD_FIELD_NAME;
    const nameEnd = at++;
    while (at < to && isBlank(bytes[at]!)) at++;
    const valueAt = at;
    while (at < to && (kinds[bytes[at]!]! & IN_VALUE) !== 0) at++;
    if (at === to) return NEED_MORE;
    let valueEnd = at;
    while (valueEnd > valueAt && isBlank(bytes[valueEnd - 1]!)) valueEnd--;
    if (bytes[at] === CR) {
      if (++at === to) return NEED_MORE;
      if (bytes[at] !== LF) return BAD_LINE_END;
    } else if (bytes[at] !== LF) return BAD_FIELD_VALUE;
    else if (!lineFeeds) return BAD_LINE_END;
    at++;
    if (table.count === most) return TOO_MANY_FIELDS;
    let code = fieldCode(bytes, nameAt, nameEnd);
    if (code >= UNDERSCORED) {
      if (code - UNDERSCORED <= Field.EXPECT) return AMBIGUOUS_NAME;
      code = Field.DROPPED;
    }
    table.add(code, nameAt, nameEnd, valueAt, valueEnd);
  }
}
