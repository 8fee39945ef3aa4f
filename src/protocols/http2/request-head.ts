/**
 * A request's fields as HTTP/2 carries them, judged (RFC 9113 8.2, 8.3; RFC 8441) and written as the head of an HTTP/1.1
 * request. What could be read in another way as HTTP/1.1 is refused here, and our parser of HTTP/1.1 reads the result again.
 */
import { ascii, lower, writeDecimal } from "../ascii.ts";
import { CHARACTERS, IN_METHOD, IN_TARGET } from "../http1/characters.ts";
import { Field, fieldCode } from "../http1/fields.ts";
import type { FieldList } from "./field-list.ts";
import {
  checkField,
  isText,
  isValue,
  LINE_END,
  MALFORMED_AUTHORITY,
  MALFORMED_LENGTH,
  MALFORMED_METHOD,
  MALFORMED_PATH,
  MALFORMED_PSEUDO,
  MALFORMED_SCHEME,
  readLength,
  write,
  writeLine,
  writeValue,
} from "./field-rules.ts";

/** No such field: a position in the list, so no reason is -1. */
const NONE = -1;

/** What a head takes at most beyond the size of its list (FieldList.limit): what is written besides the fields. */
export const HEAD_FRAMING = 256;

/** What the other side of a stream has to know of a request. */
export interface RequestFacts {
  /** HEAD: the answer has no body. */
  isHead: boolean;
  /** WebSocket by extended CONNECT: once it is accepted, bytes go both ways as they are. */
  isWebSocket: boolean;
  /** Bytes of the body; -1 if not stated. */
  contentLength: number;
  /** The body that follows is written in chunks. */
  chunked: boolean;
}

export function newRequestFacts(): RequestFacts {
  return { isHead: false, isWebSocket: false, contentLength: -1, chunked: false };
}

/** Bytes of a Sec-WebSocket-Key: 16 in base64. */
export const WEBSOCKET_KEY_BYTES = 24;

const COLON = 0x3a;
const SLASH = 0x2f;
const ASTERISK = 0x2a;
const AT_SIGN = 0x40;
const QUESTION_MARK = 0x3f;

/** Pseudo-header fields of requests, as bits. */
const METHOD = 1;
const SCHEME = 2;
const AUTHORITY = 4;
const PATH = 8;
const PROTOCOL = 16;

const PSEUDO_NAMES: readonly (readonly [number, Uint8Array])[] = [
  [METHOD, ascii(":method")],
  [SCHEME, ascii(":scheme")],
  [AUTHORITY, ascii(":authority")],
  [PATH, ascii(":path")],
  [PROTOCOL, ascii(":protocol")],
];
const HTTP = ascii("http");
const HTTPS = ascii("https");
const GET = ascii("GET");
const HEAD = ascii("HEAD");
const CONNECT = ascii("CONNECT");
const OPTIONS = ascii("OPTIONS");
const WITH_BODY = [ascii("POST"), ascii("PUT"), ascii("PATCH")];
const WEBSOCKET = ascii("websocket");
const SEC_WEBSOCKET_VERSION = ascii("sec-websocket-version");

const VERSION_AND_HOST = ascii(" HTTP/1.1\r\nhost: ");
const SPACE_BYTE = 0x20;
const UPGRADE_FIELDS = ascii("connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ");
const VERSION_13 = ascii("sec-websocket-version: 13\r\n");
const COOKIE = ascii("cookie: ");
const CRUMB = ascii("; ");
const CHUNKED = ascii("transfer-encoding: chunked\r\n");
const NO_LENGTH = ascii("content-length: 0\r\n");
const CONTENT_LENGTH = ascii("content-length: ");

/** Where each pseudo-header field is in the list. One request at a time. */
const found = { method: NONE, scheme: NONE, authority: NONE, path: NONE, protocol: NONE };

/**
 * Writes the head to the beginning of `into`, which has room for the list's limit and HEAD_FRAMING. `ended`: no body
 * follows. `key`: for the handshake of a WebSocket, WEBSOCKET_KEY_BYTES.
 * @returns bytes of the head (> 0, `facts` are filled), or a reason. Allocates nothing.
 */
