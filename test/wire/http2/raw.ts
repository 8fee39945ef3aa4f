/**
 * A client of HTTP/2 that writes frames byte by byte, and a balancer's end of the connection without sockets: the
 * multiplexer over a channel in memory, and in place of the engine whatever the test does with the streams.
 */
import type { Client } from "../../../src/balancer/client.ts";
import { newClient } from "../../../src/balancer/client.ts";
import { Channel, type ChannelOwner, LOST, NOTHING_YET } from "../../../src/balancer/worker/channel.ts";
import type { Unfinished, WorkerContext } from "../../../src/balancer/worker/context.ts";
import type { JournaledRequest } from "../../../src/balancer/worker/http-journal.ts";
import { Http2Handler } from "../../../src/balancer/worker/http2/client-connection.ts";
import { ServerConnection } from "../../../src/balancer/worker/http2/server-connection.ts";
import { Timers } from "../../../src/balancer/worker/timers.ts";
import type { Served, Visit } from "../../../src/balancer/worker/visit.ts";
import { FieldList } from "../../../src/protocols/http2/field-list.ts";
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FRAME_HEADER,
  GOAWAY,
  HEADERS,
  newFrameHeader,
  PREFACE,
  RST_STREAM,
  readFrameHeader,
  readWord,
  SETTINGS,
  WINDOW_UPDATE,
  writeFrameHeader,
  writeSettings,
  writeWord,
} from "../../../src/protocols/http2/frames.ts";
import { FIELD_SLACK, HpackDecoder } from "../../../src/protocols/http2/hpack-decoder.ts";
import { writeInteger } from "../../../src/protocols/http2/hpack-encoder.ts";

export type Fields = readonly (readonly [name: string, value: string])[];

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Uint8Array;
}

/** The other end of what the balancer reads and writes. */
class MemoryChannel extends Channel {
  readonly fd = -1;
  readonly plain = false;
  /** Bytes that the client takes before it stops reading. */
  room = Number.POSITIVE_INFINITY;
  input: Buffer = Buffer.alloc(0);
  output: Buffer = Buffer.alloc(0);
  inputEnded = false;
  ended = false;
  closed: "no" | "closed" | "reset" = "no";

  override watch(): void {}

  override read(into: Uint8Array, most: number): number {
    const count = Math.min(most, this.input.length);
    if (count === 0) {
      this.readable = false;
      return this.broken ? LOST : this.inputEnded ? 0 : NOTHING_YET;
    }
    into.set(this.input.subarray(0, count));
    this.input = this.input.subarray(count);
    if (this.input.length === 0 && !this.inputEnded) this.readable = false;
    return count;
  }

  override write(bytes: Uint8Array, length: number): number {
    const count = Math.min(length, this.room);
    this.room -= count;
    this.output = Buffer.concat([this.output, bytes.subarray(0, count)]);
    if (count < length) this.writable = false;
    return count;
  }

  override end(): void {
    this.ended = true;
  }

  override close(withReset: boolean): void {
    if (this.closed === "no") this.closed = withReset ? "reset" : "closed";
  }
}

export interface RawOptions {
  streams?: number;
  head?: number;
  request?: number;
  keepAlive?: number;
  idle?: number;
  /** Without the preface and settings. */
  silent?: boolean;
  settings?: readonly number[];
}

/** A request as the engine has it. */
export class Exchange implements ChannelOwner, Served {
  readonly visit: Visit;
  /** What was read, as HTTP/1.1. */
  text = "";
  ended = false;
  lost = false;
  told = 0;
  /** What control asked for. */
  closedWith = -1;
  /** Reads nothing while it is false. */
  reading = true;
  #toWrite: Buffer = Buffer.alloc(0);

  constructor(visit: Visit, reading: boolean) {
    this.visit = visit;
    this.reading = reading;
    visit.channel.owner = this;
    visit.channel.watch();
  }

  onChannel(): void {
    this.told++;
    if (this.reading) this.read();
    this.#send();
  }

