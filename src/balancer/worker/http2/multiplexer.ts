/**
 * An HTTP/2 connection (RFC 9113), whichever side of it we are: frames in and out, settings, windows, the end. What a field
 * block means, and who may open streams, is its subclass's.
 *
 * One pass reads what there is, then tells the owners of streams, then writes. So a stream that is reset right behind its
 * request costs nobody else anything, and frames of many streams go out together.
 */
import {
  CANCEL,
  COMPRESSION_ERROR,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  NO_ERROR,
  PROTOCOL_ERROR,
  STREAM_CLOSED,
} from "../../../protocols/http2/error-codes.ts";
import type { FieldList } from "../../../protocols/http2/field-list.ts";
import {
  ACK,
  CONTINUATION,
  DEFAULT_FRAME_SIZE,
  DEFAULT_WINDOW,
  END_HEADERS,
  END_STREAM,
  FRAME_HEADER,
  GOAWAY,
  GOAWAY_BYTES,
  HEADERS,
  LARGEST_WINDOW,
  PING,
  PING_BYTES,
  PRIORITY,
  PRIORITY_BYTES,
  PUSH_PROMISE,
  RST_STREAM,
  readWord,
  readWord31,
  SETTING_BYTES,
  SETTINGS,
  WINDOW_UPDATE,
  WORD_BYTES,
  writeFrameHeader,
  writeGoaway,
  writePing,
  writeReset,
  writeSettings,
  writeSettingsAck,
  writeWindowUpdate,
} from "../../../protocols/http2/frames.ts";
import { HpackDecoder, readFieldBlock } from "../../../protocols/http2/hpack-decoder.ts";
import { NO_TABLE } from "../../../protocols/http2/hpack-encoder.ts";
import { type Channel, type ChannelOwner, LOST, NOTHING_YET } from "../channel.ts";
import type { Unfinished, WorkerContext } from "../context.ts";
import { Timed } from "../timers.ts";
import { FrameReader, type FrameSink, LARGEST_REST } from "./frame-reader.ts";
import {
  BLOCK_SHARE,
  CONNECTION_WINDOW,
  CONTROL_ROOM,
  COST_EMPTY_DATA,
  COST_FRAME,
  COST_STREAM,
  DATA_BYTES,
  DATA_ROOM,
  LAST_WORDS_MS,
  LOOK_MS,
  READ_BYTES,
  REMEMBERED,
  SMALL_INCREMENT,
  STEPS,
  STREAM_WINDOW,
} from "./limits.ts";
import { Outbox } from "./outbox.ts";
import { Patience } from "./patience.ts";
import { type PeerSettings, readSettings } from "./settings.ts";
import type { StreamChannel, StreamLink } from "./stream-channel.ts";

/** Where bytes are read, behind what was left over. Nobody is told of anything while it is in use. */
const SCRATCH = new Uint8Array(2 * (LARGEST_REST + READ_BYTES));
/** Where field blocks are built. */
const BLOCK = new Uint8Array(128 * 1024);
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

/** Milliseconds. */
export interface MultiplexerTimes {
  /** For the preface and settings, and for a field block that has begun. */
  readonly request: number;
  /** Without streams. */
  readonly keepAlive: number;
  /** With streams of which none moves on. */
  readonly idle: number;
}

export abstract class Multiplexer extends Timed implements ChannelOwner, FrameSink, StreamLink, Unfinished {
  readonly block = BLOCK;
  protected readonly plane: WorkerContext;
  protected readonly channel: Channel;
  protected readonly streams = new Map<number, StreamChannel>();
  protected readonly decoder = new HpackDecoder();
  protected readonly list: FieldList;
  /** The highest stream that the other side has opened, or we have. */
  protected highest = 0;
  protected readonly peer: PeerSettings = {
    initialWindow: DEFAULT_WINDOW,
    frameSize: DEFAULT_FRAME_SIZE,
    streams: -1,
    connect: false,
  };
  /** Of the whole connection, frames and all. */
  bytesIn = 0;
  bytesOut = 0;
  readonly #times: MultiplexerTimes;
  readonly #reader: FrameReader;
  readonly #outbox = new Outbox();
  readonly #patience: Patience;
  #state = OPEN;
  #ending: Ending = Ending.ENDED;
  /** Bytes that were read and not understood yet; `#stopped`: because nothing could be answered. */
  #rest: Uint8Array = NO_BYTES;
  #stopped = false;
  #sendWindow = DEFAULT_WINDOW;
  #receiveWindow = CONNECTION_WINDOW;
  #unannounced = 0;
  #told: StreamChannel[] = [];
  #waiting: StreamChannel[] = [];
  /** There may be room for those who wait. */
  #mayWake = false;
  #working = false;
  #scheduled = false;
  #toldOfTable = false;
  /** Streams that we have reset, a ring. */
  readonly #reset = new Int32Array(REMEMBERED);
  #resets = 0;
  #settled = false;
  readonly #begunMs: number;
  /** When a stream came or went; since when the outbox has not moved (0: it is empty, or has). */
  #movedMs: number;
  #stuckMs = 0;
  #blockMs = 0;
  #goodbyeMs = 0;
  #ended = false;

