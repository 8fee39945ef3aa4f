/** PROXY protocol version 1: one line of text (proxy-protocol.txt 2.1). */
import { isIPv4, readIPv4Text, readIPv6Text, writeAddressText, writeIPv4 } from "../address.ts";
import { ascii, CR, isControl, LF, readDecimal, SPACE, writeDecimal } from "../ascii.ts";
import { NEED_MORE } from "../result.ts";
import {
  IPV4_FAMILY,
  IPV6_FAMILY,
  MAX_PROXY_V1,
  NOT_PROXY,
  PROXY_BAD_ADDRESS,
  PROXY_BAD_FAMILY,
  PROXY_BAD_LINE,
  PROXY_BAD_PORT,
  PROXY_TOO_LONG,
  type ProxyHeader,
  UNKNOWN_FAMILY,
} from "./header.ts";

const PREFIX = ascii("PROXY ");
const TCP4 = ascii("TCP4 ");
const TCP6 = ascii("TCP6 ");
const UNKNOWN = ascii("UNKNOWN");

/** For a connection of the proxy itself, such as a health check: the receiver uses the connection's own addresses. */
export const PROXY_V1_UNKNOWN = ascii("PROXY UNKNOWN\r\n");

/**
 * Reads a version 1 header in `bytes[from, to)`. Bound: MAX_PROXY_V1, 107 bytes.
 * @returns bytes used (> 0, `out` is filled), NEED_MORE (0), or a reason (< 0).
 */
export function readProxyV1(bytes: Uint8Array, from: number, to: number, out: ProxyHeader): number {
  const have = Math.min(to - from, MAX_PROXY_V1);
  for (let i = 0; i < PREFIX.length && i < have; i++) if (bytes[from + i] !== PREFIX[i]) return NOT_PROXY;
  let end = from + PREFIX.length;
  while (end < from + have && !isControl(bytes[end]!)) end++;
  if (end + 1 >= from + have) {
    if (end < from + have && bytes[end] !== CR) return PROXY_BAD_LINE;
    return have < MAX_PROXY_V1 ? NEED_MORE : PROXY_TOO_LONG;
  }
  if (bytes[end] !== CR || bytes[end + 1] !== LF) return PROXY_BAD_LINE;
  out.version = 1;
  out.local = false;
  const result = readLine(bytes, from + PREFIX.length, end, out);
  return result < 0 ? result : end + 2 - from;
}

/** Reads the line behind `PROXY `; 0 or a reason. */
function readLine(bytes: Uint8Array, from: number, end: number, out: ProxyHeader): number {
  if (begins(bytes, from, end, UNKNOWN) && (from + UNKNOWN.length === end || bytes[from + UNKNOWN.length] === SPACE)) {
    out.family = UNKNOWN_FAMILY; // what follows must be ignored
    return 0;
  }
  if (begins(bytes, from, end, TCP4)) out.family = IPV4_FAMILY;
  else if (begins(bytes, from, end, TCP6)) out.family = IPV6_FAMILY;
  else return PROXY_BAD_FAMILY;
  const source = from + TCP4.length;
  const sourceEnd = findSpace(bytes, source, end);
  const destinationEnd = findSpace(bytes, sourceEnd + 1, end);
  const portEnd = findSpace(bytes, destinationEnd + 1, end);
  if (portEnd >= end) return PROXY_BAD_LINE;
  if (!readAddress(bytes, source, sourceEnd, out.family, out.source)) return PROXY_BAD_ADDRESS;
  if (!readAddress(bytes, sourceEnd + 1, destinationEnd, out.family, out.destination)) return PROXY_BAD_ADDRESS;
  out.sourcePort = readPort(bytes, destinationEnd + 1, portEnd);
  out.destinationPort = readPort(bytes, portEnd + 1, end);
  return out.sourcePort < 0 || out.destinationPort < 0 ? PROXY_BAD_PORT : 0;
}

function begins(bytes: Uint8Array, from: number, to: number, word: Uint8Array): boolean {
  if (to - from < word.length) return false;
  for (let i = 0; i < word.length; i++) if (bytes[from + i] !== word[i]) return false;
  return true;
}

function findSpace(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] !== SPACE) at++;
  return at;
}

function readAddress(bytes: Uint8Array, from: number, to: number, family: number, into: Uint8Array): boolean {
  if (family === IPV6_FAMILY) return readIPv6Text(bytes, from, to, into, 0);
  const ipv4 = readIPv4Text(bytes, from, to);
  if (ipv4 < 0) return false;
  writeIPv4(into, 0, ipv4);
  return true;
}

/** A port of one to five digits without leading zeros (the specification excludes them); -1 if it is none. */
function readPort(bytes: Uint8Array, from: number, to: number): number {
  if (to - from > 1 && bytes[from] === 0x30) return -1;
  return readDecimal(bytes, from, to, 0xffff);
}

/**
 * Writes a version 1 header at `into[at]` (MAX_PROXY_V1 bytes of room) from addresses in 16-byte form.
 * @returns its length. IPv4 on both sides makes no string.
 */
export function writeProxyV1(
  into: Uint8Array,
  at: number,
  source: Uint8Array,
  sourcePort: number,
  destination: Uint8Array,
  destinationPort: number,
): number {
  const ipv4 = isIPv4(source) && isIPv4(destination);
  into.set(PREFIX, at);
  into.set(ipv4 ? TCP4 : TCP6, at + PREFIX.length);
  let next = at + PREFIX.length + TCP4.length;
  next += writeAddress(into, next, source, ipv4);
  into[next++] = SPACE;
  next += writeAddress(into, next, destination, ipv4);
  into[next++] = SPACE;
  next += writeDecimal(into, next, sourcePort);
  into[next++] = SPACE;
  next += writeDecimal(into, next, destinationPort);
  into[next++] = CR;
  into[next++] = LF;
  return next - at;
}

const MAPPED_PREFIX = ascii("::ffff:");

/** An address as its header wants it: where only one side is IPv4, that one is written as an IPv6 address. */
function writeAddress(into: Uint8Array, at: number, address: Uint8Array, ipv4: boolean): number {
  const mapped = !ipv4 && isIPv4(address);
  if (mapped) into.set(MAPPED_PREFIX, at);
  const prefix = mapped ? MAPPED_PREFIX.length : 0;
  return prefix + writeAddressText(into, at + prefix, address, 0);
}
