/**
 * Writes field blocks (RFC 7541) without a memory: names of the static table, everything else as it is, no Huffman code.
 * HAProxy does the same. Nothing is kept for a connection, no client can learn from lengths what another field holds, and
 * bytes of a field are copied once. What a table would save are some hundred bytes a response.
 */
import { lower } from "../ascii.ts";
import { STATIC_BOUNDS, STATIC_BYTES, STATUS, staticName } from "./static-table.ts";

/** The first byte of the first block of a connection: our table has no room (RFC 7541 4.2), which is true ever after. */
export const NO_TABLE = 0x20;
const INDEXED = 0x80;
/** A field that nobody on the way may remember either: cookies and credentials (RFC 7541 7.1.3). */
const NEVER_INDEXED = 0x10;
const WITHOUT_INDEXING = 0x00;

/** The most that a field takes beyond its name and value. */
export const FIELD_FRAMING = 12;

const AUTHORIZATION = 23;
const COOKIE = 32;
const PROXY_AUTHORIZATION = 49;
const SET_COOKIE = 55;

/** RFC 7541 5.1: `value` behind the bits of `first`, in which `prefix` bits are free. */
export function writeInteger(into: Uint8Array, at: number, first: number, prefix: number, value: number): number {
  const most = (1 << prefix) - 1;
  if (value < most) {
    into[at] = first | value;
    return at + 1;
  }
  into[at++] = first | most;
  let rest = value - most;
  while (rest >= 0x80) {
    into[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  into[at] = rest;
  return at + 1;
}

/** An entry of the static table, name and value. */
export function writeIndexed(into: Uint8Array, at: number, index: number): number {
  into[at] = INDEXED | index;
  return at + 1;
}

/** `:status`, 100 to 599. */
export function writeStatus(into: Uint8Array, at: number, status: number): number {
  for (let index = STATUS; index < STATUS + 7; index++) {
    const valueAt = STATIC_BOUNDS[2 * index + 1]!;
    if (status === digits(STATIC_BYTES, valueAt)) return writeIndexed(into, at, index);
  }
  into[at] = WITHOUT_INDEXING | STATUS;
  into[at + 1] = 3;
  into[at + 2] = 0x30 + Math.floor(status / 100);
  into[at + 3] = 0x30 + (Math.floor(status / 10) % 10);
  into[at + 4] = 0x30 + (status % 10);
  return at + 5;
}

function digits(bytes: Uint8Array, at: number): number {
  return (bytes[at]! - 0x30) * 100 + (bytes[at + 1]! - 0x30) * 10 + bytes[at + 2]! - 0x30;
}

/**
 * A field: its name, in any case, is `bytes[nameAt, nameEnd)`, its value `bytes[valueAt, valueEnd)`. The caller has made
 * sure of the room: both lengths and FIELD_FRAMING.
 */
export function writeField(
  into: Uint8Array,
  at: number,
  bytes: Uint8Array,
  nameAt: number,
  nameEnd: number,
  valueAt: number,
  valueEnd: number,
): number {
  const index = staticName(bytes, nameAt, nameEnd);
  let end = writeInteger(into, at, isSecret(index) ? NEVER_INDEXED : WITHOUT_INDEXING, 4, index);
  if (index === 0) {
    end = writeInteger(into, end, 0, 7, nameEnd - nameAt);
    for (let i = nameAt; i < nameEnd; i++) into[end++] = lower(bytes[i]!);
  }
  return writeText(into, end, bytes, valueAt, valueEnd);
}

/** A field whose name is that of a static entry. */
export function writeNamed(
  into: Uint8Array,
  at: number,
  index: number,
  bytes: Uint8Array,
  valueAt: number,
  valueEnd: number,
): number {
  return writeText(into, writeInteger(into, at, WITHOUT_INDEXING, 4, index), bytes, valueAt, valueEnd);
}

function writeText(into: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): number {
  let end = writeInteger(into, at, 0, 7, to - from);
  for (let i = from; i < to; i++) into[end++] = bytes[i]!;
  return end;
}

function isSecret(index: number): boolean {
  return index === SET_COOKIE || index === COOKIE || index === AUTHORIZATION || index === PROXY_AUTHORIZATION;
}
