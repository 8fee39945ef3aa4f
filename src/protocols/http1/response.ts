/** The head of an HTTP/1 response (RFC 9112), for proxying and for health checks. */
import { ascii, CR, isDigit, LF, readDecimal, SPACE } from "../ascii.ts";
import { NEED_MORE } from "../result.ts";
import { CHARACTERS, IN_VALUE } from "./characters.ts";
import { CONNECTION_CLOSE, CONNECTION_KEEP_ALIVE, CONNECTION_UPGRADE, readConnection } from "./connection.ts";
import { readFieldLines } from "./field-lines.ts";
import { Field, FieldTable } from "./fields.ts";
import { readContentLength, readTransferEncoding } from "./framing.ts";
import {
  AMBIGUOUS_BODY,
  BAD_FIELD_VALUE,
  BAD_LINE_END,
  BAD_STATUS,
  BAD_TRANSFER_ENCODING,
  HEAD_TOO_LONG,
  NOT_HTTP,
} from "./reasons.ts";
import { CHUNKED, Method, NO_BODY, TUNNEL, UNTIL_CLOSE } from "./request-head.ts";

/** What a response's head may be at most. */
export interface ResponseLimits {
  /** Bytes of the status line and all fields, the empty line included. */
  readonly head: number;
  /** Number of fields. */
  readonly fields: number;
  /** A line may end in LF alone, as scripts that answer checks write them. Never where a response is passed on. */
  readonly lineFeeds: boolean;
}

/** For responses that are passed on. */
export const PROXIED: ResponseLimits = { head: 65_536, fields: 256, lineFeeds: false };
/** For answers to health checks and agents. */
export const CHECKED: ResponseLimits = { head: 16_384, fields: 256, lineFeeds: true };

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

const VERSION = ascii("HTTP/1.");
/** `HTTP/1.1 200`: version, a space, three digits. */
const STATUS_END = 12;

/**
 * Reads a response's head in `bytes[from, to)`. Bound: `limits.head`. As strict as for requests: a response whose end two
 * readers could see in different places is refused.
 * @returns bytes used up to and with the empty line (> 0, `out` is filled), NEED_MORE (0), or a reason (< 0, reasons.ts).
 */
export function readResponseHead(
  bytes: Uint8Array,
  from: number,
  to: number,
  limits: ResponseLimits,
  out: ResponseHead,
): number {
  const end = Math.min(to, from + limits.head);
  let at = readStatusLine(bytes, from, end, limits.lineFeeds, out);
  if (at > 0) {
    out.fields.clear();
    at = readFieldLines(bytes, at, end, limits.fields, limits.lineFeeds, out.fields);
  }
  if (at === NEED_MORE) return end - from < limits.head ? NEED_MORE : HEAD_TOO_LONG;
  if (at < 0) return at;
  const refused = understandResponse(bytes, out);
  if (refused < 0) return refused;
  out.length = at - from;
  return out.length;
}

/** RFC 9112 4. @returns the position behind it, NEED_MORE, or a reason. */
function readStatusLine(bytes: Uint8Array, from: number, to: number, lineFeeds: boolean, out: ResponseHead): number {
  const have = to - from;
  for (let i = 0; i < VERSION.length && i < have; i++) if (bytes[from + i] !== VERSION[i]) return NOT_HTTP;
  if (have > 7 && bytes[from + 7] !== 0x30 && bytes[from + 7] !== 0x31) return NOT_HTTP;
  if (have > 8 && bytes[from + 8] !== SPACE) return NOT_HTTP;
  for (let i = 9; i < STATUS_END && i < have; i++) if (!isDigit(bytes[from + i]!)) return BAD_STATUS;
  if (have <= STATUS_END) return NEED_MORE;
  out.minorVersion = bytes[from + 7]! - 0x30;
  out.status = readDecimal(bytes, from + 9, from + STATUS_END, 599);
  if (out.status < 100) return BAD_STATUS;
  let at = from + STATUS_END;
  if (bytes[at] === SPACE) at++;
  else if (bytes[at] !== CR && bytes[at] !== LF) return BAD_STATUS;
  out.phraseAt = at;
  while (at < to && (CHARACTERS[bytes[at]!]! & IN_VALUE) !== 0) at++;
  out.phraseEnd = at;
  if (at === to) return NEED_MORE;
  if (bytes[at] === LF) return lineFeeds ? at + 1 : BAD_LINE_END;
  if (bytes[at] !== CR) return BAD_FIELD_VALUE;
  if (at + 1 === to) return NEED_MORE;
  return bytes[at + 1] === LF ? at + 2 : BAD_LINE_END;
}

/** What the fields mean for the message itself; 0 or a reason. */
function understandResponse(bytes: Uint8Array, out: ResponseHead): number {
  const fields = out.fields;
  const refused = readFraming(bytes, out);
  if (refused < 0) return refused;
  let options = 0;
  if ((fields.present & (1 << Field.CONNECTION)) !== 0) {
    options = readConnection(bytes, fields);
    if (options < 0) return options;
  }
  out.close = (options & CONNECTION_CLOSE) !== 0 || (out.minorVersion === 0 && (options & CONNECTION_KEEP_ALIVE) === 0);
  const upgrade = (options & CONNECTION_UPGRADE) !== 0 ? fields.find(Field.UPGRADE) : -1;
  out.upgradeAt = upgrade < 0 ? out.phraseEnd : fields.valueAt(upgrade);
  out.upgradeEnd = upgrade < 0 ? out.phraseEnd : fields.valueEnd(upgrade);
  return 0;
}

/** RFC 9112 6.3. A 1xx and a 204 have no body, so they may not say that they have one. */
function readFraming(bytes: Uint8Array, out: ResponseHead): number {
  const fields = out.fields;
  out.contentLength = -1;
  out.chunked = (fields.present & (1 << Field.TRANSFER_ENCODING)) !== 0;
  const sized = (fields.present & (1 << Field.CONTENT_LENGTH)) !== 0;
  if (out.chunked && sized) return AMBIGUOUS_BODY;
  if (out.chunked) {
    const refused = readTransferEncoding(bytes, fields);
    if (refused < 0) return refused;
    if (out.minorVersion === 0) return BAD_TRANSFER_ENCODING;
  }
  if (sized) {
    const length = readContentLength(bytes, fields);
    if (length < 0) return length;
    out.contentLength = length;
  }
  const none = out.status < 200 || out.status === 204;
  return none && (out.chunked || out.contentLength > 0) ? AMBIGUOUS_BODY : 0;
}
