/**
 * Heads as the balancer writes them: what came, without what was only for us (RFC 9110 7.6.1), with what we add. Framing is
 * always written anew, from what was understood of it. Both writers leave the head open for more fields: `endHead` ends it.
 */
import { ascii } from "../ascii.ts";
import { type NamedField, NameSet } from "./fields.ts";
import type { RequestHead } from "./request.ts";
import type { ResponseHead } from "./response.ts";

/** There is no room for it. Nothing of what was written means anything. */
export const TOO_LONG = -1;

/** What happens to each request of a service; made once for a plan. */
export class RequestRules {
  /** Fields of clients that are not passed on. */
  readonly removed: NameSet;
  /** Whole lines that are added. */
  readonly lines: Uint8Array;
  readonly forwarded: "replace" | "append" | "off";
  /** `Forwarded` (RFC 7239) too. */
  readonly standard: boolean;

  constructor(options: {
    readonly set: readonly NamedField[];
    readonly remove: readonly string[];
    readonly forwarded: { readonly mode: "replace" | "append" | "off"; readonly standard: boolean };
  }) {
    this.removed = new NameSet([...options.remove, ...options.set.map((field) => field.name)]);
    this.lines = fieldLines(options.set);
    this.forwarded = options.forwarded.mode;
    this.standard = options.forwarded.standard;
  }
}

/** What the fields that we add say of one request. Reused. */
export interface RequestFacts {
  /** The client's address, 16 bytes. */
  source: Uint8Array;
  /** The peer may say for whom it speaks: with `append`, what it forwards is kept. */
  trusted: boolean;
  /** The client speaks TLS. */
  secure: boolean;
  /** The port that the client has dialled. */
  port: number;
  /** Our name for the request. */
  requestId: Uint8Array;
  /** 0: the request's own X-Request-Id is passed on, if it has one. */
  requestIdLength: number;
  /** Host for a request of HTTP/1.0 that names none. */
  fallbackHost: Uint8Array;
  /** The server is to end the connection behind its answer. */
  close: boolean;
}

/**
 * Writes the request for the server to `into[at]`: in HTTP/1.1, origin-form, Host first, all but the empty line.
 * @returns the position behind it, or TOO_LONG.
 */
export function writeRequestHead(
  _bytes: Uint8Array,
  _head: RequestHead,
  _rules: RequestRules,
  _facts: RequestFacts,
  _into: Uint8Array,
  _at: number,
): number {
  return TOO_LONG;
}

/** What happens to each response of a service; made once for a plan. */
export class ResponseRules {
  readonly removed: NameSet;
  readonly lines: Uint8Array;

  constructor(options: { readonly set: readonly NamedField[]; readonly remove: readonly string[] }) {
    this.removed = new NameSet([...options.remove, ...options.set.map((field) => field.name)]);
    this.lines = fieldLines(options.set);
  }
}

/** How a response goes to its client. Reused. */
export interface ResponseFacts {
  /**
   * How its body goes to the client: CHUNKED, UNTIL_CLOSE, TUNNEL, or a number of bytes (whatever it is, Content-Length is
   * what the server has said, as an answer to HEAD has one too). What bodyOf says, unless the engine recodes it.
   */
  body: number;
  /** `Connection: close`: we end the connection behind it. */
  close: boolean;
  /** `Connection: keep-alive`, for a client of HTTP/1.0 that has asked for it. */
  keepAlive: boolean;
}

/**
 * Writes the response for the client to `into[at]`, all but the empty line.
 * @returns the position behind it, or TOO_LONG.
 */
export function writeResponseHead(
  _bytes: Uint8Array,
  _head: ResponseHead,
  _rules: ResponseRules,
  _facts: ResponseFacts,
  _into: Uint8Array,
  _at: number,
): number {
  return TOO_LONG;
}

/** Ends a head. @returns the position behind it, or TOO_LONG; TOO_LONG stays TOO_LONG. */
export function endHead(into: Uint8Array, at: number): number {
  if (at < 0 || at + 2 > into.length) return TOO_LONG;
  into[at] = 0x0d;
  into[at + 1] = 0x0a;
  return at + 2;
}

/** Whole lines of `fields`. Names and values are checked where the configuration is read. */
export function fieldLines(fields: readonly NamedField[]): Uint8Array {
  return ascii(fields.map((field) => `${field.name}: ${field.value}\r\n`).join(""));
}
