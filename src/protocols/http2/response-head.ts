/** A response's fields as HTTP/2 carries them, judged (RFC 9113 8.2, 8.3.2) and written as the head of an HTTP/1.1 response. */
import { ascii, isDigit, writeDecimal } from "../ascii.ts";
import { Field, fieldCode } from "../http1/fields.ts";
import type { FieldList } from "./field-list.ts";
import {
  checkField,
  isText,
  LINE_END,
  MALFORMED_LENGTH,
  MALFORMED_PSEUDO,
  readLength,
  write,
  writeLine,
  writeValue,
} from "./field-rules.ts";

/** What a head takes at most beyond the size of its list. */
export const RESPONSE_FRAMING = 256;

/** What the reader of a stream has to know of its answer. */
export interface AnswerFacts {
  /** 100 to 599. */
  status: number;
  /** Bytes of the body; -1 if not stated, or if there is none whatever it says. */
  contentLength: number;
  /** The body that follows is read in chunks. */
  chunked: boolean;
}

const COLON = 0x3a;
const STATUS = ascii(":status");
const VERSION = ascii("HTTP/1.1 ");
const EMPTY_PHRASE = ascii(" \r\n");
const SWITCHING = ascii("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n");
const ACCEPT = ascii("sec-websocket-accept: ");
const CHUNKED = ascii("transfer-encoding: chunked\r\n");
const CONTENT_LENGTH = ascii("content-length: ");
const NO_CONTENT = 204;
const NOT_MODIFIED = 304;

/**
 * Writes the head to the beginning of `into`, which has room for the list's limit and RESPONSE_FRAMING. `ended`: no body
 * follows. `isHead`: of an answer to HEAD. `accept`: the request was for a WebSocket (RFC 8441), and this is what its client
 * must be told; null: it was not.
 * @returns bytes of the head (> 0, `facts` are filled), or a reason of field-rules.ts.
 */
export function writeResponseHead(
  list: FieldList,
  ended: boolean,
  isHead: boolean,
  accept: Uint8Array | null,
  into: Uint8Array,
  facts: AnswerFacts,
): number {
  const refused = check(list, facts);
  if (refused < 0) return refused;
  const { status } = facts;
  if (status === 101 || (ended && status < 200)) return MALFORMED_PSEUDO;
  const hasNoBody = isHead || status < 200 || status === NO_CONTENT || status === NOT_MODIFIED;
  if (ended && !hasNoBody && facts.contentLength > 0) return MALFORMED_LENGTH;
  const length = facts.contentLength;
  if (accept !== null && status >= 200 && status < 300) {
    facts.status = 101;
    facts.contentLength = -1;
    facts.chunked = false;
    const at = write(into, write(into, write(into, write(into, 0, SWITCHING), ACCEPT), accept), LINE_END);
    return write(into, writeFields(list, into, at), LINE_END);
  }
  facts.chunked = !ended && !hasNoBody && length < 0;
  facts.contentLength = hasNoBody ? -1 : length;
  let at = write(into, writeValue(list, 0, into, write(into, 0, VERSION)), EMPTY_PHRASE);
  at = writeFields(list, into, at);
  if (facts.chunked) at = write(into, at, CHUNKED);
  else if (length >= 0 || (ended && !hasNoBody)) {
    at = write(into, at, CONTENT_LENGTH);
    at = write(into, at + writeDecimal(into, at, Math.max(length, 0)), LINE_END);
  }
  return write(into, at, LINE_END);
}

/** The only pseudo-header field comes first. @returns a reason, or 0. */
function check(list: FieldList, facts: AnswerFacts): number {
  const { bytes } = list;
  if (list.count === 0 || !isText(bytes, list.nameAt(0), list.valueAt(0), STATUS)) return MALFORMED_PSEUDO;
  facts.status = readStatus(bytes, list.valueAt(0), list.valueEnd(0));
  if (facts.status < 0) return MALFORMED_PSEUDO;
  facts.contentLength = -1;
  for (let i = 1; i < list.count; i++) {
    if (bytes[list.nameAt(i)] === COLON) return MALFORMED_PSEUDO;
    const code = checkField(list, i);
    if (code < 0) return code;
    if (code !== Field.CONTENT_LENGTH) continue;
    if (facts.contentLength >= 0) return MALFORMED_LENGTH;
    facts.contentLength = readLength(bytes, list.valueAt(i), list.valueEnd(i));
    if (facts.contentLength < 0) return MALFORMED_LENGTH;
  }
  return 0;
}

function readStatus(bytes: Uint8Array, from: number, to: number): number {
  if (to - from !== 3) return -1;
  let status = 0;
  for (let i = from; i < to; i++) {
    if (!isDigit(bytes[i]!)) return -1;
    status = status * 10 + bytes[i]! - 0x30;
  }
  return status >= 100 && status <= 599 ? status : -1;
}

function writeFields(list: FieldList, into: Uint8Array, at: number): number {
  for (let i = 1; i < list.count; i++) {
    const code = fieldCode(list.bytes, list.nameAt(i), list.valueAt(i));
    if (code !== Field.CONTENT_LENGTH && code !== Field.SEC_WEBSOCKET_ACCEPT) at = writeLine(list, i, into, at);
  }
  return at;
}