  read(most = 16_384): void {
    const { channel } = this.visit;
    const buffer = new Uint8Array(16_384);
    while (channel.readable) {
      const read = channel.read(buffer, most);
      if (read === NOTHING_YET) return;
      if (read === LOST) this.lost = true;
      if (read === 0) this.ended = true;
      if (read <= 0) return;
      this.text += Buffer.from(buffer.subarray(0, read)).toString("latin1");
    }
  }

  /** Writes an HTTP/1.1 message, as much as goes; the rest when there is room. */
  write(text: string | Uint8Array): void {
    this.#toWrite = Buffer.concat([this.#toWrite, typeof text === "string" ? Buffer.from(text, "latin1") : text]);
    this.#send();
  }

  get unsent(): number {
    return this.#toWrite.length;
  }

  #send(): void {
    while (this.#toWrite.length > 0) {
      const taken = this.visit.channel.write(this.#toWrite, this.#toWrite.length);
      if (taken === LOST) this.#toWrite = Buffer.alloc(0);
      if (taken <= 0) return;
      this.#toWrite = this.#toWrite.subarray(taken);
    }
  }

  finish(withReset = false): void {
    this.visit.finish(0, withReset);
  }

  close(end: number): void {
    this.closedWith = end;
    this.visit.finish(end, false);
  }

  closeAt(): boolean {
    return false;
  }

  windDown(): void {}
}

