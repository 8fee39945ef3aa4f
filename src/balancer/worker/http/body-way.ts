/**
 * A message's body on its way from one channel to another, with the framing it has (RFC 9112 6): never more of it in memory
 * than one read, and a sink that takes nothing stops the source. A long one between plain sockets goes by splice(2).
 *
 * A body is whole only when its framing says so. A source that ends earlier has failed, and whoever closes the sink must not
 * let it look like an end.
 */
import { ChunkedReader } from "../../../protocols/http1/chunked.ts";
import type { NameSet } from "../../../protocols/http1/fields.ts";
import { CHUNKED, UNTIL_CLOSE } from "../../../protocols/http1/request.ts";
import { type Channel, LOST, NOTHING_YET } from "../channel.ts";
import type { KernelPipe } from "../pipes.ts";
import type { SocketChannel } from "../socket-channel.ts";
import { FAT_AFTER, FAT_BYTES, READ_BYTES, type RelayTools } from "../way.ts";

/** So much still to come, behind full reads, is worth a pipe. */
const WORTH_SPLICING = 256 * 1024;
const SPLICE_BYTES = 1 << 20;
const STILL_FAT = READ_BYTES / 2;
/** Steps in one turn of the loop. */
const STEPS = 16;

/** What a way came to when it was pumped. */
export const WAITING = 0; // nothing more to do until the next event
export const MORE = 1; // its share of this turn is used up
export const DONE = 2; // the body is whole and was taken
export const CUT_OFF = 3; // the source has ended, or was lost, within the body; everything before was taken
export const MALFORMED = 4; // the source's chunks are none
export const SINK_LOST = 5; // the sink takes no more

const NO_BYTES = new Uint8Array(0);

export class BodyWay {
  /** All of the body has come. */
  arrived = true;
  /** The source was lost, rather than ended, when it was CUT_OFF. */
  lost = false;
  /** Bytes of the body as the source sent them. */
  bytes = 0;
  /** Of what was at hand, so much belonged to the body. */
  used = 0;
  /** What was read behind the body later: the beginning of what comes next. */
  surplus: Uint8Array = NO_BYTES;
  /** A number of bytes still to come, CHUNKED or UNTIL_CLOSE. */
  #framing = 0;
  readonly #chunks = new ChunkedReader();
  #held: Uint8Array | null = null;
  #pipe: KernelPipe | null = null;
  #piped = 0;
  #fullReads = 0;

  /** Begins a body: a number of bytes, CHUNKED or UNTIL_CLOSE. `dataOnly`: chunks go on without their framing. */
  begin(body: number, dataOnly: boolean, removedTrailers?: NameSet): void {
    this.#framing = body;
    this.arrived = body === 0;
    this.lost = false;
    this.bytes = 0;
    this.used = 0;
    this.surplus = NO_BYTES;
    this.#fullReads = 0;
    if (body === CHUNKED) this.#chunks.begin(dataOnly, removedTrailers);
  }

  /** Is there anything that the source sent and the sink has not taken? */
  get holding(): boolean {
    return this.#held !== null || this.#piped > 0;
  }

  /** Bytes that go out behind what is held already, before what is read next. They are kept, not copied. */
  hold(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#held = this.#held === null ? bytes : joined(this.#held, bytes);
  }

  /** Gives away what is held. */
  takeHeld(): Uint8Array | null {
    const held = this.#held;
    this.#held = null;
    return held;
  }

  /**
   * Takes what is at hand of the body, `bytes[from, to)`, and puts what is passed on to `into[at]`, which has room for it and
   * for trailers. What `from` held stays as it is, so that it can be taken once more behind another `begin`.
   * `used` says then how much belonged to the body. @returns the position behind it, or -1: the chunks are none.
   */
  takeAtHand(bytes: Uint8Array, from: number, to: number, into: Uint8Array, at: number): number {
    this.used = 0;
    if (this.arrived || from === to) return at;
    const length = this.#framing >= 0 ? Math.min(this.#framing, to - from) : to - from;
    copy(bytes, from, length, into, at);
    if (this.#framing === CHUNKED) return this.#takeChunks(into, at, length);
    this.used = length;
    this.#count(length);
    return at + length;
  }

  /** So much of a body without chunks has come. */
  #count(length: number): void {
    this.bytes += length;
    if (this.#framing <= 0) return;
    this.#framing -= length;
    this.arrived = this.#framing === 0;
  }

  #takeChunks(into: Uint8Array, at: number, length: number): number {
    const chunks = this.#chunks;
    const used = chunks.read(into, at, at + length);
    if (used < 0) return -1;
    this.used = used;
    this.bytes += used;
    if (!chunks.done) return chunks.end;
    this.arrived = true;
    into.set(chunks.tail, chunks.end);
    return chunks.end + chunks.tail.length;
  }

  /** Moves what can be moved now. */
  pump(source: Channel, sink: Channel, tools: RelayTools): number {
    for (let step = 0; step < STEPS; step++) {
      const flushed = this.#flush(sink, tools);
      if (flushed !== DONE) return flushed;
      if (this.arrived) return this.#finish(tools);
      if (!source.readable) return WAITING;
      const result = this.#isFat(source, sink)
        ? this.#splice(source as SocketChannel, sink as SocketChannel, tools)
        : this.#copy(source, sink, tools);
      if (result !== MORE) return result;
    }
    return MORE;
  }

