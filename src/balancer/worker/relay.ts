/**
 * Bytes both ways between two sockets, each way by itself.
 *
 * | what happened                                  | bytes still held          | what is done                                         |
 * |------------------------------------------------|---------------------------|------------------------------------------------------|
 * | a side ends its sending (end of file)          | yes                       | they go out first                                    |
 * | the same                                       | no                        | the other side is told (shutdown), the other way runs on |
 * | both sides have ended                          | no                        | both are closed: a regular end                       |
 * | a side resets                                  | yes, for the other        | they go out first                                    |
 * | the same                                       | no                        | the other is reset too: it must not take a part for the whole |
 * | a side takes no more (its socket refuses bytes)| dropped                   | what it still sends is delivered; what the other sends is read and dropped until it ends, or for `timeouts.half-close` |
 * | the client, after it had ended its own sending | dropped                   | it has gone for good: the server is reset, as it would be without us between |
 *
 * Edge-triggered: a way remembers that its source may have more (`readable`) and that its sink may take more (`writable`).
 * A way that has shown itself to be fat goes on by splice(2): its bytes never enter this program.
 */
import { EAGAIN, EPIPE, errno, sys } from "../../os/libc.ts";
import { MSG_DONTWAIT, MSG_NOSIGNAL, SHUT_WR } from "../../os/socket.ts";
import { type KernelPipe, KernelPipes } from "./pipes.ts";

/** Bytes that are read at once; also the most that a way holds in memory. */
export const READ_BYTES = 16 * 1024;
/** Full reads in a row after which a way is fat. */
const FAT_AFTER = 3;
/** Moved by splice in one step, and the least that keeps a way fat. */
const SPLICE_BYTES = 1 << 20;
const STILL_FAT = READ_BYTES / 2;
/** Steps of one way in one turn of the loop, so that a fat connection lets the others live. */
const STEPS = 16;
const SPLICE_MOVE_NONBLOCK = 3;

/** What a way came to when it was pumped. */
export const WAITING = 0; // nothing more to do until the next event
export const MORE = 1; // its share of this turn is used up
export const ENDED = 2; // the source has ended and everything is delivered; the sink is told by `passOn`
export const SOURCE_FAILED = 3; // the source reset (or timed out); everything before is delivered

/** What all ways of a worker share. */
export class RelayTools {
  readonly buffer = new Uint8Array(READ_BYTES);
  readonly pipes = new KernelPipes();
}

/** One way: from a source to a sink. */
export class Way {
  source = -1;
  sink = -1;
  readable = false;
  writable = false;
  /** The source's end is already there: a short read does not mean that it is empty. */
  endIsNear = false;
  /** The source has sent its end, and it was passed on once nothing was held. */
  ended = false;
  passedOn = false;
  /** The sink takes no more: what still comes is read and dropped. */
  sinkGone = false;
  /** … because it reset, and had not ended its own sending before (then the kernel says EPIPE). */
  sinkReset = false;
  /** Bytes that came from the source. */
  bytes = 0;
  #held: Uint8Array | null = null;
  #pipe: KernelPipe | null = null;
  #piped = 0;
  #fullReads = 0;

  /** From now on it runs, with room to write. `already`: bytes of the source that were read before. */
  begin(source: number, sink: number, already: number): void {
    this.source = source;
    this.sink = sink;
    this.bytes = already;
    this.writable = true;
  }

  /** Bytes that must go out before anything that is read: a PROXY header, the first bytes of the client. They are kept, not copied. */
  holdFirst(bytes: Uint8Array): void {
    this.#held = bytes.length > 0 ? bytes : null;
  }

  /** Are there bytes that the source sent and the sink has not taken? */
  get holding(): boolean {
    return this.#held !== null || this.#piped > 0;
  }

