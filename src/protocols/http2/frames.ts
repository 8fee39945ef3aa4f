/** The frames of HTTP/2 (RFC 9113 4 and 6): their header, their payloads, and how each is written. */
import { ascii } from "../ascii.ts";
import { NEED_MORE, type Reasons } from "../result.ts";

// Types (RFC 9113 6). Those that are not here are ignored (5.5).
export const DATA = 0x0;
export const HEADERS = 0x1;
export const PRIORITY = 0x2;
export const RST_STREAM = 0x3;
export const SETTINGS = 0x4;
export const PUSH_PROMISE = 0x5;
export const PING = 0x6;
export const GOAWAY = 0x7;
export const WINDOW_UPDATE = 0x8;
export const CONTINUATION = 0x9;

// Flags.
export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const PRIORITY_FLAG = 0x20;

// Settings (RFC 9113 6.5.2, RFC 8441 3).
export const HEADER_TABLE_SIZE = 0x1;
export const ENABLE_PUSH = 0x2;
export const MAX_CONCURRENT_STREAMS = 0x3;
export const INITIAL_WINDOW_SIZE = 0x4;
export const MAX_FRAME_SIZE = 0x5;
export const MAX_HEADER_LIST_SIZE = 0x6;
export const ENABLE_CONNECT_PROTOCOL = 0x8;
export const NO_RFC7540_PRIORITIES = 0x9;

export const FRAME_HEADER = 9;
/** The payload that everybody takes without a setting that says more. */
export const DEFAULT_FRAME_SIZE = 16_384;
export const LARGEST_FRAME_SIZE = 0xffffff;
export const DEFAULT_WINDOW = 65_535;
export const LARGEST_WINDOW = 0x7fffffff;
export const LARGEST_STREAM = 0x7fffffff;
/** Of PING's payload, of one setting, of RST_STREAM's and WINDOW_UPDATE's, of GOAWAY's without debug data, of PRIORITY's. */
export const PING_BYTES = 8;
export const SETTING_BYTES = 6;
export const WORD_BYTES = 4;
export const GOAWAY_BYTES = 8;
export const PRIORITY_BYTES = 5;

/** What a client sends first (RFC 9113 3.4). */
export const PREFACE = ascii("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export const FRAME_TOO_LARGE = -1;
export const FRAME_REASONS: Reasons = { [FRAME_TOO_LARGE]: "frame-too-large" };

export interface FrameHeader {
  /** Of the payload, which follows the header. */
  length: number;
  type: number;
  flags: number;
  /** 0: the connection. The reserved bit is ignored. */
  stream: number;
}

export function newFrameHeader(): FrameHeader {
  return { length: 0, type: 0, flags: 0, stream: 0 };
}

/**
 * Reads the header of a frame in `bytes[from, to)`; bound: FRAME_HEADER, 9 bytes. `largest`: of the payload.
 * @returns bytes used (9, `out` is filled), NEED_MORE (0), or FRAME_TOO_LARGE. Never throws or allocates.
 */
export function readFrameHeader(
  bytes: Uint8Array,
  from: number,
  to: number,
  largest: number,
  out: FrameHeader,
): number {
  if (to - from < FRAME_HEADER) return NEED_MORE;
  out.length = (bytes[from]! << 16) | (bytes[from + 1]! << 8) | bytes[from + 2]!;
  out.type = bytes[from + 3]!;
  out.flags = bytes[from + 4]!;
  out.stream = readWord(bytes, from + 5) & LARGEST_STREAM;
  return out.length > largest ? FRAME_TOO_LARGE : FRAME_HEADER;
}

/** 32 bits as an unsigned number. */
export function readWord(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** The low 31 bits: a stream, or the increment of a window. */
export function readWord31(bytes: Uint8Array, at: number): number {
  return readWord(bytes, at) & 0x7fffffff;
}

export function writeWord(into: Uint8Array, at: number, value: number): number {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
  return at + 4;
}

/** Each `write…` puts a frame at `into[at]` and returns where it ends; the caller has made sure that there is room. */
export function writeFrameHeader(
  into: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): number {
  into[at] = length >>> 16;
  into[at + 1] = length >>> 8;
  into[at + 2] = length;
  into[at + 3] = type;
  into[at + 4] = flags;
  return writeWord(into, at + 5, stream);
}

/** `settings`: identifiers and values in turn. */
export function writeSettings(into: Uint8Array, at: number, settings: readonly number[]): number {
  let end = writeFrameHeader(into, at, (settings.length / 2) * SETTING_BYTES, SETTINGS, 0, 0);
  for (let i = 0; i < settings.length; i += 2) {
    into[end] = settings[i]! >>> 8;
    into[end + 1] = settings[i]!;
    end = writeWord(into, end + 2, settings[i + 1]!);
  }
  return end;
}

export function writeSettingsAck(into: Uint8Array, at: number): number {
  return writeFrameHeader(into, at, 0, SETTINGS, ACK, 0);
}

/** The eight bytes are those at `payload[from]`. */
export function writePing(into: Uint8Array, at: number, flags: number, payload: Uint8Array, from: number): number {
  const end = writeFrameHeader(into, at, PING_BYTES, PING, flags, 0);
  for (let i = 0; i < PING_BYTES; i++) into[end + i] = payload[from + i]!;
  return end + PING_BYTES;
}

export function writeWindowUpdate(into: Uint8Array, at: number, stream: number, increment: number): number {
  return writeWord(into, writeFrameHeader(into, at, WORD_BYTES, WINDOW_UPDATE, 0, stream), increment);
}

export function writeReset(into: Uint8Array, at: number, stream: number, code: number): number {
  return writeWord(into, writeFrameHeader(into, at, WORD_BYTES, RST_STREAM, 0, stream), code);
}

/** `last`: the highest stream that was, or may still be, served. */
export function writeGoaway(into: Uint8Array, at: number, last: number, code: number): number {
  const end = writeWord(into, writeFrameHeader(into, at, GOAWAY_BYTES, GOAWAY, 0, 0), last);
  return writeWord(into, end, code);
}
