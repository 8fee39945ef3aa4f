/**
 * Microsoft's routing token (MS-RDPBCGR 3.2.5.3.1; the "Terminal Services Load Balancing" encoding):
 * `msts=<ip>.<port>.0000`. The IPv4 address is its four bytes read as a little-endian number, the port has its two bytes
 * swapped, both in decimal. It is not signed: whoever dials must look the address up among its own servers.
 */
import { readDecimal } from "../ascii.ts";
import type { Reasons } from "../result.ts";

/** Bound: ten digits, a dot, five digits, a dot, four zeros. */
export const MAX_MSTS_VALUE = 21;

export const MSTS_BAD_ADDRESS = -1;
export const MSTS_BAD_PORT = -2;
export const MSTS_BAD_END = -3;
export const MSTS_REASONS: Reasons = {
  [MSTS_BAD_ADDRESS]: "bad-address",
  [MSTS_BAD_PORT]: "bad-port",
  [MSTS_BAD_END]: "bad-end",
};

export interface MstsToken {
  /** IPv4 address as a number: 10.0.0.1 is 0x0a000001 (see address.ts for the 16-byte form). */
  ipv4: number;
  port: number;
}

export function newMstsToken(): MstsToken {
  return { ipv4: 0, port: 0 };
}

const DOT = 0x2e;
const ZERO = 0x30;

/**
 * Reads the value of an msts cookie that fills `bytes[from, to)`: it is whole, so more is never asked for. The last dot
 * must be there, the `0000` behind it need not.
 * @returns bytes used (all of them; `out` is filled) or a reason (< 0).
 */
export function readMstsToken(bytes: Uint8Array, from: number, to: number, out: MstsToken): number {
  const addressEnd = findDot(bytes, from, to);
  const address = readDecimal(bytes, from, addressEnd, 0xffffffff);
  if (address < 0 || addressEnd === to) return MSTS_BAD_ADDRESS;
  const portEnd = findDot(bytes, addressEnd + 1, to);
  const port = readDecimal(bytes, addressEnd + 1, portEnd, 0xffff);
  if (port <= 0 || portEnd - addressEnd > 6) return MSTS_BAD_PORT;
  const zeros = to - portEnd - 1;
  if (zeros !== 0 && zeros !== 4) return MSTS_BAD_END;
  for (let i = portEnd + 1; i < to; i++) if (bytes[i] !== ZERO) return MSTS_BAD_END;
  out.ipv4 = swap32(address);
  out.port = swap16(port);
  return to - from;
}

/** The value for an address as readMstsToken gives it; `Cookie: msts=` and CR LF go around it. */
export function formatMstsToken(ipv4: number, port: number): string {
  return `${swap32(ipv4)}.${swap16(port)}.0000`;
}

function findDot(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] !== DOT) at++;
  return at;
}

function swap32(number: number): number {
  return ((number >>> 24) | ((number >>> 8) & 0xff00) | ((number << 8) & 0xff0000) | (number << 24)) >>> 0;
}

function swap16(number: number): number {
  return ((number & 0xff) << 8) | (number >>> 8);
}
