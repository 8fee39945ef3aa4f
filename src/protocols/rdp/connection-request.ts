/**
 * The first message of every RDP client: an X.224 Connection Request (MS-RDPBCGR 2.2.1.1). It is the only one that a
 * balancer sees in clear, and says who the client claims to be or where it was told to go.
 */
import { ascii, CR, isControl, LF, SPACE, startsWith } from "../ascii.ts";
import { NEED_MORE, type Reasons } from "../result.ts";
import { newPreconnectionBlob, readPreconnectionBlob } from "./preconnection-blob.ts";
import {
  buildControlTpdu,
  buildNegotiation,
  CONNECTION_REQUEST,
  FIXED_BYTES,
  MAX_CONTROL_TPDU,
  NEGOTIATION_BYTES,
  NEGOTIATION_REQUEST,
  readU32LE,
  TPKT_VERSION,
} from "./x224.ts";

/** Bound: 259 bytes, what the one-byte length indicator of X.224 allows. */
export const MAX_REQUEST = MAX_CONTROL_TPDU;

/** What the request's text line is; its value lies in `bytes[cookieAt, cookieEnd)`. */
export const NO_COOKIE = 0;
/** `Cookie: mstshash=` and a login: a hint, unauthenticated, often cut. The value is kept to the byte (see user.ts). */
export const USER_COOKIE = 1;
/** `Cookie: msts=` and a server's address: read the value with readMstsToken. */
export const MSTS_TOKEN = 2;
/** `Cookie: holdfast=` and our own signed token: read the value with openToken. */
export const SIGNED_TOKEN = 3;
/** `tsv://MS Terminal Services Plugin.1.` and a collection of Remote Desktop Services, which is the value. */
export const COLLECTION_TOKEN = 4;
/** Any other text: the value is the whole line. */
export const OTHER_TOKEN = 5;

export const NOT_TPKT = -1;
export const PRECONNECTION_BLOB = -2;
export const TOO_SHORT = -3;
export const TOO_LONG = -4;
export const BAD_LENGTH = -5;
export const NOT_CONNECTION_REQUEST = -6;
export const BAD_TEXT = -7;
export const NO_LINE_END = -8;
export const BAD_NEGOTIATION = -9;
export const CONNECTION_REQUEST_REASONS: Reasons = {
  [NOT_TPKT]: "not-tpkt",
  [PRECONNECTION_BLOB]: "preconnection-blob",
  [TOO_SHORT]: "too-short",
  [TOO_LONG]: "too-long",
  [BAD_LENGTH]: "bad-length",
  [NOT_CONNECTION_REQUEST]: "not-connection-request",
  [BAD_TEXT]: "bad-text",
  [NO_LINE_END]: "no-line-end",
  [BAD_NEGOTIATION]: "bad-negotiation",
};

/** RDP_NEG_REQ flags. */
export const RESTRICTED_ADMIN = 0x01;
export const REDIRECTED_AUTHENTICATION = 0x02;
export const CORRELATION_INFO_PRESENT = 0x08;
/** `negotiation` of a request without RDP_NEG_REQ: the client speaks plain RDP security only. */
export const NO_NEGOTIATION = -1;

const CORRELATION_TYPE = 6;
const CORRELATION_BYTES = 36;

export interface ConnectionRequest {
  /** Bytes of the whole message. */
  length: number;
  /** NO_COOKIE, USER_COOKIE, … OTHER_TOKEN: the first line counts. */
  cookie: number;
  cookieAt: number;
  cookieEnd: number;
  /** Flags of RDP_NEG_REQ, or NO_NEGOTIATION. */
  negotiation: number;
  /** Security protocols the client can do, PROTOCOL_… bits; 0 without RDP_NEG_REQ. */
  protocols: number;
}

export function newConnectionRequest(): ConnectionRequest {
  return { length: 0, cookie: NO_COOKIE, cookieAt: 0, cookieEnd: 0, negotiation: NO_NEGOTIATION, protocols: 0 };
}

/** In the order they are tried. All may stand behind `Cookie:` or alone, as .rdp files have both. */
const COOKIES: readonly { readonly kind: number; readonly prefix: Uint8Array }[] = [
  { kind: USER_COOKIE, prefix: ascii("mstshash=") },
  { kind: MSTS_TOKEN, prefix: ascii("msts=") },
  { kind: SIGNED_TOKEN, prefix: ascii("holdfast=") },
  { kind: COLLECTION_TOKEN, prefix: ascii("tsv://ms terminal services plugin.1.") },
];
const COOKIE_HEADER = ascii("cookie:");

/** Size, flags and version of a preconnection blob: nothing else looks like them. */
const BLOB_RECOGNISED = 12;
const blob = newPreconnectionBlob();

/**
 * Reads an X.224 Connection Request (MS-RDPBCGR 2.2.1.1) in `bytes[from, to)`. Bound: MAX_REQUEST, 259 bytes.
 *
 * Tolerated, because clients do it: any case and spacing of `Cookie:`, no cookie at all, several lines (the first
 * counts), spaces behind a token (the ActiveX client pads), credit and references that are not zero. A preconnection
 * blob in front is PRECONNECTION_BLOB as soon as its version is there.
 * @returns bytes used (> 0, `out` is filled), NEED_MORE (0), or a reason (< 0). Never throws, allocates or reads past `to`.
 */
