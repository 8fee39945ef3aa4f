/** What a client has sent and nobody has taken yet: the head of the request that is being served, and what came behind it. */
import { type HeadLimits, RequestHead, readRequestHead } from "../../../protocols/http1/request.ts";
import type { HttpRequest } from "../../client.ts";
import type { Channel } from "../channel.ts";
import { READ_BYTES } from "../way.ts";

const LINE_FEED = 0x0a;

/** A request's bytes and head. The head's offsets are good until the next `readHead`, `put` or `fill`. */
export class RequestInput implements HttpRequest {
  bytes: Uint8Array;
  readonly head = new RequestHead();
  /** What is here: `bytes[start, end)`. */
  start = 0;
  end = 0;
  /** So far a head was looked for. */
  #lookedTo = 0;

  constructor() {
    this.bytes = new Uint8Array(READ_BYTES);
  }

  /** Its buffer has the size that all have: it may be used again. */
  get isUsual(): boolean {
    return this.bytes.length === READ_BYTES;
  }

  /** A request that lasts keeps only its head, if that is all there is. */
  shrink(): void {
    if (this.start === 0 && this.end <= this.head.length) this.bytes = this.bytes.slice(0, this.end);
  }

  get isEmpty(): boolean {
    return this.start === this.end;
  }

  /** Is it worth looking for a head? A client that sends it in a thousand pieces has it read once for each line. */
  mayHaveHead(limits: HeadLimits): boolean {
    if (this.#lookedTo >= this.end) return false;
    if (this.#lookedTo <= this.start || this.end - this.start >= limits.head) return true;
    const next = this.bytes.indexOf(LINE_FEED, this.#lookedTo);
    return next >= 0 && next < this.end;
  }

  /** @returns the head's length, NEED_MORE, or a reason (reasons.ts). */
  readHead(limits: HeadLimits): number {
    this.#lookedTo = this.end;
    return readRequestHead(this.bytes, this.start, this.end, limits, this.head);
  }

  /** Reads more behind what is here; `headLimit` is the most that a head may have. @returns as Channel.read. */
  fill(channel: Channel, headLimit: number): number {
    if (this.start === this.end) this.clear();
    if (this.bytes.length < READ_BYTES) this.#makeRoom(READ_BYTES);
    if (this.end === this.bytes.length) this.#makeRoom(headLimit + 1);
    const { bytes, end } = this;
    const read = channel.read(end === 0 ? bytes : bytes.subarray(end), bytes.length - end);
    if (read > 0) this.end = end + read;
    return read;
  }

  /** Takes bytes that were read by somebody else. */
  put(bytes: Uint8Array): void {
    if (this.start === this.end) this.clear();
    if (this.end + bytes.length > this.bytes.length) this.#makeRoom(this.end - this.start + bytes.length);
    this.bytes.set(bytes, this.end);
    this.end += bytes.length;
  }

  /** What is in front of `at` was served. */
  consume(at: number): void {
    this.start = at;
    this.#lookedTo = at;
  }

  clear(): void {
    this.start = this.end = this.#lookedTo = 0;
  }

  /** Moves what is here to the beginning, of a larger buffer if it needs `most` bytes and has fewer. */
  #makeRoom(most: number): void {
    const { bytes, start, end } = this;
    if (most > bytes.length) {
      this.bytes = new Uint8Array(most);
      this.bytes.set(bytes.subarray(start, end));
    } else {
      bytes.copyWithin(0, start, end);
    }
    this.start = 0;
    this.end = end - start;
    this.#lookedTo -= start;
  }
}
