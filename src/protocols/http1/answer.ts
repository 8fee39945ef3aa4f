/** Answers of the balancer itself, whole and ready to be sent. */
import type { NamedField } from "./fields.ts";

/** One answer in its two endings. For HEAD only the head is sent: the first `…Head` bytes. */
export interface Answer {
  readonly status: number;
  /** The connection goes on. */
  readonly kept: Uint8Array;
  readonly keptHead: number;
  /** With `Connection: close`. */
  readonly closing: Uint8Array;
  readonly closingHead: number;
}

/** Makes an answer. `fields` are whole fields besides Content-Type and Content-Length. */
export function buildAnswer(
  _status: number,
  _contentType: string,
  _body: Uint8Array,
  _fields: readonly NamedField[],
): Answer {
  throw new Error("soon");
}

/** The built-in answer for `status` (400, 403, 404, 405, 408, 413, 414, 417, 429, 431, 500-505). `fields` as in buildAnswer. */
export function builtInAnswer(_status: number, _fields: readonly NamedField[] = []): Answer {
  throw new Error("soon");
}

/** `HTTP/1.1 100 Continue` and nothing else. */
export const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");
