/**
 * What goes out over an HTTP/2 connection (RFC 9113): frames into the outbox, data as far as the windows of its stream and of
 * the connection reach, and whose turn it is when there was no room.
 */
import {
  CONTINUATION,
  DEFAULT_FRAME_SIZE,
  DEFAULT_WINDOW,
  END_HEADERS,
  END_STREAM,
  FRAME_HEADER,
  GOAWAY_BYTES,
  HEADERS,
  PING_BYTES,
  WORD_BYTES,
  writeFrameHeader,
  writeGoaway,
  writePing,
  writeReset,
  writeWindowUpdate,
} from "../../../protocols/http2/frames.ts";
import { NO_TABLE } from "../../../protocols/http2/hpack-encoder.ts";
import type { Channel } from "../channel.ts";
import type { WorkerContext } from "../context.ts";
import { Timed } from "../timers.ts";
import { CONTROL_ROOM, DATA_BYTES, DATA_ROOM, REMEMBERED } from "./limits.ts";
import { Outbox } from "./outbox.ts";
import type { PeerSettings } from "./settings.ts";
import type { StreamChannel, StreamLink } from "./stream-channel.ts";

/** Where field blocks are built. */
const BLOCK = new Uint8Array(128 * 1024);
const NO_BYTES = new Uint8Array(0);

/** Milliseconds. */
export interface MultiplexerTimes {
  /** For the preface and settings, and for a field block that has begun. */
  readonly request: number;
  /** Without streams. */
  readonly keepAlive: number;
  /** With streams of which none moves on. */
  readonly idle: number;
}

export abstract class FramesOut extends Timed implements StreamLink {
  readonly block = BLOCK;
  protected readonly plane: WorkerContext;
  protected readonly channel: Channel;
  protected readonly times: MultiplexerTimes;
  protected readonly streams = new Map<number, StreamChannel>();
  protected readonly peer: PeerSettings = {
    initialWindow: DEFAULT_WINDOW,
    frameSize: DEFAULT_FRAME_SIZE,
    streams: -1,
    connect: false,
  };
  protected readonly outbox = new Outbox();
  /** What the other side takes on all streams together. */
  protected sendWindow = DEFAULT_WINDOW;
  /** There may be room for those who wait. */
  protected mayWake = false;
  #waiting: StreamChannel[] = [];
  #told: StreamChannel[] = [];
  #toldOfTable = false;
  /** Streams that we have reset, a ring. */
  #reset: Int32Array | null = null;
  #resets = 0;

  constructor(plane: WorkerContext, channel: Channel, times: MultiplexerTimes) {
    super();
    this.plane = plane;
    this.channel = channel;
    this.times = times;
  }

  abstract get isOpen(): boolean;
  /** A pass follows in this turn. */
  protected abstract schedule(): void;
  /** The other side reads nothing, and more than CONTROL_ROOM of answers wait for it. */
  protected abstract overrun(): void;
  /** There is news for the owner of this stream. */
  protected abstract deliver(stream: StreamChannel): void;
  abstract taken(stream: StreamChannel, count: number): void;
  abstract released(stream: StreamChannel, code: number): void;

  // Owners of streams

  tell(stream: StreamChannel): void {
    if (stream.toBeTold) return;
    stream.toBeTold = true;
    this.#told.push(stream);
    this.schedule();
  }

  /** Tells all who are to be told, and those they cause to be told. @returns whether there were any. */
  protected tellAll(): boolean {
    const any = this.#told.length > 0;
    while (this.#told.length > 0) {
      const told = this.#told;
      this.#told = [];
      for (const stream of told) {
        stream.toBeTold = false;
        this.deliver(stream);
        this.plane.beat();
      }
    }
    return any;
  }

