/** The head of an HTTP/1.1 request, as our own engine writes it to a server, as a field block (RFC 9113 8.3.1, RFC 8441 5). */
import { ascii, isBlank, LF, SPACE } from "../ascii.ts";
import { Field, fieldCode } from "../http1/fields.ts";
import { isText } from "./field-rules.ts";
import { writeField, writeIndexed, writeNamed } from "./hpack-encoder.ts";
import { AUTHORITY, METHOD, PATH, SCHEME_HTTP, SCHEME_HTTPS } from "./static-table.ts";

/** What the other side of a stream has to know of a request. */
export interface SentFacts {
  isHead: boolean;
  /** Bytes of the body; -1 if not stated. Means nothing when `chunked`. */
  contentLength: number;
  chunked: boolean;
  /** It asks for a WebSocket, and this is its key; `keyAt` -1: it does not. */
  keyAt: number;
  keyEnd: number;
}

export function newSentFacts(): SentFacts {
  return { isHead: false, contentLength: -1, chunked: false, keyAt: -1, keyEnd: -1 };
}

const COLON = 0x3a;
const HEAD = ascii("HEAD");
const CONNECT = ascii("CONNECT");
const PROTOCOL = ascii(":protocolwebsocket");
const PROTOCOL_NAME = 9;

/** Where the lines of a head are: one request at a time. */
const line = { nameEnd: 0, valueAt: 0, valueEnd: 0, next: 0 };

/** Finds the parts of the line at `at`. @returns whether it is one. */
function findLine(bytes: Uint8Array, at: number, to: number): boolean {
  line.next = bytes.indexOf(LF, at) + 1;
  line.nameEnd = bytes.indexOf(COLON, at);
  if (line.next === 0 || line.next > to || line.nameEnd <= at || line.nameEnd >= line.next - 2) return false;
  line.valueAt = line.nameEnd + 1;
  line.valueEnd = line.next - 2;
  while (line.valueAt < line.valueEnd && isBlank(bytes[line.valueAt]!)) line.valueAt++;
  while (line.valueEnd > line.valueAt && isBlank(bytes[line.valueEnd - 1]!)) line.valueEnd--;
  return true;
}

/**
 * Writes the head `bytes[from, to)`, its empty line included, as a block to `into[at]`, which has blockRoom
 * (response-block.ts). `secure`: the scheme is https.
 * @returns where the block ends (`facts` are filled), or -1: it is none of our heads.
 */
export function writeRequestBlock(
  bytes: Uint8Array,
  from: number,
  to: number,
  secure: boolean,
  into: Uint8Array,
  at: number,
  facts: SentFacts,
): number {
  const methodEnd = bytes.indexOf(SPACE, from);
  const targetEnd = bytes.indexOf(SPACE, methodEnd + 1);
  const first = bytes.indexOf(LF, from) + 1;
  if (methodEnd < 0 || targetEnd < 0 || targetEnd > first) return -1;
  facts.isHead = isText(bytes, from, methodEnd, HEAD);
  facts.contentLength = -1;
  facts.chunked = false;
  facts.keyAt = -1;
  // The pseudo-header fields come first, whatever the order of the lines.
  let authorityAt = -1;
  let authorityEnd = -1;
  for (let next = first; next < to - 2; next = line.next) {
    if (!findLine(bytes, next, to)) return -1;
    const code = fieldCode(bytes, next, line.nameEnd);
    if (code === Field.HOST) {
      authorityAt = line.valueAt;
      authorityEnd = line.valueEnd;
    } else if (code === Field.SEC_WEBSOCKET_KEY) {
      facts.keyAt = line.valueAt;
      facts.keyEnd = line.valueEnd;
    } else if (code === Field.CONTENT_LENGTH) {
      facts.contentLength = readDigits(bytes, line.valueAt, line.valueEnd);
    } else if (code === Field.TRANSFER_ENCODING) {
      facts.chunked = true;
    }
  }
  const isWebSocket = facts.keyAt >= 0;
  let end = isWebSocket
    ? writeNamed(into, at, METHOD, CONNECT, 0, CONNECT.length)
    : writeNamed(into, at, METHOD, bytes, from, methodEnd);
  if (isWebSocket) end = writeField(into, end, PROTOCOL, 0, PROTOCOL_NAME, PROTOCOL_NAME, PROTOCOL.length);
  end = writeIndexed(into, end, secure ? SCHEME_HTTPS : SCHEME_HTTP);
  end = writeNamed(into, end, PATH, bytes, methodEnd + 1, targetEnd);
  if (authorityAt >= 0) end = writeNamed(into, end, AUTHORITY, bytes, authorityAt, authorityEnd);
  return writeLines(bytes, first, to, into, end);
}

/** All that is not about a connection of HTTP/1.1. */
function writeLines(bytes: Uint8Array, first: number, to: number, into: Uint8Array, at: number): number {
  for (let next = first; next < to - 2; next = line.next) {
    findLine(bytes, next, to);
    switch (fieldCode(bytes, next, line.nameEnd)) {
      case Field.HOST:
      case Field.CONNECTION:
      case Field.PROXY_CONNECTION:
      case Field.KEEP_ALIVE:
      case Field.TRANSFER_ENCODING:
      case Field.UPGRADE:
      case Field.HTTP2_SETTINGS:
      case Field.SEC_WEBSOCKET_KEY:
        break;
      default:
        at = writeField(into, at, bytes, next, line.nameEnd, line.valueAt, line.valueEnd);
    }
  }
  return at;
}

function readDigits(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) value = value * 10 + bytes[i]! - 0x30;
  return value;
}
