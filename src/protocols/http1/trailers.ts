/** Fields behind a body in chunks (RFC 9112 7.1.2). */
import { NEED_MORE } from "../result.ts";
import { readFieldLines } from "./field-lines.ts";
import { Field, FieldTable, type NameSet } from "./fields.ts";
import { copySpan, passFields } from "./pass-fields.ts";
import { BAD_TRAILER, TOO_MANY_FIELDS, TRAILERS_TOO_LONG } from "./reasons.ts";

/** Bytes of all trailers, the empty line included. */
export const MAX_TRAILERS = 4096;
const MAX_TRAILER_FIELDS = 32;

/** A message's end and its way are settled before its body: who says it again behind it wants it to be read twice. */
const REFUSED = (1 << Field.HOST) | (1 << Field.CONTENT_LENGTH) | (1 << Field.TRANSFER_ENCODING);
/** Whatever a balancer acts upon has its place in the head (RFC 9110 6.5.1). */
const DROPPED = ~(1 << Field.OTHER);

const table = new FieldTable();

/** Collects the trailers of one body, in however many pieces they come. */
export class Trailers {
  /** When complete: whole lines of those that are passed on, without the empty line. */
  lines: Uint8Array = new Uint8Array(0);
  readonly #bytes = new Uint8Array(MAX_TRAILERS);
  #have = 0;

  /**
   * Takes what belongs to the trailers of `bytes[from, to)`. Those in `removed` are not passed on.
   * @returns the bytes taken, up to the empty line and with it (`lines` is filled); NEED_MORE: all of them, and more will
   * come; or a reason (< 0).
   */
  take(bytes: Uint8Array, from: number, to: number, removed: NameSet): number {
    const before = this.#have;
    const end = Math.min(to, from + MAX_TRAILERS - before);
    copySpan(bytes, from, end, this.#bytes, before);
    this.#have += end - from;
    table.clear();
    // From the first trailer each time: byte by byte that is 10 ms for a whole body's, half of what its packets cost.
    const read = readFieldLines(this.#bytes, 0, this.#have, MAX_TRAILER_FIELDS, false, table);
    if (read === NEED_MORE) return this.#have < MAX_TRAILERS ? NEED_MORE : TRAILERS_TOO_LONG;
    if (read < 0) return read === TOO_MANY_FIELDS ? TRAILERS_TOO_LONG : read;
    if ((table.present & REFUSED) !== 0) return BAD_TRAILER;
    const lines = new Uint8Array(read + table.count); // a blank behind each colon
    this.lines = lines.subarray(0, passFields(this.#bytes, table, DROPPED, removed, lines, 0));
    return read - before;
  }
}
