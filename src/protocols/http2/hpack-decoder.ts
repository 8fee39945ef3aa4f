/** Reads field blocks (RFC 7541). One decoder for each connection: every block changes what the next one may refer to. */
import type { Reasons } from "../result.ts";
import { DynamicTable } from "./dynamic-table.ts";
import type { FieldList } from "./field-list.ts";
import { decodeHuffman, HUFFMAN_TOO_LONG } from "./huffman.ts";
import { STATIC_BOUNDS, STATIC_BYTES, STATIC_ENTRIES } from "./static-table.ts";

/** Size of the table of a connection, in RFC 7541's count: what everybody begins with. */
export const TABLE_SIZE = 4096;
/** What a FieldList needs behind its limit, so that a field which goes into the table can be decoded there. */
export const FIELD_SLACK = 2 * TABLE_SIZE;

export const HPACK_CUT_OFF = -1;
export const HPACK_BAD_INDEX = -2;
export const HPACK_BAD_INTEGER = -3;
export const HPACK_BAD_HUFFMAN = -4;
export const HPACK_BAD_TABLE_SIZE = -5;
export const HPACK_EMPTY = -6;
/** All but the last are COMPRESSION_ERROR: the two sides no longer agree on the table. */
export const HPACK_REASONS: Reasons = {
  [HPACK_CUT_OFF]: "block-cut-off",
  [HPACK_BAD_INDEX]: "bad-index",
  [HPACK_BAD_INTEGER]: "bad-integer",
  [HPACK_BAD_HUFFMAN]: "bad-huffman",
  [HPACK_BAD_TABLE_SIZE]: "bad-table-size",
  [HPACK_EMPTY]: "empty-block",
};

/**
 * Reads a whole field block, `bytes[from, to)`, into `out` (with FIELD_SLACK), and what it adds into the table of `decoder`.
 * A list above its limit is read to the end, so that the table stays right, and has `tooLarge`: what lies beyond the limit
 * is counted, not copied.
 * @returns bytes used (all of them), or a reason. Never NEED_MORE, never throws.
 */
export function readFieldBlock(
  bytes: Uint8Array,
  from: number,
  to: number,
  decoder: HpackDecoder,
  out: FieldList,
): number {
  return decoder.read(bytes, from, to, out);
}

/** Integers are lengths and indices: nothing here is anywhere near this long. */
const LARGEST_INTEGER = 1 << 24;
/** In place of the end of a text that did not fit. */
const TOO_LONG = -100;

export class HpackDecoder {
  readonly #table: DynamicTable;
  /** Where reading is; below 0: a reason. */
  #at = 0;

  constructor(tableSize = TABLE_SIZE) {
    this.#table = new DynamicTable(tableSize);
  }

