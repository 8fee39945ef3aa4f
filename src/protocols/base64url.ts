/** Base64 for URLs, cookies and lines of text, without padding (RFC 4648 5). Nothing here allocates. */
import { ascii } from "./ascii.ts";

const ALPHABET = ascii("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
const SEXTETS = new Int8Array(256).fill(-1);
for (let value = 0; value < ALPHABET.length; value++) SEXTETS[ALPHABET[value]!] = value;

/**
 * Decodes the characters that stand for `into.length` bytes, a multiple of 3, so that there are no spare bits: one text is one
 * value. @returns false at a byte that is not of the alphabet.
 */
export function decodeBase64url(bytes: Uint8Array, from: number, into: Uint8Array): boolean {
  for (let i = 0, at = from; i < into.length; i += 3, at += 4) {
    const bits =
      (SEXTETS[bytes[at]!]! << 18) |
      (SEXTETS[bytes[at + 1]!]! << 12) |
      (SEXTETS[bytes[at + 2]!]! << 6) |
      SEXTETS[bytes[at + 3]!]!;
    if (bits < 0) return false;
    into[i] = bits >> 16;
    into[i + 1] = (bits >> 8) & 0xff;
    into[i + 2] = bits & 0xff;
  }
  return true;
}

/** Writes all of `bytes`, a multiple of 3, at `into[at]`. @returns the position behind the text. */
export function writeBase64url(bytes: Uint8Array, into: Uint8Array, at: number): number {
  let to = at;
  for (let i = 0; i < bytes.length; i += 3) {
    const bits = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!;
    into[to++] = ALPHABET[bits >> 18]!;
    into[to++] = ALPHABET[(bits >> 12) & 63]!;
    into[to++] = ALPHABET[(bits >> 6) & 63]!;
    into[to++] = ALPHABET[bits & 63]!;
  }
  return to;
}