export function readConnectionRequest(bytes: Uint8Array, from: number, to: number, out: ConnectionRequest): number {
  const have = to - from;
  if (have < 1) return NEED_MORE;
  if (bytes[from] !== TPKT_VERSION) return refuseFirstByte(bytes, from, to);
  if (have < 4) return NEED_MORE;
  const length = (bytes[from + 2]! << 8) | bytes[from + 3]!;
  if (length < FIXED_BYTES) return TOO_SHORT;
  if (length > MAX_REQUEST) return TOO_LONG;
  if (have > 4 && bytes[from + 4] !== length - 5) return BAD_LENGTH;
  if (have > 5 && (bytes[from + 5]! & 0xf0) !== CONNECTION_REQUEST) return NOT_CONNECTION_REQUEST;
  if (have < length) return NEED_MORE;

  const end = from + length;
  out.length = length;
  out.cookie = NO_COOKIE;
  out.cookieAt = from + FIXED_BYTES;
  out.cookieEnd = from + FIXED_BYTES;
  let next = from + FIXED_BYTES;
  while (next < end && bytes[next] !== NEGOTIATION_REQUEST) {
    const lineEnd = findLineEnd(bytes, next, end);
    if (lineEnd < 0) return lineEnd;
    if (out.cookie === NO_COOKIE) readCookie(bytes, next, lineEnd, out);
    next = lineEnd + 2;
  }
  return readNegotiation(bytes, next, end, out) ? length : BAD_NEGOTIATION;
}

/** What is there instead of a TPKT: the start of a preconnection blob, perhaps, or nothing that we know. */
function refuseFirstByte(bytes: Uint8Array, from: number, to: number): number {
  const seen = Math.min(to - from, BLOB_RECOGNISED);
  if (readPreconnectionBlob(bytes, from, from + seen, blob) !== NEED_MORE) return NOT_TPKT;
  return seen === BLOB_RECOGNISED ? PRECONNECTION_BLOB : NEED_MORE;
}

/** Where the CR LF of a line of text begins, or a reason. */
function findLineEnd(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && !isControl(bytes[at]!)) at++;
  if (at === to) return NO_LINE_END;
  if (bytes[at] !== CR) return BAD_TEXT;
  return at + 1 < to && bytes[at + 1] === LF ? at : NO_LINE_END;
}

/** Says what the line `bytes[from, to)` is. */
function readCookie(bytes: Uint8Array, from: number, to: number, out: ConnectionRequest): void {
  let at = from;
  if (startsWith(bytes, at, to, COOKIE_HEADER)) at += COOKIE_HEADER.length;
  while (at < to && bytes[at] === SPACE) at++;
  out.cookie = OTHER_TOKEN;
  out.cookieAt = from;
  for (const { kind, prefix } of COOKIES) {
    if (!startsWith(bytes, at, to, prefix)) continue;
    out.cookie = kind;
    out.cookieAt = at + prefix.length;
    break;
  }
  let end = to;
  // A login keeps its spaces: whether it has the nine characters at which mstsc cuts is asked of the bytes as sent.
  if (out.cookie !== USER_COOKIE) while (end > out.cookieAt && bytes[end - 1] === SPACE) end--;
  out.cookieEnd = end;
}

/** Reads what may follow the text: nothing, RDP_NEG_REQ, or RDP_NEG_REQ and RDP_NEG_CORRELATION_INFO (2.2.1.1.1, .2). */
function readNegotiation(bytes: Uint8Array, from: number, to: number, out: ConnectionRequest): boolean {
  out.negotiation = NO_NEGOTIATION;
  out.protocols = 0;
  if (from === to) return true;
  if (to - from < NEGOTIATION_BYTES || bytes[from + 2] !== NEGOTIATION_BYTES || bytes[from + 3] !== 0) return false;
  out.negotiation = bytes[from + 1]!;
  out.protocols = readU32LE(bytes, from + 4);
  const info = from + NEGOTIATION_BYTES;
  if ((out.negotiation & CORRELATION_INFO_PRESENT) === 0) return info === to;
  return (
    to - info === CORRELATION_BYTES &&
    bytes[info] === CORRELATION_TYPE &&
    bytes[info + 2] === CORRELATION_BYTES &&
    bytes[info + 3] === 0
  );
}

/**
 * A Connection Request for health checks, the demo and tests. `line` is the text without CR LF (`Cookie: mstshash=alice`);
 * `protocols` undefined leaves RDP_NEG_REQ out. Throws if the text does not fit: it is our own.
 */
export function buildConnectionRequest(options: { line?: string; protocols?: number | undefined }): Uint8Array {
  const line = options.line === undefined ? new Uint8Array(0) : ascii(`${options.line}\r\n`);
  const negotiation =
    options.protocols === undefined ? new Uint8Array(0) : buildNegotiation(NEGOTIATION_REQUEST, 0, options.protocols);
  const variable = new Uint8Array([...line, ...negotiation]);
  if (FIXED_BYTES + variable.length > MAX_REQUEST) throw new RangeError("the text of a Connection Request is too long");
  return buildControlTpdu(CONNECTION_REQUEST, 0, variable);
}
