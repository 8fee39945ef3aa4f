/** A stream to a server: an HTTP/1.1 request is written to it, and an HTTP/1.1 response is read. */
import { createHash } from "node:crypto";
import { ascii } from "../../../protocols/ascii.ts";
import { CANCEL } from "../../../protocols/http2/error-codes.ts";
import type { FieldList } from "../../../protocols/http2/field-list.ts";
import { newSentFacts, writeRequestBlock } from "../../../protocols/http2/request-block.ts";
import { writeTrailerBlock } from "../../../protocols/http2/response-block.ts";
import { type AnswerFacts, writeResponseHead } from "../../../protocols/http2/response-head.ts";
import type { Channel } from "../channel.ts";
import { MOST_BLOCK } from "./limits.ts";
import { BROKEN, CHUNKED, LENGTH, NO_BODY, NO_ROOM, RAW, StreamChannel, type StreamLink } from "./stream-channel.ts";

/** RFC 6455 1.3. */
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const MOST_TRAILERS = 2048;
/** Until it has one. */
const NOBODY = { onChannel(_channel: Channel): void {} };
const sent = newSentFacts();
const facts: AnswerFacts = { status: 0, contentLength: -1, chunked: false };

/** What it needs of its connection besides. */
export interface ServerLink extends StreamLink {
  /** The connection is TLS. */
  readonly secure: boolean;
  /** Does the server know extended CONNECT (RFC 8441)? Null: it has not said yet. */
  readonly takesWebSockets: boolean | null;
}

export class AnswerStream extends StreamChannel {
  readonly #server: ServerLink;
  #isHead = false;
  /** What a client of HTTP/1.1 must be told who asked for a WebSocket; null: it did not. */
  #accept: Uint8Array | null = null;
  #tunnel = false;
  /** The head of the answer itself is here; what came before are 1xx. */
  #answered = false;

  /** Its number is 0 until its request goes out: servers want numbers in their order. */
  constructor(link: ServerLink) {
    super(link, 0, 0, NOBODY);
    this.#server = link;
  }

  protected override get isTunnel(): boolean {
    return this.#tunnel;
  }

  protected override get abandonCode(): number {
    return CANCEL;
  }

  protected override get atEnd(): boolean {
    return this.remoteEnded;
  }

  protected override sendHead(bytes: Uint8Array, from: number, to: number): number {
    const { block, blockBegin } = this.link;
    const end = writeRequestBlock(bytes, from, to, this.#server.secure, block, blockBegin, sent);
    if (end < 0 || end > MOST_BLOCK) return BROKEN;
    if (sent.keyAt >= 0 && this.#server.takesWebSockets !== true) {
      return this.#server.takesWebSockets === null ? NO_ROOM : BROKEN;
    }
    this.#isHead = sent.isHead;
    const framing = this.#framing();
    if (!this.link.sendBlock(this, block, end, framing === NO_BODY)) return NO_ROOM;
    if (sent.keyAt >= 0) {
      const key = bytes.subarray(sent.keyAt, sent.keyEnd);
      this.#accept = ascii(createHash("sha1").update(key).update(WEBSOCKET_GUID).digest("base64"));
    }
    return framing;
  }

  #framing(): number {
    if (sent.keyAt >= 0) return RAW;
    if (sent.chunked) return CHUNKED;
    this.bodyLength = sent.contentLength;
    return sent.contentLength > 0 ? LENGTH : NO_BODY;
  }

  protected override sendTrailers(lines: Uint8Array): boolean {
    const { block, blockBegin } = this.link;
    if (lines.length > MOST_TRAILERS) return false;
    const end = writeTrailerBlock(lines, 0, lines.length, block, blockBegin);
    return end > 0 && this.link.sendBlock(this, block, end, true);
  }

  /** Is what comes next the end of the answer, not its beginning? */
  get answered(): boolean {
    return this.#answered;
  }

  /** A head has come; it is written to `into` first. @returns whether it is one. */
  receiveHead(list: FieldList, ended: boolean, into: Uint8Array): boolean {
    const length = writeResponseHead(list, ended, this.#isHead, this.#accept, into, facts);
    if (length < 0) return false;
    const { status } = facts;
    this.#answered = status >= 200 || status === 101;
    this.#tunnel = status === 101;
    this.beginReading(into.slice(0, length), facts.chunked, ended ? 0 : facts.contentLength);
    return true;
  }
}
