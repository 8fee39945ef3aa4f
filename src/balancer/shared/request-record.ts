/**
 * What a worker tells control of an HTTP request that has ended, in the column's ring beside the records of connections.
 * Fixed fields, then the bytes of some texts as they came; neither side makes an object for each record.
 */
import { RecordKind } from "./record.ts";
import type { RingReader, RingWriter } from "./ring.ts";
import type { ServerId } from "./server-id.ts";

/** Texts of a request, by position, and the most bytes of each that a record carries. */
export const RequestText = { METHOD: 0, HOST: 1, TARGET: 2, REQUEST_ID: 3, REFERER: 4, USER_AGENT: 5 } as const;
export const MAX_TEXT_BYTES: readonly number[] = [16, 128, 512, 64, 256, 256];
const TEXTS = MAX_TEXT_BYTES.length;
const MOST_TEXT = MAX_TEXT_BYTES.reduce((sum, most) => sum + most, 0);

// Words of a record, then its float64 fields, then its texts, one behind the other. The first word is its kind.
const KIND = 0;
const ID_HIGH = 1;
const ID_LOW = 2;
const NUMBER = 3;
const SERVICE = 4;
const POOL = 5;
const SERVER = 6;
const ROUTE = 7;
const RECOGNISED = 8;
const REASON = 9;
const ATTEMPTS = 10;
const END = 11;
const STATUS = 12;
const VERSION = 13;
const TLS_VERSION = 14;
const REUSED = 15;
const SOURCE_PORT = 16;
/** How long each text was, not how much of it is here. */
const LENGTHS = 17;
const SOURCE = LENGTHS + TEXTS;
const FLOATS = Math.ceil((SOURCE + 4) / 2);
const STARTED = FLOATS;
const QUEUE = FLOATS + 1;
const CONNECT = FLOATS + 2;
const FIRST_BYTE = FLOATS + 3;
const DURATION = FLOATS + 4;
const BYTES_IN = FLOATS + 5;
const BYTES_OUT = FLOATS + 6;
const TEXT_BYTES = (FLOATS + 7) * 8;

/** One request. Mutable, and one for each worker and for each reader: filled, written or read, used again. */
export class RequestRecord {
  /** The connection's id (see ConnectionIds), and which of its requests this is, from 1. */
  idHigh = 0;
  idLow = 0;
  number = 0;
  /** Slots in the scoreboard; -1 for none. */
  service = -1;
  pool = -1;
  /** 0 for none. */
  server = 0 as ServerId;
  /** Position in the service's plan; -1 for none. */
  route = -1;
  /** Positions in RECOGNISED_BY, REASONS and ENDS. */
  recognisedBy = 0;
  reason = 0;
  end = 0;
  /** Connects that were tried; one that was open already counts too. */
  attempts = 0;
  /** What the client was answered; 0: nothing. */
  status = 0;
  /** 10, 11 or 20, as the client speaks. */
  version = 11;
  /** 12 or 13 where TLS ended here, else 0. */
  tlsVersion = 0;
  /** The server was reached over a connection that was open already. */
  reused = false;
  /** The client's address (IPv4 as ::ffff:a.b.c.d) and port, behind a PROXY header if there was one. */
  readonly source = new Uint8Array(16);
  sourcePort = 0;
  /** Unix milliseconds: when the request began. */
  startedMs = 0;
  /** Milliseconds since then, with fractions; -1 for what did not happen. `connectMs` and `queueMs` are lengths. */
  queueMs = -1;
  connectMs = -1;
  firstByteMs = -1;
  durationMs = 0;
  /** From the client and to the client, heads included. */
  bytesIn = 0;
  bytesOut = 0;
  /** Where each text lies, and how long it was before it was cut. Whoever writes only lends the bytes. */
  readonly textBytes: Uint8Array[] = Array.from({ length: TEXTS }, () => NO_BYTES);
  readonly textAt = new Int32Array(TEXTS);
  readonly textLength = new Int32Array(TEXTS);
  /** What a reader's texts lie in. */
  readonly room = new Uint8Array(MOST_TEXT);

  /** Lends the text `bytes[from, to)` until the record is written. */
  setText(text: number, bytes: Uint8Array, from: number, to: number): void {
    this.textBytes[text] = bytes;
    this.textAt[text] = from;
    this.textLength[text] = to - from;
  }

  /** Bytes of the text that are here. */
  lengthOf(text: number): number {
    return Math.min(this.textLength[text]!, MAX_TEXT_BYTES[text]!);
  }

