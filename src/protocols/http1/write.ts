/**
 * Heads as the balancer writes them: what came, without what was only for us (RFC 9110 7.6.1), with what we add. Framing is
 * always written anew, from what was understood of it. Both writers leave the head open for more fields: `endHead` ends it.
 */
import { ascii, SPACE, writeDecimal } from "../ascii.ts";
import { Field } from "./fields.ts";
import { droppedForwarded, writeForwarded } from "./forwarded.ts";
import { copyAll, copySpan, endLine, passCookies, passFields } from "./pass-fields.ts";
import { CHUNKED, Method, type RequestHead, TargetForm } from "./request-head.ts";
import type { ResponseHead } from "./response.ts";
import { FRAMING, type RequestFacts, type RequestRules, type ResponseFacts, type ResponseRules } from "./rules.ts";

export { fieldLines, type RequestFacts, RequestRules, type ResponseFacts, ResponseRules } from "./rules.ts";

/** There is no room for it. Nothing of what was written means anything. */
export const TOO_LONG = -1;

const SLASH = 0x2f;
const ASTERISK = 0x2a;

const ONLY_FOR_US = (1 << Field.DROPPED) | FRAMING;
const WRITTEN_ANEW = ONLY_FOR_US | (1 << Field.HOST);

const HTTP11_HOST = ascii(" HTTP/1.1\r\nHost: ");
const X_REQUEST_ID = ascii("X-Request-Id: ");
const CONTENT_LENGTH = ascii("Content-Length: ");
const TRANSFER_ENCODING = ascii("Transfer-Encoding: chunked\r\n");
const EXPECT = ascii("Expect: 100-continue\r\n");
const UPGRADE = ascii("Upgrade: ");
const TE = ascii("TE: trailers\r\n");
/** Options of Connection towards the server; all that apply are in one field. */
const CLOSE = 1;
const TE_TOO = 2;
const UPGRADES = 4;
const CONNECTION_LINES: readonly Uint8Array[] = Array.from({ length: 8 }, (_, bits) => {
  const options = ["close", "TE", "Upgrade"].filter((_option, i) => (bits & (1 << i)) !== 0);
  return ascii(options.length > 0 ? `Connection: ${options.join(", ")}\r\n` : "");
});

/**
 * Writes the request for the server to `into[at]`: in HTTP/1.1, origin-form, Host first, all but the empty line.
 * @returns the position behind it, or TOO_LONG.
 */
export function writeRequestHead(
  bytes: Uint8Array,
  head: RequestHead,
  rules: RequestRules,
  facts: RequestFacts,
  into: Uint8Array,
  at: number,
): number {
  let next = copySpan(bytes, head.methodAt, head.methodEnd, into, at);
  into[next++] = SPACE;
  next = writeTarget(bytes, head, into, next);
  next = copyAll(HTTP11_HOST, into, next);
  if (rules.host.length > 0) next = copyAll(rules.host, into, next);
  else if (head.hostEnd > head.hostAt) next = copySpan(bytes, head.hostAt, head.hostEnd, into, next);
  else next = copyAll(facts.fallbackHost, into, next);
  next = endLine(into, next);
  const ownId = facts.requestIdLength > 0 && (rules.ruled & (1 << Field.X_REQUEST_ID)) === 0;
  const hides = facts.hidden.end > facts.hidden.at;
  const replaced = (ownId ? 1 << Field.X_REQUEST_ID : 0) | (hides ? 1 << Field.COOKIE : 0);
  const dropped = WRITTEN_ANEW | droppedForwarded(head, rules, facts) | replaced;
  next = passFields(bytes, head.fields, dropped, rules.removed, into, next);
  if (hides) next = passCookies(bytes, head.fields, facts.hidden, rules.removed, into, next);
  next = writeForwarded(bytes, head, rules, facts, into, next);
  if (ownId) {
    next = copyAll(X_REQUEST_ID, into, next);
    next = endLine(into, copySpan(facts.requestId, 0, facts.requestIdLength, into, next));
  }
  next = copyAll(rules.lines, into, next);
  if (head.body === CHUNKED) next = copyAll(TRANSFER_ENCODING, into, next);
  else if (head.hasLength) next = writeContentLength(into, next, head.body);
  if (head.expectContinue) next = copyAll(EXPECT, into, next);
  let options = facts.close ? CLOSE : 0;
  if (head.trailers) {
    next = copyAll(TE, into, next);
    options |= TE_TOO;
  }
  if (head.isUpgrade) {
    next = writeUpgrade(bytes, head.upgradeAt, head.upgradeEnd, into, next);
    options |= UPGRADES;
  }
  if (options !== 0) next = copyAll(CONNECTION_LINES[options]!, into, next);
  return next <= into.length ? next : TOO_LONG;
}

