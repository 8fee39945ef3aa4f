/**
 * IP addresses as 16 bytes in network order. An IPv4 address has its IPv4-mapped form (::ffff:a.b.c.d, RFC 4291 2.5.5.2),
 * so that the same client is the same key on an IPv4 and on a dual-stack socket.
 */
import { ascii, readDecimal, writeDecimal } from "./ascii.ts";

export const ADDRESS_BYTES = 16;
/** The longest text of an address: eight groups of four digits; an IPv4 tail may take 45. */
export const MAX_ADDRESS_TEXT = 45;

/** A block of addresses. `bits` counts in the 16-byte form: 10.0.0.0/8 has 104. */
export interface Cidr {
  readonly address: Uint8Array;
  readonly bits: number;
}

const DOT = 0x2e;
const COLON = 0x3a;
const MAPPED_BITS = 96;

/** Is the address at `bytes[at]` an IPv4 one in mapped form? */
export function isIPv4(bytes: Uint8Array, at = 0): boolean {
  for (let i = 0; i < 10; i++) if (bytes[at + i] !== 0) return false;
  return bytes[at + 10] === 0xff && bytes[at + 11] === 0xff;
}

/** The IPv4 address at `bytes[at]` (16-byte form) as an unsigned number: 10.0.0.1 is 0x0a000001. */
export function ipv4Number(bytes: Uint8Array, at = 0): number {
  return ((bytes[at + 12]! << 24) | (bytes[at + 13]! << 16) | (bytes[at + 14]! << 8) | bytes[at + 15]!) >>> 0;
}

/** Writes the IPv4 address `number` (10.0.0.1 is 0x0a000001) in its 16-byte form. */
export function writeIPv4(into: Uint8Array, at: number, number: number): void {
  into.fill(0, at, at + 10);
  into[at + 10] = 0xff;
  into[at + 11] = 0xff;
  into[at + 12] = number >>> 24;
  into[at + 13] = (number >>> 16) & 0xff;
  into[at + 14] = (number >>> 8) & 0xff;
  into[at + 15] = number & 0xff;
}

/** The IPv4 address that fills `bytes[from, to)` as text, as an unsigned number; -1 if it is none. Leading zeros are refused. */
export function readIPv4Text(bytes: Uint8Array, from: number, to: number): number {
  let number = 0;
  let at = from;
  for (let part = 0; part < 4; part++) {
    let end = at;
    while (end < to && bytes[end] !== DOT) end++;
    const value = readDecimal(bytes, at, end, 255);
    if (value < 0 || (bytes[at] === 0x30 && end - at > 1)) return -1;
    if (part < 3 ? end === to : end !== to) return -1;
    number = number * 256 + value;
    at = end + 1;
  }
  return number;
}

/** Reads the IPv6 address (RFC 4291 2.2, no zone) that fills `bytes[from, to)` as text into `out[at]`; false if it is none. */
export function readIPv6Text(bytes: Uint8Array, from: number, to: number, out: Uint8Array, at: number): boolean {
  if (to - from < 2 || to - from > MAX_ADDRESS_TEXT) return false;
  let next = from;
  let filled = 0; // bytes written so far
  let gap = -1; // where "::" stands, in bytes written
  if (bytes[next] === COLON) {
    if (bytes[next + 1] !== COLON) return false;
    gap = 0;
    next += 2;
  }
  while (next < to) {
    if (filled === ADDRESS_BYTES) return false;
    let end = next;
    while (end < to && bytes[end] !== COLON) end++;
    const group = readHexGroup(bytes, next, end);
    if (group >= 0) {
      out[at + filled] = group >> 8;
      out[at + filled + 1] = group & 0xff;
      filled += 2;
    } else {
      const ipv4 = end === to && filled <= 12 ? readIPv4Text(bytes, next, to) : -1;
      if (ipv4 < 0) return false;
      for (let i = 0; i < 4; i++) out[at + filled + i] = (ipv4 >>> (24 - 8 * i)) & 0xff;
      filled += 4;
    }
    if (end === to) break;
    next = end + 1;
    if (next === to) return false; // ends with a single colon
    if (bytes[next] === COLON) {
      if (gap >= 0) return false;
      gap = filled;
      next++;
    }
  }
  if (gap < 0) return filled === ADDRESS_BYTES;
  if (filled > ADDRESS_BYTES - 2) return false; // "::" stands for one group or more
  out.copyWithin(at + gap + ADDRESS_BYTES - filled, at + gap, at + filled);
  out.fill(0, at + gap, at + gap + ADDRESS_BYTES - filled);
  return true;
}