  constructor(plane: WorkerContext, channel: Channel, list: FieldList, times: MultiplexerTimes) {
    super();
    this.plane = plane;
    this.channel = channel;
    this.list = list;
    this.#times = times;
    this.#reader = new FrameReader(this, list.limit * BLOCK_SHARE);
    this.#patience = new Patience(plane.nowMs);
    this.#begunMs = plane.nowMs;
    this.#movedMs = plane.nowMs;
  }

  /** A block of a stream that is not open. @returns the code of a connection error, or NO_ERROR. */
  protected abstract onOtherBlock(id: number, end: boolean, bytes: Uint8Array, from: number, to: number): number;
  /** A block of an open stream. */
  protected abstract onStreamBlock(
    stream: StreamChannel,
    end: boolean,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): number;
  /** There is news for the owner of this stream. */
  protected abstract deliver(stream: StreamChannel): void;
  /** The other side opens nothing new. */
  protected abstract onGoaway(last: number, code: number): void;
  /** The connection is over, once: its channel is to be closed. */
  protected abstract onOver(ending: Ending): void;
  /** An answer to our PING has come. */
  protected abstract onPong(): void;
  /** The last stream is gone. */
  protected abstract onNoStreams(): void;
  /** Bytes in front of the first frame. @returns how many of `bytes[from, to)`, or -1 when they are wrong. */
  protected abstract readPreface(bytes: Uint8Array, from: number, to: number): number;

