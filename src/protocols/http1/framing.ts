/** How long a message's body is (RFC 9112 6): the two fields that say so, each in the one form that nobody misreads. */
import { ascii, isDigit, isWordInAnyCase } from "../ascii.ts";
import { Field, type FieldTable } from "./fields.ts";
import { BAD_LENGTH, BAD_TRANSFER_ENCODING } from "./reasons.ts";

const CHUNKED_CODING = ascii("chunked");
const MAX_DIGITS = 16;

/**
 * The one Content-Length of `fields`, which have one: digits without a sign, a list or a leading zero, at most 2^53 - 1.
 * @returns the length, or BAD_LENGTH.
 */
export function readContentLength(bytes: Uint8Array, fields: FieldTable): number {
  const index = fields.find(Field.CONTENT_LENGTH);
  if (fields.find(Field.CONTENT_LENGTH, index + 1) >= 0) return BAD_LENGTH;
  const at = fields.valueAt(index);
  const end = fields.valueEnd(index);
  if (at === end || end - at > MAX_DIGITS || (bytes[at] === 0x30 && end - at > 1)) return BAD_LENGTH;
  let length = 0;
  for (let i = at; i < end; i++) {
    const byte = bytes[i]!;
    if (!isDigit(byte)) return BAD_LENGTH;
    length = length * 10 + (byte - 0x30);
  }
  return length <= Number.MAX_SAFE_INTEGER ? length : BAD_LENGTH;
}

/** The one Transfer-Encoding of `fields`, which have one: `chunked` and nothing else. @returns 0 or BAD_TRANSFER_ENCODING. */
export function readTransferEncoding(bytes: Uint8Array, fields: FieldTable): number {
  const index = fields.find(Field.TRANSFER_ENCODING);
  if (fields.find(Field.TRANSFER_ENCODING, index + 1) >= 0) return BAD_TRANSFER_ENCODING;
  return isWordInAnyCase(bytes, fields.valueAt(index), fields.valueEnd(index), CHUNKED_CODING)
    ? 0
    : BAD_TRANSFER_ENCODING;
}
