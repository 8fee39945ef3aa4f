/** What is added to messages and taken out of them: for each service, made once, and for each message. */
import { ascii } from "../ascii.ts";
import { type NamedField, NameSet } from "./fields.ts";

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

/** Whole lines of `fields`. Names and values are checked where the configuration is read. */
export function fieldLines(fields: readonly NamedField[]): Uint8Array {
  return ascii(fields.map((field) => `${field.name}: ${field.value}\r\n`).join(""));
}