/** The loop, the clock and the channel of one connection, and the frames that came out of it. */
abstract class RawPeer {
  readonly channel = new MemoryChannel({ onChannel: () => {} });
  nowMs = 1000;
  readonly frames: Frame[] = [];
  protected readonly plane: WorkerContext;
  /** Bytes that come before the first frame. */
  protected parsed = 0;
  readonly #decoder = new HpackDecoder();
  readonly #list = new FieldList(1 << 20, FIELD_SLACK);
  readonly #timers = new Timers(1000);
  #unfinished: Unfinished[] = [];
  /** Requests that were told as over without an exchange: stream, status, method and target. */
  readonly refused: string[] = [];
  readonly #note = ({ requestNumber, status, client: { request } }: JournaledRequest): void => {
    const { bytes, head } = request!;
    const text = (from: number, to: number) => Buffer.from(bytes).toString("latin1", from, to);
    const [method, target] = [text(head.methodAt, head.methodEnd), text(head.targetAt, head.targetEnd)];
    this.refused.push(`${requestNumber}: ${status} ${method} ${target}`);
  };

  constructor() {
    const self = this;
    this.plane = {
      get nowMs() {
        return self.nowMs;
      },
      unixMs: 1_800_000_000_000,
      timers: this.#timers,
      journal: { ended: () => {}, requests: { ended: this.#note } },
      newest: (service: unknown) => service,
      beat: () => {},
      unfinished: (one: Unfinished) => this.#unfinished.push(one),
    } as unknown as WorkerContext;
  }

  /** Bytes to the balancer, in one piece; it does all it can with them. */
  send(...pieces: readonly Uint8Array[]): this {
    this.channel.input = Buffer.concat([this.channel.input, ...pieces]);
    this.channel.readable = true;
    this.channel.owner.onChannel(this.channel);
    this.turn();
    return this;
  }

  /** As `send`, each byte by itself. */
  drip(...pieces: readonly Uint8Array[]): this {
    for (const byte of Buffer.concat(pieces)) this.send(Uint8Array.of(byte));
    return this;
  }

  /** What the worker's loop does besides. */
  turn(): void {
    for (let turns = 0; this.#unfinished.length > 0; turns++) {
      if (turns > 10_000) throw new Error("it never comes to rest");
      const unfinished = this.#unfinished;
      this.#unfinished = [];
      for (const one of unfinished) one.goOn();
    }
    this.#parse();
  }

  /** The clock goes on. */
  pass(ms: number): void {
    for (const until = this.nowMs + ms; this.nowMs < until; ) {
      this.nowMs = Math.min(until, this.nowMs + 50);
      this.#timers.run(this.nowMs);
      this.turn();
    }
    this.nowMs += 200;
    this.#timers.run(this.nowMs);
    this.turn();
  }

  /** The client ends its sending, or resets. */
  hangUp(withReset = false): void {
    this.channel.inputEnded = true;
    this.channel.broken = withReset;
    this.channel.readable = true;
    this.channel.owner.onChannel(this.channel);
    this.turn();
  }

  /** The client reads again. */
  takes(room: number): void {
    this.channel.room = room;
    this.channel.writable = true;
    this.channel.owner.onChannel(this.channel);
    this.turn();
  }

  #parse(): void {
    const { output } = this.channel;
    const header = newFrameHeader();
    while (readFrameHeader(output, this.parsed, output.length, 0xffffff, header) > 0) {
      const end = this.parsed + FRAME_HEADER + header.length;
      if (end > output.length) return;
      const payload = output.subarray(this.parsed + FRAME_HEADER, end);
      this.frames.push({ type: header.type, flags: header.flags, stream: header.stream, payload });
      this.parsed = end;
    }
  }

  of(type: number, stream?: number): Frame[] {
    return this.frames.filter((frame) => frame.type === type && (stream === undefined || frame.stream === stream));
  }

  /** Code of the GOAWAY that was sent last; -1: none was. */
  get goaway(): number {
    const last = this.of(GOAWAY).at(-1);
    return last === undefined ? -1 : readWord(last.payload, 4);
  }

  /** Code with which a stream was reset; -1: it was not. */
  reset(stream: number): number {
    const last = this.of(RST_STREAM, stream).at(-1);
    return last === undefined ? -1 : readWord(last.payload, 0);
  }

  #blocks = new Map<Frame, string[]>();

  /** The field blocks of a stream, in order. All of the connection are read in order, once. */
  answers(stream: number): string[][] {
    for (let i = 0; i < this.frames.length; i++) {
      const frame = this.frames[i]!;
      if (frame.type !== HEADERS || this.#blocks.has(frame)) continue;
      const pieces = [frame.payload];
      for (let next = i + 1; this.frames[next]?.type === CONTINUATION; next++) pieces.push(this.frames[next]!.payload);
      const block = Buffer.concat(pieces);
      const read = this.#decoder.read(block, 0, block.length, this.#list);
      if (read < 0) throw new Error(`bad block: ${read}`);
      this.#blocks.set(frame, fieldsOf(this.#list));
    }
    return this.of(HEADERS, stream).map((frame) => this.#blocks.get(frame)!);
  }

  data(stream: number): string {
    return Buffer.concat(this.of(DATA, stream).map(({ payload }) => payload)).toString("latin1");
  }

  /** Has the balancer ended this stream's answer? */
  isEnded(stream: number): boolean {
    return this.frames.some(
      (frame) =>
        frame.stream === stream && (frame.type === DATA || frame.type === HEADERS) && (frame.flags & END_STREAM) !== 0,
    );
  }
}

/** A client of the balancer. */
export class RawClient extends RawPeer {
  readonly exchanges: Exchange[] = [];
  readonly served: Served;
  /** Position in ENDS with which the connection ended; -1: it has not. */
  endedWith = -1;
  /** Exchanges read what comes as it comes. */
  reading = true;

  constructor(options: RawOptions = {}) {
    super();
    const plan = {
      timeouts: { request: options.request ?? 10_000, idle: options.idle ?? 60_000 },
      http: {
        limits: { head: options.head ?? 16_384, streams: options.streams ?? 100 },
        timeouts: { keepAlive: options.keepAlive ?? 30_000 },
      },
    };
    const visit = {
      plane: this.plane,
      number: 1,
      stream: 0,
      service: { plan, view: { count: () => {} } },
      client: newClient() as Client,
      channel: this.channel,
      tls: null,
      clientFd: -1,
      acceptedMs: this.nowMs,
      startedMs: 0,
      firstBytesDueMs: this.nowMs + 10_000,
      early: new Uint8Array(0),
      finish: (end: number, withReset: boolean) => {
        if (this.endedWith >= 0) throw new Error("finished twice");
        this.endedWith = end;
        this.channel.close(withReset);
      },
    } as unknown as Visit;
    const engine = {
      begin: (of: Visit): Served => {
        const exchange = new Exchange(of, this.reading);
        this.exchanges.push(exchange);
        if (of.channel.readable && this.reading) exchange.read();
        return exchange;
      },
    };
    this.served = new Http2Handler(engine, (bytes) => bytes.fill(7)).begin(visit);
    if (!options.silent) this.send(PREFACE, settings(...(options.settings ?? [])));
  }
}

/** Whoever asks a server has nothing but the stream. */
function askedBy(channel: Channel): Visit {
  return { channel, finish: (_: number, withReset: boolean) => channel.close(withReset) } as unknown as Visit;
}

/** A server of the balancer. */
export class RawServer extends RawPeer {
  readonly connection: ServerConnection;
  over = false;

  constructor(...first: readonly number[]) {
    super();
    const times = { request: 5000, keepAlive: 30_000, idle: 60_000 };
    this.connection = new ServerConnection(this.plane, this.channel, true, times, () => {
      this.over = true;
    });
    this.parsed = PREFACE.length;
    this.connection.start(new Uint8Array(0));
    this.send(settings(...first));
  }

  /** A request goes out over a stream of its own. */
  ask(text: string): Exchange {
    const exchange = new Exchange(askedBy(this.connection.openStream()), true);
    exchange.write(text);
    this.turn();
    return exchange;
  }
}

export function fieldsOf(list: FieldList): string[] {
  const out: string[] = [];
  for (let i = 0; i < list.count; i++) {
    const name = Buffer.from(list.bytes.subarray(list.nameAt(i), list.valueAt(i))).toString("latin1");
    out.push(`${name}: ${Buffer.from(list.bytes.subarray(list.valueAt(i), list.valueEnd(i))).toString("latin1")}`);
  }
  return out;
}

// Frames

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER + payload.length);
  writeFrameHeader(bytes, 0, payload.length, type, flags, stream);
  bytes.set(payload, FRAME_HEADER);
  return bytes;
}

