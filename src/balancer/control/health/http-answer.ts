/** A GET and as much of its answer as checks and agents look at: the status and the first 64 KiB of the body. */
import { isIP } from "node:net";
import { CR, LF } from "../../../protocols/ascii.ts";
import { HTTP1_REASONS } from "../../../protocols/http1/reasons.ts";
import { CHECKED, ResponseHead, readResponseHead } from "../../../protocols/http1/response.ts";
import { NEED_MORE, reasonName } from "../../../protocols/result.ts";

const MAX_BODY = 64 * 1024;
/** Bytes of an answer that are looked at. */
export const MAX_ANSWER = CHECKED.head + MAX_BODY;
/** Digits of a chunk's size: with more than seven it is larger than anything that is looked at. */
const MAX_SIZE_DIGITS = 7;
/** Bytes of the line before a chunk, extensions included. */
const MAX_SIZE_LINE = 1024;

/** What has come of an answer. `whole`: no more of the body will come. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: Uint8Array;
  readonly whole: boolean;
}

/**
 * A GET that asks to close afterwards. HTTP/1.1, because some proxies refuse 1.0 (Envoy with 426); so answers may come in
 * chunks. `host` is the Host header as the caller wants it, without brackets; `port` is named in it unless it is `usual`.
 */
export function buildGet(path: string, host: string, port: number, usual: number): Uint8Array {
  const name = isIP(host) === 6 ? `[${host}]` : host;
  const authority = port === usual ? name : `${name}:${port}`;
  return Buffer.from(
    `GET ${path} HTTP/1.1\r\nHost: ${authority}\r\nUser-Agent: holdfast\r\nAccept: */*\r\nConnection: close\r\n\r\n`,
    "latin1",
  );
}

/**
 * Reads what has come of an answer; `ended`: nothing more will.
 * @returns the answer so far, undefined before its head is there, or what is wrong with it in words.
 */
export function readHttpAnswer(bytes: Uint8Array, ended: boolean): HttpAnswer | undefined | string {
  const head = new ResponseHead();
  let at = 0;
  do {
    const used = readResponseHead(bytes, at, bytes.length, CHECKED, head);
    if (used === NEED_MORE) return undefined;
    if (used < 0) return `answer is not HTTP (${reasonName(HTTP1_REASONS, used)})`;
    at += used;
  } while (head.status < 200 && head.status !== 101); // interim answers (RFC 9110 15.2)
  const rest = bytes.subarray(at);
  if (head.chunked) return { status: head.status, ...readChunks(rest, ended) };
  const length = head.status === 204 || head.status === 304 ? 0 : head.contentLength;
  if (length >= 0 && rest.length >= length) return { status: head.status, body: rest.subarray(0, length), whole: true };
  return { status: head.status, body: rest, whole: ended };
}

/** The content of the chunks so far (RFC 9112 7.1). A broken chunk is an end. */
function readChunks(bytes: Uint8Array, ended: boolean): { body: Uint8Array; whole: boolean } {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf(LF, at);
    if (lineEnd < 0) return { body: Buffer.concat(pieces), whole: ended || bytes.length - at > MAX_SIZE_LINE };
    const size = chunkSize(bytes, at, lineEnd);
    if (size <= 0) return { body: Buffer.concat(pieces), whole: true };
    const begin = lineEnd + 1;
    pieces.push(bytes.subarray(begin, Math.min(begin + size, bytes.length)));
    at = begin + size;
    if (at >= bytes.length) return { body: Buffer.concat(pieces), whole: ended };
    at += bytes[at] === CR ? 2 : 1; // the line end after the content
  }
}

/** The size in the line `bytes[from, lineEnd)`, hexadecimal up to an extension; -1 if it is none. */
function chunkSize(bytes: Uint8Array, from: number, lineEnd: number): number {
  const line = Buffer.from(bytes.buffer, bytes.byteOffset + from, Math.min(lineEnd - from, MAX_SIZE_LINE)).toString(
    "latin1",
  );
  const digits = /^([0-9a-f]+)[ \t]*(?:;.*)?\r?$/i.exec(line)?.[1];
  return digits === undefined || digits.length > MAX_SIZE_DIGITS ? -1 : Number.parseInt(digits, 16);
}
