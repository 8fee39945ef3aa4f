/** The name of a request (X-Request-Id), by which the logs of servers and ours are brought together. */
import { Field } from "../../../protocols/http1/fields.ts";
import type { HttpRequest } from "../../client.ts";

/** Most bytes that are kept of one. */
export const MAX_REQUEST_ID = 64;

const HEX = new TextEncoder().encode("0123456789abcdef");
const HYPHEN = 0x2d;

export class RequestName {
  readonly bytes = new Uint8Array(MAX_REQUEST_ID);
  /** 0: it has none. */
  length = 0;
  /** It is ours, and not one that somebody whom we trust has given. */
  isOurs = true;

  /**
   * Names a request: by its connection's id without `c-` (see connectionIdText), a hyphen and its number there, so that the
   * name finds the lines of both in the access log.
   */
  make(idHigh: number, idLow: number, request: number): void {
    this.isOurs = true;
    let at = this.#writeHex(0, idHigh, 8);
    at = this.#writeHex(at, idLow, 1);
    this.bytes[at++] = HYPHEN;
    this.length = this.#writeHex(at, request, 1);
  }

  /** Keeps the name that the request has. @returns whether it has one. */
  keep({ bytes, head }: HttpRequest): boolean {
    const given = head.fields.find(Field.X_REQUEST_ID);
    if (given < 0) return false;
    const from = head.fields.valueAt(given);
    const to = head.fields.valueEnd(given);
    this.isOurs = false;
    this.length = Math.min(to - from, MAX_REQUEST_ID);
    for (let i = 0; i < this.length; i++) this.bytes[i] = bytes[from + i]!;
    return true;
  }

  /** At least `least` digits of an unsigned 32-bit number. @returns the position behind them. */
  #writeHex(at: number, value: number, least: number): number {
    let digits = least;
    while (digits < 8 && value >>> (digits * 4) !== 0) digits++;
    let end = at;
    for (let i = digits - 1; i >= 0; i--) this.bytes[end++] = HEX[(value >>> (i * 4)) & 15]!;
    return end;
  }
}
