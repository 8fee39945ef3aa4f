/**
 * One way of a relay: bytes from a source to a sink.
 *
 * Edge-triggered, as channels are. A way between plain sockets that has shown itself to be fat goes on by splice(2): its
 * bytes never enter this program.
 */
import { EPIPE } from "../../os/libc.ts";
import { type Channel, LOST, NOTHING_YET } from "./channel.ts";
import { type KernelPipe, KernelPipes } from "./pipes.ts";
import type { SocketChannel } from "./socket-channel.ts";

/** Bytes that are read at once; also the most that a way holds in memory, unless it is fat. */
export const READ_BYTES = 16 * 1024;
/** The same of a fat way that cannot splice: with TLS on a side, fewer and larger steps cost a tenth less a megabyte. */
export const FAT_BYTES = 64 * 1024;
/** Full reads in a row after which a way is fat. */
export const FAT_AFTER = 3;
/** Moved by splice in one step, and the least that keeps a way fat. */
const SPLICE_BYTES = 1 << 20;
const STILL_FAT = READ_BYTES / 2;
/** Steps of one way in one turn of the loop, so that a fat connection lets the others live. */
const STEPS = 16;

/** What a way came to when it was pumped. */
export const WAITING = 0; // nothing more to do until the next event
export const MORE = 1; // its share of this turn is used up
export const ENDED = 2; // the source has ended and everything is delivered; the sink is told by `passOn`
export const SOURCE_FAILED = 3; // the source reset (or timed out); everything before is delivered

/** What all ways of a worker share. */
export class RelayTools {
  /** For reading: what is in it lasts until the next read of anybody. */
  readonly buffer = new Uint8Array(FAT_BYTES);
  readonly pipes = new KernelPipes();
}

export class Way {
  /** The source has sent its end, and it was passed on once nothing was held. */
  ended = false;
  passedOn = false;
  /** The sink takes no more: what still comes is read and dropped. */
  sinkGone = false;
  /** Bytes that came from the source. */
  bytes = 0;
  readonly #source: Channel;
  readonly #sink: Channel;
  #held: Uint8Array | null = null;
  #pipe: KernelPipe | null = null;
  #piped = 0;
  #fullReads = 0;

  /** `already`: bytes of the source that were read before. */
  constructor(source: Channel, sink: Channel, already: number) {
    this.#source = source;
    this.#sink = sink;
    this.bytes = already;
  }

  /** Bytes that must go out before anything that is read: a PROXY header, the first bytes of the client. They are kept, not copied. */
  holdFirst(bytes: Uint8Array): void {
    this.#held = bytes.length > 0 ? bytes : null;
  }

  /** Are there bytes that the source sent and the sink has not taken? */
  get holding(): boolean {
    return this.#held !== null || this.#piped > 0;
  }

  /** Moves what can be moved now. @returns WAITING, MORE, ENDED or SOURCE_FAILED. */
  pump(tools: RelayTools): number {
    if (this.passedOn) return WAITING;
    for (let step = 0; step < STEPS; step++) {
      if (!this.#flush(tools)) return WAITING;
      if (this.ended) return wasReset(this.#source) ? SOURCE_FAILED : ENDED;
      if (!this.#source.readable) return WAITING;
      const result = this.#fullReads >= FAT_AFTER && this.#splices ? this.#splice(tools) : this.#copy(tools);
      if (result !== MORE) return result;
    }
    return MORE;
  }

  get #splices(): boolean {
    return this.#source.plain && this.#sink.plain && !this.sinkGone;
  }

  /** Sends what is held. @returns whether nothing is held any more. */
  #flush(tools: RelayTools): boolean {
    const held = this.#held;
    if (held !== null) {
      const taken = this.#send(held, held.length);
      if (taken < held.length && !this.sinkGone) {
        if (taken > 0) this.#held = held.subarray(taken);
        return false;
      }
      this.#held = null;
    }
    return this.#piped === 0 || this.#drainPipe(tools);
  }

  #send(bytes: Uint8Array, length: number): number {
    if (!this.#sink.writable) return 0;
    const taken = this.#sink.write(bytes, length);
    if (taken !== LOST) return taken;
    this.sinkGone = true;
    return 0;
  }

  #copy(tools: RelayTools): number {
    const { buffer } = tools;
    const read = this.#source.read(buffer, this.#fullReads >= FAT_AFTER ? FAT_BYTES : READ_BYTES);
    if (read <= 0) return this.#nothingRead(read);
    this.bytes += read;
    if (read < READ_BYTES) this.#fullReads = 0;
    else this.#fullReads++;
    if (this.sinkGone) return MORE;
    const taken = this.#send(buffer, read);
    if (taken < read && !this.sinkGone) this.#held = buffer.slice(taken, read);
    return MORE;
  }

  #nothingRead(read: number): number {
    if (read === NOTHING_YET) return WAITING;
    if (read === LOST) return SOURCE_FAILED;
    this.ended = true;
    return MORE;
  }

  #splice(tools: RelayTools): number {
    this.#pipe ??= tools.pipes.take();
    const pipe = this.#pipe;
    if (pipe === null) {
      this.#fullReads = 0; // no descriptor is left for a pipe: by copying, then
      return MORE;
    }
    const read = (this.#source as SocketChannel).spliceInto(pipe, SPLICE_BYTES);
    if (read <= 0) {
      const result = this.#nothingRead(read);
      this.#releasePipe(tools);
      return result;
    }
    this.bytes += read;
    this.#piped = read;
    if (read < STILL_FAT) this.#fullReads = 0;
    return this.#drainPipe(tools) || this.sinkGone ? MORE : WAITING;
  }

  #drainPipe(tools: RelayTools): boolean {
    const sink = this.#sink as SocketChannel;
    while (this.#piped > 0) {
      if (!sink.writable) return false;
      const taken = sink.spliceFrom(this.#pipe!, this.#piped);
      if (taken === LOST) {
        this.sinkGone = true;
        this.dispose(tools);
        return true;
      }
      this.#piped -= taken;
    }
    if (this.#fullReads < FAT_AFTER) this.#releasePipe(tools);
    return true;
  }

  /** Tells the sink of the end that ENDED has reported. Not needed where its channel is closed at once. */
  passOn(): void {
    this.passedOn = true;
    if (!this.sinkGone) this.#sink.end();
  }

  #releasePipe(tools: RelayTools): void {
    if (this.#pipe !== null) tools.pipes.give(this.#pipe, this.#piped);
    this.#pipe = null;
    this.#piped = 0;
  }

  /** Gives back what the way holds. */
  dispose(tools: RelayTools): void {
    this.#held = null;
    this.#releasePipe(tools);
  }
}

/** A write has heard that the peer reset; it had not ended its own sending before (then the kernel says EPIPE). */
function wasReset({ lostBy }: Channel): boolean {
  return lostBy !== 0 && lostBy !== EPIPE;
}