  #finish(tools: RelayTools): number {
    this.#releasePipe(tools);
    return DONE;
  }

  /** Sends what is held. @returns DONE when nothing is, WAITING, or SINK_LOST. */
  #flush(sink: Channel, tools: RelayTools): number {
    const held = this.#held;
    if (held !== null) {
      if (!sink.writable) return WAITING;
      const taken = sink.write(held, held.length);
      if (taken === LOST) return SINK_LOST;
      if (taken < held.length) {
        if (taken > 0) this.#held = held.subarray(taken);
        return WAITING;
      }
      this.#held = null;
    }
    return this.#piped === 0 ? DONE : this.#drainPipe(sink as SocketChannel, tools);
  }

  #copy(source: Channel, sink: Channel, { buffer }: RelayTools): number {
    const framing = this.#framing;
    const step = this.#fullReads >= FAT_AFTER ? FAT_BYTES : READ_BYTES;
    const read = source.read(buffer, framing > 0 && framing < step ? framing : step);
    if (read <= 0) return this.#nothingRead(source, read);
    if (read < READ_BYTES) this.#fullReads = 0;
    else this.#fullReads++;
    if (framing === CHUNKED) return this.#copyChunks(buffer, read, sink);
    this.#count(read);
    return this.#send(sink, buffer, read);
  }

  #copyChunks(buffer: Uint8Array, read: number, sink: Channel): number {
    const chunks = this.#chunks;
    const used = chunks.read(buffer, 0, read);
    if (used < 0) return MALFORMED;
    this.bytes += used;
    if (!chunks.done) return chunks.end > 0 ? this.#send(sink, buffer, chunks.end) : MORE;
    this.arrived = true;
    if (used < read) this.surplus = buffer.slice(used, read);
    const { end, tail } = chunks;
    if (end + tail.length <= buffer.length) {
      buffer.set(tail, end);
      return this.#send(sink, buffer, end + tail.length);
    }
    this.hold(joined(buffer.subarray(0, end), tail));
    return MORE;
  }

  #send(sink: Channel, bytes: Uint8Array, length: number): number {
    if (length === 0) return MORE;
    const taken = sink.writable ? sink.write(bytes, length) : 0;
    if (taken === LOST) return SINK_LOST;
    if (taken < length) this.#held = bytes.slice(taken, length);
    return MORE;
  }

  #nothingRead(source: Channel, read: number): number {
    if (read === NOTHING_YET) return WAITING;
    // RFC 9112 9.8: an end that TLS does not vouch for is no end of a body.
    if (read === 0 && this.#framing === UNTIL_CLOSE && !source.truncated) {
      this.arrived = true;
      return MORE;
    }
    this.lost = read === LOST;
    return CUT_OFF;
  }

  // Splicing

  #isFat(source: Channel, sink: Channel): boolean {
    if (this.#fullReads < FAT_AFTER || !source.plain || !sink.plain) return false;
    return (
      this.#framing === UNTIL_CLOSE || this.#framing > WORTH_SPLICING || (this.#pipe !== null && this.#framing > 0)
    );
  }

  #splice(source: SocketChannel, sink: SocketChannel, tools: RelayTools): number {
    this.#pipe ??= tools.pipes.take();
    const pipe = this.#pipe;
    if (pipe === null) {
      this.#fullReads = 0; // no descriptor is left for a pipe: by copying, then
      return MORE;
    }
    const read = source.spliceInto(pipe, this.#framing > 0 ? Math.min(this.#framing, SPLICE_BYTES) : SPLICE_BYTES);
    if (read <= 0) {
      this.#releasePipe(tools);
      return this.#nothingRead(source, read);
    }
    this.#count(read);
    this.#piped = read;
    if (read < STILL_FAT) this.#fullReads = 0;
    const drained = this.#drainPipe(sink, tools);
    return drained === DONE ? MORE : drained;
  }

  #drainPipe(sink: SocketChannel, tools: RelayTools): number {
    while (this.#piped > 0) {
      if (!sink.writable) return WAITING;
      const taken = sink.spliceFrom(this.#pipe!, this.#piped);
      if (taken === LOST) {
        this.dispose(tools);
        return SINK_LOST;
      }
      this.#piped -= taken;
    }
    if (this.#fullReads < FAT_AFTER) this.#releasePipe(tools);
    return DONE;
  }

  #releasePipe(tools: RelayTools): void {
    if (this.#pipe !== null) tools.pipes.give(this.#pipe, this.#piped);
    this.#pipe = null;
    this.#piped = 0;
  }

  /** Gives back what it holds. */
  dispose(tools: RelayTools): void {
    this.#held = null;
    this.surplus = NO_BYTES;
    this.#releasePipe(tools);
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** Bytes up to here are copied one by one: a subarray for `set` is an object. */
const FEW = 64;

function copy(from: Uint8Array, fromAt: number, length: number, to: Uint8Array, toAt: number): void {
  if (length > FEW) to.set(from.subarray(fromAt, fromAt + length), toAt);
  else for (let i = 0; i < length; i++) to[toAt + i] = from[fromAt + i]!;
}
