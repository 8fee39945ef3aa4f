/** The header fields of a message as offsets, and a number for each name that means something to a balancer. */
import { ascii, lower } from "../ascii.ts";

/** What a field is. */
export const Field = {
  OTHER: 0,
  /** Not passed on: `Connection` names it, or who rewrites it has taken it out. */
  DROPPED: 1,
  HOST: 2,
  CONNECTION: 3,
  CONTENT_LENGTH: 4,
  TRANSFER_ENCODING: 5,
  TE: 6,
  UPGRADE: 7,
  EXPECT: 8,
  KEEP_ALIVE: 9,
  PROXY_CONNECTION: 10,
  TRAILER: 11,
  COOKIE: 12,
  SET_COOKIE: 13,
  FORWARDED: 14,
  X_FORWARDED_FOR: 15,
  X_FORWARDED_PROTO: 16,
  X_FORWARDED_PORT: 17,
  X_FORWARDED_HOST: 18,
  X_REQUEST_ID: 19,
  HTTP2_SETTINGS: 20,
  AUTHORIZATION: 21,
  USER_AGENT: 22,
  REFERER: 23,
  CONTENT_TYPE: 24,
  LOCATION: 25,
  SEC_WEBSOCKET_KEY: 26,
  SEC_WEBSOCKET_ACCEPT: 27,
  SEC_WEBSOCKET_VERSION: 28,
  CACHE_CONTROL: 29,
} as const;
export type Field = (typeof Field)[keyof typeof Field];

/** Names in lower case, by number; "" for OTHER and DROPPED. */
export const FIELD_NAMES: readonly string[] = Object.entries(Field).map(([key, code]) =>
  code <= Field.DROPPED ? "" : key.toLowerCase().replaceAll("_", "-"),
);
const NAME_BYTES: readonly Uint8Array[] = FIELD_NAMES.map(ascii);

/** A field as configuration has it. */
export interface NamedField {
  readonly name: string;
  readonly value: string;
}

/** A piece of a message: `bytes[at, end)`. */
export interface Span {
  at: number;
  end: number;
}

const HYPHEN = 0x2d;
const UNDERSCORE = 0x5f;

/**
 * A name's byte as names are compared: without case, and `_` as `-`. Servers that hand fields on as variables (CGI, WSGI,
 * PHP) see no difference, so neither may we: X_Forwarded_For would be a forgery that gets through.
 */
export function foldName(byte: number): number {
  return byte === UNDERSCORE ? HYPHEN : lower(byte);
}