  /** Those who wait write in turn, until there is no room. @returns whether any of them was told. */
  protected wake(): boolean {
    if (!this.mayWake || this.#waiting.length === 0) return false;
    this.mayWake = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    let told = 0;
    while (told < waiting.length && this.hasRoom) {
      const stream = waiting[told++]!;
      stream.waiting = false;
      if (!stream.held || !stream.linked) continue;
      stream.writable = true;
      stream.owner.onChannel(stream);
    }
    if (told < waiting.length) this.#waiting = [...waiting.slice(told), ...this.#waiting];
    return told > 0;
  }

  // Frames

  get blockBegin(): number {
    if (this.#toldOfTable) return 0;
    BLOCK[0] = NO_TABLE;
    return 1;
  }

  get hasRoom(): boolean {
    return this.outbox.length < DATA_ROOM;
  }

  dataRoom(stream: StreamChannel): number {
    return Math.min(stream.sendWindow, this.sendWindow, DATA_ROOM - this.outbox.length - FRAME_HEADER, DATA_BYTES);
  }

  sendData(stream: StreamChannel, bytes: Uint8Array, from: number, to: number): void {
    stream.stuckMs = 0;
    stream.sendWindow -= to - from;
    this.sendWindow -= to - from;
    this.outbox.putData(stream.id, bytes, from, to, 0);
    this.schedule();
  }

  sendEnd(stream: StreamChannel): void {
    if (!this.outbox.endWithData(stream.id)) {
      // RFC 9113 6.9: without data it needs no window.
      const room = this.outbox.room;
      if (room < FRAME_HEADER) return this.overrun();
      this.outbox.putData(stream.id, NO_BYTES, 0, 0, END_STREAM);
    }
    this.schedule();
  }

  sendBlock(stream: StreamChannel, block: Uint8Array, length: number, ends: boolean): boolean {
    const size = Math.min(this.peer.frameSize, DEFAULT_FRAME_SIZE);
    const frames = Math.ceil(length / size);
    if (this.outbox.room - CONTROL_ROOM < length + frames * FRAME_HEADER) return false;
    let at = this.outbox.reserve(length + frames * FRAME_HEADER);
    for (let from = 0; from < length; from += size) {
      const to = Math.min(length, from + size);
      const flags = (from === 0 && ends ? END_STREAM : 0) | (to === length ? END_HEADERS : 0);
      at = writeFrameHeader(this.outbox.bytes, at, to - from, from === 0 ? HEADERS : CONTINUATION, flags, stream.id);
      this.outbox.bytes.set(block.subarray(from, to), at);
      at += to - from;
    }
    this.outbox.wrote(at);
    stream.stuckMs = 0;
    this.#toldOfTable = true;
    this.schedule();
    return true;
  }

  waits(stream: StreamChannel): void {
    if (stream.stuckMs === 0) {
      stream.stuckMs = this.plane.nowMs;
      this.arm(stream.stuckMs + this.times.idle);
    }
    // With all other room there is, it is told when its own window grows.
    if (stream.waiting || (stream.sendWindow <= 0 && this.outbox.length === 0)) return;
    stream.waiting = true;
    this.#waiting.push(stream);
  }

  /** Where a frame that answers or ends something goes, with so many bytes of payload; -1: nowhere any more. */
  protected reserve(payload: number): number {
    if (!this.isOpen) return -1;
    if (this.outbox.room < FRAME_HEADER + payload) {
      this.overrun();
      return -1;
    }
    this.schedule();
    return this.outbox.reserve(FRAME_HEADER + payload);
  }

  protected writeWindowUpdate(id: number, increment: number): void {
    const at = this.reserve(WORD_BYTES);
    if (at >= 0) this.outbox.wrote(writeWindowUpdate(this.outbox.bytes, at, id, increment));
  }

  protected ping(payload: Uint8Array): void {
    this.writePing(0, payload, 0);
  }

  protected writePing(flags: number, payload: Uint8Array, from: number): void {
    const at = this.reserve(PING_BYTES);
    if (at >= 0) this.outbox.wrote(writePing(this.outbox.bytes, at, flags, payload, from));
  }

  protected goaway(last: number, code: number): void {
    const at = this.reserve(GOAWAY_BYTES);
    if (at >= 0) this.outbox.wrote(writeGoaway(this.outbox.bytes, at, last, code));
  }

  /** What comes for this stream is dropped from now on. */
  protected ignore(id: number): void {
    this.#reset ??= new Int32Array(REMEMBERED);
    this.#reset[this.#resets++ % REMEMBERED] = id;
  }

  protected writeReset(id: number, code: number): void {
    this.ignore(id);
    const at = this.reserve(WORD_BYTES);
    if (at >= 0) this.outbox.wrote(writeReset(this.outbox.bytes, at, id, code));
  }

  /** Have we reset it? Then what comes was on its way. */
  protected wasReset(id: number): boolean {
    return this.#reset?.includes(id) ?? false;
  }

  /** Looks at deadlines at this time at the latest. */
  protected arm(dueMs: number): void {
    if (this.timerSlot < 0 || dueMs < this.timerDue) this.plane.timers.set(this, dueMs);
  }
}
