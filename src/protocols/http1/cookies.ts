/** Cookies in a request's and a response's fields (RFC 6265), found without a copy. */
import type { FieldTable, Span } from "./fields.ts";

/** A Set-Cookie field: where its parts are. */
export interface SetCookie {
  /** Of the field in its table. */
  index: number;
  /** Without quotes around it. */
  valueAt: number;
  valueEnd: number;
}

/**
 * Finds the cookie `name` (case matters) in all Cookie fields; the first counts, as for servers. `out` is its value without
 * quotes around it.
 */
export function findCookie(_bytes: Uint8Array, _fields: FieldTable, _name: Uint8Array, _out: Span): boolean {
  return false;
}

/** Finds the last Set-Cookie for `name` (case matters), which is the one that a browser keeps. */
export function findSetCookie(_bytes: Uint8Array, _fields: FieldTable, _name: Uint8Array, _out: SetCookie): boolean {
  return false;
}
