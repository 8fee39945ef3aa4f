/** HTTP/2 with a client: each request is a visit of its own, which the engine of HTTP/1.1 serves. */
import { NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, STREAM_CLOSED } from "../../../protocols/http2/error-codes.ts";
import { FieldList } from "../../../protocols/http2/field-list.ts";
import { writeTrailers } from "../../../protocols/http2/field-rules.ts";
import {
  ENABLE_CONNECT_PROTOCOL,
  LARGEST_STREAM,
  MAX_CONCURRENT_STREAMS,
  MAX_HEADER_LIST_SIZE,
  NO_RFC7540_PRIORITIES,
  PREFACE,
} from "../../../protocols/http2/frames.ts";
import { FIELD_SLACK } from "../../../protocols/http2/hpack-decoder.ts";
import {
  HEAD_FRAMING,
  newRequestFacts,
  WEBSOCKET_KEY_BYTES,
  writeRequestHead,
} from "../../../protocols/http2/request-head.ts";
import type { Client } from "../../client.ts";
import { Decision } from "../../decide.ts";
import { ServiceCounter } from "../../shared/service-view.ts";
import { EndCode, RefusalCode } from "../../shared/words.ts";
import { http } from "../http/http-worker.ts";
import type { Journaled } from "../journal.ts";
import type { ProtocolHandler, Served, Visit } from "../visit.ts";
import { COST_STREAM, GRACE_MS } from "./limits.ts";
import { Ending, Multiplexer } from "./multiplexer.ts";
import { RefusedRequest } from "./refused-request.ts";
import { RequestStream } from "./request-stream.ts";
import type { StreamChannel } from "./stream-channel.ts";
import { StreamVisit } from "./stream-visit.ts";

const NO_BYTES = new Uint8Array(0);
const REQUEST_TOO_LARGE = 431;
/** Where the plan has no limit: each stream takes some memory. */
const UNLIMITED_STREAMS = 1000;
const PING_PAYLOAD = new Uint8Array(8);
const facts = newRequestFacts();

/** What all connections of a worker use in turn: for each limit of a head, a list of fields and room for a head. */
const tools = new Map<number, { list: FieldList; head: Uint8Array }>();

function toolsFor(limit: number): { list: FieldList; head: Uint8Array } {
  let found = tools.get(limit);
  if (found === undefined) {
    found = { list: new FieldList(limit, FIELD_SLACK), head: new Uint8Array(limit + HEAD_FRAMING) };
    tools.set(limit, found);
  }
  return found;
}

/** The protocol `h2`. `engine` serves the requests. `fillRandom`: for the keys of WebSockets. */
export class Http2Handler implements ProtocolHandler {
  readonly #engine: ProtocolHandler;
  readonly #fillRandom: (bytes: Uint8Array) => void;

  constructor(engine: ProtocolHandler, fillRandom: (bytes: Uint8Array) => void) {
    this.#engine = engine;
    this.#fillRandom = fillRandom;
  }

  begin(visit: Visit): Served {
    const connection = new ClientConnection(visit, this.#engine, this.#fillRandom);
    connection.start();
    return connection;
  }
}

/** What serves clients who have agreed on HTTP/2. */
export const http2 = new Http2Handler(http, (bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>));

/** Which server it was is said of each request. */
const NOWHERE = { decision: new Decision(), attempts: 0, queueMs: -1, connectMs: -1 };

class ClientConnection extends Multiplexer implements Served, Journaled {
  readonly #visit: Visit;
  readonly #engine: ProtocolHandler;
  readonly #fillRandom: (bytes: Uint8Array) => void;
  readonly #head: Uint8Array;
  readonly #mostStreams: number;
  readonly #served = new Map<StreamChannel, Served>();
  #prefaceRead = 0;
  /** What control has ended it with. */
  #end = -1;
  /** Streams above it are not served any more; LARGEST_STREAM: all are. */
  #last = LARGEST_STREAM;
  /** When the announcement that no more are served was made; 0: not yet. */
  #leavingMs = 0;
  #over = false;

