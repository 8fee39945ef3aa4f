/**
 * One stream of an HTTP/2 connection as a channel that speaks HTTP/1.1: what the other side sends is read as an HTTP/1.1
 * message, and an HTTP/1.1 message that is written goes out as HEADERS and DATA.
 */
import { ECONNRESET } from "../../../os/libc.ts";
import { CANCEL, INTERNAL_ERROR, NO_ERROR } from "../../../protocols/http2/error-codes.ts";
import { headEnd } from "../../../protocols/http2/response-block.ts";
import { Channel, type ChannelOwner, LOST, NOTHING_YET } from "../channel.ts";
import { Chunks } from "./chunks.ts";
import { Incoming } from "./incoming.ts";
import { MOST_BLOCK, STREAM_WINDOW } from "./limits.ts";

/** What a stream needs of its connection. */
export interface StreamLink {
  /** How much data of this stream may go out now. */
  dataRoom(stream: StreamChannel): number;
  /** At most `dataRoom`. */
  sendData(stream: StreamChannel, bytes: Uint8Array, from: number, to: number): void;
  /** Ends our side of the stream behind what was sent. */
  sendEnd(stream: StreamChannel): void;
  /** Is there room for what is no data: the end of a body, and its trailers? */
  readonly hasRoom: boolean;
  /** A field block. @returns whether there was room for it. */
  sendBlock(stream: StreamChannel, block: Uint8Array, length: number, ends: boolean): boolean;
  /** Where a block is built, and how much of it is in use already: what has to come first in the first block. */
  readonly block: Uint8Array;
  readonly blockBegin: number;
  /** There was no room: it wants to be told. */
  waits(stream: StreamChannel): void;
  /** The reader has taken so many bytes of data: they may come again. */
  taken(stream: StreamChannel, count: number): void;
  /** Nothing of it is used any more. `code`: with which it is reset, where it has not ended by itself. */
  released(stream: StreamChannel, code: number): void;
  /** There is something to read for its owner. */
  tell(stream: StreamChannel): void;
}

/** What follows the head of a message that is written, and what `sendHead` says besides. */
export const NO_BODY = 0;
export const LENGTH = 1;
export const CHUNKED = 2;
/** Until `end`: a tunnel, or a body of which nothing is known. */
export const RAW = 3;
/** Another head: this one was a 1xx. */
export const ANOTHER_HEAD = 4;
export const NO_ROOM = 5;
/** It cannot be sent: the stream is over. */
export const BROKEN = 6;
/** What is written next. */
const HEAD = ANOTHER_HEAD;

/** Of a head that is written in pieces. */
const MOST_HEAD = MOST_BLOCK;
const NO_BYTES = new Uint8Array(0);

export abstract class StreamChannel extends Channel {
  readonly fd = -1;
  readonly plain = false;
  /** 0: it has none yet. */
  id: number;
  protected readonly link: StreamLink;
  /** Bytes of data that the other side takes now; a setting may make it negative. */
  sendWindow: number;
  /** Bytes that it may send now, and those that were read since it was last told. */
  receiveWindow = STREAM_WINDOW;
  unannounced = 0;
  /** The other side, and ours, has ended its sending. */
  remoteEnded = false;
  localEnded = false;
  /** The connection knows it: it may send and be reset. */
  linked = true;
  /** Its owner is going to be told; it is waiting for room. */
  toBeTold = false;
  waiting = false;
  /** Since when it wants to write and cannot; 0: it can. Monotonic milliseconds. */
  stuckMs = 0;
  /** Bytes of the body that must still come; -1 if nobody knows how many. */
  bodyLeft = -1;
  readonly #incoming = new Incoming();
  #writes = HEAD;
  /** Of a body with a length. */
  #writeLeft = 0;
  #chunks: Chunks | null = null;
  /** The beginning of a head that came in pieces. */
  #head: Uint8Array = NO_BYTES;
  #held = true;

  constructor(link: StreamLink, id: number, sendWindow: number, owner: ChannelOwner) {
    super(owner);
    this.link = link;
    this.id = id;
    this.sendWindow = sendWindow;
  }

  /** Bytes go both ways as they are. */
  protected get isTunnel(): boolean {
    return false;
  }

  /** With which it is reset when its owner leaves before both sides have ended. */
  protected abstract get abandonCode(): number;

  /** Whoever has read everything that came: is it the end? */
  protected abstract get atEnd(): boolean;

  /** Sends the head `bytes[from, to)` of a message. @returns one of the constants above; LENGTH with `bodyLength`. */
  protected abstract sendHead(bytes: Uint8Array, from: number, to: number): number;
  protected bodyLength = 0;
  /** Sends the lines behind a body in chunks, and the end. There is room. @returns whether they could be sent. */
  protected abstract sendTrailers(lines: Uint8Array): boolean;

  override watch(): void {
    if (this.readable && !this.toBeTold) this.link.tell(this);
  }

  // What comes

  /** What is read next: a head. `chunked`: data is read in chunks; `length`: bytes of it, or -1. */
  protected beginReading(head: Uint8Array, chunked: boolean, length: number): void {
    this.#incoming.begin(head, chunked);
    this.bodyLeft = length;
    this.readable = true;
  }