  /**
   * Moves what can be moved now. `sourceReset`: bytes for the source were refused by a reset before, so that the kernel has
   * told of it already and what looks like an end is none. @returns WAITING, MORE, ENDED or SOURCE_FAILED.
   */
  pump(tools: RelayTools, sourceReset: boolean): number {
    if (this.passedOn) return WAITING;
    for (let step = 0; step < STEPS; step++) {
      if (!this.#flush(tools)) return WAITING;
      if (this.ended) return sourceReset ? SOURCE_FAILED : ENDED;
      if (!this.readable) return WAITING;
      const result = this.#fullReads >= FAT_AFTER && !this.sinkGone ? this.#splice(tools) : this.#copy(tools);
      if (result !== MORE) return result;
    }
    return MORE;
  }

  /** Sends what is held. @returns whether nothing is held any more. */
  #flush(tools: RelayTools): boolean {
    const held = this.#held;
    if (held !== null) {
      const taken = this.#send(held, held.length);
      if (taken < held.length) {
        if (this.sinkGone) this.#held = null;
        else this.#held = taken > 0 ? held.subarray(taken) : held;
        return this.#held === null;
      }
      this.#held = null;
    }
    return this.#piped === 0 || this.#drainPipe(tools);
  }

  #send(bytes: Uint8Array, length: number): number {
    if (!this.writable) return 0;
    const taken = sys.send(this.sink, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT) as number;
    if (taken === length) return taken;
    if (taken >= 0) {
      this.writable = false;
      return taken;
    }
    this.writable = false;
    const code = errno();
    if (code !== EAGAIN) this.#lostSink(code);
    return 0;
  }

  #lostSink(code: number): void {
    this.sinkGone = true;
    this.sinkReset = code !== EPIPE;
  }

  #copy(tools: RelayTools): number {
    const buffer = tools.buffer;
    const read = sys.recv(this.source, buffer, READ_BYTES, MSG_DONTWAIT) as number;
    if (read > 0) {
      this.bytes += read;
      // A short read has emptied the socket; the next bytes, or the end, are a new event.
      if (read < READ_BYTES) {
        this.#fullReads = 0;
        if (!this.endIsNear) this.readable = false;
      } else {
        this.#fullReads++;
      }
      if (this.sinkGone) return MORE;
      const taken = this.#send(buffer, read);
      if (taken < read && !this.sinkGone) this.#held = buffer.slice(taken, read);
      return MORE;
    }
    return this.#nothingRead(read);
  }

  #nothingRead(read: number): number {
    this.readable = false;
    if (read === 0) {
      this.ended = true;
      return MORE;
    }
    return errno() === EAGAIN ? WAITING : SOURCE_FAILED;
  }

  #splice(tools: RelayTools): number {
    this.#pipe ??= tools.pipes.take();
    const pipe = this.#pipe;
    if (pipe === null) {
      this.#fullReads = 0; // no descriptor is left for a pipe: by copying, then
      return MORE;
    }
    const read = sys.splice(this.source, null, pipe.input, null, SPLICE_BYTES, SPLICE_MOVE_NONBLOCK) as number;
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
    while (this.#piped > 0) {
      if (!this.writable) return false;
      const taken = sys.splice(this.#pipe!.output, null, this.sink, null, this.#piped, SPLICE_MOVE_NONBLOCK) as number;
      if (taken > 0) {
        this.#piped -= taken;
        continue;
      }
      const code = taken === 0 ? EAGAIN : errno();
      this.writable = false;
      if (code === EAGAIN) return false;
      this.#lostSink(code);
      this.dispose(tools);
      return true;
    }
    if (this.#fullReads < FAT_AFTER) this.#releasePipe(tools);
    return true;
  }

  /** Tells the sink of the end that ENDED has reported. Not needed where its socket is closed at once. */
  passOn(): void {
    this.passedOn = true;
    if (!this.sinkGone) sys.shutdown(this.sink, SHUT_WR);
  }

  #releasePipe(tools: RelayTools): void {
    if (this.#pipe === null) return;
    if (this.#piped > 0) tools.pipes.discard(this.#pipe);
    else tools.pipes.give(this.#pipe);
    this.#pipe = null;
    this.#piped = 0;
  }

  /** Gives back what the way holds. */
  dispose(tools: RelayTools): void {
    this.#held = null;
    this.#releasePipe(tools);
  }
}