/** The target as servers get it (RFC 9112 3.2.1, 3.2.4). */
function writeTarget(bytes: Uint8Array, head: RequestHead, into: Uint8Array, at: number): number {
  if (head.targetForm !== TargetForm.ABSOLUTE) return copySpan(bytes, head.targetAt, head.targetEnd, into, at);
  if (head.pathEnd > head.pathAt) return copySpan(bytes, head.pathAt, head.targetEnd, into, at);
  into[at] = head.method === Method.OPTIONS && head.targetEnd === head.pathEnd ? ASTERISK : SLASH;
  return copySpan(bytes, head.pathEnd, head.targetEnd, into, at + 1);
}

function writeContentLength(into: Uint8Array, at: number, length: number): number {
  const next = copyAll(CONTENT_LENGTH, into, at);
  return endLine(into, next + writeDecimal(into, next, length));
}

function writeUpgrade(bytes: Uint8Array, from: number, to: number, into: Uint8Array, at: number): number {
  return endLine(into, copySpan(bytes, from, to, into, copyAll(UPGRADE, into, at)));
}

const HTTP11 = ascii("HTTP/1.1 ");
const CONNECTION_CLOSE = ascii("Connection: close\r\n");
const CONNECTION_KEEP_ALIVE = ascii("Connection: keep-alive\r\n");
const CONNECTION_UPGRADE = ascii("Connection: Upgrade\r\n");

/**
 * Writes the response for the client to `into[at]`, all but the empty line. An interim one (1xx) gets none of our own fields.
 * @returns the position behind it, or TOO_LONG.
 */
export function writeResponseHead(
  bytes: Uint8Array,
  head: ResponseHead,
  rules: ResponseRules,
  facts: ResponseFacts,
  into: Uint8Array,
  at: number,
): number {
  let next = copyAll(HTTP11, into, at);
  next += writeDecimal(into, next, head.status);
  into[next++] = SPACE;
  next = endLine(into, copySpan(bytes, head.phraseAt, head.phraseEnd, into, next));
  next = passFields(bytes, head.fields, ONLY_FOR_US, rules.removed, into, next);
  if (head.status < 200 && head.status !== 101) return next <= into.length ? next : TOO_LONG;
  next = copyAll(rules.lines, into, next);
  if (facts.body === CHUNKED) next = copyAll(TRANSFER_ENCODING, into, next);
  else if (facts.body >= 0 && head.contentLength >= 0 && head.status !== 204) {
    next = writeContentLength(into, next, head.contentLength);
  }
  if (head.upgradeEnd > head.upgradeAt && (head.status === 101 || head.status === 426)) {
    next = writeUpgrade(bytes, head.upgradeAt, head.upgradeEnd, into, next);
    next = copyAll(CONNECTION_UPGRADE, into, next);
  }
  if (facts.close) next = copyAll(CONNECTION_CLOSE, into, next);
  else if (facts.keepAlive) next = copyAll(CONNECTION_KEEP_ALIVE, into, next);
  return next <= into.length ? next : TOO_LONG;
}

/** Writes one field: `line` is its name, the colon and a blank. @returns the position behind it, or TOO_LONG. */
export function writeField(
  line: Uint8Array,
  value: Uint8Array,
  from: number,
  to: number,
  into: Uint8Array,
  at: number,
): number {
  if (at < 0) return TOO_LONG;
  const next = endLine(into, copySpan(value, from, to, into, copyAll(line, into, at)));
  return next <= into.length ? next : TOO_LONG;
}

/** Ends a head. @returns the position behind it, or TOO_LONG; TOO_LONG stays TOO_LONG. */
export function endHead(into: Uint8Array, at: number): number {
  return at < 0 || at + 2 > into.length ? TOO_LONG : endLine(into, at);
}
