/** Frames on their way out: of all streams of a connection, in the order they were written. */
import { DATA, END_STREAM, FRAME_HEADER, writeFrameHeader } from "../../../protocols/http2/frames.ts";
import { type Channel, LOST } from "../channel.ts";
import { OUTBOX_BYTES } from "./limits.ts";

/** Enough but for very large heads. */
const BUFFER_BYTES = 64 * 1024;
/** Buffers that idle connections do not hold. Those of one worker. */
const SPARE: Uint8Array[] = [];
const MOST_SPARE = 16;
const NO_BYTES = new Uint8Array(0);
const FLAGS_AT = 4;

export class Outbox {
  #bytes: Uint8Array = NO_BYTES;
  #from = 0;
  #to = 0;
  /** The last frame, if it is one with data: where it begins, and whose it is. */
  #dataAt = -1;
  #dataStream = 0;

  get length(): number {
    return this.#to - this.#from;
  }

  get room(): number {
    return OUTBOX_BYTES - this.length;
  }

  /** Where a frame of so many bytes is to be written; the caller has looked for `room` and says `wrote` afterwards. */
  reserve(count: number): number {
    if (this.#bytes.length === 0) this.#bytes = SPARE.pop() ?? new Uint8Array(BUFFER_BYTES);
    if (this.#to + count > this.#bytes.length) this.#makeRoom(count);
    this.#dataAt = -1;
    return this.#to;
  }

  #makeRoom(count: number): void {
    const { length } = this;
    if (length + count <= this.#bytes.length) {
      this.#bytes.copyWithin(0, this.#from, this.#to);
    } else {
      const larger = new Uint8Array(OUTBOX_BYTES);
      larger.set(this.#bytes.subarray(this.#from, this.#to));
      this.#bytes = larger;
    }
    this.#to = length;
    this.#from = 0;
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  wrote(end: number): void {
    this.#to = end;
  }

  /** A DATA frame with `bytes[from, to)`, for which there is room. */
  putData(stream: number, bytes: Uint8Array, from: number, to: number, flags: number): void {
    const at = this.reserve(FRAME_HEADER + to - from);
    const end = writeFrameHeader(this.#bytes, at, to - from, DATA, flags, stream);
    this.#bytes.set(bytes.subarray(from, to), end);
    this.#to = end + to - from;
    this.#dataAt = at;
    this.#dataStream = stream;
  }

  /** Ends the stream with its data frame, if that is the last one here and whole. @returns whether it was. */
  endWithData(stream: number): boolean {
    if (this.#dataAt < this.#from || this.#dataStream !== stream) return false;
    this.#bytes[this.#dataAt + FLAGS_AT]! |= END_STREAM;
    this.#dataAt = -1;
    return true;
  }

  /** Writes what the channel takes. @returns bytes, or LOST. */
  flush(channel: Channel): number {
    const { length } = this;
    const taken = channel.write(this.#from === 0 ? this.#bytes : this.#bytes.subarray(this.#from, this.#to), length);
    if (taken === LOST) return LOST;
    this.#from += taken;
    this.#dataAt = -1;
    if (taken === length) this.clear();
    return taken;
  }

  clear(): void {
    if (this.#bytes.length === BUFFER_BYTES && SPARE.length < MOST_SPARE) SPARE.push(this.#bytes);
    this.#bytes = NO_BYTES;
    this.#from = 0;
    this.#to = 0;
    this.#dataAt = -1;
  }
}