  /** Settings go first; `early`: bytes that were read before. */
  protected begin(before: Uint8Array, settings: readonly number[], early: Uint8Array): void {
    this.channel.owner = this;
    // Who has to speak first has mostly spoken already.
    this.channel.readable = true;
    const at = this.#outbox.reserve(before.length + FRAME_HEADER + settings.length * 3 + FRAME_HEADER + WORD_BYTES);
    this.#outbox.bytes.set(before, at);
    const end = writeSettings(this.#outbox.bytes, at + before.length, settings);
    this.#outbox.wrote(writeWindowUpdate(this.#outbox.bytes, end, 0, CONNECTION_WINDOW - DEFAULT_WINDOW));
    this.#rest = early;
    this.bytesIn = early.length;
    this.#stopped = early.length > 0;
    this.#arm(this.#begunMs + this.#times.request);
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
  #schedule(): void {
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
    if ((this.#stopped || this.channel.readable) && this.ready) this.#schedule();
    this.#watchOutbox();
  }

  // Reading

  get ready(): boolean {
    return this.#state === OPEN && this.#outbox.room >= CONTROL_ROOM / 2;
  }

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
      this.#arm(this.#blockMs + this.#times.request);
    }
  }

  /** Everything is said: what comes is dropped, a bounded number of bytes in a turn, until the end. */
  #drop(): void {
    for (let step = 0; step < STEPS && this.#state === LAST_WORDS && this.channel.readable; step++) {
      const read = this.channel.read(SCRATCH, READ_BYTES);
      if (read === NOTHING_YET) return;
      if (read <= 0) return this.#close();
    }
    if (this.#state === LAST_WORDS && this.channel.readable) this.#scheduleAgain();
  }

  /** @returns ENHANCE_YOUR_CALM when there was too much of what brings nothing forward. */
  protected spend(cost: number): number {
    return this.#patience.spend(cost, this.plane.nowMs) ? NO_ERROR : ENHANCE_YOUR_CALM;
  }

  onPiece(): number {
    return this.spend(COST_FRAME);
  }

  // Data

  onDataFrame(id: number, length: number, end: boolean): number {
    this.#receiveWindow -= length;
    if (this.#receiveWindow < 0) return FLOW_CONTROL_ERROR;
    if (length === 0 && !end && this.spend(COST_EMPTY_DATA) !== NO_ERROR) return ENHANCE_YOUR_CALM;
    const stream = this.streams.get(id);
    if (stream === undefined) return this.#dataOfClosed(id);
    if (stream.remoteEnded) return this.resetStream(stream, STREAM_CLOSED);
    stream.receiveWindow -= length;
    return stream.receiveWindow < 0 ? this.resetStream(stream, FLOW_CONTROL_ERROR) : NO_ERROR;
  }

  onData(id: number, bytes: Uint8Array, from: number, to: number): number {
    const stream = this.streams.get(id);
    if (stream === undefined) {
      this.#credit(to - from);
      return NO_ERROR;
    }
    if (stream.bodyLeft >= 0) {
      stream.bodyLeft -= to - from;
      if (stream.bodyLeft < 0) {
        this.#credit(to - from);
        return this.resetStream(stream, PROTOCOL_ERROR);
      }
    }
    stream.receive(bytes, from, to);
    this.tell(stream);
    return NO_ERROR;
  }

  onPadding(id: number, count: number): number {
    const stream = this.streams.get(id);
    if (stream === undefined) this.#credit(count);
    else this.taken(stream, count);
    return this.spend(COST_FRAME);
  }

  onDataEnd(id: number): number {
    const stream = this.streams.get(id);
    return stream === undefined ? NO_ERROR : this.endRemote(stream, null);
  }

  /** The other side has ended its sending. */
  protected endRemote(stream: StreamChannel, trailers: Uint8Array | null): number {
    if (stream.bodyLeft > 0) return this.resetStream(stream, PROTOCOL_ERROR);
    stream.receiveEnd(trailers);
    this.tell(stream);
    return NO_ERROR;
  }

  taken(stream: StreamChannel, count: number): void {
    this.#credit(count);
    if (!stream.linked || stream.remoteEnded) return;
    stream.unannounced += count;
    if (stream.unannounced < STREAM_WINDOW / 2) return;
    this.#writeWindowUpdate(stream.id, stream.unannounced);
    stream.receiveWindow += stream.unannounced;
    stream.unannounced = 0;
  }

  #credit(count: number): void {
    this.#unannounced += count;
    if (this.#unannounced < CONNECTION_WINDOW / 2 || this.#state !== OPEN) return;
    const increment = this.#unannounced;
    this.#unannounced = 0;
    this.#receiveWindow += increment;
    this.#writeWindowUpdate(0, increment);
  }

  // Other frames

  onBlock(id: number, end: boolean, bytes: Uint8Array, from: number, to: number): number {
    const stream = this.streams.get(id);
    return stream === undefined
      ? this.onOtherBlock(id, end, bytes, from, to)
      : this.onStreamBlock(stream, end, bytes, from, to);
  }

  /** Reads a block into `list`. @returns COMPRESSION_ERROR when the two sides do not agree any more. */
  protected decode(bytes: Uint8Array, from: number, to: number): number {
    if (from === to) {
      this.list.clear();
      return NO_ERROR;
    }
    return readFieldBlock(bytes, from, to, this.decoder, this.list) < 0 ? COMPRESSION_ERROR : NO_ERROR;
  }

  onFrame(type: number, flags: number, id: number, bytes: Uint8Array, from: number, to: number): number {
    switch (type) {
      case SETTINGS:
        return this.#onSettings(flags, id, bytes, from, to);
      case WINDOW_UPDATE:
        return this.#onWindowUpdate(id, bytes, from, to);
      case RST_STREAM:
        return this.#onReset(id, to - from);
      case PING:
        return this.#onPing(flags, id, bytes, from, to);
      case GOAWAY:
        if (id !== 0) return PROTOCOL_ERROR;
        if (to - from < GOAWAY_BYTES) return FRAME_SIZE_ERROR;
        this.onGoaway(readWord31(bytes, from), readWord(bytes, from + WORD_BYTES));
        return this.spend(COST_FRAME);
      case PRIORITY:
        if (id === 0) return PROTOCOL_ERROR;
        return to - from === PRIORITY_BYTES ? this.spend(COST_FRAME) : FRAME_SIZE_ERROR;
      case PUSH_PROMISE:
        return PROTOCOL_ERROR;
      default:
        return this.spend(COST_FRAME);
    }
  }

  #onSettings(flags: number, id: number, bytes: Uint8Array, from: number, to: number): number {
    if (id !== 0) return PROTOCOL_ERROR;
    this.#settled = true;
    if ((flags & ACK) !== 0) return to === from ? NO_ERROR : FRAME_SIZE_ERROR;
    if ((to - from) % SETTING_BYTES !== 0) return FRAME_SIZE_ERROR;
    const before = this.peer.initialWindow;
    const code = readSettings(bytes, from, to, this.peer);
    if (code !== NO_ERROR) return code;
    const at = this.#reserve(0);
    if (at >= 0) this.#outbox.wrote(writeSettingsAck(this.#outbox.bytes, at));
    const change = this.peer.initialWindow - before;
    if (change !== 0) {
      for (const stream of this.streams.values()) {
        stream.sendWindow += change;
        if (stream.sendWindow > LARGEST_WINDOW) return FLOW_CONTROL_ERROR;
        this.#windowGrew(stream);
      }
    }
    return this.spend(COST_FRAME);
  }

  #onWindowUpdate(id: number, bytes: Uint8Array, from: number, to: number): number {
    if (to - from !== WORD_BYTES) return FRAME_SIZE_ERROR;
    const increment = readWord31(bytes, from);
    if (id === 0) {
      if (increment === 0) return PROTOCOL_ERROR;
      this.#sendWindow += increment;
      if (this.#sendWindow > LARGEST_WINDOW) return FLOW_CONTROL_ERROR;
      this.#mayWake = true;
    } else {
      const stream = this.streams.get(id);
      if (stream === undefined) return this.#unknownStream(id);
      if (increment === 0) return this.resetStream(stream, PROTOCOL_ERROR);
      stream.sendWindow += increment;
      if (stream.sendWindow > LARGEST_WINDOW) return this.resetStream(stream, FLOW_CONTROL_ERROR);
      this.#windowGrew(stream);
    }
    return increment < SMALL_INCREMENT ? this.spend(COST_FRAME) : NO_ERROR;
  }

  /** Who waited for its window is told. */
  #windowGrew(stream: StreamChannel): void {
    if (stream.writable || stream.waiting || stream.sendWindow <= 0) return;
    this.waits(stream);
    this.#mayWake = true;
  }

