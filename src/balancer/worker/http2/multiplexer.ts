/**
 * An HTTP/2 connection (RFC 9113), whichever side of it we are: frames in and out, settings, windows, the end. What a field
 * block means, and who may open streams, is its subclass's.
 *
 * One pass reads what there is, then tells the owners of streams, then writes. So a stream that is reset right behind its
 * request costs nobody else anything, and frames of many streams go out together.
 */
import { CANCEL, NO_ERROR, PROTOCOL_ERROR } from "../../../protocols/http2/error-codes.ts";
import type { FieldList } from "../../../protocols/http2/field-list.ts";
import {
  DEFAULT_WINDOW,
  FRAME_HEADER,
  WORD_BYTES,
  writeSettings,
  writeWindowUpdate,
} from "../../../protocols/http2/frames.ts";
import { type Channel, type ChannelOwner, LOST, NOTHING_YET } from "../channel.ts";
import type { Unfinished, WorkerContext } from "../context.ts";
import { FrameReader, LARGEST_REST } from "./frame-reader.ts";
import { FramesIn } from "./frames-in.ts";
import type { MultiplexerTimes } from "./frames-out.ts";
import {
  BLOCK_SHARE,
  CONNECTION_WINDOW,
  LAST_WORDS_BYTES,
  LAST_WORDS_MS,
  LOOK_MS,
  READ_BYTES,
  STEPS,
} from "./limits.ts";

/** Where bytes are read, behind what was left over. Nobody is told of anything while it is in use. */
const SCRATCH = new Uint8Array(2 * (LARGEST_REST + READ_BYTES));
const NO_BYTES = new Uint8Array(0);

const OPEN = 0;
/** Everything is said; what still comes is dropped until the other side has read it. */
const LAST_WORDS = 1;
const OVER = 2;

/** Why a connection ended, for whoever accounts for it. */
export const Ending = {
  /** The other side has ended it, or it was reset. */
  PEER_ENDED: 0,
  PEER_RESET: 1,
  /** It broke the protocol, or asked for too much. */
  ERROR: 2,
  /** Nothing came for too long. */
  IDLE: 3,
  /** It was slow to begin, or within a field block. */
  SLOW: 4,
  /** We have ended it. */
  ENDED: 5,
} as const;
export type Ending = (typeof Ending)[keyof typeof Ending];

export abstract class Multiplexer extends FramesIn implements ChannelOwner, Unfinished {
  /** Of the whole connection, frames and all. */
  bytesIn = 0;
  bytesOut = 0;
  readonly #reader: FrameReader;
  #state = OPEN;
  #ending: Ending = Ending.ENDED;
  /** Bytes that were read and not understood yet; `#stopped`: because nothing could be answered. */
  #rest: Uint8Array = NO_BYTES;
  #stopped = false;
  #working = false;
  #scheduled = false;
  readonly #begunMs: number;
  /** Since when the outbox has not moved; 0: it is empty, or has. */
  #stuckMs = 0;
  /** Since when a field block is on its way. */
  #blockMs = 0;
  /** When the last words have had their time. */
  #goodbyeMs = 0;
  /** Bytes that came behind them. */
  #dropped = 0;
  #endSent = false;

  constructor(plane: WorkerContext, channel: Channel, list: FieldList, times: MultiplexerTimes) {
    super(plane, channel, list, times);
    this.#reader = new FrameReader(this, list.limit * BLOCK_SHARE);
    this.#begunMs = plane.nowMs;
  }

  /** The connection is over, once: its channel is to be closed. */
  protected abstract onOver(ending: Ending): void;
  /** Bytes in front of the first frame. @returns how many of `bytes[from, to)`, or -1 when they are wrong. */
  protected abstract readPreface(bytes: Uint8Array, from: number, to: number): number;

