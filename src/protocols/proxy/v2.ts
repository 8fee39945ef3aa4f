/** PROXY protocol version 2: binary (proxy-protocol.txt 2.2). */
import { isIPv4 } from "../address.ts";
import { NEED_MORE } from "../result.ts";
import {
  IPV4_FAMILY,
  IPV6_FAMILY,
  MAX_PROXY_V2,
  NOT_PROXY,
  PROXY_BAD_FAMILY,
  PROXY_BAD_LENGTH,
  PROXY_BAD_VERSION,
  PROXY_TOO_LONG,
  type ProxyHeader,
  UNKNOWN_FAMILY,
} from "./header.ts";

const SIGNATURE = new Uint8Array([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
/** Signature (12), version and command (1), family and transport (1), length of what follows (BE16). */
const FIXED = 16;
const LOCAL = 0x20;
const PROXY = 0x21;
const TCP_IPV4 = 0x11;
const TCP_IPV6 = 0x21;
/** Bytes of the addresses and ports by family: unspecified, IPv4, IPv6, UNIX. */
const ADDRESS_BLOCK = [0, 12, 36, 216];
/** The longest header that writeProxyV2 makes. */
export const MAX_WRITTEN_V2 = FIXED + 36;

/** For a connection of the proxy itself, such as a health check: LOCAL, no addresses. */
export const PROXY_V2_LOCAL = new Uint8Array([...SIGNATURE, LOCAL, 0, 0, 0]);

/**
 * Reads a version 2 header in `bytes[from, to)`. Bound: MAX_PROXY_V2, 4,096 bytes with all TLVs, which are passed over.
 * Datagram and UNIX addresses are well formed but mean nothing to a TCP service: UNKNOWN_FAMILY.
 * @returns bytes used (> 0, `out` is filled), NEED_MORE (0), or a reason (< 0).
 */
export function readProxyV2(bytes: Uint8Array, from: number, to: number, out: ProxyHeader): number {
  const have = to - from;
  for (let i = 0; i < SIGNATURE.length && i < have; i++) if (bytes[from + i] !== SIGNATURE[i]) return NOT_PROXY;
  if (have > 12 && bytes[from + 12] !== LOCAL && bytes[from + 12] !== PROXY) return PROXY_BAD_VERSION;
  if (have < FIXED) return NEED_MORE;
  const local = bytes[from + 12] === LOCAL;
  const kind = bytes[from + 13]!;
  const block = ADDRESS_BLOCK[kind >> 4];
  // LOCAL: the receiver must take the header whatever its family says.
  if (!local && (block === undefined || (kind & 0x0f) > 2)) return PROXY_BAD_FAMILY;
  const length = (bytes[from + 14]! << 8) | bytes[from + 15]!;
  if (!local && length < block!) return PROXY_BAD_LENGTH;
  if (FIXED + length > MAX_PROXY_V2) return PROXY_TOO_LONG;
  if (have < FIXED + length) return NEED_MORE;
  out.version = 2;
  out.local = local;
  out.family = UNKNOWN_FAMILY;
  if (!local && kind === TCP_IPV4) {
    out.family = IPV4_FAMILY;
    copyIPv4(bytes, from + FIXED, out.source);
    copyIPv4(bytes, from + FIXED + 4, out.destination);
    readPorts(bytes, from + FIXED + 8, out);
  } else if (!local && kind === TCP_IPV6) {
    out.family = IPV6_FAMILY;
    for (let i = 0; i < 16; i++) {
      out.source[i] = bytes[from + FIXED + i]!;
      out.destination[i] = bytes[from + FIXED + 16 + i]!;
    }
    readPorts(bytes, from + FIXED + 32, out);
  }
  return FIXED + length;
}

function copyIPv4(bytes: Uint8Array, at: number, into: Uint8Array): void {
  into.fill(0, 0, 10);
  into[10] = 0xff;
  into[11] = 0xff;
  for (let i = 0; i < 4; i++) into[12 + i] = bytes[at + i]!;
}

function readPorts(bytes: Uint8Array, at: number, out: ProxyHeader): void {
  out.sourcePort = (bytes[at]! << 8) | bytes[at + 1]!;
  out.destinationPort = (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/**
 * Writes a version 2 header at `into[at]` (MAX_WRITTEN_V2 bytes of room) from addresses in 16-byte form. Where only one
 * side is IPv4, that one is written in its IPv4-mapped form.
 * @returns its length: 28 or 52.
 */
export function writeProxyV2(
  into: Uint8Array,
  at: number,
  source: Uint8Array,
  sourcePort: number,
  destination: Uint8Array,
  destinationPort: number,
): number {
  const ipv4 = isIPv4(source) && isIPv4(destination);
  const width = ipv4 ? 4 : 16;
  const length = 2 * width + 4;
  into.set(SIGNATURE, at);
  into[at + 12] = PROXY;
  into[at + 13] = ipv4 ? TCP_IPV4 : TCP_IPV6;
  into[at + 14] = 0;
  into[at + 15] = length;
  let next = at + FIXED;
  for (let i = 16 - width; i < 16; i++) into[next++] = source[i]!;
  for (let i = 16 - width; i < 16; i++) into[next++] = destination[i]!;
  into[next++] = sourcePort >> 8;
  into[next++] = sourcePort & 0xff;
  into[next++] = destinationPort >> 8;
  into[next++] = destinationPort & 0xff;
  return FIXED + length;
}