/** Is the name `bytes[from, to)` the `name` (in lower case)? `_` and `-` are the same. */
export function isName(bytes: Uint8Array, from: number, to: number, name: Uint8Array): boolean {
  if (to - from !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (foldName(bytes[from + i]!) !== name[i]) return false;
  return true;
}

/** Known names by length and first letter: the first number of each pair, and for each number the next of its pair. */
const FIRST = new Uint8Array(32 * 32);
const NEXT = new Uint8Array(NAME_BYTES.length);
for (let code = NAME_BYTES.length - 1; code > Field.DROPPED; code--) {
  const name = NAME_BYTES[code]!;
  const pair = (name.length << 5) | (name[0]! & 31);
  NEXT[code] = FIRST[pair]!;
  FIRST[pair] = code;
}

/** Set in the number of a known name that is written with `_` instead of `-`. */
export const UNDERSCORED = 0x80;

/**
 * The number of the name `bytes[from, to)`, which is a token; Field.OTHER for one that means nothing here. With UNDERSCORED
 * if some servers only take it for that name.
 */
export function fieldCode(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  if (length > 31) return Field.OTHER;
  let code = FIRST[(length << 5) | (bytes[from]! & 31)]!;
  while (code !== 0) {
    const name = NAME_BYTES[code]!;
    let at = 0;
    let spelling = 0;
    for (; at < length; at++) {
      const byte = bytes[from + at]! | 0x20; // of a token's bytes only letters change, and `_`, which becomes DEL
      if (byte === name[at]) continue;
      if (byte !== 0x7f || name[at] !== HYPHEN) break;
      spelling = UNDERSCORED;
    }
    if (at === length) return code | spelling;
    code = NEXT[code]!;
  }
  return Field.OTHER;
}

/** Fields a table has room for at first; it grows up to the limit of who fills it. */
const FIRST_CAPACITY = 32;

/** The fields of one message, in its order. Offsets into the bytes it was read from; values without blanks around them. */
export class FieldTable {
  count = 0;
  /** A bit for each number that occurs: `1 << Field.HOST`. */
  present = 0;
  /** What each field is. */
  codes = new Uint8Array(FIRST_CAPACITY);
  /** Four for each field: where its name begins and ends, where its value begins and ends. */
  spans = new Int32Array(FIRST_CAPACITY * 4);

  clear(): void {
    this.count = 0;
    this.present = 0;
  }

  add(code: number, nameAt: number, nameEnd: number, valueAt: number, valueEnd: number): void {
    if (this.count === this.codes.length) this.#grow();
    const at = this.count * 4;
    this.codes[this.count++] = code;
    this.spans[at] = nameAt;
    this.spans[at + 1] = nameEnd;
    this.spans[at + 2] = valueAt;
    this.spans[at + 3] = valueEnd;
    this.present |= 1 << code;
  }

  nameAt(index: number): number {
    return this.spans[index * 4]!;
  }

  nameEnd(index: number): number {
    return this.spans[index * 4 + 1]!;
  }

  valueAt(index: number): number {
    return this.spans[index * 4 + 2]!;
  }

  valueEnd(index: number): number {
    return this.spans[index * 4 + 3]!;
  }

  /** The value of a field begins somewhere else. */
  moveValue(index: number, at: number): void {
    this.spans[index * 4 + 2] = at;
  }

  /** The first field that is a `code` (not OTHER), at `from` or behind it; -1: none. */
  find(code: number, from = 0): number {
    if ((this.present & (1 << code)) === 0) return -1;
    for (let i = from; i < this.count; i++) if (this.codes[i] === code) return i;
    return -1;
  }

  /** The last field that is a `code` (not OTHER), in front of `before`; -1: none. */
  findLast(code: number, before = this.count): number {
    if ((this.present & (1 << code)) === 0) return -1;
    for (let i = before - 1; i >= 0; i--) if (this.codes[i] === code) return i;
    return -1;
  }

  /** The first field called `name` (in lower case) at `from` or behind it; -1: none. Dropped ones are not there. */
  findName(bytes: Uint8Array, name: Uint8Array, from = 0): number {
    for (let i = from; i < this.count; i++) {
      if (this.codes[i] !== Field.DROPPED && isName(bytes, this.nameAt(i), this.nameEnd(i), name)) return i;
    }
    return -1;
  }

  /** The field is not passed on and not found any more. */
  drop(index: number): void {
    this.codes[index] = Field.DROPPED;
  }

  /** The bytes were moved by so many. */
  shift(by: number): void {
    for (let i = 0; i < this.count * 4; i++) this.spans[i]! += by;
  }

  #grow(): void {
    const codes = new Uint8Array(this.codes.length * 2);
    const spans = new Int32Array(this.spans.length * 2);
    codes.set(this.codes);
    spans.set(this.spans);
    this.codes = codes;
    this.spans = spans;
  }
}

/** Names of fields for one question to each field: is it among them? `_` and `-` are the same. */
export class NameSet {
  readonly #names: readonly Uint8Array[];
  /** A bit for each length (31: and longer): most fields are told apart by it alone. */
  readonly #lengths: number;

  constructor(names: readonly string[]) {
    this.#names = names.map((name) => ascii(name.toLowerCase().replaceAll("_", "-")));
    this.#lengths = names.reduce((bits, name) => bits | (1 << Math.min(name.length, 31)), 0);
  }

  get size(): number {
    return this.#names.length;
  }

  /** Is the name `bytes[from, to)` among them? */
  has(bytes: Uint8Array, from: number, to: number): boolean {
    if ((this.#lengths & (1 << Math.min(to - from, 31))) === 0) return false;
    for (let i = 0; i < this.#names.length; i++) if (isName(bytes, from, to, this.#names[i]!)) return true;
    return false;
  }
}

/** No names. */
export const NO_NAMES = new NameSet([]);
