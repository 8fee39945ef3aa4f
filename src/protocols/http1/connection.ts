/** The Connection field (RFC 9110 7.6.1): what holds for this connection only. */
import { ascii, isBlank } from "../ascii.ts";
import { CHARACTERS, IN_TOKEN } from "./characters.ts";
import { Field, type FieldTable, fieldCode, foldName, isName, UNDERSCORED } from "./fields.ts";
import { BAD_CONNECTION } from "./reasons.ts";

export const CONNECTION_CLOSE = 1;
export const CONNECTION_KEEP_ALIVE = 2;
export const CONNECTION_UPGRADE = 4;

/** Options that are looked at: each unknown one is compared with every field. */
const MAX_OPTIONS = 32;
const COMMA = 0x2c;
const CLOSE = ascii("close");

/** Fields that may be named besides those that a balancer knows nothing of: they end here anyway, or are written anew. */
const FOR_THIS_CONNECTION =
  (1 << Field.CONNECTION) |
  (1 << Field.TRANSFER_ENCODING) |
  (1 << Field.TE) |
  (1 << Field.UPGRADE) |
  (1 << Field.KEEP_ALIVE) |
  (1 << Field.PROXY_CONNECTION) |
  (1 << Field.TRAILER) |
  (1 << Field.HTTP2_SETTINGS);

/**
 * Reads all Connection fields and drops the fields they name. To name one that is for the server (its length, a cookie, who
 * the client is) is refused: a client must not take out what a proxy in front of us has put in.
 * @returns CONNECTION_… bits, or BAD_CONNECTION.
 */
export function readConnection(bytes: Uint8Array, fields: FieldTable): number {
  let bits = 0;
  let options = 0;
  for (let index = fields.find(Field.CONNECTION); index >= 0; index = fields.find(Field.CONNECTION, index + 1)) {
    const end = fields.valueEnd(index);
    let at = fields.valueAt(index);
    while (at < end) {
      const begin = at;
      while (at < end && (CHARACTERS[bytes[at]!]! & IN_TOKEN) !== 0) at++;
      if (at > begin) {
        const bit = ++options > MAX_OPTIONS ? BAD_CONNECTION : readOption(bytes, begin, at, fields);
        if (bit < 0) return bit;
        bits |= bit;
      }
      while (at < end && isBlank(bytes[at]!)) at++;
      if (at < end && bytes[at++] !== COMMA) return BAD_CONNECTION;
      while (at < end && isBlank(bytes[at]!)) at++;
    }
  }
  return bits;
}

/** One option, a token: its bit, 0, or BAD_CONNECTION. */
function readOption(bytes: Uint8Array, from: number, to: number, fields: FieldTable): number {
  const code = fieldCode(bytes, from, to) & ~UNDERSCORED;
  if (code === Field.KEEP_ALIVE) return CONNECTION_KEEP_ALIVE;
  if (code === Field.UPGRADE) return CONNECTION_UPGRADE;
  if (code !== Field.OTHER) return (FOR_THIS_CONNECTION & (1 << code)) !== 0 ? 0 : BAD_CONNECTION;
  if (isName(bytes, from, to, CLOSE)) return CONNECTION_CLOSE;
  for (let i = 0; i < fields.count; i++) {
    if (isSameName(bytes, fields.nameAt(i), fields.nameEnd(i), from, to)) fields.drop(i);
  }
  return 0;
}

function isSameName(bytes: Uint8Array, at: number, end: number, from: number, to: number): boolean {
  if (end - at !== to - from) return false;
  for (let i = 0; i < to - from; i++) if (foldName(bytes[at + i]!) !== foldName(bytes[from + i]!)) return false;
  return true;
}