export function writeRequestHead(
  list: FieldList,
  ended: boolean,
  key: Uint8Array,
  into: Uint8Array,
  facts: RequestFacts,
): number {
  const first = readPseudoFields(list);
  if (first < 0) return first;
  const host = checkFields(list, first, facts);
  if (host < NONE) return host;
  const refused = checkPseudoFields(list, host, facts);
  if (refused < 0) return refused;
  if (ended && facts.contentLength > 0) return MALFORMED_LENGTH;
  const isTunnel = isValue(list, found.method, CONNECT);
  // RFC 9110 9.3.6: the bytes behind a CONNECT are none of its content.
  if (isTunnel) facts.contentLength = -1;
  facts.chunked = !ended && facts.contentLength < 0 && !isTunnel;

  let at = writeRequestLine(list, host, facts, into);
  if (facts.isWebSocket) {
    at = write(into, write(into, write(into, at, UPGRADE_FIELDS), key), LINE_END);
    if (!hasField(list, first, SEC_WEBSOCKET_VERSION)) at = write(into, at, VERSION_13);
  } else if (facts.chunked) {
    at = write(into, at, CHUNKED);
  } else if (facts.contentLength >= 0) {
    at = write(into, at, CONTENT_LENGTH);
    at = write(into, at + writeDecimal(into, at, facts.contentLength), LINE_END);
  } else if (ended && WITH_BODY.some((method) => isValue(list, found.method, method))) {
    at = write(into, at, NO_LENGTH);
  }
  at = writeFields(list, first, facts.isWebSocket, into, at);
  return write(into, at, LINE_END);
}

/** They come first, once each (RFC 9113 8.3). @returns the first ordinary field, or a reason. */
function readPseudoFields(list: FieldList): number {
  found.method = found.scheme = found.authority = found.path = found.protocol = NONE;
  let seen = 0;
  for (let i = 0; i < list.count; i++) {
    if (list.bytes[list.nameAt(i)] !== COLON) return i;
    const kind = pseudoKind(list, i);
    if (kind === 0 || (seen & kind) !== 0) return MALFORMED_PSEUDO;
    seen |= kind;
    if (kind === METHOD) found.method = i;
    else if (kind === SCHEME) found.scheme = i;
    else if (kind === AUTHORITY) found.authority = i;
    else if (kind === PATH) found.path = i;
    else found.protocol = i;
  }
  return list.count;
}

function pseudoKind(list: FieldList, field: number): number {
  const at = list.nameAt(field);
  for (const [kind, name] of PSEUDO_NAMES) if (isText(list.bytes, at, list.valueAt(field), name)) return kind;
  return 0;
}

/** Judges the ordinary fields. @returns the Host field, NONE without one, or a reason. */
function checkFields(list: FieldList, first: number, facts: RequestFacts): number {
  facts.contentLength = -1;
  let host = NONE;
  for (let i = first; i < list.count; i++) {
    const code = checkField(list, i);
    if (code < 0) return code;
    if (code === Field.HOST) {
      if (host >= 0) return MALFORMED_AUTHORITY;
      host = i;
    } else if (code === Field.CONTENT_LENGTH) {
      if (facts.contentLength >= 0) return MALFORMED_LENGTH;
      facts.contentLength = readLength(list.bytes, list.valueAt(i), list.valueEnd(i));
      if (facts.contentLength < 0) return MALFORMED_LENGTH;
    }
  }
  return host;
}

/** RFC 9113 8.3.1, 8.5, RFC 8441 4. @returns a reason, or 0. */
function checkPseudoFields(list: FieldList, host: number, facts: RequestFacts): number {
  const { bytes } = list;
  const { method, scheme, authority, path, protocol } = found;
  if (method < 0 || !allOf(list, method, IN_METHOD)) return MALFORMED_METHOD;
  const isConnect = isValue(list, method, CONNECT);
  facts.isHead = isValue(list, method, HEAD);
  facts.isWebSocket = isConnect && protocol >= 0 && isValue(list, protocol, WEBSOCKET);
  if (protocol >= 0 && !isConnect) return MALFORMED_PSEUDO;
  if (authority < 0 && host < 0) return MALFORMED_AUTHORITY;
  if (authority >= 0 && !isAuthority(list, authority)) return MALFORMED_AUTHORITY;
  if (authority < 0 && !isAuthority(list, host)) return MALFORMED_AUTHORITY;
  if (authority >= 0 && host >= 0 && !isSameName(list, authority, host)) return MALFORMED_AUTHORITY;
  if (isConnect && protocol < 0) {
    if (scheme >= 0) return MALFORMED_SCHEME;
    if (path >= 0) return MALFORMED_PATH;
    return authority < 0 ? MALFORMED_AUTHORITY : 0;
  }
  if (scheme < 0 || !(isValue(list, scheme, HTTP) || isValue(list, scheme, HTTPS))) return MALFORMED_SCHEME;
  if (path < 0 || !allOf(list, path, IN_TARGET)) return MALFORMED_PATH;
  const isOrigin = bytes[list.valueAt(path)] === SLASH;
  return isOrigin || (isAsterisk(list, path) && isValue(list, method, OPTIONS)) ? 0 : MALFORMED_PATH;
}

