/** Cookies in a request's and a response's fields (RFC 6265), found without a copy. */
import { isBlank } from "../ascii.ts";
import { Field, type FieldTable, type Span } from "./fields.ts";

/** Where a cookie is in a request: `bytes[at, end)` of the Cookie field at `index`, name and value. */
export interface CookiePair {
  index: number;
  at: number;
  end: number;
}

/** A Set-Cookie field: where its parts are. */
export interface SetCookie {
  /** Of the field in its table. */
  index: number;
  /** Without quotes around it. */
  valueAt: number;
  valueEnd: number;
}

const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;

/**
 * Finds the cookie `name` (case matters) in all Cookie fields; the first counts, as for servers. `out` is its value without
 * quotes around it.
 */
export function findCookie(bytes: Uint8Array, fields: FieldTable, name: Uint8Array, out: Span): boolean {
  return findPair(bytes, fields, name, found, out);
}

/** Finds the same cookie with its name. `value` is as `findCookie` has it. */
export function findPair(
  bytes: Uint8Array,
  fields: FieldTable,
  name: Uint8Array,
  out: CookiePair,
  value: Span,
): boolean {
  for (let i = fields.find(Field.COOKIE); i >= 0; i = fields.find(Field.COOKIE, i + 1)) {
    const end = fields.valueEnd(i);
    let at = fields.valueAt(i);
    while (at < end) {
      while (at < end && (isBlank(bytes[at]!) || bytes[at] === SEMICOLON)) at++;
      const begin = at;
      while (at < end && bytes[at] !== SEMICOLON) at++;
      if (!readPair(bytes, begin, at, name, value)) continue;
      out.index = i;
      out.at = begin;
      out.end = at;
      return true;
    }
  }
  return false;
}

/** What has to be left out of the field so that the cookie is gone: with a separator, if others stay. */
export function spanOfPair(bytes: Uint8Array, fields: FieldTable, { index, at, end }: CookiePair, out: Span): void {
  const valueEnd = fields.valueEnd(index);
  out.at = at;
  out.end = end;
  while (out.end < valueEnd && isSeparator(bytes[out.end]!)) out.end++;
  if (out.end < valueEnd) return;
  while (out.at > fields.valueAt(index) && isSeparator(bytes[out.at - 1]!)) out.at--;
}

function isSeparator(byte: number): boolean {
  return byte === SEMICOLON || isBlank(byte);
}

const found: CookiePair = { index: 0, at: 0, end: 0 };

/** Finds the last Set-Cookie for `name` (case matters), which is the one that a browser keeps. */
export function findSetCookie(bytes: Uint8Array, fields: FieldTable, name: Uint8Array, out: SetCookie): boolean {
  let found = false;
  for (let i = fields.find(Field.SET_COOKIE); i >= 0; i = fields.find(Field.SET_COOKIE, i + 1)) {
    const end = fields.valueEnd(i);
    let at = fields.valueAt(i);
    while (at < end && bytes[at] !== SEMICOLON) at++;
    if (!readPair(bytes, fields.valueAt(i), at, name, pair)) continue;
    out.index = i;
    out.valueAt = pair.at;
    out.valueEnd = pair.end;
    found = true;
  }
  return found;
}

const pair: Span = { at: 0, end: 0 };

/** Is `bytes[from, to)` the pair of `name`? Then `out` is its value, without blanks and quotes around it. */
function readPair(bytes: Uint8Array, from: number, to: number, name: Uint8Array, out: Span): boolean {
  let at = from + name.length;
  if (at >= to) return false;
  for (let i = 0; i < name.length; i++) if (bytes[from + i] !== name[i]) return false;
  while (at < to && isBlank(bytes[at]!)) at++;
  if (at === to || bytes[at] !== EQUALS) return false;
  at++;
  let end = to;
  while (at < end && isBlank(bytes[at]!)) at++;
  while (end > at && isBlank(bytes[end - 1]!)) end--;
  const quoted = end - at >= 2 && bytes[at] === QUOTE && bytes[end - 1] === QUOTE;
  out.at = quoted ? at + 1 : at;
  out.end = quoted ? end - 1 : end;
  return true;
}
