/** Who the client is, for the server: X-Forwarded-For, -Proto, -Port, -Host, and Forwarded (RFC 7239). */
import { isIPv4, writeAddressText } from "../address.ts";
import { ascii, SPACE, writeDecimal } from "../ascii.ts";
import { Field } from "./fields.ts";
import { copyAll, copySpan, endLine } from "./pass-fields.ts";
import type { RequestHead } from "./request-head.ts";
import type { RequestFacts, RequestRules } from "./rules.ts";

const COMMA = 0x2c;
const FOR_LINE = ascii("X-Forwarded-For: ");
const PROTO_HTTP_LINE = ascii("X-Forwarded-Proto: http\r\n");
const PROTO_HTTPS_LINE = ascii("X-Forwarded-Proto: https\r\n");
const PORT_LINE = ascii("X-Forwarded-Port: ");
const HOST_LINE = ascii("X-Forwarded-Host: ");
const FORWARDED_LINE = ascii("Forwarded: ");
const FOR = ascii("for=");
const FOR_IPV6 = ascii('for="[');
const IPV6_END = ascii(']"');
const HOST = ascii(';host="');
const HOST_END = ascii('"');
const PROTO_HTTP = ascii(";proto=http");
const PROTO_HTTPS = ascii(";proto=https");

/** What a trusted peer has said of the client is kept; lists get a new end, which is the peer itself. */
const SINGLE = (1 << Field.X_FORWARDED_PROTO) | (1 << Field.X_FORWARDED_PORT) | (1 << Field.X_FORWARDED_HOST);
const ALL = SINGLE | (1 << Field.X_FORWARDED_FOR) | (1 << Field.FORWARDED);

/**
 * Which of the client's own fields are not passed on, a bit for each of Field. Where the peer may not say for whom it speaks,
 * it may say it in neither way: `Forwarded` goes too, whether we write one or not.
 */
export function droppedForwarded(head: RequestHead, rules: RequestRules, facts: RequestFacts): number {
  if (rules.forwarded === "off") return 0;
  if (rules.forwarded === "replace" || !facts.trusted) return ALL;
  // Lists are written anew with their new end.
  return (1 << Field.X_FORWARDED_FOR) | (rules.standard ? head.fields.present & (1 << Field.FORWARDED) : 0);
}

/** Writes our own. @returns the position behind them. */
export function writeForwarded(
  bytes: Uint8Array,
  head: RequestHead,
  rules: RequestRules,
  facts: RequestFacts,
  into: Uint8Array,
  at: number,
): number {
  if (rules.forwarded === "off") return at;
  const appends = rules.forwarded === "append" && facts.trusted;
  const left = rules.ruled | (appends ? head.fields.present & SINGLE : 0);
  let next = at;
  if ((left & (1 << Field.X_FORWARDED_FOR)) === 0) {
    next = copyAll(FOR_LINE, into, next);
    if (appends) next = writeList(bytes, head, Field.X_FORWARDED_FOR, into, next);
    next = endLine(into, next + writeAddressText(into, next, appends ? facts.peer : facts.source, 0));
  }
  if ((left & (1 << Field.X_FORWARDED_PROTO)) === 0) {
    next = copyAll(facts.secure ? PROTO_HTTPS_LINE : PROTO_HTTP_LINE, into, next);
  }
  if ((left & (1 << Field.X_FORWARDED_PORT)) === 0) {
    next = copyAll(PORT_LINE, into, next);
    next = endLine(into, next + writeDecimal(into, next, facts.port));
  }
  if ((left & (1 << Field.X_FORWARDED_HOST)) === 0 && head.hostEnd > head.hostAt) {
    next = copyAll(HOST_LINE, into, next);
    next = endLine(into, copySpan(bytes, head.hostAt, head.hostEnd, into, next));
  }
  if (!rules.standard || (left & (1 << Field.FORWARDED)) !== 0) return next;
  next = copyAll(FORWARDED_LINE, into, next);
  if (appends) next = writeList(bytes, head, Field.FORWARDED, into, next);
  return endLine(into, writeElement(bytes, head, appends ? facts.peer : facts.source, facts.secure, into, next));
}

/** The values of all fields of one kind, each with a comma behind it. */
function writeList(bytes: Uint8Array, head: RequestHead, code: number, into: Uint8Array, at: number): number {
  const fields = head.fields;
  let next = at;
  for (let i = fields.find(code); i >= 0; i = fields.find(code, i + 1)) {
    if (fields.valueEnd(i) === fields.valueAt(i)) continue;
    next = copySpan(bytes, fields.valueAt(i), fields.valueEnd(i), into, next);
    into[next++] = COMMA;
    into[next++] = SPACE;
  }
  return next;
}

/** `for=192.0.2.1;host="a";proto=https`. */
function writeElement(
  bytes: Uint8Array,
  head: RequestHead,
  source: Uint8Array,
  secure: boolean,
  into: Uint8Array,
  at: number,
): number {
  const ipv4 = isIPv4(source);
  let next = copyAll(ipv4 ? FOR : FOR_IPV6, into, at);
  next += writeAddressText(into, next, source, 0);
  if (!ipv4) next = copyAll(IPV6_END, into, next);
  if (head.hostEnd > head.hostAt) {
    next = copyAll(HOST, into, next);
    next = copySpan(bytes, head.hostAt, head.hostEnd, into, next);
    next = copyAll(HOST_END, into, next);
  }
  return copyAll(secure ? PROTO_HTTPS : PROTO_HTTP, into, next);
}
