/** An answer's head as the client gets it: what the server sent, and by what the client will be recognised. */
import { CACHE_PRIVATE_LINE, isForOneClient } from "../../../protocols/http1/cache-control.ts";
import { Method, NO_BODY, TUNNEL } from "../../../protocols/http1/request.ts";
import type { ResponseHead } from "../../../protocols/http1/response.ts";
import { endHead, type ResponseFacts, TOO_LONG, writeResponseHead } from "../../../protocols/http1/write.ts";
import { learn, writeFields } from "../../decide.ts";
import type { Exchange } from "./exchange.ts";
import type { HttpService } from "./http-service.ts";

export class AnswerWriter {
  readonly #facts: ResponseFacts = { body: 0, close: false, keepAlive: false };

  /**
   * Writes the head of the answer to the beginning of `out`, and learns from it. `body`: how long the body is that follows, as
   * the client gets it. @returns the position behind it, or TOO_LONG.
   */
  write(
    exchange: Exchange,
    bytes: Uint8Array,
    head: ResponseHead,
    body: number,
    nowSec: number,
    out: Uint8Array,
  ): number {
    const { client, input, keep, http } = exchange;
    const { decision } = exchange.placement;
    const facts = this.#facts;
    learn(client, decision, bytes, head, nowSec);
    facts.body = body;
    facts.close = !keep && body !== TUNNEL;
    facts.keepAlive = keep && input.head.minorVersion === 0;
    const end = writeResponseHead(bytes, head, http.responseRules, facts, out, 0);
    if (end < 0) return end;
    const withFields = writeFields(client, decision, exchange.connection.peer.secure, nowSec, out, end);
    if (withFields <= end) return endHead(out, withFields);
    return endHead(out, this.#keepFromCaches(input.head.method, bytes, head, out, withFields));
  }

  /** What is meant for one client must not come to others out of a cache, and a cache may store a Set-Cookie (RFC 9111 7.3). */
  #keepFromCaches(method: number, bytes: Uint8Array, head: ResponseHead, out: Uint8Array, at: number): number {
    const mayBeStored = head.status >= 200 && (method === Method.GET || method === Method.HEAD);
    if (!mayBeStored || isForOneClient(bytes, head.fields)) return at;
    if (at + CACHE_PRIVATE_LINE.length > out.length) return TOO_LONG;
    out.set(CACHE_PRIVATE_LINE, at);
    return at + CACHE_PRIVATE_LINE.length;
  }

  /** Writes an interim head (1xx), as `write` does. */
  writeInterim(bytes: Uint8Array, head: ResponseHead, http: HttpService, out: Uint8Array): number {
    const facts = this.#facts;
    facts.body = NO_BODY;
    facts.close = false;
    facts.keepAlive = false;
    return endHead(out, writeResponseHead(bytes, head, http.responseRules, facts, out, 0));
  }
}
