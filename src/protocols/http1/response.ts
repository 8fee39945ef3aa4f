/** The head of an HTTP/1.1 response (RFC 9112), as far as a health check or an agent's answer needs it. */
import { ascii, CR, isBlank, isControl, isDigit, LF, lower, readDecimal, SPACE, startsWith } from "../ascii.ts";
import { NEED_MORE, type Reasons } from "../result.ts";
import { FieldTable } from "./fields.ts";
import { CHUNKED, Method, NO_BODY, TUNNEL, UNTIL_CLOSE } from "./request.ts";

/** Bound: status line and header fields, the empty line included. */
export const MAX_RESPONSE_HEAD = 16_384;

export const NOT_HTTP = -1;
export const RESPONSE_BAD_STATUS = -2;
export const RESPONSE_BAD_FIELD = -3;
export const RESPONSE_BAD_CONTENT_LENGTH = -4;
export const RESPONSE_TOO_LONG = -5;
export const RESPONSE_REASONS: Reasons = {
  [NOT_HTTP]: "not-http",
  [RESPONSE_BAD_STATUS]: "bad-status",
  [RESPONSE_BAD_FIELD]: "bad-field",
  [RESPONSE_BAD_CONTENT_LENGTH]: "bad-content-length",
  [RESPONSE_TOO_LONG]: "too-long",
};

/** A response's head. Reused; offsets into the bytes that it was read from (`shift` when they were moved). */
export class ResponseHead {
  /** Bytes of the head, the empty line included. */
  length = 0;
  /** 100-599. A 1xx other than 101 is followed by another head. */
  status = 0;
  /** 0 or 1: HTTP/1.0 or HTTP/1.1. */
  minorVersion = 1;
  /** The reason phrase; may be empty. */
  phraseAt = 0;
  phraseEnd = 0;
  /** Content-Length, up to 2^53 - 1; -1 if not stated. For an answer to HEAD and a 304 it says nothing of the body. */
  contentLength = -1;
  /** The body is in chunks (RFC 9112 7.1). With neither length nor chunks it ends when the connection does. */
  chunked = false;
  /** The server ends the connection behind it: `Connection: close`, or HTTP/1.0 without keep-alive. */
  close = false;
  /** The protocol that the server goes on with (101) or wants (426), with `Connection: upgrade`; empty: none. */
  upgradeAt = 0;
  upgradeEnd = 0;
  readonly fields = new FieldTable();

  /** The bytes were moved by so many. */
  shift(by: number): void {
    this.phraseAt += by;
    this.phraseEnd += by;
    this.upgradeAt += by;
    this.upgradeEnd += by;
    this.fields.shift(by);
  }
}

/**
 * How long the body of a response to `method` is (RFC 9112 6.3): bytes, NO_BODY, CHUNKED, UNTIL_CLOSE or TUNNEL. A 1xx has
 * none.
 */
export function bodyOf(head: ResponseHead, method: number): number {
  if (head.status === 101 || (method === Method.CONNECT && head.status >= 200 && head.status < 300)) return TUNNEL;
  if (method === Method.HEAD || head.status < 200 || head.status === 204 || head.status === 304) return NO_BODY;
  if (head.chunked) return CHUNKED;
  return head.contentLength >= 0 ? head.contentLength : UNTIL_CLOSE;
}

export function newResponseHead(): ResponseHead {
  return new ResponseHead();
}

const PREFIX = ascii("HTTP/1.");
/** `HTTP/1.1 200`: version, a space, three digits. */
const STATUS_END = 12;
const COLON = 0x3a;
const CONTENT_LENGTH = ascii("content-length");
const TRANSFER_ENCODING = ascii("transfer-encoding");
const CHUNKED_WORD = ascii("chunked");