  /** Settings go first; `early`: bytes that were read before. */
  protected begin(before: Uint8Array, settings: readonly number[], early: Uint8Array): void {
    this.channel.owner = this;
    // Who has to speak first has mostly spoken already.
    this.channel.readable = true;
    const at = this.outbox.reserve(before.length + FRAME_HEADER + settings.length * 3 + FRAME_HEADER + WORD_BYTES);
    this.outbox.bytes.set(before, at);
    const end = writeSettings(this.outbox.bytes, at + before.length, settings);
    this.outbox.wrote(writeWindowUpdate(this.outbox.bytes, end, 0, CONNECTION_WINDOW - DEFAULT_WINDOW));
    this.#rest = early;
    this.bytesIn = early.length;
    this.#stopped = early.length > 0;
    this.arm(this.#begunMs + this.times.request);
    this.#work();
    if (this.#state !== OVER) this.channel.watch();
  }

  get isOpen(): boolean {
    return this.#state === OPEN;
  }

  onChannel(): void {
    this.#work();
  }

  goOn(): void {
    this.#scheduled = false;
    this.#work();
  }

  /** Something was written or has to be told, perhaps from outside of a pass: a pass follows in this turn. */
  protected override schedule(): void {
    if (this.#working || this.#scheduled || this.#state === OVER) return;
    this.#scheduled = true;
    this.plane.unfinished(this);
  }

  #work(): void {
    if (this.#working || this.#state === OVER) return;
    this.#working = true;
    this.#receive();
    for (let round = 0; this.#tellAndFlush(); round++) {
      if (round < STEPS) continue;
      this.#scheduled = true;
      this.plane.unfinished(this);
      break;
    }
    this.#working = false;
    if ((this.#stopped || this.channel.readable) && this.ready) this.schedule();
    this.#watchOutbox();
  }

  // Reading

  #receive(): void {
    for (let step = 0; step < STEPS; step++) {
      if (this.#state !== OPEN) return this.#drop();
      if (!this.ready) return;
      let { length } = this.#rest;
      if (length > 0) SCRATCH.set(this.#rest);
      if (!this.#stopped) {
        if (!this.channel.readable) return;
        const read = this.channel.read(length === 0 ? SCRATCH : SCRATCH.subarray(length), READ_BYTES);
        if (read === NOTHING_YET) return;
        if (read <= 0) return this.#gone(read === LOST ? Ending.PEER_RESET : Ending.PEER_ENDED);
        length += read;
        this.bytesIn += read;
      }
      this.#understand(length);
    }
    if (this.channel.readable || this.#stopped) this.#scheduleAgain();
  }

  #scheduleAgain(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.plane.unfinished(this);
  }

  /** Reads SCRATCH[0, length); what is left over is kept. */
  #understand(length: number): void {
    const preface = this.readPreface(SCRATCH, 0, length);
    if (preface < 0) return this.fail(PROTOCOL_ERROR);
    const wasInBlock = this.#reader.inBlock;
    const code = this.#reader.read(SCRATCH, preface, length);
    const { at } = this.#reader;
    this.#rest = at < length ? SCRATCH.slice(at, length) : NO_BYTES;
    this.#stopped = !this.ready && this.#rest.length > 0;
    if (code !== NO_ERROR) return this.fail(code);
    // A block's time begins with it, whatever comes of it in between.
    if (this.#reader.inBlock && !wasInBlock) {
      this.#blockMs = this.plane.nowMs;
      this.arm(this.#blockMs + this.times.request);
    }
  }

  /** Everything is said: what comes is dropped, a bounded number of bytes in a turn, until the end. */
  #drop(): void {
    for (let step = 0; step < STEPS && this.#state === LAST_WORDS && this.channel.readable; step++) {
      const read = this.channel.read(SCRATCH, READ_BYTES);
      if (read === NOTHING_YET) return;
      this.#dropped += read;
      if (read <= 0 || this.#dropped > LAST_WORDS_BYTES) return this.#close();
    }
    if (this.#state === LAST_WORDS && this.channel.readable) this.#scheduleAgain();
  }

  /** The highest stream of the other side that was served. */
  protected abstract get lastServed(): number;

  /** @returns whether another round may bring more. */
  #tellAndFlush(): boolean {
    const told = this.tellAll();
    if (this.#state === OVER) return false;
    if (this.outbox.length > 0 && this.channel.writable) {
      const taken = this.outbox.flush(this.channel);
      if (taken === LOST) {
        this.#gone(Ending.PEER_RESET);
        return true;
      }
      if (taken > 0) {
        this.bytesOut += taken;
        this.#stuckMs = 0;
        this.mayWake = true;
      }
    }
    if (this.#state === LAST_WORDS) {
      if (this.outbox.length === 0 && !this.#endSent) {
        this.#endSent = true;
        this.channel.end();
      }
      return told;
    }
    return this.wake() || told;
  }

  // Deadlines and the end

  /** The other side does not read: that has an end. */
  #watchOutbox(): void {
    if (this.outbox.length === 0) {
      this.#stuckMs = 0;
    } else if (this.#stuckMs === 0) {
      this.#stuckMs = this.plane.nowMs;
      this.arm(this.#stuckMs + this.times.idle);
    }
  }

  override onDeadline(nowMs: number): void {
    if (this.#state === OVER) return;
    if (this.#state === LAST_WORDS) {
      if (nowMs >= this.#goodbyeMs) return this.#close();
      return this.arm(this.#goodbyeMs);
    }
    this.onTime(nowMs);
    if (this.#state !== OPEN) return;
    const times = this.times;
    if (!this.settled && nowMs >= this.#begunMs + times.request) return this.#gone(Ending.SLOW);
    if (this.#reader.inBlock && nowMs >= this.#blockMs + times.request) return this.#gone(Ending.SLOW);
    if (this.#stuckMs > 0 && nowMs >= this.#stuckMs + times.idle) return this.#gone(Ending.IDLE);
    if (this.streams.size === 0 && nowMs >= this.movedMs + times.keepAlive) return this.finish(Ending.IDLE, NO_ERROR);
    this.#endStuckStreams(nowMs - times.idle);
    this.arm(this.streams.size === 0 ? this.movedMs + times.keepAlive : nowMs + LOOK_MS);
    if (!this.settled) this.arm(this.#begunMs + times.request);
    if (this.#reader.inBlock) this.arm(this.#blockMs + times.request);
  }

  /** A window that stays shut must not hold a server for ever. */
  #endStuckStreams(sinceMs: number): void {
    for (const stream of [...this.streams.values()]) {
      if (stream.stuckMs > 0 && stream.stuckMs <= sinceMs) this.resetStream(stream, CANCEL);
    }
  }

  /** Called at deadlines, for what a subclass waits for. */
  protected onTime(_nowMs: number): void {}

  /** A connection error (RFC 9113 5.4.1). */
  protected fail(code: number): void {
    this.finish(Ending.ERROR, code);
  }

  /** Says so, and ends it, with all of its streams. */
  protected finish(ending: Ending, code: number): void {
    if (this.#state !== OPEN) return;
    this.goaway(this.lastServed, code);
    if (this.#state !== OPEN) return;
    this.#state = LAST_WORDS;
    this.#ending = ending;
    this.#goodbyeMs = this.plane.nowMs + LAST_WORDS_MS;
    this.#rest = NO_BYTES;
    this.#stopped = false;
    this.loseStreams();
    this.arm(this.#goodbyeMs);
    this.schedule();
  }

  /** There is nobody to say anything to. */
  #gone(ending: Ending): void {
    if (this.#state === OVER) return;
    if (this.#state === OPEN) this.#ending = ending;
    this.#close();
  }

  protected override overrun(): void {
    this.#gone(Ending.IDLE);
  }

  #close(): void {
    if (this.#state === OVER) return;
    this.#state = OVER;
    this.plane.timers.clear(this);
    this.outbox.clear();
    this.#rest = NO_BYTES;
    this.loseStreams();
    // Nobody comes by to tell them any more.
    this.tellAll();
    this.onOver(this.#ending);
  }

  /** All of them are told. */
  protected loseStreams(): void {
    const streams = [...this.streams.values()];
    this.streams.clear();
    for (const stream of streams) {
      stream.lose();
      this.tell(stream);
    }
  }
}
