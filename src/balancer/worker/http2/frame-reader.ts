/**
 * Cuts what comes into frames (RFC 9113 4, 6): data piece by piece as it comes, field blocks whole with all their
 * CONTINUATIONs, everything else whole. Judges sizes, padding and order; what a frame means is the sink's.
 */
import { ENHANCE_YOUR_CALM, FRAME_SIZE_ERROR, NO_ERROR, PROTOCOL_ERROR } from "../../../protocols/http2/error-codes.ts";
import {
  CONTINUATION,
  DATA,
  DEFAULT_FRAME_SIZE,
  END_HEADERS,
  END_STREAM,
  FRAME_HEADER,
  HEADERS,
  newFrameHeader,
  PADDED,
  PRIORITY_BYTES,
  PRIORITY_FLAG,
  readFrameHeader,
  SETTINGS,
} from "../../../protocols/http2/frames.ts";
import { NEED_MORE } from "../../../protocols/result.ts";
import { MOST_PIECES } from "./limits.ts";

/** Who understands frames. Each method returns NO_ERROR, or the code of a connection error: then reading is over. */
export interface FrameSink {
  /** Is there room for what a frame may have to be answered with? If not, reading stops before the next one. */
  readonly ready: boolean;
  /** A DATA frame begins; its payload counts with its padding. */
  onDataFrame(stream: number, length: number, end: boolean): number;
  /** A piece of its data. */
  onData(stream: number, bytes: Uint8Array, from: number, to: number): number;
  /** So many bytes of it were padding. */
  onPadding(stream: number, count: number): number;
  /** The last of its payload has come, and it ends the stream. */
  onDataEnd(stream: number): number;
  /** A whole field block. */
  onBlock(stream: number, end: boolean, bytes: Uint8Array, from: number, to: number): number;
  /** A CONTINUATION. */
  onPiece(): number;
  /** Any other frame, its payload `bytes[from, to)`. */
  onFrame(type: number, flags: number, stream: number, bytes: Uint8Array, from: number, to: number): number;
}

/** The most of an unfinished frame that has to be kept until the rest is here. */
export const LARGEST_REST = FRAME_HEADER + DEFAULT_FRAME_SIZE;
const NO_BYTES = new Uint8Array(0);

export class FrameReader {
  /** Where the last `read` came to. */
  at = 0;
  readonly #sink: FrameSink;
  readonly #mostBlock: number;
  readonly #header = newFrameHeader();
  #settled = false;
  // A DATA frame whose payload has not all come.
  #data = 0;
  #padding = 0;
  #dataStream = 0;
  #dataEnds = false;
  // A field block whose end has not come; 0: none.
  #blockStream = 0;
  #blockEnds = false;
  #block: Uint8Array = NO_BYTES;
  #blockLength = 0;
  #pieces = 0;

  /** `mostBlock`: bytes of a field block. */
  constructor(sink: FrameSink, mostBlock: number) {
    this.#sink = sink;
    this.#mostBlock = mostBlock;
  }

  /** Is it in the middle of a field block, during which nothing else may come? */
  get inBlock(): boolean {
    return this.#blockStream !== 0;
  }

  /**
   * Reads `bytes[from, to)` as far as it goes; `at` says how far. What lies behind it, at most LARGEST_REST unless the sink
   * is not ready, comes again with more behind it. @returns NO_ERROR, or the code of a connection error.
   */
  read(bytes: Uint8Array, from: number, to: number): number {
    this.at = from;
    let code = NO_ERROR;
    while (code === NO_ERROR && this.at < to) {
      if (this.#data > 0 || this.#padding > 0) {
        code = this.#readData(bytes, to);
        continue;
      }
      if (!this.#sink.ready) break;
      const header = this.#header;
      const found = readFrameHeader(bytes, this.at, to, DEFAULT_FRAME_SIZE, header);
      if (found === NEED_MORE) break;
      if (found < 0) return FRAME_SIZE_ERROR;
      if (!this.#settled) {
        // RFC 9113 3.4: SETTINGS, and no answer to ours, comes first.
        if (header.type !== SETTINGS || header.flags !== 0) return PROTOCOL_ERROR;
        this.#settled = true;
      }
      if (this.#blockStream !== 0 && (header.type !== CONTINUATION || header.stream !== this.#blockStream)) {
        return PROTOCOL_ERROR;
      }
      if (header.type === DATA) {
        if (header.length > 0 && (header.flags & PADDED) !== 0 && to - this.at <= FRAME_HEADER) break;
        code = this.#beginData(bytes);
        continue;
      }
      if (to - this.at < FRAME_HEADER + header.length) break;
      const payload = this.at + FRAME_HEADER;
      this.at = payload + header.length;
      code = this.#readWhole(bytes, payload, this.at);
    }
    return code;
  }

  #beginData(bytes: Uint8Array): number {
    const { flags, stream, length } = this.#header;
    const payload = this.at + FRAME_HEADER;
    if (stream === 0) return PROTOCOL_ERROR;
    const isPadded = (flags & PADDED) !== 0;
    if (isPadded && length === 0) return FRAME_SIZE_ERROR;
    const padding = isPadded ? bytes[payload]! : 0;
    if (isPadded && padding >= length) return PROTOCOL_ERROR;
    const framing = isPadded ? 1 + padding : 0;
    this.#dataStream = stream;
    this.#dataEnds = (flags & END_STREAM) !== 0;
    this.#data = length - framing;
    this.#padding = padding;
    this.at = isPadded ? payload + 1 : payload;
    const code = this.#sink.onDataFrame(stream, length, this.#dataEnds);
    if (code !== NO_ERROR) return code;
    const counted = framing > 0 ? this.#sink.onPadding(stream, framing) : NO_ERROR;
    return counted !== NO_ERROR || length > framing || padding > 0 ? counted : this.#endData();
  }

