/** The first message of a TLS client (RFC 8446 4.1.2, RFC 6066 3, RFC 7301): whom it wants to talk to, and how. */
import { lower } from "../ascii.ts";
import { CHARACTERS, IN_HOST } from "../http1/characters.ts";
import { NEED_MORE, type Reasons } from "../result.ts";

/** Bound: records and their headers. The largest hellos of today have some 2 KiB. */
export const MAX_CLIENT_HELLO = 17_408;

export const NOT_TLS = -1;
export const SSL_V2 = -2;
export const HELLO_TOO_LONG = -3;
export const BAD_RECORD = -4;
export const NOT_CLIENT_HELLO = -5;
export const BAD_HELLO = -6;
export const BAD_SERVER_NAME = -7;
export const CLIENT_HELLO_REASONS: Reasons = {
  [NOT_TLS]: "not-tls",
  [SSL_V2]: "ssl-two",
  [HELLO_TOO_LONG]: "too-long",
  [BAD_RECORD]: "bad-record",
  [NOT_CLIENT_HELLO]: "not-client-hello",
  [BAD_HELLO]: "bad-hello",
  [BAD_SERVER_NAME]: "bad-server-name",
};

/** Bits of `versions`. */
export const OFFERS_TLS10 = 1;
export const OFFERS_TLS11 = 2;
export const OFFERS_TLS12 = 4;
export const OFFERS_TLS13 = 8;

/** What a ClientHello says. The message may lie in pieces, so names are copied. */
export interface ClientHello {
  /** The server's name (SNI) in lower case, without a last dot; letters, digits, `-`, `_`, `.`. */
  serverName: Uint8Array;
  /** Bytes of it; 0: none was sent. */
  serverNameLength: number;
  /** Protocols (ALPN) as on the wire: a length byte and a name each. */
  alpn: Uint8Array;
  /** Bytes of them; 0: none was sent, or too many to keep. */
  alpnLength: number;
  /** OFFERS_… bits. */
  versions: number;
}

export function newClientHello(): ClientHello {
  return {
    serverName: new Uint8Array(255),
    serverNameLength: 0,
    alpn: new Uint8Array(256),
    alpnLength: 0,
    versions: 0,
  };
}

const HANDSHAKE_RECORD = 22;
const RECORD_HEADER = 5;
const MAX_RECORD = 16_384;
const CLIENT_HELLO = 1;
const MESSAGE_HEADER = 4;

const SERVER_NAME = 0;
const ALPN = 16;
const SUPPORTED_VERSIONS = 43;
const HOST_NAME = 0;
const DOT = 0x2e;

/** The message without its records. With a header a record it cannot be longer. */
const message = new Uint8Array(MAX_CLIENT_HELLO - RECORD_HEADER);

/**
 * Reads a ClientHello in `bytes[from, to)`, in one record or in many. Bound: MAX_CLIENT_HELLO, 17 KiB.
 *
 * Stricter than TLS where a lenient reader would see another name than the server behind us: an extension twice, two names,
 * a name with other characters than hosts have, bytes behind a list's end. No server name is fine.
 * @returns bytes used, to the end of its last record (> 0, `out` is filled), NEED_MORE (0), or a reason (< 0).
 */
export function readClientHello(bytes: Uint8Array, from: number, to: number, out: ClientHello): number {
  let at = from;
  let have = 0; // bytes of the message so far
  for (;;) {
    const recordLength = readRecordHeader(bytes, at, to, have);
    if (recordLength === NEED_MORE) return to - from < MAX_CLIENT_HELLO ? NEED_MORE : HELLO_TOO_LONG;
    if (recordLength < 0) return recordLength;
    const begin = at + RECORD_HEADER;
    at = begin + recordLength;
    if (at - from > MAX_CLIENT_HELLO) return HELLO_TOO_LONG;
    const there = Math.min(at, to) - begin;
    copyInto(message, have, bytes, begin, there);
    have += there;
    if (have > 0 && message[0] !== CLIENT_HELLO) return NOT_CLIENT_HELLO;
    if (have >= MESSAGE_HEADER) {
      const length = MESSAGE_HEADER + ((message[1]! << 16) | (message[2]! << 8) | message[3]!);
      if (length > message.length) return HELLO_TOO_LONG;
      if (have > length) return BAD_HELLO; // nothing may follow it in its record
      if (have === length && at <= to) return readMessage(message, MESSAGE_HEADER, length, out) || at - from;
    }
    if (at > to) return NEED_MORE;
  }
}

/** Bytes of the record at `at` (> 0), NEED_MORE, or a reason. `have`: bytes of the message in records before it. */
function readRecordHeader(bytes: Uint8Array, at: number, to: number, have: number): number {
  if (at >= to) return NEED_MORE;
  if (bytes[at] !== HANDSHAKE_RECORD) {
    if (have > 0) return BAD_RECORD;
    if (bytes[at]! < 0x80) return NOT_TLS;
    // SSLv2's hello has a length with the highest bit set, then the same type.
    if (at + 2 >= to) return NEED_MORE;
    return bytes[at + 2] === CLIENT_HELLO ? SSL_V2 : NOT_TLS;
  }
  if (at + 1 < to && bytes[at + 1] !== 3) return have > 0 ? BAD_RECORD : NOT_TLS;
  if (at + RECORD_HEADER > to) return NEED_MORE;
  const length = (bytes[at + 3]! << 8) | bytes[at + 4]!;
  return length === 0 || length > MAX_RECORD ? BAD_RECORD : length;
}

