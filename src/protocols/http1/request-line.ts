/** The first line of a request (RFC 9112 3). */
import { ascii, CR, isDigit, LF, SPACE, startsWith } from "../ascii.ts";
import { NEED_MORE } from "../result.ts";
import { CHARACTERS, IN_METHOD, IN_PATH, IN_TARGET } from "./characters.ts";
import { checkHost } from "./host.ts";
import {
  BAD_LINE_END,
  BAD_METHOD,
  BAD_TARGET,
  HTTP2_PREFACE,
  METHOD_TOO_LONG,
  NO_VERSION,
  NOT_HTTP,
  OTHER_VERSION,
  TARGET_TOO_LONG,
} from "./reasons.ts";
import { isWord, Method, methodCode, type RequestHead, TargetForm } from "./request-head.ts";

/** Bytes of the longest method: registered ones have at most 17. */
const MAX_METHOD = 32;
const QUESTION_MARK = 0x3f;
const SLASH = 0x2f;
const ASTERISK = 0x2a;
const DOT = 0x2e;
const HTTP_SCHEME = ascii("http://");
const HTTPS_SCHEME = ascii("https://");
const VERSION = ascii("HTTP/1.");
const PREFACE_METHOD = ascii("PRI");

/**
 * Reads the request line, and an empty one in front. `longest`: bytes of the target.
 * @returns the position behind it, NEED_MORE, or a reason.
 */
export function readRequestLine(
  bytes: Uint8Array,
  from: number,
  to: number,
  longest: number,
  out: RequestHead,
): number {
  const kinds = CHARACTERS;
  let at = from;
  if (at < to && bytes[at] === CR) {
    if (at + 1 === to) return NEED_MORE;
    if (bytes[at + 1] !== LF) return BAD_LINE_END;
    at += 2;
  }
  const methodAt = at;
  while (at < to && (kinds[bytes[at]!]! & IN_METHOD) !== 0) at++;
  if (at - methodAt > MAX_METHOD) return METHOD_TOO_LONG;
  if (at === to) return NEED_MORE;
  if (at === methodAt || bytes[at] !== SPACE) return BAD_METHOD;
  out.methodAt = methodAt;
  out.methodEnd = at;
  out.method = methodCode(bytes, methodAt, at);

  const targetAt = ++at;
  while (at < to && (kinds[bytes[at]!]! & IN_PATH) !== 0) at++;
  out.pathEnd = at;
  out.queryAt = at;
  if (at < to && bytes[at] === QUESTION_MARK) {
    out.queryAt = ++at;
    while (at < to && (kinds[bytes[at]!]! & IN_TARGET) !== 0) at++;
  }
  if (at - targetAt > longest) return TARGET_TOO_LONG;
  if (at === to) return NEED_MORE;
  if (bytes[at] !== SPACE) return bytes[at] === CR || bytes[at] === LF ? NO_VERSION : BAD_TARGET;
  if (at === targetAt) return BAD_TARGET;
  out.targetAt = targetAt;
  out.pathAt = targetAt;
  out.targetEnd = at;
  out.queryEnd = at;
  out.hostAt = at;
  out.hostEnd = at;
  out.hostNameEnd = at;
  const refused = readTarget(bytes, out);
  return refused < 0 ? refused : readVersion(bytes, at + 1, to, out);
}

/** The form of the target, and its host where it has one (RFC 9112 3.2); 0 or a reason. */
function readTarget(bytes: Uint8Array, out: RequestHead): number {
  if (out.method === Method.CONNECT) {
    out.targetForm = TargetForm.AUTHORITY;
    out.pathAt = out.pathEnd;
    const nameEnd = checkHost(bytes, out.targetAt, out.targetEnd);
    if (nameEnd < 0 || nameEnd === out.targetEnd) return BAD_TARGET; // the port is required (RFC 9110 9.3.6)
    return setHost(out, out.targetAt, out.targetEnd, nameEnd);
  }
  if (bytes[out.targetAt] === SLASH) {
    out.targetForm = TargetForm.ORIGIN;
    return 0;
  }
  if (bytes[out.targetAt] === ASTERISK) {
    out.targetForm = TargetForm.ASTERISK;
    const preface = out.method === Method.OTHER && isWord(bytes, out.methodAt, out.methodEnd, PREFACE_METHOD);
    const alone = out.targetEnd - out.targetAt === 1 && (out.method === Method.OPTIONS || preface);
    out.pathAt = out.pathEnd;
    return alone ? 0 : BAD_TARGET;
  }
  out.targetForm = TargetForm.ABSOLUTE;
  let at = out.targetAt;
  if (startsWith(bytes, at, out.targetEnd, HTTP_SCHEME)) at += HTTP_SCHEME.length;
  else if (startsWith(bytes, at, out.targetEnd, HTTPS_SCHEME)) at += HTTPS_SCHEME.length;
  else return BAD_TARGET;
  const hostAt = at;
  while (at < out.pathEnd && bytes[at] !== SLASH) at++;
  out.pathAt = at;
  const nameEnd = checkHost(bytes, hostAt, at);
  return nameEnd < 0 ? BAD_TARGET : setHost(out, hostAt, at, nameEnd);
}

function setHost(out: RequestHead, at: number, end: number, nameEnd: number): number {
  out.hostAt = at;
  out.hostEnd = end;
  out.hostNameEnd = nameEnd;
  return 0;
}

/** `HTTP/1.1` and the line's end. @returns the position behind it, NEED_MORE, or a reason. */
function readVersion(bytes: Uint8Array, from: number, to: number, out: RequestHead): number {
  for (let i = 0; i < 5; i++) {
    if (from + i === to) return NEED_MORE;
    if (bytes[from + i] !== VERSION[i]) return NOT_HTTP;
  }
  const minorAt = from + VERSION.length;
  if (minorAt >= to) return NEED_MORE;
  const major = bytes[from + 5]!;
  const minor = bytes[minorAt]!;
  if (!isDigit(major) || bytes[from + 6] !== DOT || !isDigit(minor)) return NOT_HTTP;
  if (major !== VERSION[5] || minor > 0x31) {
    return out.targetForm === TargetForm.ASTERISK && major === 0x32 && out.method === Method.OTHER
      ? HTTP2_PREFACE
      : OTHER_VERSION;
  }
  if (out.targetForm === TargetForm.ASTERISK && out.method !== Method.OPTIONS) return BAD_TARGET;
  out.minorVersion = minor - 0x30;
  const lineEnd = minorAt + 1;
  if (lineEnd === to) return NEED_MORE;
  if (bytes[lineEnd] !== CR) return bytes[lineEnd] === LF ? BAD_LINE_END : NOT_HTTP;
  if (lineEnd + 1 === to) return NEED_MORE;
  return bytes[lineEnd + 1] === LF ? lineEnd + 2 : BAD_LINE_END;
}
