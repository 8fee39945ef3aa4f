/** The head of an HTTP/1.1 response, as our own engine writes it, as a field block of HTTP/2 (RFC 9113 8.2, 8.3.2). */
import { CR, isBlank, isDigit, LF } from "../ascii.ts";
import { Field, fieldCode } from "../http1/fields.ts";
import { FIELD_FRAMING, writeField, writeStatus } from "./hpack-encoder.ts";

/** What a client must know of an answer to read it, besides its fields. */
export interface ResponseFacts {
  /** 100 to 599. */
  status: number;
  /** Bytes of the body; -1 if not stated. Means nothing when `chunked`. */
  contentLength: number;
  chunked: boolean;
  /** The value of Sec-WebSocket-Accept; `acceptAt` -1: none. */
  acceptAt: number;
  acceptEnd: number;
}

export function newResponseFacts(): ResponseFacts {
  return { status: 0, contentLength: -1, chunked: false, acceptAt: -1, acceptEnd: -1 };
}

/** `HTTP/1.1 200`. */
const STATUS_AT = 9;
const STATUS_END = 12;
const COLON = 0x3a;
const SWITCHING_PROTOCOLS = 101;
const OK = 200;

/** Where the head in `bytes[from, to)` ends, its empty line included; 0: not in there. A line ends in CR LF. */
export function headEnd(bytes: Uint8Array, from: number, to: number): number {
  for (let at = from; at + 2 < to; at++) {
    if (bytes[at] === LF && bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return 0;
}

/** Where `byte` is first in `bytes[from, to)`; `to`: nowhere. Lines are short: shorter than a call of `indexOf` costs. */
function find(bytes: Uint8Array, byte: number, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] !== byte) at++;
  return at;
}

/** Room that a block may take for a head of so many bytes. */
export function blockRoom(headBytes: number): number {
  // A line has three bytes besides name and value; a field may take FIELD_FRAMING where its line has four in all.
  return headBytes * 3 + FIELD_FRAMING;
}

/**
 * Writes the head `bytes[from, to)`, its empty line included, as a block to `into[at]`, which has blockRoom. What is about a
 * connection of HTTP/1.1 is left out; 101 becomes 200 (RFC 8441 5).
 * @returns where the block ends (`facts` are filled), or -1: it is none of our heads.
 */
export function writeResponseBlock(
  bytes: Uint8Array,
  from: number,
  to: number,
  into: Uint8Array,
  at: number,
  facts: ResponseFacts,
): number {
  facts.contentLength = -1;
  facts.chunked = false;
  facts.acceptAt = -1;
  facts.status = 0;
  for (let i = from + STATUS_AT; i < from + STATUS_END && i < to; i++) {
    if (!isDigit(bytes[i]!)) return -1;
    facts.status = facts.status * 10 + bytes[i]! - 0x30;
  }
  if (facts.status < 100 || facts.status > 599) return -1;
  let end = writeStatus(into, at, facts.status === SWITCHING_PROTOCOLS ? OK : facts.status);
  let line = find(bytes, LF, from, to) + 1;
  // The last line is empty.
  while (line < to - 2) {
    const next = find(bytes, LF, line, to) + 1;
    const colon = find(bytes, COLON, line, next);
    if (next > to || colon === line || colon >= next - 2) return -1;
    end = writeLine(bytes, line, colon, next - 2, into, end, facts);
    line = next;
  }
  return end;
}

/** One field: its name is `bytes[nameAt, colon)`, and its value lies between blanks behind the colon. */
function writeLine(
  bytes: Uint8Array,
  nameAt: number,
  colon: number,
  lineEnd: number,
  into: Uint8Array,
  at: number,
  facts: ResponseFacts,
): number {
  let valueAt = colon + 1;
  let valueEnd = lineEnd;
  while (valueAt < valueEnd && isBlank(bytes[valueAt]!)) valueAt++;
  while (valueEnd > valueAt && isBlank(bytes[valueEnd - 1]!)) valueEnd--;
  switch (fieldCode(bytes, nameAt, colon)) {
    case Field.CONNECTION:
    case Field.PROXY_CONNECTION:
    case Field.KEEP_ALIVE:
    case Field.UPGRADE:
      return at;
    case Field.TRANSFER_ENCODING:
      facts.chunked = true;
      return at;
    case Field.SEC_WEBSOCKET_ACCEPT:
      facts.acceptAt = valueAt;
      facts.acceptEnd = valueEnd;
      return at;
    case Field.CONTENT_LENGTH:
      facts.contentLength = readLength(bytes, valueAt, valueEnd);
  }
  return writeField(into, at, bytes, nameAt, colon, valueAt, valueEnd);
}

/** The trailers behind a body in chunks, lines without the empty one, as a block. @returns where it ends, or -1. */
export function writeTrailerBlock(bytes: Uint8Array, from: number, to: number, into: Uint8Array, at: number): number {
  let end = at;
  for (let line = from; line < to; ) {
    const next = find(bytes, LF, line, to) + 1;
    const colon = find(bytes, COLON, line, next);
    if (next > to || colon === line || colon >= next - 2) return -1;
    let valueAt = colon + 1;
    while (valueAt < next - 2 && isBlank(bytes[valueAt]!)) valueAt++;
    end = writeField(into, end, bytes, line, colon, valueAt, next - 2);
    line = next;
  }
  return end;
}

function readLength(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) value = value * 10 + bytes[i]! - 0x30;
  return value;
}
