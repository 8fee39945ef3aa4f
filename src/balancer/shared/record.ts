/**
 * What a worker tells control of a connection: when it has reached a server, and when it has ended. Fixed fields in the
 * column's ring; neither side makes an object for each record.
 */
import type { RingReader, RingWriter } from "./ring.ts";
import type { ServerId } from "./server-id.ts";

/** What happened: to a connection, or (request-record.ts) to an HTTP request that is over. */
export const RecordKind = { OPENED: 1, ENDED: 2, REQUEST: 3 } as const;

/** Most bytes of a user name that a record carries. */
export const MAX_USER_BYTES = 64;

// Words of a record, then its float64 fields, then the user's bytes.
const KIND = 0;
const ID_HIGH = 1;
const ID_LOW = 2;
const SERVICE = 3;
const POOL = 4;
const SERVER = 5;
const RECOGNISED = 6;
const REASON = 7;
const RETURNED = 8;
const ATTEMPTS = 9;
const END = 10;
const SOURCE_PORT = 11;
const OUTBOUND_PORT = 12;
const USER_LENGTH = 13;
const SOURCE = 14;
const FLOATS = 18 / 2;
const STARTED = FLOATS;
const QUEUE = FLOATS + 1;
const CONNECT = FLOATS + 2;
const FIRST_BYTE = FLOATS + 3;
const DURATION = FLOATS + 4;
const BYTES_IN = FLOATS + 5;
const BYTES_OUT = FLOATS + 6;
const USER_BYTES = (FLOATS + 7) * 8;

const decoder = new TextDecoder();
const CONTROL = /\p{Cc}/u;

/** One connection. Mutable, and one for each worker and for each reader: filled, written or read, used again. */
export class ConnectionRecord {
  /** A RecordKind. */
  kind = 0;
  /** The connection's id (see ConnectionIds), two unsigned 32-bit halves. */
  idHigh = 0;
  idLow = 0;
  /** Slots in the scoreboard; -1 for none. */
  service = -1;
  pool = -1;
  /** 0 for none. */
  server = 0 as ServerId;
  /** Positions in RECOGNISED_BY, REASONS and ENDS. */
  recognisedBy = 0;
  reason = 0;
  end = 0;
  /** Position in RETURNS, or -1 for a client who was not known. */
  returned = -1;
  /** Servers that were tried. */
  attempts = 0;
  /** The client's address (IPv4 as ::ffff:a.b.c.d) and port, behind a PROXY header if there was one. */
  readonly source = new Uint8Array(16);
  sourcePort = 0;
  /** Our port of the connection to the server. */
  outboundPort = 0;
  /** Unix milliseconds. */
  startedMs = 0;
  /** Milliseconds, with fractions; -1 for what did not happen. */
  queueMs = -1;
  connectMs = -1;
  firstByteMs = -1;
  durationMs = 0;
  /** From the client, to the client. */
  bytesIn = 0;
  bytesOut = 0;
  /** The first `userLength` bytes are the user name as it came: untrusted, of no certain encoding. */
  readonly user = new Uint8Array(MAX_USER_BYTES);
  userLength = 0;

  /** Back to what a new connection has. */
  reset(): void {
    this.kind = this.idHigh = this.idLow = 0;
    this.service = this.pool = -1;
    this.server = 0 as ServerId;
    this.recognisedBy = this.reason = this.end = this.attempts = 0;
    this.returned = -1;
    this.source.fill(0);
    this.sourcePort = this.outboundPort = 0;
    this.startedMs = this.durationMs = this.bytesIn = this.bytesOut = 0;
    this.queueMs = this.connectMs = this.firstByteMs = -1;
    this.userLength = 0;
  }

  /** Takes the user name `bytes[from, to)`, cut at MAX_USER_BYTES. */
  setUser(bytes: Uint8Array, from: number, to: number): void {
    this.userLength = Math.min(to - from, MAX_USER_BYTES);
    for (let at = 0; at < this.userLength; at++) this.user[at] = bytes[from + at]!;
  }

  /** The user name as text, for people: UTF-8 with what is not replaced; "" for none. Control characters are replaced too. */
  userText(): string {
    const text = decoder.decode(this.user.subarray(0, this.userLength));
    return CONTROL.test(text) ? text.replace(/\p{Cc}/gu, "\ufffd") : text;
  }
}

