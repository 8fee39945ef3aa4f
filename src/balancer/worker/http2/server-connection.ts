/** HTTP/2 with a server: streams for requests of whichever clients. */
import { NO_ERROR, PROTOCOL_ERROR } from "../../../protocols/http2/error-codes.ts";
import { FieldList } from "../../../protocols/http2/field-list.ts";
import { writeTrailers } from "../../../protocols/http2/field-rules.ts";
import { ENABLE_PUSH, LARGEST_STREAM, MAX_HEADER_LIST_SIZE, PREFACE } from "../../../protocols/http2/frames.ts";
import { FIELD_SLACK } from "../../../protocols/http2/hpack-decoder.ts";
import { RESPONSE_FRAMING } from "../../../protocols/http2/response-head.ts";
import type { Channel } from "../channel.ts";
import type { WorkerContext } from "../context.ts";
import { AnswerStream, type ServerLink } from "./answer-stream.ts";
import type { MultiplexerTimes } from "./frames-out.ts";
import { Ending, Multiplexer } from "./multiplexer.ts";
import type { StreamChannel } from "./stream-channel.ts";

/** Of the fields of an answer. */
const MOST_HEAD = 64 * 1024;
/** Streams of one connection, whatever a server allows: more clients than that had better not wait for one another. */
const MOST_STREAMS = 100;
const SETTINGS = [ENABLE_PUSH, 0, MAX_HEADER_LIST_SIZE, MOST_HEAD];
const NO_BYTES = new Uint8Array(0);

const list = new FieldList(MOST_HEAD, FIELD_SLACK);
const head = new Uint8Array(MOST_HEAD + RESPONSE_FRAMING);

export class ServerConnection extends Multiplexer implements ServerLink {
  readonly secure: boolean;
  readonly #onOver: (connection: ServerConnection) => void;
  /** There are no new streams. */
  #leaving = false;
  /** Those whose request has not gone out. */
  readonly #unopened = new Set<StreamChannel>();

  constructor(
    plane: WorkerContext,
    channel: Channel,
    secure: boolean,
    times: MultiplexerTimes,
    onOver: (connection: ServerConnection) => void,
  ) {
    super(plane, channel, list, times);
    this.secure = secure;
    this.#onOver = onOver;
  }

  /** `before`: what the server gets in front of it all, a PROXY header. */
  start(before: Uint8Array): void {
    const first = new Uint8Array(before.length + PREFACE.length);
    first.set(before);
    first.set(PREFACE, before.length);
    this.begin(first, SETTINGS, NO_BYTES);
  }

  /** May there be one more stream? */
  get hasPlace(): boolean {
    if (!this.isOpen || this.#leaving || this.highest >= LARGEST_STREAM - 2) return false;
    const { streams } = this.peer;
    const most = streams < 0 ? MOST_STREAMS : Math.min(streams, MOST_STREAMS);
    return this.streams.size + this.#unopened.size < most;
  }

  /** A stream for one request; only while it `hasPlace`, or as the first. */
  openStream(): StreamChannel {
    const stream = new AnswerStream(this);
    stream.sendWindow = this.peer.initialWindow;
    this.#unopened.add(stream);
    return stream;
  }

  /** With the streams that there are, it ends. */
  takesNoMore(): void {
    this.#leaving = true;
  }

  get takesWebSockets(): boolean | null {
    return this.settled ? this.peer.connect : null;
  }

  override sendBlock(stream: StreamChannel, block: Uint8Array, length: number, ends: boolean): boolean {
    if (stream.id !== 0) return super.sendBlock(stream, block, length, ends);
    stream.id = this.highest === 0 ? 1 : this.highest + 2;
    if (!super.sendBlock(stream, block, length, ends)) {
      stream.id = 0;
      return false;
    }
    this.highest = stream.id;
    stream.sendWindow = this.peer.initialWindow;
    this.#unopened.delete(stream);
    this.open(stream);
    return true;
  }

  override released(stream: StreamChannel, code: number): void {
    if (stream.id !== 0) return super.released(stream, code);
    this.#unopened.delete(stream);
    this.#endWhenEmpty();
  }

  protected override readPreface(): number {
    return 0;
  }

  /** The server opens none. */
  protected override get lastServed(): number {
    return 0;
  }

  protected override isIdle(id: number): boolean {
    return id > this.highest || id % 2 === 0;
  }

  protected override onOtherBlock(id: number, _end: boolean, bytes: Uint8Array, from: number, to: number): number {
    return this.isIdle(id) ? PROTOCOL_ERROR : this.decode(bytes, from, to);
  }

  protected override onStreamBlock(
    stream: StreamChannel,
    end: boolean,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): number {
    const code = this.decode(bytes, from, to);
    if (code !== NO_ERROR) return code;
    const answer = stream as AnswerStream;
    if (answer.remoteEnded || list.tooLarge) return this.resetStream(answer, PROTOCOL_ERROR);
    if (answer.answered) {
      const length = end ? writeTrailers(list, head, 0) : -1;
      return length < 0 ? this.resetStream(answer, PROTOCOL_ERROR) : this.endRemote(answer, head.slice(0, length));
    }
    if (!answer.receiveHead(list, end, head)) return this.resetStream(answer, PROTOCOL_ERROR);
    if (end) return this.endRemote(answer, null);
    this.tell(answer);
    return NO_ERROR;
  }

  protected override deliver(stream: StreamChannel): void {
    if (stream.held) stream.owner.onChannel(stream);
  }

  /** RFC 9113 6.8: what lies above `last` was not looked at. */
  protected override onGoaway(last: number): void {
    this.#leaving = true;
    for (const stream of [...this.streams.values()]) {
      if (stream.id > last) this.dropStream(stream);
    }
    this.#dropUnopened();
    this.#endWhenEmpty();
  }

  #dropUnopened(): void {
    for (const stream of this.#unopened) {
      stream.lose();
      this.tell(stream);
    }
    this.#unopened.clear();
  }

  #endWhenEmpty(): void {
    if (this.#leaving && this.streams.size + this.#unopened.size === 0) this.finish(Ending.ENDED, NO_ERROR);
  }

  protected override onPong(): void {}

  protected override onNoStreams(): void {
    this.#endWhenEmpty();
  }

  protected override loseStreams(): void {
    super.loseStreams();
    this.#dropUnopened();
  }

  protected override onOver(_ending: Ending): void {
    this.channel.close(false);
    this.#onOver(this);
  }
}
