/**
 * `mode: prefix`: the server's own cookie gets the server's keyed fingerprint in front of its value, `<16 hexadecimal
 * digits>~`, and loses it again on its way back. Nothing is remembered; how long the cookie lives is the server's to say.
 */
import { ascii } from "../../protocols/ascii.ts";
import { findCookie, findSetCookie, type SetCookie } from "../../protocols/http1/cookies.ts";
import type { Span } from "../../protocols/http1/fields.ts";
import type { ResponseHead } from "../../protocols/http1/response.ts";
import type { Candidate } from "../candidate.ts";
import type { Client, HttpRequest } from "../client.ts";
import { Reason } from "../shared/words.ts";
import type { PersistenceSetting, Recogniser } from "./persistence.ts";
import { ServersByFingerprint } from "./servers-by-fingerprint.ts";

const TILDE = 0x7e;
const DIGITS = 16;
const PREFIX_BYTES = DIGITS + 1;
const SET_COOKIE = ascii("Set-Cookie: ");
/** Longest Set-Cookie that is rewritten: what browsers keep of a cookie (RFC 6265 6.1). A longer one is passed on as it is. */
const MAX_LINE = 4096;

export function prefixedCookie(setting: PersistenceSetting): Recogniser {
  return new PrefixedCookie(setting);
}

class PrefixedCookie implements Recogniser {
  readonly fieldBytes = SET_COOKIE.length + MAX_LINE + PREFIX_BYTES + 2;
  readonly #servers: ServersByFingerprint;
  readonly #name: Uint8Array;
  readonly #span: Span = { at: 0, end: 0 };
  readonly #set: SetCookie = { index: 0, valueAt: 0, valueEnd: 0 };
  /** The line that `learn` has rewritten and `writeFields` adds. */
  readonly #line: Uint8Array;
  #lineLength = 0;
  #high = 0;
  #low = 0;

  constructor(setting: PersistenceSetting) {
    this.#servers = new ServersByFingerprint(setting.servers);
    this.#name = ascii(setting.plan.name);
    this.#line = new Uint8Array(this.fieldBytes);
  }

  recognise({ request }: Client): number {
    if (request === null || !this.#hasPrefix(request)) return 0;
    return this.#servers.find(this.#high, this.#low)?.plan.id ?? -Reason.COOKIE_UNKNOWN_SERVER;
  }

  remember(): void {}
  touch(): void {}
  forget(): void {}

  hide({ request }: Client, out: Span): void {
    if (request === null || !this.#hasPrefix(request)) return;
    out.at = this.#span.at;
    out.end = this.#span.at + PREFIX_BYTES;
  }

  learn(_client: Client, server: Candidate, bytes: Uint8Array, head: ResponseHead): void {
    this.#lineLength = 0;
    const { fields } = head;
    if (!findSetCookie(bytes, fields, this.#name, this.#set)) return;
    const { index, valueAt } = this.#set;
    const from = fields.valueAt(index);
    const end = fields.valueEnd(index);
    if (end - from > MAX_LINE) return;
    const line = this.#line;
    line.set(SET_COOKIE);
    let at = append(line, SET_COOKIE.length, bytes, from, valueAt);
    at = writeHex(line, at, server.plan.tokenHigh);
    at = writeHex(line, at, server.plan.tokenLow);
    line[at++] = TILDE;
    at = append(line, at, bytes, valueAt, end);
    line[at++] = 0x0d;
    line[at++] = 0x0a;
    this.#lineLength = at;
    fields.drop(index);
  }

  writeFields(
    _client: Client,
    _server: Candidate,
    _secure: boolean,
    _nowSec: number,
    out: Uint8Array,
    at: number,
  ): number {
    const end = append(out, at, this.#line, 0, this.#lineLength);
    this.#lineLength = 0;
    return end;
  }

  /** Does the cookie's value (`#span`) begin with a prefix? Reads it into `#high` and `#low`. */
  #hasPrefix({ bytes, head }: HttpRequest): boolean {
    const span = this.#span;
    if (!findCookie(bytes, head.fields, this.#name, span)) return false;
    if (span.end - span.at < PREFIX_BYTES || bytes[span.at + DIGITS] !== TILDE) return false;
    const high = readHex(bytes, span.at);
    const low = readHex(bytes, span.at + 8);
    if (high < 0 || low < 0) return false;
    this.#high = high;
    this.#low = low;
    return true;
  }
}

function append(into: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): number {
  for (let i = from; i < to; i++) into[at + i - from] = bytes[i]!;
  return at + to - from;
}

/** A 32-bit word as eight lower-case hexadecimal digits. */
function writeHex(into: Uint8Array, at: number, word: number): number {
  for (let i = 0; i < 8; i++) {
    const digit = (word >>> (28 - 4 * i)) & 15;
    into[at + i] = digit < 10 ? 0x30 + digit : 0x57 + digit;
  }
  return at + 8;
}

/** The word that `writeHex` has written, unsigned; -1 for anything else. */
function readHex(bytes: Uint8Array, at: number): number {
  let word = 0;
  for (let i = 0; i < 8; i++) {
    const byte = bytes[at + i]!;
    if (byte >= 0x30 && byte <= 0x39) word = word * 16 + byte - 0x30;
    else if (byte >= 0x61 && byte <= 0x66) word = word * 16 + byte - 0x57;
    else return -1;
  }
  return word;
}
