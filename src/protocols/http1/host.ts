/** The host that a request is for (RFC 9110 7.2): a name or an address, with a port or without. */

import { readIPv6Text } from "../address.ts";
import { isDigit, lower, readDecimal } from "../ascii.ts";
import { CHARACTERS, IN_HOST } from "./characters.ts";
import { BAD_HOST } from "./reasons.ts";

/** Bytes of the longest name. */
export const MAX_HOST = 255;

const COLON = 0x3a;
const DOT = 0x2e;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const ipv6 = new Uint8Array(16);

/**
 * Checks a host that fills `bytes[from, to)`: a name of letters, digits, `-`, `_` and single dots, an IPv4 address or an
 * IPv6 one in brackets, then perhaps `:` and a port (1-65535).
 * @returns where the name ends (above `from`; the port or `to` follows), or BAD_HOST.
 */
export function checkHost(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  if (bytes[from] === OPEN_BRACKET) {
    while (at < to && bytes[at] !== CLOSE_BRACKET) at++;
    if (at === to || !readIPv6Text(bytes, from + 1, at, ipv6, 0)) return BAD_HOST;
    at++;
  } else {
    let label = 0; // bytes of it
    for (; at < to && (CHARACTERS[bytes[at]!]! & IN_HOST) !== 0; at++) {
      if (bytes[at] !== DOT) label++;
      else if (label === 0) return BAD_HOST;
      else label = 0;
    }
    if (at === from || at - from > MAX_HOST) return BAD_HOST;
  }
  if (at === to) return at;
  const nameEnd = at;
  if (bytes[at] !== COLON || to - at > 6 || !isDigit(bytes[at + 1]!) || bytes[at + 1] === 0x30) return BAD_HOST;
  return readDecimal(bytes, at + 1, to, 65_535) < 0 ? BAD_HOST : nameEnd;
}

/**
 * Copies the name `bytes[from, to)` (without port) to `into[at]` as hosts are compared: lower case, no last dot.
 * @returns its length; `into` has room for MAX_HOST.
 */
export function copyHostName(bytes: Uint8Array, from: number, to: number, into: Uint8Array, at: number): number {
  const end = to > from && bytes[to - 1] === DOT ? to - 1 : to;
  for (let i = from; i < end; i++) into[at + i - from] = lower(bytes[i]!);
  return end - from;
}