/** Worker: puts `record` into its ring. @returns false when the ring is full: dropped and counted there. */
export function writeRecord(record: ConnectionRecord, ring: RingWriter): boolean {
  const at = ring.reserve(USER_BYTES + record.userLength);
  if (at < 0) return false;
  const words = ring.words;
  const word = at / 4;
  words[word + KIND] = record.kind;
  words[word + ID_HIGH] = record.idHigh;
  words[word + ID_LOW] = record.idLow;
  words[word + SERVICE] = record.service;
  words[word + POOL] = record.pool;
  words[word + SERVER] = record.server;
  words[word + RECOGNISED] = record.recognisedBy;
  words[word + REASON] = record.reason;
  words[word + RETURNED] = record.returned;
  words[word + ATTEMPTS] = record.attempts;
  words[word + END] = record.end;
  words[word + SOURCE_PORT] = record.sourcePort;
  words[word + OUTBOUND_PORT] = record.outboundPort;
  words[word + USER_LENGTH] = record.userLength;
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
  copy(record.user, 0, ring.bytes, at + USER_BYTES, record.userLength);
  ring.commit();
  return true;
}

/** Control: the kind of the record at `at`, which `ring.next` gave. */
export function kindAt(ring: RingReader, at: number): number {
  return ring.words[at / 4 + KIND]!;
}

/** Control: takes the oldest record, a connection's, out of a ring into `record`. @returns false when there is none. */
export function readRecord(record: ConnectionRecord, ring: RingReader): boolean {
  const at = ring.next();
  if (at < 0) return false;
  readRecordAt(record, ring, at);
  return true;
}

/** Control: takes the record at `at`, which `ring.next` gave and which is a connection's, into `record`. */
export function readRecordAt(record: ConnectionRecord, ring: RingReader, at: number): void {
  const words = ring.words;
  const word = at / 4;
  record.kind = words[word + KIND]!;
  record.idHigh = words[word + ID_HIGH]! >>> 0;
  record.idLow = words[word + ID_LOW]! >>> 0;
  record.service = words[word + SERVICE]!;
  record.pool = words[word + POOL]!;
  record.server = words[word + SERVER]! as ServerId;
  record.recognisedBy = words[word + RECOGNISED]!;
  record.reason = words[word + REASON]!;
  record.returned = words[word + RETURNED]!;
  record.attempts = words[word + ATTEMPTS]!;
  record.end = words[word + END]!;
  record.sourcePort = words[word + SOURCE_PORT]!;
  record.outboundPort = words[word + OUTBOUND_PORT]!;
  record.userLength = words[word + USER_LENGTH]!;
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
  copy(ring.bytes, at + USER_BYTES, record.user, 0, record.userLength);
  ring.done();
}

/** A loop, because a subarray for `set` would be an object for each record. */
function copy(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, length: number): void {
  for (let at = 0; at < length; at++) to[toAt + at] = from[fromAt + at]!;
}

const START_BITS = 26;
const START_MASK = (1 << START_BITS) - 1;

/**
 * Ids of a worker's connections, unique over workers, restarts and takeovers. High half: the column (upper 6 bits) and the
 * start of the process in unix seconds (lower 26 bits, two years). Low half: a number that the column's ring keeps.
 */
export class ConnectionIds {
  readonly high: number;
  readonly #ring: RingWriter;

  constructor(column: number, startSec: number, ring: RingWriter) {
    this.high = ((column << START_BITS) | (startSec & START_MASK)) >>> 0;
    this.#ring = ring;
  }

  /** The low half of the next connection's id. */
  next(): number {
    return this.#ring.nextSequence();
  }
}

/** The column of the worker that has (or had) the connection. */
export const columnOfId = (high: number): number => high >>> START_BITS;

/** An id as people see it: `c-`, eight hexadecimal digits of the high half, then the low half without leading zeros. */
export function connectionIdText(high: number, low: number): string {
  return `c-${high.toString(16).padStart(8, "0")}${low.toString(16)}`;
}

/** The halves of an id that a person typed, or undefined for text that is none. */
export function parseConnectionId(text: string): { readonly high: number; readonly low: number } | undefined {
  const match = /^c-([0-9a-f]{8})([0-9a-f]{1,8})$/.exec(text);
  if (!match) return undefined;
  return { high: Number.parseInt(match[1]!, 16), low: Number.parseInt(match[2]!, 16) };
}