function isAsterisk(list: FieldList, field: number): boolean {
  return list.bytes[list.valueAt(field)] === ASTERISK && list.valueEnd(field) === list.valueAt(field) + 1;
}

/** A host and perhaps a port: no login (RFC 9113 8.3.1), nothing of a target. The parser of HTTP/1.1 looks closer. */
function isAuthority(list: FieldList, field: number): boolean {
  if (!allOf(list, field, IN_TARGET)) return false;
  for (let i = list.valueAt(field); i < list.valueEnd(field); i++) {
    const byte = list.bytes[i];
    if (byte === AT_SIGN || byte === SLASH || byte === QUESTION_MARK) return false;
  }
  return true;
}

/** Are all bytes of the value of this kind, and is there one? */
function allOf(list: FieldList, field: number, kind: number): boolean {
  const from = list.valueAt(field);
  const to = list.valueEnd(field);
  for (let i = from; i < to; i++) if ((CHARACTERS[list.bytes[i]!]! & kind) === 0) return false;
  return to > from;
}

function isSameName(list: FieldList, one: number, other: number): boolean {
  const a = list.valueAt(one);
  const b = list.valueAt(other);
  const length = list.valueEnd(one) - a;
  if (list.valueEnd(other) - b !== length) return false;
  for (let i = 0; i < length; i++) if (lower(list.bytes[a + i]!) !== lower(list.bytes[b + i]!)) return false;
  return true;
}

function writeRequestLine(list: FieldList, host: number, facts: RequestFacts, into: Uint8Array): number {
  const authority = found.authority >= 0 ? found.authority : host;
  // A WebSocket is asked for by GET in HTTP/1.1.
  let at = facts.isWebSocket ? write(into, 0, GET) : writeValue(list, found.method, into, 0);
  into[at++] = SPACE_BYTE;
  const isPlainConnect = !facts.isWebSocket && isValue(list, found.method, CONNECT);
  at = writeValue(list, isPlainConnect ? authority : found.path, into, at);
  at = write(into, at, VERSION_AND_HOST);
  return write(into, writeValue(list, authority, into, at), LINE_END);
}

/** All that is not written from what we know of the request. */
function writeFields(list: FieldList, first: number, isWebSocket: boolean, into: Uint8Array, at: number): number {
  let cookies = false;
  for (let i = first; i < list.count; i++) {
    const code = fieldCode(list.bytes, list.nameAt(i), list.valueAt(i));
    if (code === Field.HOST || code === Field.CONTENT_LENGTH) continue;
    if (code === Field.SEC_WEBSOCKET_KEY && isWebSocket) continue;
    if (code !== Field.COOKIE) at = writeLine(list, i, into, at);
    else if (!cookies) at = writeCookies(list, i, into, at);
    cookies ||= code === Field.COOKIE;
  }
  return at;
}

/** Crumbs become one field again (RFC 9113 8.2.3). */
function writeCookies(list: FieldList, first: number, into: Uint8Array, at: number): number {
  at = writeValue(list, first, into, write(into, at, COOKIE));
  for (let i = first + 1; i < list.count; i++) {
    if (fieldCode(list.bytes, list.nameAt(i), list.valueAt(i)) !== Field.COOKIE) continue;
    at = writeValue(list, i, into, write(into, at, CRUMB));
  }
  return write(into, at, LINE_END);
}

function hasField(list: FieldList, first: number, name: Uint8Array): boolean {
  for (let i = first; i < list.count; i++) {
    if (isText(list.bytes, list.nameAt(i), list.valueAt(i), name)) return true;
  }
  return false;
}