  /** A piece of data, within the window. */
  receive(bytes: Uint8Array, from: number, to: number): void {
    if (!this.#held) return this.link.taken(this, to - from);
    this.#incoming.put(bytes, from, to);
    this.readable = true;
  }

  /** The end, with lines of trailers and their empty line, if there were any. */
  receiveEnd(trailers: Uint8Array | null): void {
    this.remoteEnded = true;
    this.#incoming.end(trailers);
    this.readable = true;
    this.endIsNear = this.atEnd;
    this.#unlinkWhenOver();
  }

  /** The other side has reset it, or the connection is gone. */
  lose(): void {
    this.linked = false;
    this.broken = true;
    this.lostBy = ECONNRESET;
    this.readable = true;
    this.writable = true;
    this.#dropIncoming();
  }

  override read(into: Uint8Array, most: number): number {
    const incoming = this.#incoming;
    const read = incoming.read(into, most, !this.broken);
    if (incoming.dataRead > 0) this.link.taken(this, incoming.dataRead);
    if (read > 0) {
      this.readable = this.broken || incoming.hasMore || this.atEnd;
      return read;
    }
    this.readable = false;
    if (this.broken) return LOST;
    return this.atEnd ? 0 : NOTHING_YET;
  }

  /** Nobody will read it: the bytes may come again for other streams. */
  #dropIncoming(): void {
    const dropped = this.#incoming.drop();
    if (dropped > 0) this.link.taken(this, dropped);
  }

  // What goes

  override write(bytes: Uint8Array, length: number): number {
    if (!this.linked) return LOST;
    let at = 0;
    while (at < length) {
      const taken = this.#writeSome(bytes, at, length);
      if (taken < 0) return LOST;
      if (taken === 0) {
        this.writable = false;
        this.link.waits(this);
        break;
      }
      at += taken;
    }
    return at;
  }

  /** @returns bytes taken of `bytes[from, to)`; 0: there is no room; below 0: the stream is over. */
  #writeSome(bytes: Uint8Array, from: number, to: number): number {
    switch (this.#writes) {
      case HEAD:
        return this.#writeHead(bytes, from, to);
      case LENGTH: {
        const taken = this.#writeData(bytes, from, Math.min(to, from + this.#writeLeft));
        this.#writeLeft -= taken;
        if (this.#writeLeft === 0) this.#endSending();
        return taken;
      }
      case CHUNKED:
        return this.#writeChunked(bytes, from, to);
      case RAW:
        return this.#writeData(bytes, from, to);
      default:
        return -1; // behind the end of the message
    }
  }

  #writeHead(bytes: Uint8Array, from: number, to: number): number {
    const before = this.#head;
    if (before.length === 0) {
      const end = headEnd(bytes, from, to);
      if (end - from > MOST_HEAD) return this.#wroteHead(BROKEN, 0);
      if (end > 0) return this.#wroteHead(this.sendHead(bytes, from, end), end - from);
    }
    const joined = new Uint8Array(before.length + to - from);
    joined.set(before);
    joined.set(bytes.subarray(from, to), before.length);
    const end = headEnd(joined, 0, joined.length);
    if (joined.length > 2 * MOST_HEAD || end > MOST_HEAD) return this.#wroteHead(BROKEN, 0);
    if (end > 0) return this.#wroteHead(this.sendHead(joined, 0, end), end - before.length);
    this.#head = joined;
    return to - from;
  }

  #wroteHead(framing: number, taken: number): number {
    if (framing === NO_ROOM) return 0;
    this.#head = NO_BYTES;
    if (framing === BROKEN) {
      if (this.linked) this.#release(INTERNAL_ERROR);
      return -1;
    }
    this.#writes = framing;
    if (framing === NO_BODY) this.#ended();
    else if (framing === LENGTH) this.#writeLeft = this.bodyLength;
    else if (framing === CHUNKED) this.#chunks = new Chunks();
    return taken;
  }

  #writeData(bytes: Uint8Array, from: number, to: number): number {
    const count = Math.min(to - from, this.link.dataRoom(this));
    if (count <= 0) return 0;
    this.link.sendData(this, bytes, from, from + count);
    return count;
  }

  #writeChunked(bytes: Uint8Array, from: number, to: number): number {
    const chunks = this.#chunks!;
    if (chunks.data > 0) {
      const taken = this.#writeData(bytes, from, Math.min(to, from + chunks.data));
      if (taken > 0) chunks.passed(taken);
      return taken;
    }
    if (!this.link.hasRoom) return 0;
    const taken = chunks.follow(bytes, from, to);
    if (taken < 0) {
      this.#release(INTERNAL_ERROR);
      return -1;
    }
    if (chunks.over) {
      if (chunks.trailers.length === 0) this.#endSending();
      else if (this.sendTrailers(chunks.trailers)) this.#ended();
      else this.#release(INTERNAL_ERROR);
    }
    return taken;
  }

  #endSending(): void {
    this.link.sendEnd(this);
    this.#ended();
  }

  /** Our side has ended. Whoever waits for what comes next sees the end. */
  #ended(): void {
    this.#writes = NO_BODY;
    this.#chunks = null;
    this.localEnded = true;
    this.#unlinkWhenOver();
    if (!this.atEnd) return;
    this.readable = true;
    this.endIsNear = true;
    this.link.tell(this);
  }

  #unlinkWhenOver(): void {
    if (!this.linked || !this.localEnded || !this.remoteEnded) return;
    this.linked = false;
    this.link.released(this, NO_ERROR);
  }

  override end(): void {
    if (!this.linked || this.localEnded) return;
    if (this.#writes === RAW) this.#endSending();
    else this.#release(INTERNAL_ERROR); // a part must not be taken for the whole
  }

  override close(withReset: boolean): void {
    if (!this.#held) return;
    this.#held = false;
    this.#dropIncoming();
    if (!this.linked) return;
    if (this.localEnded || !this.isTunnel) return this.#release(this.abandonCode);
    if (withReset || this.#writes !== RAW) return this.#release(CANCEL);
    this.#endSending();
    if (this.linked) this.#release(NO_ERROR);
  }

  /** Is the owner still there? */
  get held(): boolean {
    return this.#held;
  }

  #release(code: number): void {
    this.broken = true;
    this.linked = false;
    this.link.released(this, code);
  }
}