  /** Drops all texts: nothing of an earlier request stays, and nothing is kept alive. */
  clearTexts(): void {
    for (let text = 0; text < TEXTS; text++) {
      this.textBytes[text] = NO_BYTES;
      this.textLength[text] = 0;
    }
  }
}

const NO_BYTES = new Uint8Array(0);

/** Worker: puts `record` into its ring. @returns false when the ring is full: dropped and counted there. */
export function writeRequestRecord(record: RequestRecord, ring: RingWriter): boolean {
  let length = TEXT_BYTES;
  for (let text = 0; text < TEXTS; text++) length += record.lengthOf(text);
  const at = ring.reserve(length);
  if (at < 0) return false;
  const words = ring.words;
  const word = at / 4;
  words[word + KIND] = RecordKind.REQUEST;
  words[word + ID_HIGH] = record.idHigh;
  words[word + ID_LOW] = record.idLow;
  words[word + NUMBER] = record.number;
  words[word + SERVICE] = record.service;
  words[word + POOL] = record.pool;
  words[word + SERVER] = record.server;
  words[word + ROUTE] = record.route;
  words[word + RECOGNISED] = record.recognisedBy;
  words[word + REASON] = record.reason;
  words[word + ATTEMPTS] = record.attempts;
  words[word + END] = record.end;
  words[word + STATUS] = record.status;
  words[word + VERSION] = record.version;
  words[word + TLS_VERSION] = record.tlsVersion;
  words[word + REUSED] = record.reused ? 1 : 0;
  words[word + SOURCE_PORT] = record.sourcePort;
  const floats = ring.floats;
  const float = at / 8;
  floats[float + STARTED] = record.startedMs;
  floats[float + QUEUE] = record.queueMs;
  floats[float + CONNECT] = record.connectMs;
  floats[float + FIRST_BYTE] = record.firstByteMs;
  floats[float + DURATION] = record.durationMs;
  floats[float + BYTES_IN] = record.bytesIn;
  floats[float + BYTES_OUT] = record.bytesOut;
  copy(record.source, 0, ring.bytes, at + SOURCE * 4, 16);
  let textAt = at + TEXT_BYTES;
  for (let text = 0; text < TEXTS; text++) {
    words[word + LENGTHS + text] = record.textLength[text]!;
    copy(record.textBytes[text]!, record.textAt[text]!, ring.bytes, textAt, record.lengthOf(text));
    textAt += record.lengthOf(text);
  }
  ring.commit();
  return true;
}

/** Control: takes the record at `at`, which `ring.next` gave and whose kind is REQUEST, into `record`. */
export function readRequestRecord(record: RequestRecord, ring: RingReader, at: number): void {
  const words = ring.words;
  const word = at / 4;
  record.idHigh = words[word + ID_HIGH]! >>> 0;
  record.idLow = words[word + ID_LOW]! >>> 0;
  record.number = words[word + NUMBER]!;
  record.service = words[word + SERVICE]!;
  record.pool = words[word + POOL]!;
  record.server = words[word + SERVER]! as ServerId;
  record.route = words[word + ROUTE]!;
  record.recognisedBy = words[word + RECOGNISED]!;
  record.reason = words[word + REASON]!;
  record.attempts = words[word + ATTEMPTS]!;
  record.end = words[word + END]!;
  record.status = words[word + STATUS]!;
  record.version = words[word + VERSION]!;
  record.tlsVersion = words[word + TLS_VERSION]!;
  record.reused = words[word + REUSED] === 1;
  record.sourcePort = words[word + SOURCE_PORT]!;
  const floats = ring.floats;
  const float = at / 8;
  record.startedMs = floats[float + STARTED]!;
  record.queueMs = floats[float + QUEUE]!;
  record.connectMs = floats[float + CONNECT]!;
  record.firstByteMs = floats[float + FIRST_BYTE]!;
  record.durationMs = floats[float + DURATION]!;
  record.bytesIn = floats[float + BYTES_IN]!;
  record.bytesOut = floats[float + BYTES_OUT]!;
  copy(ring.bytes, at + SOURCE * 4, record.source, 0, 16);
  let from = at + TEXT_BYTES;
  let into = 0;
  for (let text = 0; text < TEXTS; text++) {
    record.setText(text, record.room, into, into + words[word + LENGTHS + text]!);
    const length = record.lengthOf(text);
    copy(ring.bytes, from, record.room, into, length);
    from += length;
    into += length;
  }
  ring.done();
}

/** A loop, because a subarray for `set` would be an object for each record. */
function copy(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, length: number): void {
  for (let at = 0; at < length; at++) to[toAt + at] = from[fromAt + at]!;
}
