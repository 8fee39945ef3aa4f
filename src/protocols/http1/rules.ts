/** What is added to messages and taken out of them: for each service, made once, and for each message. */
import { ascii } from "../ascii.ts";
import { Field, fieldCode, type NamedField, NameSet, type Span, UNDERSCORED } from "./fields.ts";

/** Fields that are about one connection or about where a message ends: only what was understood of a message says them. */
export const FRAMING =
  (1 << Field.CONNECTION) |
  (1 << Field.KEEP_ALIVE) |
  (1 << Field.PROXY_CONNECTION) |
  (1 << Field.CONTENT_LENGTH) |
  (1 << Field.TRANSFER_ENCODING) |
  (1 << Field.TE) |
  (1 << Field.UPGRADE) |
  (1 << Field.HTTP2_SETTINGS) |
  (1 << Field.EXPECT);

/** What happens to each request of a service; made once for a plan. */
export class RequestRules {
  /** Fields of clients that are not passed on. */
  readonly removed: NameSet;
  /** Whole lines that are added. */
  readonly lines: Uint8Array;
  /** Host that servers get instead of the client's; empty: the client's. */
  readonly host: Uint8Array;
  /** Fields of our own that the configuration sets or removes, a bit for each of Field: we do not write them. */
  readonly ruled: number;
  readonly forwarded: "replace" | "append" | "off";
  /** `Forwarded` (RFC 7239) too. */
  readonly standard: boolean;

  constructor(options: {
    readonly set: readonly NamedField[];
    readonly remove: readonly string[];
    readonly forwarded: { readonly mode: "replace" | "append" | "off"; readonly standard: boolean };
  }) {
    this.removed = new NameSet([...options.remove, ...options.set.map((field) => field.name)]);
    const hosts = options.set.filter((field) => codeOf(field.name) === Field.HOST);
    this.host = ascii(hosts.at(-1)?.value ?? "");
    this.lines = fieldLines(withoutFraming(options.set).filter((field) => !hosts.includes(field)));
    const names = [...options.remove, ...options.set.map((field) => field.name)];
    this.ruled = names.reduce((bits, name) => bits | (1 << codeOf(name)), 0);
    this.forwarded = options.forwarded.mode;
    this.standard = options.forwarded.standard;
  }
}

/** What the fields that we add say of one request. Reused. */
export interface RequestFacts {
  /** The client's address, 16 bytes. */
  source: Uint8Array;
  /** Where the request came from: the client, or the trusted peer that speaks for it. 16 bytes. */
  peer: Uint8Array;
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
  /** A part of a Cookie field's value that is only for us; empty: there is none. */
  hidden: Span;
}

/** What happens to each response of a service; made once for a plan. */
export class ResponseRules {
  readonly removed: NameSet;
  readonly lines: Uint8Array;

  constructor(options: { readonly set: readonly NamedField[]; readonly remove: readonly string[] }) {
    this.removed = new NameSet([...options.remove, ...options.set.map((field) => field.name)]);
    this.lines = fieldLines(withoutFraming(options.set));
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

/** Whole lines of `fields`. Names and values are checked where the configuration is read. */
export function fieldLines(fields: readonly NamedField[]): Uint8Array {
  return ascii(fields.map((field) => `${field.name}: ${field.value}\r\n`).join(""));
}

/** Those of `fields` that may be set: none that FRAMING has. */
export function withoutFraming(fields: readonly NamedField[]): NamedField[] {
  return fields.filter((field) => (FRAMING & (1 << codeOf(field.name))) === 0);
}

function codeOf(name: string): number {
  const bytes = ascii(name);
  return fieldCode(bytes, 0, bytes.length) & ~UNDERSCORED;
}