/**
 * Reads a response's head in `bytes[from, to)`. Bound: MAX_RESPONSE_HEAD, 16 KiB. A line may end in LF alone (RFC 9112 2.2).
 * @returns bytes used up to and with the empty line (> 0, `out` is filled), NEED_MORE (0), or a reason (< 0).
 */
export function readResponseHead(bytes: Uint8Array, from: number, to: number, out: ResponseHead): number {
  const limit = Math.min(to, from + MAX_RESPONSE_HEAD);
  const statusLine = readStatusLine(bytes, from, limit, out);
  if (statusLine < 0) return statusLine;
  out.contentLength = -1;
  out.chunked = false;
  let at = from;
  for (;;) {
    let end = at;
    while (end < limit && bytes[end] !== LF) end++;
    if (end === limit) return limit - from < MAX_RESPONSE_HEAD ? NEED_MORE : RESPONSE_TOO_LONG;
    const textEnd = end > at && bytes[end - 1] === CR ? end - 1 : end;
    if (textEnd === at) return end + 1 - from;
    if (at > from) {
      const field = readField(bytes, at, textEnd, out);
      if (field < 0) return field;
    }
    at = end + 1;
  }
}

/** Checks what is there of `HTTP/1.x NNN` and puts it into `out`; 0 or a reason. */
function readStatusLine(bytes: Uint8Array, from: number, to: number, out: ResponseHead): number {
  const have = to - from;
  for (let i = 0; i < PREFIX.length && i < have; i++) if (bytes[from + i] !== PREFIX[i]) return NOT_HTTP;
  if (have > 7 && bytes[from + 7] !== 0x30 && bytes[from + 7] !== 0x31) return NOT_HTTP;
  if (have > 8 && bytes[from + 8] !== SPACE) return NOT_HTTP;
  for (let i = 9; i < STATUS_END && i < have; i++) if (!isDigit(bytes[from + i]!)) return RESPONSE_BAD_STATUS;
  if (have <= STATUS_END) return 0;
  const after = bytes[from + STATUS_END];
  if (after !== SPACE && after !== CR && after !== LF) return RESPONSE_BAD_STATUS;
  out.minorVersion = bytes[from + 7]! - 0x30;
  out.status = readDecimal(bytes, from + 9, from + STATUS_END, 599);
  return out.status < 100 ? RESPONSE_BAD_STATUS : 0;
}

/** Reads one header field, `bytes[from, to)` without its line end; 0 or a reason. */
function readField(bytes: Uint8Array, from: number, to: number, out: ResponseHead): number {
  let colon = from;
  while (colon < to && bytes[colon] !== COLON) {
    const byte = bytes[colon]!;
    if (isControl(byte) || byte === SPACE) return RESPONSE_BAD_FIELD; // a folded line (RFC 9112 5.2) too
    colon++;
  }
  if (colon === from || colon === to) return RESPONSE_BAD_FIELD;
  let valueAt = colon + 1;
  let valueEnd = to;
  while (valueAt < valueEnd && isBlank(bytes[valueAt]!)) valueAt++;
  while (valueEnd > valueAt && isBlank(bytes[valueEnd - 1]!)) valueEnd--;
  if (isName(bytes, from, colon, CONTENT_LENGTH)) {
    const length = readDecimal(bytes, valueAt, valueEnd, 0xffffffff);
    if (length < 0 || (out.contentLength >= 0 && out.contentLength !== length)) return RESPONSE_BAD_CONTENT_LENGTH;
    out.contentLength = length;
  } else if (isName(bytes, from, colon, TRANSFER_ENCODING)) {
    // "chunked" is always the last coding (RFC 9112 6.1).
    out.chunked = startsWith(bytes, Math.max(valueAt, valueEnd - CHUNKED_WORD.length), valueEnd, CHUNKED_WORD);
  }
  return 0;
}

function isName(bytes: Uint8Array, from: number, to: number, name: Uint8Array): boolean {
  if (to - from !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (lower(bytes[from + i]!) !== name[i]) return false;
  return true;
}