  /** As readFieldBlock. */
  read(bytes: Uint8Array, from: number, to: number, out: FieldList): number {
    out.clear();
    if (from >= to) return HPACK_EMPTY;
    this.#at = from;
    while (this.#at < to) {
      const byte = bytes[this.#at]!;
      if (byte >= 0x80) this.#readIndexed(bytes, to, out);
      else if (byte >= 0x40) this.#readLiteral(bytes, to, 6, true, out);
      else if (byte >= 0x20) this.#readTableSize(bytes, to, out);
      else this.#readLiteral(bytes, to, 4, false, out);
      if (this.#at < 0) return this.#at;
    }
    return to - from;
  }

  /** RFC 7541 6.3: only before the first field, at most what we allow. */
  #readTableSize(bytes: Uint8Array, to: number, out: FieldList): void {
    const size = this.#readInteger(bytes, to, 5);
    if (size < 0) return;
    if (size > this.#table.limit || out.size > 0) this.#at = HPACK_BAD_TABLE_SIZE;
    else this.#table.resize(size);
  }

  #readIndexed(bytes: Uint8Array, to: number, out: FieldList): void {
    const index = this.#readInteger(bytes, to, 7);
    if (index < 0) return;
    if (index === 0 || index > STATIC_ENTRIES + this.#table.count) {
      this.#at = HPACK_BAD_INDEX;
      return;
    }
    if (out.tooLarge) {
      // A byte can refer to a whole table: only what still counts is copied.
      out.counts(this.#lengthOf(index));
      return;
    }
    const at = out.end;
    const nameEnd = this.#copyName(index, out, at);
    let end: number;
    if (index <= STATIC_ENTRIES) {
      const valueAt = STATIC_BOUNDS[2 * index + 1]!;
      end = copy(STATIC_BYTES, valueAt, STATIC_BOUNDS[2 * index + 2]!, out.bytes, nameEnd);
    } else {
      const entry = index - STATIC_ENTRIES - 1;
      end = copy(this.#table.bytes, this.#table.valueAt(entry), this.#table.valueEnd(entry), out.bytes, nameEnd);
    }
    out.add(nameEnd, end);
  }

  /** `prefix`: bits of the name's index. `remember`: the field goes into the table. */
  #readLiteral(bytes: Uint8Array, to: number, prefix: number, remember: boolean, out: FieldList): void {
    const index = this.#readInteger(bytes, to, prefix);
    if (index < 0) return;
    if (index > STATIC_ENTRIES + this.#table.count) {
      this.#at = HPACK_BAD_INDEX;
      return;
    }
    const at = out.end;
    const nameEnd = index > 0 ? this.#copyName(index, out, at) : this.#readText(bytes, to, out, at);
    if (this.#at < 0) return;
    const end = this.#readText(bytes, to, out, nameEnd === TOO_LONG ? at : nameEnd);
    if (this.#at < 0) return;
    if (nameEnd === TOO_LONG || end === TOO_LONG) {
      // Longer than the room behind the limit, and so than the table.
      out.counts(out.bytes.length);
      if (remember) this.#table.clear();
      return;
    }
    if (remember) this.#table.add(out.bytes, at, nameEnd, end);
    out.add(nameEnd, end);
  }

  #lengthOf(index: number): number {
    if (index <= STATIC_ENTRIES) return STATIC_BOUNDS[2 * index + 2]! - STATIC_BOUNDS[2 * index]!;
    const entry = index - STATIC_ENTRIES - 1;
    return this.#table.valueEnd(entry) - this.#table.nameAt(entry);
  }

  /** The name of an entry to `out.bytes[at]`; returns its end. Its length is below TABLE_SIZE: there is room. */
  #copyName(index: number, out: FieldList, at: number): number {
    if (index <= STATIC_ENTRIES) {
      return copy(STATIC_BYTES, STATIC_BOUNDS[2 * index]!, STATIC_BOUNDS[2 * index + 1]!, out.bytes, at);
    }
    const entry = index - STATIC_ENTRIES - 1;
    return copy(this.#table.bytes, this.#table.nameAt(entry), this.#table.valueAt(entry), out.bytes, at);
  }

  /** RFC 7541 5.2. @returns where the text ends in `out.bytes`, or TOO_LONG. */
  #readText(bytes: Uint8Array, to: number, out: FieldList, at: number): number {
    if (this.#at >= to) {
      this.#at = HPACK_CUT_OFF;
      return TOO_LONG;
    }
    const isHuffman = bytes[this.#at]! >= 0x80;
    const length = this.#readInteger(bytes, to, 7);
    if (length < 0) return TOO_LONG;
    const from = this.#at;
    if (length > to - from) {
      this.#at = HPACK_CUT_OFF;
      return TOO_LONG;
    }
    this.#at = from + length;
    const most = out.bytes.length;
    if (!isHuffman) return length > most - at ? TOO_LONG : copy(bytes, from, from + length, out.bytes, at);
    const end = decodeHuffman(bytes, from, from + length, out.bytes, at, most);
    if (end >= 0) return end;
    if (end !== HUFFMAN_TOO_LONG) this.#at = HPACK_BAD_HUFFMAN;
    return TOO_LONG;
  }

  /** RFC 7541 5.1. @returns the number, or a reason, which is then in `#at` too. */
  #readInteger(bytes: Uint8Array, to: number, prefix: number): number {
    const most = (1 << prefix) - 1;
    let value = bytes[this.#at++]! & most;
    if (value < most) return value;
    for (let shift = 0; ; shift += 7) {
      if (this.#at >= to) {
        this.#at = HPACK_CUT_OFF;
        return this.#at;
      }
      const byte = bytes[this.#at++]!;
      value += (byte & 0x7f) << shift;
      // Four bytes are plenty, leading zeros included.
      if (value > LARGEST_INTEGER || shift > 21) {
        this.#at = HPACK_BAD_INTEGER;
        return this.#at;
      }
      if (byte < 0x80) return value;
    }
  }
}

/** The names of the table are shorter than a call of `set` costs. */
function copy(from: Uint8Array, at: number, end: number, into: Uint8Array, intoAt: number): number {
  if (end - at > 256) {
    into.set(from.subarray(at, end), intoAt);
    return intoAt + end - at;
  }
  for (let i = at; i < end; i++) into[intoAt++] = from[i]!;
  return intoAt;
}
