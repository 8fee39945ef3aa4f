/** What a field may be in HTTP/2 (RFC 9113 8.2), and how it is written as a line of HTTP/1.1. */
import { ascii, isBlank, isDigit, lower } from "../ascii.ts";
import { CHARACTERS, IN_TOKEN, IN_VALUE } from "../http1/characters.ts";
import { Field, fieldCode, UNDERSCORED } from "../http1/fields.ts";
import type { Reasons } from "../result.ts";
import type { FieldList } from "./field-list.ts";

export const MALFORMED_NAME = -2;
export const MALFORMED_VALUE = -3;
/** A pseudo-header field that is unknown, of a response, there twice, or behind an ordinary field. */
export const MALFORMED_PSEUDO = -4;
export const MALFORMED_METHOD = -5;
export const MALFORMED_SCHEME = -6;
export const MALFORMED_PATH = -7;
export const MALFORMED_AUTHORITY = -8;
/** A field that is about a connection of HTTP/1.1 (RFC 9113 8.2.2). */
export const CONNECTION_FIELD = -9;
export const MALFORMED_LENGTH = -10;
/** All are a stream error, PROTOCOL_ERROR (RFC 9113 8.1.1). */
export const MALFORMED_REASONS: Reasons = {
  [MALFORMED_NAME]: "bad-name",
  [MALFORMED_VALUE]: "bad-value",
  [MALFORMED_PSEUDO]: "bad-pseudo-field",
  [MALFORMED_METHOD]: "bad-method",
  [MALFORMED_SCHEME]: "bad-scheme",
  [MALFORMED_PATH]: "bad-path",
  [MALFORMED_AUTHORITY]: "bad-authority",
  [CONNECTION_FIELD]: "connection-field",
  [MALFORMED_LENGTH]: "bad-length",
};

const COLON = 0x3a;
const TRAILERS = ascii("trailers");
const SEPARATOR = ascii(": ");
export const LINE_END = ascii("\r\n");

/** RFC 9113 8.2.1 and 8.2.2. @returns the field's number, or a reason. */
export function checkField(list: FieldList, field: number): number {
  const { bytes } = list;
  const nameAt = list.nameAt(field);
  const valueAt = list.valueAt(field);
  const valueEnd = list.valueEnd(field);
  if (valueAt === nameAt) return MALFORMED_NAME;
  for (let i = nameAt; i < valueAt; i++) {
    const byte = bytes[i]!;
    if ((CHARACTERS[byte]! & IN_TOKEN) === 0 || lower(byte) !== byte) return MALFORMED_NAME;
  }
  for (let i = valueAt; i < valueEnd; i++) if ((CHARACTERS[bytes[i]!]! & IN_VALUE) === 0) return MALFORMED_VALUE;
  if (valueEnd > valueAt && (isBlank(bytes[valueAt]!) || isBlank(bytes[valueEnd - 1]!))) return MALFORMED_VALUE;
  const code = fieldCode(bytes, nameAt, valueAt);
  // The parser of HTTP/1.1 refuses all that some servers take for another name; these are clear already.
  switch (code & ~UNDERSCORED) {
    case Field.CONNECTION:
    case Field.PROXY_CONNECTION:
    case Field.KEEP_ALIVE:
    case Field.TRANSFER_ENCODING:
    case Field.UPGRADE:
      return CONNECTION_FIELD;
    case Field.TE:
      return isValue(list, field, TRAILERS) ? code : CONNECTION_FIELD;
    default:
      return code;
  }
}

/**
 * Writes the fields behind a body in chunks: their lines and an empty one, to `into[at]`, which has room for the list's
 * limit. @returns where they end, or a reason. Those that say how a message is to be read are left out (RFC 9110 6.5.1).
 */
export function writeTrailers(list: FieldList, into: Uint8Array, at: number): number {
  for (let i = 0; i < list.count; i++) {
    if (list.bytes[list.nameAt(i)] === COLON) return MALFORMED_PSEUDO;
    const code = checkField(list, i);
    if (code < 0) return code;
    if (code === Field.CONTENT_LENGTH || code === Field.HOST || code === Field.TE || code === Field.COOKIE) continue;
    at = writeLine(list, i, into, at);
  }
  return write(into, at, LINE_END);
}

/** RFC 9110 8.6, up to 2^53; -1: none. */
export function readLength(bytes: Uint8Array, from: number, to: number): number {
  if (from === to || to - from > 16) return -1;
  let value = 0;
  for (let i = from; i < to; i++) {
    if (!isDigit(bytes[i]!)) return -1;
    value = value * 10 + bytes[i]! - 0x30;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

/** A field as a line. */
export function writeLine(list: FieldList, field: number, into: Uint8Array, at: number): number {
  for (let i = list.nameAt(field); i < list.valueAt(field); i++) into[at++] = list.bytes[i]!;
  return write(into, writeValue(list, field, into, write(into, at, SEPARATOR)), LINE_END);
}

/** The value alone. */
export function writeValue(list: FieldList, field: number, into: Uint8Array, at: number): number {
  const { bytes } = list;
  const end = list.valueEnd(field);
  for (let i = list.valueAt(field); i < end; i++) into[at++] = bytes[i]!;
  return at;
}

/** Other bytes. */
export function write(into: Uint8Array, at: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) into[at + i] = bytes[i]!;
  return at + bytes.length;
}

/** Is the field's value this text? */
export function isValue(list: FieldList, field: number, text: Uint8Array): boolean {
  return isText(list.bytes, list.valueAt(field), list.valueEnd(field), text);
}

/** Is `bytes[from, to)` this text? */
export function isText(bytes: Uint8Array, from: number, to: number, text: Uint8Array): boolean {
  if (to - from !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[from + i] !== text[i]) return false;
  return true;
}