  #onReset(id: number, length: number): number {
    if (id === 0) return PROTOCOL_ERROR;
    if (length !== WORD_BYTES) return FRAME_SIZE_ERROR;
    const stream = this.streams.get(id);
    if (stream === undefined) return this.#unknownStream(id) || this.spend(COST_FRAME);
    this.#forget(stream);
    stream.lose();
    this.tell(stream);
    return this.spend(COST_STREAM);
  }

  #onPing(flags: number, id: number, bytes: Uint8Array, from: number, to: number): number {
    if (id !== 0) return PROTOCOL_ERROR;
    if (to - from !== PING_BYTES) return FRAME_SIZE_ERROR;
    if ((flags & ACK) !== 0) this.onPong();
    else this.#writePing(ACK, bytes, from);
    return this.spend(COST_FRAME);
  }

  /** The highest stream of the other side that was served. */
  protected abstract get lastServed(): number;

  /** Is it a stream that nobody has opened yet? */
  protected abstract isIdle(id: number): boolean;

  /** A frame for a stream that is not open (RFC 9113 5.1). */
  #unknownStream(id: number): number {
    return this.isIdle(id) ? PROTOCOL_ERROR : NO_ERROR;
  }

  /** RFC 9113 6.1. What was on its way when we reset a stream is dropped. */
  #dataOfClosed(id: number): number {
    if (this.isIdle(id)) return PROTOCOL_ERROR;
    if (this.wasReset(id)) return this.spend(COST_FRAME);
    this.writeReset(id, STREAM_CLOSED);
    return this.spend(COST_STREAM);
  }

  /** Have we reset it? Then what comes was on its way. */
  protected wasReset(id: number): boolean {
    return this.#reset.includes(id);
  }

  // Streams

  protected open(stream: StreamChannel): void {
    this.streams.set(stream.id, stream);
  }

  /** Ends a stream with an error (RFC 9113 5.4.2). @returns ENHANCE_YOUR_CALM when there were too many. */
  protected resetStream(stream: StreamChannel, code: number): number {
    this.#forget(stream);
    this.writeReset(stream.id, code);
    stream.lose();
    this.tell(stream);
    return this.spend(COST_STREAM);
  }

  /** What comes for this stream is dropped from now on. */
  protected ignore(id: number): void {
    this.#reset[this.#resets++ % REMEMBERED] = id;
  }

  protected writeReset(id: number, code: number): void {
    this.ignore(id);
    const at = this.#reserve(WORD_BYTES);
    if (at >= 0) this.#outbox.wrote(writeReset(this.#outbox.bytes, at, id, code));
  }

  released(stream: StreamChannel, code: number): void {
    this.#forget(stream);
    if (!stream.localEnded || !stream.remoteEnded) this.writeReset(stream.id, code);
    this.#schedule();
  }

  #forget(stream: StreamChannel): void {
    this.streams.delete(stream.id);
    this.#movedMs = this.plane.nowMs;
    if (this.streams.size === 0) {
      this.#arm(this.#movedMs + this.#times.keepAlive);
      this.onNoStreams();
    }
  }

  tell(stream: StreamChannel): void {
    if (stream.toBeTold) return;
    stream.toBeTold = true;
    this.#told.push(stream);
    this.#schedule();
  }

  // Writing

  get blockBegin(): number {
    if (this.#toldOfTable) return 0;
    BLOCK[0] = NO_TABLE;
    return 1;
  }

  get hasRoom(): boolean {
    return this.#outbox.length < DATA_ROOM;
  }

  dataRoom(stream: StreamChannel): number {
    return Math.min(stream.sendWindow, this.#sendWindow, DATA_ROOM - this.#outbox.length - FRAME_HEADER, DATA_BYTES);
  }

  sendData(stream: StreamChannel, bytes: Uint8Array, from: number, to: number): void {
    stream.stuckMs = 0;
    stream.sendWindow -= to - from;
    this.#sendWindow -= to - from;
    this.#outbox.putData(stream.id, bytes, from, to, 0);
    this.#schedule();
  }

  sendEnd(stream: StreamChannel): void {
    if (!this.#outbox.endWithData(stream.id)) {
      // RFC 9113 6.9: without data it needs no window.
      const room = this.#outbox.room;
      if (room < FRAME_HEADER) return this.#overrun();
      this.#outbox.putData(stream.id, NO_BYTES, 0, 0, END_STREAM);
    }
    this.#schedule();
  }

  sendBlock(stream: StreamChannel, block: Uint8Array, length: number, ends: boolean): boolean {
    const size = Math.min(this.peer.frameSize, DEFAULT_FRAME_SIZE);
    const frames = Math.ceil(length / size);
    if (this.#outbox.room - CONTROL_ROOM < length + frames * FRAME_HEADER) return false;
    let at = this.#outbox.reserve(length + frames * FRAME_HEADER);
    for (let from = 0; from < length; from += size) {
      const to = Math.min(length, from + size);
      const flags = (from === 0 && ends ? END_STREAM : 0) | (to === length ? END_HEADERS : 0);
      at = writeFrameHeader(this.#outbox.bytes, at, to - from, from === 0 ? HEADERS : CONTINUATION, flags, stream.id);
      this.#outbox.bytes.set(block.subarray(from, to), at);
      at += to - from;
    }
    this.#outbox.wrote(at);
    this.#toldOfTable = true;
    this.#schedule();
    return true;
  }

  waits(stream: StreamChannel): void {
    if (stream.stuckMs === 0) {
      stream.stuckMs = this.plane.nowMs;
      this.#arm(stream.stuckMs + this.#times.idle);
    }
    // Its own window is its own business: it is told when that grows.
    if (stream.waiting || (stream.sendWindow <= 0 && this.hasRoom)) return;
    stream.waiting = true;
    this.#waiting.push(stream);
  }

  /** Where a frame that answers or ends something goes, with so many bytes of payload; -1: nowhere any more. */
  #reserve(payload: number): number {
    if (this.#state !== OPEN) return -1;
    if (this.#outbox.room < FRAME_HEADER + payload) {
      this.#overrun();
      return -1;
    }
    this.#schedule();
    return this.#outbox.reserve(FRAME_HEADER + payload);
  }

  #writeWindowUpdate(id: number, increment: number): void {
    const at = this.#reserve(WORD_BYTES);
    if (at >= 0) this.#outbox.wrote(writeWindowUpdate(this.#outbox.bytes, at, id, increment));
  }

  /** The other side reads nothing, and more than CONTROL_ROOM of answers wait for it. */
  #overrun(): void {
    this.#gone(Ending.IDLE);
  }

  /** @returns whether another round may bring more. */
  #tellAndFlush(): boolean {
    while (this.#told.length > 0) {
      const told = this.#told;
      this.#told = [];
      for (const stream of told) {
        stream.toBeTold = false;
        this.deliver(stream);
      }
    }
    if (this.#state === OVER) return false;
    if (this.#outbox.length > 0 && this.channel.writable) {
      const taken = this.#outbox.flush(this.channel);
      if (taken === LOST) {
        this.#gone(Ending.PEER_RESET);
        return true;
      }
      if (taken > 0) {
        this.bytesOut += taken;
        this.#stuckMs = 0;
        this.#mayWake = true;
      }
    }
    if (this.#state === LAST_WORDS) {
      if (this.#outbox.length === 0 && !this.#ended) {
        this.#ended = true;
        this.channel.end();
      }
      return this.#told.length > 0;
    }
    return this.#wake() || this.#told.length > 0;
  }

  /** Those who wait write in turn, until there is no room. @returns whether any of them was told. */
  #wake(): boolean {
    if (!this.#mayWake || this.#waiting.length === 0) return false;
    this.#mayWake = false;
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

  protected ping(payload: Uint8Array): void {
    this.#writePing(0, payload, 0);
  }

  #writePing(flags: number, payload: Uint8Array, from: number): void {
    const at = this.#reserve(PING_BYTES);
    if (at >= 0) this.#outbox.wrote(writePing(this.#outbox.bytes, at, flags, payload, from));
  }

  protected goaway(last: number, code: number): void {
    const at = this.#reserve(GOAWAY_BYTES);
    if (at >= 0) this.#outbox.wrote(writeGoaway(this.#outbox.bytes, at, last, code));
  }

  // Deadlines and the end

  #arm(dueMs: number): void {
    if (this.timerSlot < 0 || dueMs < this.timerDue) this.plane.timers.set(this, dueMs);
  }

  /** Something else to be done at a time. */
  protected wakeAt(dueMs: number): void {
    this.#arm(dueMs);
  }

  /** The other side does not read: that has an end. */
  #watchOutbox(): void {
    if (this.#outbox.length === 0) {
      this.#stuckMs = 0;
    } else if (this.#stuckMs === 0) {
      this.#stuckMs = this.plane.nowMs;
      this.#arm(this.#stuckMs + this.#times.idle);
    }
  }

  override onDeadline(nowMs: number): void {
    if (this.#state === OVER) return;
    if (this.#state === LAST_WORDS) {
      if (nowMs >= this.#goodbyeMs) return this.#close();
      return this.#arm(this.#goodbyeMs);
    }
    this.onTime(nowMs);
    if (this.#state !== OPEN) return;
    const times = this.#times;
    if (!this.#settled && nowMs >= this.#begunMs + times.request) return this.#gone(Ending.SLOW);
    if (this.#reader.inBlock && nowMs >= this.#blockMs + times.request) return this.#gone(Ending.SLOW);
    if (this.#stuckMs > 0 && nowMs >= this.#stuckMs + times.idle) return this.#gone(Ending.IDLE);
    if (this.streams.size === 0 && nowMs >= this.#movedMs + times.keepAlive) return this.finish(Ending.IDLE, NO_ERROR);
    this.#endStuckStreams(nowMs - times.idle);
    this.#arm(this.streams.size === 0 ? this.#movedMs + times.keepAlive : nowMs + LOOK_MS);
    if (!this.#settled) this.#arm(this.#begunMs + times.request);
    if (this.#reader.inBlock) this.#arm(this.#blockMs + times.request);
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
    this.#loseStreams();
    this.#arm(this.#goodbyeMs);
    this.#schedule();
  }

  /** There is nobody to say anything to. */
  #gone(ending: Ending): void {
    if (this.#state === OVER) return;
    if (this.#state === OPEN) this.#ending = ending;
    this.#close();
  }

  /** Without another word. */
  protected abandon(ending: Ending): void {
    this.#gone(ending);
  }

  #close(): void {
    if (this.#state === OVER) return;
    this.#state = OVER;
    this.plane.timers.clear(this);
    this.#outbox.clear();
    this.#rest = NO_BYTES;
    this.#loseStreams();
    // Nobody comes by to tell them any more.
    const told = this.#told;
    this.#told = [];
    for (const stream of told) {
      stream.toBeTold = false;
      this.deliver(stream);
    }
    this.onOver(this.#ending);
  }

  #loseStreams(): void {
    const streams = [...this.streams.values()];
    this.streams.clear();
    for (const stream of streams) {
      stream.lose();
      if (stream.toBeTold) continue;
      stream.toBeTold = true;
      this.#told.push(stream);
    }
  }
}
