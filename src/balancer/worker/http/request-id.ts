/** Names of requests (X-Request-Id), by which the logs of servers and ours are brought together. */

/** Most bytes that are kept of one. */
export const MAX_REQUEST_ID = 64;

const HEX = new TextEncoder().encode("0123456789abcdef");
const HYPHEN = 0x2d;

/**
 * Writes the name of a connection's request: the connection's id without its `c-` (see connectionIdText), a hyphen and the
 * request's number. It finds the lines of both in the access log. @returns its length.
 */
export function writeRequestId(into: Uint8Array, idHigh: number, idLow: number, request: number): number {
  let at = writeHex(into, 0, idHigh, 8);
  at = writeHex(into, at, idLow, 1);
  into[at++] = HYPHEN;
  return writeHex(into, at, request, 1);
}

/** Keeps a name that somebody else has given. @returns its length. */
export function copyRequestId(into: Uint8Array, bytes: Uint8Array, from: number, to: number): number {
  const length = Math.min(to - from, MAX_REQUEST_ID);
  for (let i = 0; i < length; i++) into[i] = bytes[from + i]!;
  return length;
}

/** At least `least` digits of an unsigned 32-bit number. @returns the position behind them. */
function writeHex(into: Uint8Array, at: number, value: number, least: number): number {
  let digits = least;
  while (digits < 8 && value >>> (digits * 4) !== 0) digits++;
  for (let i = digits - 1; i >= 0; i--) into[at++] = HEX[(value >>> (i * 4)) & 15]!;
  return at;
}