  constructor(visit: Visit, engine: ProtocolHandler, fillRandom: (bytes: Uint8Array) => void) {
    const { timeouts, http } = visit.service.plan;
    const { list, head } = toolsFor(http!.limits.head);
    const times = { request: timeouts.request, keepAlive: http!.timeouts.keepAlive, idle: timeouts.idle };
    super(visit.plane, visit.channel, list, times);
    this.#visit = visit;
    this.#engine = engine;
    this.#fillRandom = fillRandom;
    this.#head = head;
    this.#mostStreams = http!.limits.streams || UNLIMITED_STREAMS;
  }

  start(): void {
    const { early } = this.#visit;
    this.#visit.early = NO_BYTES;
    const settings = [
      MAX_CONCURRENT_STREAMS,
      this.#mostStreams,
      MAX_HEADER_LIST_SIZE,
      this.list.limit,
      ENABLE_CONNECT_PROTOCOL,
      1,
      NO_RFC7540_PRIORITIES,
      1,
    ];
    this.begin(NO_BYTES, settings, early);
  }

  protected override readPreface(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    while (this.#prefaceRead < PREFACE.length && at < to) {
      if (bytes[at++] !== PREFACE[this.#prefaceRead++]) return -1;
    }
    return at - from;
  }

  // Requests

  protected override isIdle(id: number): boolean {
    return id > this.highest || id % 2 === 0;
  }

  protected override get lastServed(): number {
    return Math.min(this.highest, this.#last);
  }

  protected override onOtherBlock(id: number, end: boolean, bytes: Uint8Array, from: number, to: number): number {
    if (id % 2 === 0) return PROTOCOL_ERROR;
    if (id <= this.highest && !this.wasReset(id)) return STREAM_CLOSED;
    const code = this.decode(bytes, from, to);
    if (code !== NO_ERROR || id <= this.highest) return code;
    this.highest = id;
    if (id > this.#last) {
      // It was on its way when we said so; whoever sent it knows that nobody has served it.
      this.ignore(id);
      return this.spend(COST_STREAM);
    }
    if (this.streams.size >= this.#mostStreams) return this.#refuse(id, REFUSED_STREAM);
    return this.#request(id, end, to - from);
  }

  /** A stream that is never served. */
  #refuse(id: number, code: number): number {
    this.writeReset(id, code);
    return this.spend(COST_STREAM);
  }

  /** No request that anybody could be asked to serve: `status` is what it was answered, 0: nothing. */
  #tellBad(id: number, status: number, bytesIn: number, bytesOut: number): void {
    this.service.view.count(ServiceCounter.REFUSED + RefusalCode["bad-request"], 1);
    const refused = new RefusedRequest(this.#visit, id, this.list, status, { in: bytesIn, out: bytesOut });
    this.plane.journal.requests.ended(refused, EndCode["bad-protocol"], this.plane.nowMs);
  }

  /** `bytes`: of the block that it came in. */
  #request(id: number, end: boolean, bytes: number): number {
    const key = NO_KEY;
    if (this.list.tooLarge) return this.#tooLarge(id, end, bytes);
    const length = writeRequestHead(this.list, end, key, this.#head, facts);
    if (length < 0) {
      this.#tellBad(id, 0, bytes, 0);
      return this.#refuse(id, PROTOCOL_ERROR);
    }
    const stream = new RequestStream(this, id, this.peer.initialWindow);
    let used: Uint8Array = key;
    if (facts.isWebSocket) {
      used = newKey(this.#fillRandom);
      writeRequestHead(this.list, end, used, this.#head, facts);
    }
    stream.beginRequest(this.#head.slice(0, length), facts, used);
    this.open(stream);
    if (end) stream.receiveEnd(null);
    this.tell(stream);
    return NO_ERROR;
  }

  /** The engine never sees it: there is no whole head that it could refuse. */
  #tooLarge(id: number, end: boolean, bytes: number): number {
    const stream = new RequestStream(this, id, this.peer.initialWindow);
    const before = this.outbox.length;
    stream.answer(REQUEST_TOO_LARGE);
    this.#tellBad(id, REQUEST_TOO_LARGE, bytes, this.outbox.length - before);
    if (!end || !stream.localEnded) this.writeReset(id, NO_ERROR);
    return this.spend(COST_STREAM);
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
    if (stream.remoteEnded) return this.resetStream(stream, STREAM_CLOSED);
    if (!end || this.list.tooLarge) return this.resetStream(stream, PROTOCOL_ERROR);
    const length = writeTrailers(this.list, this.#head, 0);
    if (length < 0) return this.resetStream(stream, PROTOCOL_ERROR);
    return this.endRemote(stream, this.#head.slice(0, length));
  }

  protected override deliver(stream: StreamChannel): void {
    if (this.#served.has(stream)) {
      if (stream.held) stream.owner.onChannel(stream);
      return;
    }
    // Reset before anybody has seen it.
    if (stream.broken || !stream.held) return;
    const visit = new StreamVisit(this.#visit, stream, () => this.#served.delete(stream));
    this.#served.set(stream, NOT_YET);
    const served = this.#engine.begin(visit);
    if (this.#served.has(stream)) this.#served.set(stream, served);
  }

  // The end

  protected override onGoaway(): void {
    // No new requests will come; with the last of those that are here, the connection ends.
    this.windDown();
  }

  protected override onPong(): void {
    if (this.#leavingMs > 0) this.#leave();
  }

  protected override onTime(nowMs: number): void {
    if (this.#leavingMs > 0 && nowMs >= this.#leavingMs + GRACE_MS) this.#leave();
  }

  /**
   * RFC 9113 6.8: first that there will be no more, then, once what was on its way is here, up to which stream they are
   * served.
   */
  windDown(): void {
    if (!this.isOpen || this.#leavingMs > 0) return;
    this.#leavingMs = Math.max(this.plane.nowMs, 1);
    this.goaway(LARGEST_STREAM, NO_ERROR);
    this.ping(PING_PAYLOAD);
    this.arm(this.#leavingMs + GRACE_MS);
  }

  #leave(): void {
    if (this.#last !== LARGEST_STREAM) return;
    this.#last = this.highest;
    if (this.streams.size === 0) return this.finish(Ending.ENDED, NO_ERROR);
    this.goaway(this.#last, NO_ERROR);
  }

  protected override onNoStreams(): void {
    if (this.#last !== LARGEST_STREAM) this.finish(Ending.ENDED, NO_ERROR);
  }

  close(end: number): void {
    this.#end = end;
    for (const served of [...this.#served.values()]) served.close(end);
    this.finish(Ending.ENDED, NO_ERROR);
  }

  closeAt(server: number, end: number): boolean {
    let any = false;
    for (const served of [...this.#served.values()]) any = served.closeAt(server, end) || any;
    return any;
  }

  protected override onOver(ending: Ending): void {
    if (this.#over) return;
    this.#over = true;
    const end = this.#end >= 0 ? this.#end : EndCode[ENDS_OF[ending]];
    this.plane.journal.ended(this, end, this.plane.nowMs);
    this.#visit.finish(end, false);
  }

  // For the record of its end

  readonly placement = NOWHERE;
  readonly serverFd = -1;
  readonly firstByteMs = -1;

  get number(): number {
    return this.#visit.number;
  }

  get service(): Visit["service"] {
    return this.#visit.service;
  }

  get client(): Client {
    return this.#visit.client;
  }

  get acceptedMs(): number {
    return this.#visit.acceptedMs;
  }

  get startedMs(): number {
    return this.#visit.startedMs;
  }
}

const ENDS_OF = {
  [Ending.PEER_ENDED]: "client-closed",
  [Ending.PEER_RESET]: "client-reset",
  [Ending.ERROR]: "bad-protocol",
  [Ending.IDLE]: "idle-timeout",
  [Ending.SLOW]: "first-bytes-timeout",
  [Ending.ENDED]: "client-closed",
} as const;

/** While the engine begins it. */
const NOT_YET: Served = { close: () => {}, closeAt: () => false, windDown: () => {} };

const NO_KEY = new Uint8Array(WEBSOCKET_KEY_BYTES).fill(0x41);
const KEY_BYTES = 16;

function newKey(fillRandom: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(KEY_BYTES);
  fillRandom(bytes);
  return new TextEncoder().encode(Buffer.from(bytes).toString("base64"));
}
