/** The head of an HTTP/1 request (RFC 9112), read strictly: what could be read in two ways is refused. */
import { ascii, isWordInAnyCase, startsWith } from "../ascii.ts";
import { NEED_MORE } from "../result.ts";
import { CHARACTERS, IN_TOKEN } from "./characters.ts";
import { CONNECTION_CLOSE, CONNECTION_KEEP_ALIVE, CONNECTION_UPGRADE, readConnection } from "./connection.ts";
import { readFieldLines } from "./field-lines.ts";
import { Field } from "./fields.ts";
import { readContentLength, readTransferEncoding } from "./framing.ts";
import { checkHost } from "./host.ts";
import { AMBIGUOUS_BODY, BAD_EXPECTATION, BAD_HOST, BAD_TRANSFER_ENCODING, HEAD_TOO_LONG, NO_HOST } from "./reasons.ts";
import { CHUNKED, type HeadLimits, Method, NO_BODY, type RequestHead, TargetForm } from "./request-head.ts";
import { readRequestLine } from "./request-line.ts";

export {
  CHUNKED,
  type HeadLimits,
  isIdempotent,
  Method,
  methodCode,
  NO_BODY,
  RequestHead,
  TargetForm,
  TUNNEL,
  UNTIL_CLOSE,
} from "./request-head.ts";

const SLASH = 0x2f;
const H2C = ascii("h2c");
const TRAILERS = ascii("trailers");
const CONTINUE = ascii("100-continue");

/**
 * Reads a request's head in `bytes[from, to)`. Bound: `limits.head`. One CRLF in front is tolerated (RFC 9112 2.2).
 *
 * Each call reads from the beginning: who gets bytes one by one waits for an LF, or for the limit, before the next call.
 * @returns bytes used (> 0, `out` is filled), NEED_MORE (0), or a reason (< 0, reasons.ts).
 */
export function readRequestHead(
  bytes: Uint8Array,
  from: number,
  to: number,
  limits: HeadLimits,
  out: RequestHead,
): number {
  const end = Math.min(to, from + limits.head);
  let at = readRequestLine(bytes, from, end, limits.target, out);
  if (at > 0) {
    out.fields.clear();
    at = readFieldLines(bytes, at, end, limits.fields, false, out.fields);
  }
  if (at === NEED_MORE) return end - from < limits.head ? NEED_MORE : HEAD_TOO_LONG;
  if (at < 0) return at;
  const refused = understandRequest(bytes, out);
  if (refused < 0) return refused;
  out.length = at - from;
  return out.length;
}

/** What the fields mean for the message itself; 0 or a reason. */
function understandRequest(bytes: Uint8Array, out: RequestHead): number {
  const present = out.fields.present;
  const refused = readHost(bytes, out) || readFraming(bytes, out);
  if (refused < 0) return refused;
  let options = 0;
  if ((present & (1 << Field.CONNECTION)) !== 0) {
    options = readConnection(bytes, out.fields);
    if (options < 0) return options;
  }
  const modern = out.minorVersion === 1;
  out.close = (options & CONNECTION_CLOSE) !== 0 || (!modern && (options & CONNECTION_KEEP_ALIVE) === 0);
  out.keepAlive = !modern && !out.close;
  out.upgradeAt = out.targetEnd;
  out.upgradeEnd = out.targetEnd;
  if ((options & CONNECTION_UPGRADE) !== 0 && modern && out.body === NO_BODY) readUpgrade(bytes, out);
  out.trailers = (present & (1 << Field.TE)) !== 0 && acceptsTrailers(bytes, out);
  out.expectContinue = false;
  return (present & (1 << Field.EXPECT)) !== 0 ? readExpectation(bytes, out) : 0;
}

/** RFC 9112 3.2: once in HTTP/1.1, not twice in any version; the host of the target is stronger. */
function readHost(bytes: Uint8Array, out: RequestHead): number {
  const fields = out.fields;
  const index = fields.find(Field.HOST);
  if (index < 0) return out.minorVersion === 1 ? NO_HOST : 0;
  if (fields.find(Field.HOST, index + 1) >= 0) return BAD_HOST;
  const at = fields.valueAt(index);
  const end = fields.valueEnd(index);
  const nameEnd = at === end ? end : checkHost(bytes, at, end);
  if (nameEnd < 0) return BAD_HOST;
  if (out.targetForm !== TargetForm.ABSOLUTE && out.targetForm !== TargetForm.AUTHORITY) {
    out.hostAt = at;
    out.hostEnd = end;
    out.hostNameEnd = nameEnd;
  }
  return 0;
}

/** RFC 9112 6: one way to say how long the body is, or none. */
function readFraming(bytes: Uint8Array, out: RequestHead): number {
  const present = out.fields.present;
  out.body = NO_BODY;
  out.hasLength = (present & (1 << Field.CONTENT_LENGTH)) !== 0;
  const coded = (present & (1 << Field.TRANSFER_ENCODING)) !== 0;
  if (coded && out.hasLength) return AMBIGUOUS_BODY;
  if (coded) {
    const refused = readTransferEncoding(bytes, out.fields);
    if (refused < 0) return refused;
    if (out.minorVersion === 0) return BAD_TRANSFER_ENCODING; // there were none in HTTP/1.0 (RFC 9112 6.1)
    out.body = CHUNKED;
  } else if (out.hasLength) {
    const length = readContentLength(bytes, out.fields);
    if (length < 0) return length;
    out.body = length;
  }
  const none = out.method === Method.TRACE || out.method === Method.CONNECT; // RFC 9110 9.3.6, 9.3.8
  return none && out.body !== NO_BODY ? AMBIGUOUS_BODY : 0;
}

/**
 * RFC 9110 7.8. Only one protocol in one field; h2c would be a tunnel past everything that is checked here, and its
 * beginning in clear text is obsolete (RFC 9113 3.1).
 */
function readUpgrade(bytes: Uint8Array, out: RequestHead): void {
  const fields = out.fields;
  const index = fields.find(Field.UPGRADE);
  if (index < 0 || fields.find(Field.UPGRADE, index + 1) >= 0) return;
  const at = fields.valueAt(index);
  const end = fields.valueEnd(index);
  if (at === end || !isProtocol(bytes, at, end) || startsWith(bytes, at, end, H2C)) return;
  out.upgradeAt = at;
  out.upgradeEnd = end;
}

/** A token, or two with a slash between them. */
function isProtocol(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    if ((CHARACTERS[bytes[at]!]! & IN_TOKEN) === 0 && bytes[at] !== SLASH) return false;
  }
  return true;
}

/** RFC 9110 10.1.4. */
function acceptsTrailers(bytes: Uint8Array, out: RequestHead): boolean {
  const fields = out.fields;
  for (let i = fields.find(Field.TE); i >= 0; i = fields.find(Field.TE, i + 1)) {
    if (isWordInAnyCase(bytes, fields.valueAt(i), fields.valueEnd(i), TRAILERS)) return true;
  }
  return false;
}

/** RFC 9110 10.1.1: there is one expectation. HTTP/1.0 has none; without a body there is nothing to wait for. */
function readExpectation(bytes: Uint8Array, out: RequestHead): number {
  const fields = out.fields;
  const index = fields.find(Field.EXPECT);
  if (out.minorVersion === 0) return 0;
  if (fields.find(Field.EXPECT, index + 1) >= 0) return BAD_EXPECTATION;
  if (!isWordInAnyCase(bytes, fields.valueAt(index), fields.valueEnd(index), CONTINUE)) return BAD_EXPECTATION;
  out.expectContinue = out.body !== NO_BODY;
  return 0;
}