/** Reads the message's body in `bytes[from, to)`; 0 or a reason. */
function readMessage(bytes: Uint8Array, from: number, to: number, out: ClientHello): number {
  out.serverNameLength = 0;
  out.alpnLength = 0;
  out.versions = 0;
  let at = from + 34; // version, random
  if (at >= to || bytes[from] !== 3) return BAD_HELLO;
  const legacyVersion = bytes[from + 1]!;
  if (bytes[at]! > 32) return BAD_HELLO;
  at += 1 + bytes[at]!; // session id
  if (at + 2 > to) return BAD_HELLO;
  const suites = (bytes[at]! << 8) | bytes[at + 1]!;
  at += 2 + suites;
  if (suites < 2 || (suites & 1) !== 0 || at >= to) return BAD_HELLO;
  const compressions = bytes[at]!;
  at += 1 + compressions;
  if (compressions === 0 || at > to) return BAD_HELLO;
  if (at < to) {
    if (at + 2 > to || at + 2 + ((bytes[at]! << 8) | bytes[at + 1]!) !== to) return BAD_HELLO;
    const refused = readExtensions(bytes, at + 2, to, out);
    if (refused < 0) return refused;
  }
  // Without supported_versions the client can do what it says and, as far as it tells, all before it.
  if (out.versions === 0)
    for (let minor = 1; minor <= 3 && minor <= legacyVersion; minor++) out.versions |= 1 << (minor - 1);
  return 0;
}

function readExtensions(bytes: Uint8Array, from: number, to: number, out: ClientHello): number {
  let seen = 0;
  let at = from;
  while (at < to) {
    if (at + 4 > to) return BAD_HELLO;
    const type = (bytes[at]! << 8) | bytes[at + 1]!;
    const begin = at + 4;
    const end = begin + ((bytes[at + 2]! << 8) | bytes[at + 3]!);
    if (end > to) return BAD_HELLO;
    const bit = type === SERVER_NAME ? 1 : type === ALPN ? 2 : type === SUPPORTED_VERSIONS ? 4 : 0;
    if ((seen & bit) !== 0) return BAD_HELLO;
    seen |= bit;
    const refused =
      bit === 1
        ? readServerName(bytes, begin, end, out)
        : bit === 2
          ? readAlpn(bytes, begin, end, out)
          : bit === 4
            ? readVersions(bytes, begin, end, out)
            : 0;
    if (refused < 0) return refused;
    at = end;
  }
  return 0;
}

/** RFC 6066 3: a list, of which only one name of a host is defined. */
function readServerName(bytes: Uint8Array, from: number, to: number, out: ClientHello): number {
  const nameAt = from + 5;
  if (nameAt >= to || ((bytes[from]! << 8) | bytes[from + 1]!) !== to - from - 2) return BAD_SERVER_NAME;
  if (bytes[from + 2] !== HOST_NAME || ((bytes[from + 3]! << 8) | bytes[from + 4]!) !== to - nameAt)
    return BAD_SERVER_NAME;
  const end = to - nameAt > 1 && bytes[to - 1] === DOT ? to - 1 : to;
  const length = end - nameAt;
  if (length > out.serverName.length) return BAD_SERVER_NAME;
  for (let i = 0; i < length; i++) {
    const byte = bytes[nameAt + i]!;
    if ((CHARACTERS[byte]! & IN_HOST) === 0) return BAD_SERVER_NAME;
    if (byte === DOT && (i === 0 || bytes[nameAt + i - 1] === DOT)) return BAD_SERVER_NAME;
    out.serverName[i] = lower(byte);
  }
  if (out.serverName[length - 1] === DOT) return BAD_SERVER_NAME;
  out.serverNameLength = length;
  return 0;
}

/** RFC 7301 3.1: a list of names, none empty. */
function readAlpn(bytes: Uint8Array, from: number, to: number, out: ClientHello): number {
  if (from + 2 > to || ((bytes[from]! << 8) | bytes[from + 1]!) !== to - from - 2 || from + 2 === to) return BAD_HELLO;
  for (let at = from + 2; at < to; at += 1 + bytes[at]!) {
    if (bytes[at] === 0 || at + 1 + bytes[at]! > to) return BAD_HELLO;
  }
  const length = to - from - 2;
  if (length > out.alpn.length) return 0;
  copyInto(out.alpn, 0, bytes, from + 2, length);
  out.alpnLength = length;
  return 0;
}

/** RFC 8446 4.2.1. Versions of their own making (GREASE, drafts) are passed over. */
function readVersions(bytes: Uint8Array, from: number, to: number, out: ClientHello): number {
  if (from >= to || bytes[from] !== to - from - 1 || bytes[from]! < 2 || (bytes[from]! & 1) !== 0) return BAD_HELLO;
  for (let at = from + 1; at < to; at += 2) {
    const minor = bytes[at + 1]!;
    if (bytes[at] === 3 && minor >= 1 && minor <= 4) out.versions |= 1 << (minor - 1);
  }
  return 0;
}

/** Does the client offer the protocol `name` (`h2` as bytes)? */
export function offersProtocol(hello: ClientHello, name: Uint8Array): boolean {
  for (let at = 0; at < hello.alpnLength; at += 1 + hello.alpn[at]!) {
    if (hello.alpn[at] !== name.length) continue;
    let same = 0;
    while (same < name.length && hello.alpn[at + 1 + same] === name[same]) same++;
    if (same === name.length) return true;
  }
  return false;
}

function copyInto(into: Uint8Array, at: number, bytes: Uint8Array, from: number, length: number): void {
  for (let i = 0; i < length; i++) into[at + i] = bytes[from + i]!;
}