export function settings(...pairs: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER + pairs.length * 3);
  writeSettings(bytes, 0, pairs);
  return bytes;
}

export function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeWord(bytes, 0, value);
  return bytes;
}

export const windowUpdate = (stream: number, increment: number) => frame(WINDOW_UPDATE, 0, stream, word(increment));
export const rst = (stream: number, code = 8) => frame(RST_STREAM, 0, stream, word(code));
export const data = (stream: number, text: string | Uint8Array, end = false) =>
  frame(DATA, end ? END_STREAM : 0, stream, typeof text === "string" ? Buffer.from(text, "latin1") : text);

/** A block of literals, none of them indexed. */
export function block(fields: Fields): Uint8Array {
  return Buffer.concat(fields.flatMap(([name, value]) => [Uint8Array.of(0), literal(name), literal(value)]));
}

export function literal(text: string): Uint8Array {
  const bytes = Buffer.from(text, "latin1");
  const length = new Uint8Array(6);
  return Buffer.concat([length.subarray(0, writeInteger(length, 0, 0, 7, bytes.length)), bytes]);
}

export const GET: Fields = [
  [":method", "GET"],
  [":scheme", "https"],
  [":path", "/"],
  [":authority", "example.test"],
];
export const POST: Fields = [[":method", "POST"], ...GET.slice(1)];

export function headers(stream: number, fields: Fields, end = true, flags = END_HEADERS): Uint8Array {
  return frame(HEADERS, flags | (end ? END_STREAM : 0), stream, block(fields));
}

export const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
export { SETTINGS };