  #readData(bytes: Uint8Array, to: number): number {
    let code = NO_ERROR;
    if (this.#data > 0) {
      const from = this.at;
      const count = Math.min(this.#data, to - from);
      this.#data -= count;
      this.at += count;
      code = this.#sink.onData(this.#dataStream, bytes, from, from + count);
    } else {
      const count = Math.min(this.#padding, to - this.at);
      this.#padding -= count;
      this.at += count;
    }
    return code !== NO_ERROR || this.#data > 0 || this.#padding > 0 ? code : this.#endData();
  }

  #endData(): number {
    return this.#dataEnds ? this.#sink.onDataEnd(this.#dataStream) : NO_ERROR;
  }

  #readWhole(bytes: Uint8Array, from: number, to: number): number {
    const { type, flags, stream } = this.#header;
    if (type === HEADERS) return this.#readHeaders(bytes, from, to);
    if (type === CONTINUATION) return this.#readContinuation(bytes, from, to);
    return this.#sink.onFrame(type, flags, stream, bytes, from, to);
  }

  #readHeaders(bytes: Uint8Array, from: number, to: number): number {
    const { flags, stream } = this.#header;
    if (stream === 0) return PROTOCOL_ERROR;
    let at = from;
    let end = to;
    if ((flags & PADDED) !== 0) {
      if (at === end) return FRAME_SIZE_ERROR;
      end -= bytes[at++]!;
    }
    // Priorities are read over (RFC 9113 5.3.2).
    if ((flags & PRIORITY_FLAG) !== 0) {
      if (to - at < PRIORITY_BYTES) return FRAME_SIZE_ERROR;
      at += PRIORITY_BYTES;
    }
    if (end < at) return PROTOCOL_ERROR;
    const ends = (flags & END_STREAM) !== 0;
    if ((flags & END_HEADERS) !== 0) return this.#sink.onBlock(stream, ends, bytes, at, end);
    this.#blockStream = stream;
    this.#blockEnds = ends;
    this.#blockLength = 0;
    this.#pieces = 1;
    return this.#append(bytes, at, end);
  }

  #readContinuation(bytes: Uint8Array, from: number, to: number): number {
    if (this.#blockStream === 0) return PROTOCOL_ERROR;
    if (++this.#pieces > MOST_PIECES) return ENHANCE_YOUR_CALM;
    const code = this.#sink.onPiece() || this.#append(bytes, from, to);
    if (code !== NO_ERROR || (this.#header.flags & END_HEADERS) === 0) return code;
    const stream = this.#blockStream;
    const block = this.#block;
    this.#blockStream = 0;
    this.#block = NO_BYTES;
    return this.#sink.onBlock(stream, this.#blockEnds, block, 0, this.#blockLength);
  }

  #append(bytes: Uint8Array, from: number, to: number): number {
    const length = this.#blockLength + to - from;
    if (length > this.#mostBlock) return ENHANCE_YOUR_CALM;
    if (length > this.#block.length) {
      const larger = new Uint8Array(Math.min(this.#mostBlock, Math.max(length, this.#block.length * 2)));
      larger.set(this.#block.subarray(0, this.#blockLength));
      this.#block = larger;
    }
    this.#block.set(bytes.subarray(from, to), this.#blockLength);
    this.#blockLength = length;
    return NO_ERROR;
  }
}
