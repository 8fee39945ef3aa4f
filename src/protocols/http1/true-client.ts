/**
 * Who a request is from, behind proxies that are trusted: each has written at the end of X-Forwarded-For, or of Forwarded
 * (RFC 7239), where it had the request from. So the list is believed from its end, up to and with the first address that is
 * not one of theirs; what stands in front of that, anybody may have made up.
 */
import { ADDRESS_BYTES, type Cidr, inNetworks, readIPv4Text, readIPv6Text, writeIPv4 } from "../address.ts";
import { ascii, isBlank, isWordInAnyCase, readDecimal } from "../ascii.ts";
import { Field, type FieldTable } from "./fields.ts";

/** Nobody is named who can be believed: the request is the peer's own. */
export const NOBODY_NAMED = -1;

const COMMA = 0x2c;
const COLON = 0x3a;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING = 0x5b;
const CLOSING = 0x5d;
const MAX_PORT = 65_535;
const FOR = ascii("for");

/** The address of the entry that is being read. */
const address = new Uint8Array(ADDRESS_BYTES);

/**
 * Reads the client's address into `out`. X-Forwarded-For is asked first; Forwarded only where there is none and it is
 * `standard` here, so that a client gains nothing by the one of them that the proxy in front does not know. An entry that is
 * no address ends the search: then it is whoever was found behind it. Cost: the length of what is read; no allocation.
 * @returns the client's port, 0 where none is said, or NOBODY_NAMED: `out` is as it was.
 */
export function readTrueClient(
  bytes: Uint8Array,
  fields: FieldTable,
  standard: boolean,
  trust: readonly Cidr[],
  out: Uint8Array,
): number {
  let port = NOBODY_NAMED;
  const code = fields.find(Field.X_FORWARDED_FOR) >= 0 || !standard ? Field.X_FORWARDED_FOR : Field.FORWARDED;
  for (let i = fields.findLast(code); i >= 0; i = fields.findLast(code, i)) {
    const from = fields.valueAt(i);
    for (let end = fields.valueEnd(i); end > from; ) {
      const comma = code === Field.FORWARDED ? lastUnquotedComma(bytes, from, end) : lastComma(bytes, from, end);
      const entry = trimmed(bytes, comma + 1, end);
      end = comma;
      if (entry.at === entry.end) continue; // RFC 9110 5.6.1: an empty element is none
      const read =
        code === Field.FORWARDED ? readElement(bytes, entry.at, entry.end) : readNode(bytes, entry.at, entry.end);
      if (read < 0) return port;
      port = read;
      out.set(address);
      if (!inNetworks(trust, address)) return port;
    }
  }
  return port;
}

const span = { at: 0, end: 0 };

function trimmed(bytes: Uint8Array, from: number, to: number): typeof span {
  span.at = from;
  span.end = to;
  while (span.at < span.end && isBlank(bytes[span.at]!)) span.at++;
  while (span.end > span.at && isBlank(bytes[span.end - 1]!)) span.end--;
  return span;
}

/** @returns the position of the comma, or the one in front of `from`. */
function lastComma(bytes: Uint8Array, from: number, to: number): number {
  let at = to - 1;
  while (at >= from && bytes[at] !== COMMA) at--;
  return at;
}

/**
 * The same outside of quoted strings. From the end, so that what a client has written in front cannot spoil what the proxy
 * has written behind it. Within a quoted string a quote has a backslash in front.
 */
function lastUnquotedComma(bytes: Uint8Array, from: number, to: number): number {
  let quoted = false;
  let at = to - 1;
  for (; at >= from; at--) {
    const byte = bytes[at];
    if (byte === COMMA && !quoted) break;
    if (byte === QUOTE && !(quoted && at > from && bytes[at - 1] === BACKSLASH)) quoted = !quoted;
  }
  return at;
}

/** Reads one element of Forwarded, which says `for` once, into `address`. @returns the port, 0, or -1. */
function readElement(bytes: Uint8Array, from: number, to: number): number {
  let port = NOBODY_NAMED;
  for (let at = from; at < to; at++) {
    while (at < to && isBlank(bytes[at]!)) at++;
    const nameAt = at;
    while (at < to && bytes[at] !== EQUALS && bytes[at] !== SEMICOLON) at++;
    const isFor = isWordInAnyCase(bytes, nameAt, at, FOR);
    if (at < to && bytes[at] === EQUALS) at++;
    const valueAt = at;
    at = endOfValue(bytes, at, to);
    if (at < 0) return NOBODY_NAMED;
    if (!isFor) continue;
    if (port !== NOBODY_NAMED) return NOBODY_NAMED;
    const quoted = bytes[valueAt] === QUOTE;
    port = quoted ? readNode(bytes, valueAt + 1, at - 1) : readNode(bytes, valueAt, at);
    if (port < 0) return NOBODY_NAMED;
  }
  return port;
}

/** @returns where a token or quoted string ends, in front of a semicolon or `to`; -1: it is neither. */
function endOfValue(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  if (bytes[at] === QUOTE && at < to) {
    for (at++; at < to && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++;
    if (at >= to) return -1;
    at++;
    return at === to || bytes[at] === SEMICOLON ? at : -1;
  }
  while (at < to && bytes[at] !== SEMICOLON) at++;
  return at;
}

/**
 * Reads an address into `address`: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
 * @returns the port, 0 without one, or -1: it is none of these (`unknown`, `_hidden`).
 */
function readNode(bytes: Uint8Array, from: number, to: number): number {
  if (bytes[from] === OPENING && from < to) {
    let end = from + 1;
    while (end < to && bytes[end] !== CLOSING) end++;
    if (end === to || !readIPv6Text(bytes, from + 1, end, address, 0)) return NOBODY_NAMED;
    return readPort(bytes, end + 1, to);
  }
  let colon = from;
  while (colon < to && bytes[colon] !== COLON) colon++;
  if (hasColon(bytes, colon + 1, to)) return readIPv6Text(bytes, from, to, address, 0) ? 0 : NOBODY_NAMED;
  const ipv4 = readIPv4Text(bytes, from, colon);
  if (ipv4 < 0) return NOBODY_NAMED;
  writeIPv4(address, 0, ipv4);
  return readPort(bytes, colon, to);
}

function hasColon(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] === COLON) return true;
  return false;
}

/** What is behind an address: nothing, or a colon and a port. */
function readPort(bytes: Uint8Array, from: number, to: number): number {
  if (from >= to) return 0;
  return bytes[from] === COLON ? readDecimal(bytes, from + 1, to, MAX_PORT) : NOBODY_NAMED;
}
