/** A client's stream: read as an HTTP/1.1 request, answered by an HTTP/1.1 response. */
import { createHash } from "node:crypto";
import { ascii } from "../../../protocols/ascii.ts";
import { INTERNAL_ERROR, NO_ERROR } from "../../../protocols/http2/error-codes.ts";
import { writeNamed, writeStatus } from "../../../protocols/http2/hpack-encoder.ts";
import type { RequestFacts } from "../../../protocols/http2/request-head.ts";
import { newResponseFacts, writeResponseBlock, writeTrailerBlock } from "../../../protocols/http2/response-block.ts";
import type { Channel } from "../channel.ts";
import { MOST_BLOCK } from "./limits.ts";
import {
  ANOTHER_HEAD,
  BROKEN,
  CHUNKED,
  LENGTH,
  NO_BODY,
  NO_ROOM,
  RAW,
  StreamChannel,
  type StreamLink,
} from "./stream-channel.ts";

const SWITCHING_PROTOCOLS = 101;
const NO_CONTENT = 204;
const NOT_MODIFIED = 304;
const BAD_GATEWAY = 502;
/** RFC 6455 1.3. */
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const CONTENT_LENGTH = 28;
const ZERO = ascii("0");
const MOST_TRAILERS = 2048;

/** Until the engine has it. */
const NOBODY = { onChannel(_channel: Channel): void {} };
const facts = newResponseFacts();

export class RequestStream extends StreamChannel {
  /** The request was HEAD: the answer has no body. */
  #isHead = false;
  /** What the server must say to the key that it was sent; null: it is no WebSocket. */
  #accept: Uint8Array | null = null;
  #tunnel = false;

  constructor(link: StreamLink, id: number, sendWindow: number) {
    super(link, id, sendWindow, NOBODY);
  }

  /** `head`: of the HTTP/1.1 request. `key`: of the handshake of a WebSocket. */
  beginRequest(head: Uint8Array, request: RequestFacts, key: Uint8Array): void {
    this.#isHead = request.isHead;
    if (request.isWebSocket) {
      this.#accept = ascii(createHash("sha1").update(key).update(WEBSOCKET_GUID).digest("base64"));
    }
    this.beginReading(head, request.chunked, request.contentLength);
  }

  protected override get isTunnel(): boolean {
    return this.#tunnel;
  }

  /** Who has the answer may stop sending (RFC 9113 8.1). */
  protected override get abandonCode(): number {
    return this.localEnded ? NO_ERROR : INTERNAL_ERROR;
  }

  /** A request without more to come is no end: the client waits for its answer. */
  protected override get atEnd(): boolean {
    return this.#tunnel ? this.remoteEnded : this.localEnded;
  }

  protected override sendHead(bytes: Uint8Array, from: number, to: number): number {
    const { block, blockBegin } = this.link;
    const end = writeResponseBlock(bytes, from, to, block, blockBegin, facts);
    if (end < 0 || end > MOST_BLOCK) return BROKEN;
    const { status } = facts;
    if (status === SWITCHING_PROTOCOLS ? !this.#isAccepted(bytes) : this.#isMistaken(status)) return this.#refuse();
    const framing = this.#framingOf(status);
    if (!this.link.sendBlock(this, block, end, framing === NO_BODY)) return NO_ROOM;
    if (framing === RAW && status === SWITCHING_PROTOCOLS) this.#tunnel = true;
    return framing;
  }

  /** RFC 6455 4.1: the server has understood the handshake. */
  #isAccepted(bytes: Uint8Array): boolean {
    const accept = this.#accept;
    if (accept === null || facts.acceptEnd - facts.acceptAt !== accept.length) return false;
    for (let i = 0; i < accept.length; i++) if (bytes[facts.acceptAt + i] !== accept[i]) return false;
    return true;
  }

  /** In HTTP/1.1 a success without 101 is no WebSocket; in HTTP/2 the client would take it for one. */
  #isMistaken(status: number): boolean {
    return this.#accept !== null && status >= 200 && status < 300;
  }

  #framingOf(status: number): number {
    if (status === SWITCHING_PROTOCOLS) return RAW;
    if (status < 200) return ANOTHER_HEAD;
    if (this.#isHead || status === NO_CONTENT || status === NOT_MODIFIED) return NO_BODY;
    if (facts.chunked) return CHUNKED;
    this.bodyLength = facts.contentLength;
    if (facts.contentLength < 0) return RAW;
    return facts.contentLength === 0 ? NO_BODY : LENGTH;
  }

  /** The server has not done what it said: what the client gets instead is an answer of ours. */
  #refuse(): number {
    this.answer(BAD_GATEWAY);
    return BROKEN;
  }

  /** An answer without a body, by ourselves. */
  answer(status: number): void {
    const { block, blockBegin } = this.link;
    const end = writeNamed(block, writeStatus(block, blockBegin, status), CONTENT_LENGTH, ZERO, 0, 1);
    if (this.link.sendBlock(this, block, end, true)) this.localEnded = true;
  }

  protected override sendTrailers(lines: Uint8Array): boolean {
    const { block, blockBegin } = this.link;
    if (lines.length > MOST_TRAILERS) return false;
    const end = writeTrailerBlock(lines, 0, lines.length, block, blockBegin);
    return end > 0 && this.link.sendBlock(this, block, end, true);
  }
}
