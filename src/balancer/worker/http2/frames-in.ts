/**
 * What comes in over an HTTP/2 connection (RFC 9113 5 and 6): what each frame means, and which error it is when it means
 * nothing: of the stream, or of all.
 */
import {
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
  GOAWAY,
  GOAWAY_BYTES,
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
  writeSettingsAck,
} from "../../../protocols/http2/frames.ts";
import { HpackDecoder, readFieldBlock } from "../../../protocols/http2/hpack-decoder.ts";
import type { Channel } from "../channel.ts";
import type { WorkerContext } from "../context.ts";
import type { FrameSink } from "./frame-reader.ts";
import { FramesOut, type MultiplexerTimes } from "./frames-out.ts";
import {
  CONNECTION_WINDOW,
  CONTROL_ROOM,
  COST_EMPTY_DATA,
  COST_FRAME,
  COST_STREAM,
  DATA_ROOM,
  LARGE_LIST,
  SMALL_INCREMENT,
  STREAM_WINDOW,
} from "./limits.ts";
import { Patience } from "./patience.ts";
import { readSettings } from "./settings.ts";
import type { StreamChannel } from "./stream-channel.ts";

export abstract class FramesIn extends FramesOut implements FrameSink {
  protected readonly list: FieldList;
  /** The other side's settings are here. */
  protected settled = false;
  /** When a stream came or went. */
  protected movedMs: number;
  /** The highest stream that was opened. */
  protected highest = 0;
  readonly #decoder = new HpackDecoder();
  readonly #patience: Patience;
  #receiveWindow = CONNECTION_WINDOW;
  #unannounced = 0;

  /** `list`: where field blocks are read; its limit is that of one. */
  constructor(plane: WorkerContext, channel: Channel, list: FieldList, times: MultiplexerTimes) {
    super(plane, channel, times);
    this.list = list;
    this.#patience = new Patience(plane.nowMs);
    this.movedMs = plane.nowMs;
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
  /** The other side opens nothing new. */
  protected abstract onGoaway(last: number, code: number): void;
  /** An answer to our PING has come. */
  protected abstract onPong(): void;
  /** The last stream is gone. */
  protected abstract onNoStreams(): void;
  /** Is it a stream that nobody has opened yet? */
  protected abstract isIdle(id: number): boolean;

  get ready(): boolean {
    return this.isOpen && this.outbox.length <= DATA_ROOM + CONTROL_ROOM / 2;
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
    this.writeWindowUpdate(stream.id, stream.unannounced);
    stream.receiveWindow += stream.unannounced;
    stream.unannounced = 0;
  }

  #credit(count: number): void {
    this.#unannounced += count;
    if (this.#unannounced < CONNECTION_WINDOW / 2 || !this.isOpen) return;
    const increment = this.#unannounced;
    this.#unannounced = 0;
    this.#receiveWindow += increment;
    this.writeWindowUpdate(0, increment);
  }

  // Other frames

  onBlock(id: number, end: boolean, bytes: Uint8Array, from: number, to: number): number {
    const stream = this.streams.get(id);
    return stream === undefined
      ? this.onOtherBlock(id, end, bytes, from, to)
      : this.onStreamBlock(stream, end, bytes, from, to);
  }

  /**
   * Reads a block into `list`.
   * @returns COMPRESSION_ERROR when the two sides do not agree any more, ENHANCE_YOUR_CALM where small blocks stand for large
   * lists again and again.
   */
  protected decode(bytes: Uint8Array, from: number, to: number): number {
    if (from === to) {
      this.list.clear();
      return NO_ERROR;
    }
    if (readFieldBlock(bytes, from, to, this.#decoder, this.list) < 0) return COMPRESSION_ERROR;
    return this.list.tooLarge ? this.spend(this.list.size / LARGE_LIST) : NO_ERROR;
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
    this.settled = true;
    if ((flags & ACK) !== 0) return to === from ? NO_ERROR : FRAME_SIZE_ERROR;
    if ((to - from) % SETTING_BYTES !== 0) return FRAME_SIZE_ERROR;
    const before = this.peer.initialWindow;
    const code = readSettings(bytes, from, to, this.peer);
    if (code !== NO_ERROR) return code;
    const at = this.reserve(0);
    if (at >= 0) this.outbox.wrote(writeSettingsAck(this.outbox.bytes, at));
    this.mayWake = true;
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
      this.sendWindow += increment;
      if (this.sendWindow > LARGEST_WINDOW) return FLOW_CONTROL_ERROR;
      this.mayWake = true;
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
    this.mayWake = true;
  }

  #onReset(id: number, length: number): number {
    if (id === 0) return PROTOCOL_ERROR;
    if (length !== WORD_BYTES) return FRAME_SIZE_ERROR;
    const stream = this.streams.get(id);
    if (stream === undefined) return this.#unknownStream(id) || this.spend(COST_FRAME);
    this.dropStream(stream);
    return this.spend(COST_STREAM);
  }

  /** The other side has reset it, or will not serve it. */
  protected dropStream(stream: StreamChannel): void {
    this.#forget(stream);
    stream.lose();
    this.tell(stream);
  }

  #onPing(flags: number, id: number, bytes: Uint8Array, from: number, to: number): number {
    if (id !== 0) return PROTOCOL_ERROR;
    if (to - from !== PING_BYTES) return FRAME_SIZE_ERROR;
    if ((flags & ACK) !== 0) this.onPong();
    else this.writePing(ACK, bytes, from);
    return this.spend(COST_FRAME);
  }

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

  released(stream: StreamChannel, code: number): void {
    this.#forget(stream);
    if (!stream.localEnded || !stream.remoteEnded) this.writeReset(stream.id, code);
    this.schedule();
  }

  #forget(stream: StreamChannel): void {
    this.streams.delete(stream.id);
    this.movedMs = this.plane.nowMs;
    if (this.streams.size === 0) {
      this.arm(this.movedMs + this.times.keepAlive);
      this.onNoStreams();
    }
  }
}