/** One to four hexadecimal digits that fill `bytes[from, to)`; -1 if they are not. */
function readHexGroup(bytes: Uint8Array, from: number, to: number): number {
  if (from >= to || to - from > 4) return -1;
  let value = 0;
  for (let i = from; i < to; i++) {
    const byte = bytes[i]! | 0x20; // 0-9 have this bit already
    const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : -1;
    if (digit < 0 || bytes[i]! < 0x30) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/** The 16 bytes of an IPv4 or IPv6 address in text (no brackets, no zone); undefined if it is none. */
export function parseAddress(text: string): Uint8Array | undefined {
  if (text.length > MAX_ADDRESS_TEXT) return undefined;
  const bytes = ascii(text);
  const address = new Uint8Array(ADDRESS_BYTES);
  if (bytes.includes(COLON)) return readIPv6Text(bytes, 0, bytes.length, address, 0) ? address : undefined;
  const ipv4 = readIPv4Text(bytes, 0, bytes.length);
  if (ipv4 < 0) return undefined;
  writeIPv4(address, 0, ipv4);
  return address;
}

/** The text of the address at `bytes[at]`: IPv4 in dots, IPv6 as RFC 5952 wants it. */
export function formatAddress(bytes: Uint8Array, at = 0): string {
  if (isIPv4(bytes, at)) return `${bytes[at + 12]}.${bytes[at + 13]}.${bytes[at + 14]}.${bytes[at + 15]}`;
  const groups: number[] = [];
  for (let i = 0; i < ADDRESS_BYTES; i += 2) groups.push((bytes[at + i]! << 8) | bytes[at + i + 1]!);
  const gap = longestZeros(groups);
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(":");
  return gap.length < 2 ? text(0, 8) : `${text(0, gap.from)}::${text(gap.from + gap.length, 8)}`;
}

/** The longest run of zero groups; the first of equal ones. */
function longestZeros(groups: readonly number[]): { from: number; length: number } {
  let best = { from: 0, length: 0 };
  for (let from = 0; from < groups.length; from++) {
    let length = 0;
    while (groups[from + length] === 0) length++;
    if (length > best.length) best = { from, length };
    from += length;
  }
  return best;
}

/** `10.0.0.1:3389`, `[::1]:3389`: an address and its port for people. */
export function formatEndpoint(bytes: Uint8Array, at: number, port: number): string {
  const text = formatAddress(bytes, at);
  return isIPv4(bytes, at) ? `${text}:${port}` : `[${text}]:${port}`;
}

/**
 * The block in text (`10.0.0.0/8`, `2001:db8::/32`, or one address); undefined if it is none. Bits behind the prefix are
 * cleared.
 */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf("/");
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  if (slash < 0) return { address, bits: 128 };
  const family = text.includes(":") ? 128 : 32;
  const prefix = ascii(text.slice(slash + 1));
  const length = readDecimal(prefix, 0, prefix.length, family);
  if (length < 0) return undefined;
  const bits = family === 32 ? MAPPED_BITS + length : length;
  maskAddress(address, 0, bits);
  return { address, bits };
}

/** The block in text. */
export function formatCidr(cidr: Cidr): string {
  const ipv4 = cidr.bits >= MAPPED_BITS && isIPv4(cidr.address);
  return `${formatAddress(cidr.address)}/${ipv4 ? cidr.bits - MAPPED_BITS : cidr.bits}`;
}

/** Is the address at `bytes[at]` in the block? */
export function inCidr(cidr: Cidr, bytes: Uint8Array, at = 0): boolean {
  const whole = cidr.bits >> 3;
  for (let i = 0; i < whole; i++) if (bytes[at + i] !== cidr.address[i]) return false;
  const rest = cidr.bits & 7;
  return rest === 0 || (bytes[at + whole]! ^ cidr.address[whole]!) >> (8 - rest) === 0;
}

/** Is the address at `bytes[at]` in one of the blocks? */
export function inNetworks(networks: readonly Cidr[], bytes: Uint8Array, at = 0): boolean {
  for (let i = 0; i < networks.length; i++) if (inCidr(networks[i]!, bytes, at)) return true;
  return false;
}

/** Clears all but the first `bits` (0-128) bits of the address at `bytes[at]`. */
export function maskAddress(bytes: Uint8Array, at: number, bits: number): void {
  const whole = bits >> 3;
  if (whole >= ADDRESS_BYTES) return;
  bytes[at + whole]! &= 0xff << (8 - (bits & 7));
  bytes.fill(0, at + whole + 1, at + ADDRESS_BYTES);
}

/** Masks a client's address for persistence by source: `ipv4` bits (0-32) of an IPv4 one, `ipv6` (0-128) of the others. */
export function maskSource(
  bytes: Uint8Array,
  at: number,
  mask: { readonly ipv4: number; readonly ipv6: number },
): void {
  maskAddress(bytes, at, isIPv4(bytes, at) ? MAPPED_BITS + mask.ipv4 : mask.ipv6);
}

/** Writes the text of the address at `bytes[at]` (16-byte form) to `into[to]`, as formatAddress has it; returns its length. */
export function writeAddressText(into: Uint8Array, to: number, bytes: Uint8Array, at: number): number {
  if (!isIPv4(bytes, at)) return writeIPv6Text(into, to, bytes, at);
  let next = to;
  for (let i = 12; i < ADDRESS_BYTES; i++) {
    next += writeDecimal(into, next, bytes[at + i]!);
    if (i < 15) into[next++] = DOT;
  }
  return next - to;
}

/** The same of an IPv6 address: for each request and line of its client, so without a string. */
function writeIPv6Text(into: Uint8Array, to: number, bytes: Uint8Array, at: number): number {
  let gapAt = -1; // the longest run of zero groups
  let gap = 1; // one group is written out
  for (let group = 0, zeros = 0; group < 8; group++) {
    zeros = (bytes[at + 2 * group]! | bytes[at + 2 * group + 1]!) === 0 ? zeros + 1 : 0;
    if (zeros <= gap) continue;
    gap = zeros;
    gapAt = group + 1 - zeros;
  }
  let next = to;
  for (let group = 0; group < 8; group++) {
    if (group === gapAt) {
      into[next++] = COLON;
      into[next++] = COLON;
      group += gap - 1;
      continue;
    }
    if (group > 0 && group !== gapAt + gap) into[next++] = COLON;
    const value = (bytes[at + 2 * group]! << 8) | bytes[at + 2 * group + 1]!;
    for (let shift = value > 0xfff ? 12 : value > 0xff ? 8 : value > 0xf ? 4 : 0; shift >= 0; shift -= 4) {
      const digit = (value >> shift) & 15;
      into[next++] = digit < 10 ? 0x30 + digit : 0x57 + digit;
    }
  }
  return next - to;
}
