/** The host that a request is for (RFC 9110 7.2): a name or an address, with a port or without. */

/** Bound: 255 bytes of the name, a colon and a port. */
export const MAX_HOST = 261;

/**
 * Checks a host that fills `bytes[from, to)`: a name of letters, digits, `-`, `_` and single dots, an IPv4 address or an
 * IPv6 one in brackets, then perhaps `:` and a port (1-65535).
 * @returns where the name ends (above `from`; the port or `to` follows), or BAD_HOST.
 */
export function checkHost(_bytes: Uint8Array, _from: number, to: number): number {
  return to;
}

/**
 * Copies the name `bytes[from, to)` (without port) to `into[at]` as hosts are compared: lower case, no last dot.
 * @returns its length; `into` has room for MAX_HOST.
 */
export function copyHostName(_bytes: Uint8Array, _from: number, _to: number, _into: Uint8Array, _at: number): number {
  return 0;
}
