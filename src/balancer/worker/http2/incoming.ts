/** What comes over a stream, as an HTTP/1.1 message: its head, then its data, in chunks where no length was told. */
import { ascii } from "../../../protocols/ascii.ts";
import { Inbox } from "./inbox.ts";

/** What a chunk takes besides its data, at most: the size in hexadecimal, and two line ends. */
const CHUNK_FRAMING = 10;
const LAST_CHUNK = ascii("0\r\n");
const EMPTY_LINE = ascii("\r\n");
const NO_BYTES = new Uint8Array(0);

export class Incoming {
  /** Bytes of data, without framing, that the last `read` took. */
  dataRead = 0;
  /** The head, then what ends the chunks. */
  #pending: Uint8Array = NO_BYTES;
  #pendingAt = 0;
  /** Null until there is data: most requests have none. */
  #inbox: Inbox | null = null;
  #inChunks = false;
  #ended = false;
  /** Lines of the trailers and the empty line. */
  #trailers: Uint8Array = EMPTY_LINE;
  #lastChunkRead = false;

  /** A head has come, perhaps behind another one. `inChunks`: how what follows is read. */
  begin(head: Uint8Array, inChunks: boolean): void {
    this.#pending = this.#pending.length === 0 ? head : Buffer.concat([this.#pending, head]);
    this.#inChunks = inChunks;
  }

  put(bytes: Uint8Array, from: number, to: number): void {
    this.#inbox ??= new Inbox();
    this.#inbox.put(bytes, from, to);
  }

  /** No more data comes. `trailers`: lines and their empty line, or null. */
  end(trailers: Uint8Array | null): void {
    this.#ended = true;
    if (trailers !== null) this.#trailers = trailers;
  }

  /** Is there anything to read? */
  get hasMore(): boolean {
    if (this.#pendingAt < this.#pending.length || this.#unread > 0) return true;
    return this.#inChunks && this.#ended && !this.#lastChunkRead;
  }

  /** Bytes of data. */
  get #unread(): number {
    return this.#inbox === null ? 0 : this.#inbox.length;
  }

  /** Moves at most `most` bytes to the beginning of `into`. `withData`: not only what was understood before. @returns how many. */
  read(into: Uint8Array, most: number, withData: boolean): number {
    this.dataRead = 0;
    const at = this.#takePending(into, 0, most);
    return withData && this.#pendingAt === this.#pending.length ? this.#takeData(into, at, most) : at;
  }

  /** Nobody will read it. @returns bytes of data that were here. */
  drop(): number {
    const length = this.#unread;
    this.#inbox = null;
    return length;
  }

  #takePending(into: Uint8Array, at: number, most: number): number {
    const pending = this.#pending;
    const count = Math.min(pending.length - this.#pendingAt, most - at);
    if (count === 0) return at;
    into.set(count === pending.length ? pending : pending.subarray(this.#pendingAt, this.#pendingAt + count), at);
    this.#pendingAt += count;
    if (this.#pendingAt === pending.length) {
      this.#pending = NO_BYTES;
      this.#pendingAt = 0;
    }
    return at + count;
  }

  #takeData(into: Uint8Array, at: number, most: number): number {
    const framing = this.#inChunks ? CHUNK_FRAMING : 0;
    if (this.#unread > 0 && at === 0 && most <= framing) return this.#takeBit(into, most);
    const count = Math.min(this.#unread, most - at - framing);
    if (count > 0) {
      if (this.#inChunks) at = writeChunkSize(into, at, count);
      this.#inbox!.take(into, at, count);
      this.dataRead = count;
      at += count;
      if (this.#inChunks) {
        into.set(EMPTY_LINE, at);
        at += EMPTY_LINE.length;
      }
    }
    if (!this.#inChunks || !this.#ended || this.#lastChunkRead || this.#unread > 0) return at;
    this.#lastChunkRead = true;
    this.#pending = new Uint8Array(LAST_CHUNK.length + this.#trailers.length);
    this.#pending.set(LAST_CHUNK);
    this.#pending.set(this.#trailers, LAST_CHUNK.length);
    return this.#takePending(into, at, most);
  }

  /** Whoever reads so little gets a small chunk in pieces. */
  #takeBit(into: Uint8Array, most: number): number {
    const chunk = new Uint8Array(2 * CHUNK_FRAMING);
    const length = this.#takeData(chunk, 0, chunk.length);
    this.#pending = Buffer.concat([chunk.subarray(0, length), this.#pending.subarray(this.#pendingAt)]);
    this.#pendingAt = 0;
    return this.#takePending(into, 0, most);
  }
}

/** A chunk's size and its line end (RFC 9112 7.1). */
function writeChunkSize(into: Uint8Array, at: number, size: number): number {
  let digits = 1;
  for (let rest = size; rest > 15; rest >>>= 4) digits++;
  for (let i = digits - 1, rest = size; i >= 0; i--, rest >>>= 4) {
    const digit = rest & 15;
    into[at + i] = digit < 10 ? 0x30 + digit : 0x57 + digit;
  }
  into[at + digits] = 0x0d;
  into[at + digits + 1] = 0x0a;
  return at + digits + 2;
}
