/** What the head of an HTTP/1 request says. */
import { ascii } from "../ascii.ts";
import { FieldTable } from "./fields.ts";

/** Methods that a balancer treats differently from others. */
export const Method = {
  OTHER: 0,
  GET: 1,
  HEAD: 2,
  POST: 3,
  PUT: 4,
  DELETE: 5,
  OPTIONS: 6,
  PATCH: 7,
  TRACE: 8,
  CONNECT: 9,
} as const;
export type Method = (typeof Method)[keyof typeof Method];

/** Doing it twice is doing it once (RFC 9110 9.2.2). */
export function isIdempotent(method: number): boolean {
  return method !== Method.OTHER && method !== Method.POST && method !== Method.PATCH && method !== Method.CONNECT;
}

/** How a target is written (RFC 9112 3.2). */
export const TargetForm = { ORIGIN: 0, ABSOLUTE: 1, ASTERISK: 2, AUTHORITY: 3 } as const;
export type TargetForm = (typeof TargetForm)[keyof typeof TargetForm];

/** How long a body is, besides a number of bytes. */
export const NO_BODY = 0;
export const CHUNKED = -1;
/** Only of a response: until the server ends its sending. */
export const UNTIL_CLOSE = -2;
/** Only of a response: bytes of another protocol follow, both ways (101, or a CONNECT that succeeded). */
export const TUNNEL = -3;

/** What a request may be at most; the plan's `http.limits` is one. */
export interface HeadLimits {
  /** Bytes of the request line and all fields, the empty line included. */
  readonly head: number;
  /** Bytes of the target. */
  readonly target: number;
  /** Number of fields. */
  readonly fields: number;
}

/** A request's head. Reused; offsets into the bytes that it was read from (`shift` when they were moved). */
export class RequestHead {
  /** Bytes of the head: the empty line, and a tolerated one in front, included. */
  length = 0;
  method: number = Method.OTHER;
  methodAt = 0;
  methodEnd = 0;
  /** As it was sent. */
  targetAt = 0;
  targetEnd = 0;
  targetForm: number = TargetForm.ORIGIN;
  /** Without the query. Empty: `/` (absolute-form without a path), `*`, or an authority. */
  pathAt = 0;
  pathEnd = 0;
  /** Behind the `?`; empty where there is none. `queryAt > pathEnd` when there is a `?`. */
  queryAt = 0;
  queryEnd = 0;
  /** The host that is asked for, with its port, from the target or the Host field. Empty: none. Always valid (host.ts). */
  hostAt = 0;
  hostEnd = 0;
  /** The end of its name, without the port. */
  hostNameEnd = 0;
  /** 0 or 1: HTTP/1.0 or HTTP/1.1. */
  minorVersion = 1;
  /** A number of bytes (up to 2^53 - 1), NO_BODY or CHUNKED. */
  body = NO_BODY;
  /** A Content-Length was sent, if only 0. */
  hasLength = false;
  /** The client says that this is its last request: `Connection: close`, or HTTP/1.0 without keep-alive. */
  close = false;
  /** HTTP/1.0 with `Connection: keep-alive`: the answer says so too, or the connection ends. */
  keepAlive = false;
  /**
   * The protocol that the client wants to go on with; empty: none. Only one, with `Connection: upgrade`, in HTTP/1.1,
   * without a body, and never h2c: an offer that is none of these is not passed on, as a server may ignore any.
   */
  upgradeAt = 0;
  upgradeEnd = 0;
  /** The client waits for 100 (Continue) before it sends its body. */
  expectContinue = false;
  /** `TE: trailers`. */
  trailers = false;
  readonly fields = new FieldTable();

  get isUpgrade(): boolean {
    return this.upgradeEnd > this.upgradeAt;
  }

  /** The bytes were moved by so many. */
  shift(by: number): void {
    this.methodAt += by;
    this.methodEnd += by;
    this.targetAt += by;
    this.targetEnd += by;
    this.pathAt += by;
    this.pathEnd += by;
    this.queryAt += by;
    this.queryEnd += by;
    this.hostAt += by;
    this.hostEnd += by;
    this.hostNameEnd += by;
    this.upgradeAt += by;
    this.upgradeEnd += by;
    this.fields.shift(by);
  }
}

/** Methods by length and first letter, which tell them all apart. */
const METHODS: readonly (readonly [number, Uint8Array] | undefined)[] = methodTable();

function methodTable(): (readonly [number, Uint8Array] | undefined)[] {
  const table = new Array<readonly [number, Uint8Array] | undefined>(8 * 32).fill(undefined);
  for (const [name, code] of Object.entries(Method)) {
    if (code !== Method.OTHER) table[(name.length << 5) | (name.charCodeAt(0) & 31)] = [code, ascii(name)];
  }
  return table;
}

/** The method `bytes[from, to)`; Method.OTHER for one that is nothing special. */
export function methodCode(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  if (length > 7) return Method.OTHER;
  const known = METHODS[(length << 5) | (bytes[from]! & 31)];
  return known !== undefined && isWord(bytes, from, to, known[1]) ? known[0] : Method.OTHER;
}

/** Are the bytes exactly `word`? */
export function isWord(bytes: Uint8Array, from: number, to: number, word: Uint8Array): boolean {
  if (to - from !== word.length) return false;
  for (let i = 0; i < word.length; i++) if (bytes[from + i] !== word[i]) return false;
  return true;
}
