/**
 * The preconnection blob (MS-RDPEPS 2.2.1) that a client may send before anything else, to name a virtual machine on a
 * Hyper-V host. Holdfast does not route by it; it is told apart from garbage so that its refusal can say what it was.
 */
import { NEED_MORE, type Reasons } from "../result.ts";
import { readU32LE } from "./x224.ts";

/** cbSize, Flags, Version, Id: each LE32. */
const V1_BYTES = 16;
/** Version 2 adds cchPCB (LE16) and so many UTF-16 units. */
const V2_HEADER = 18;
/** Bound: the whole blob. The specification has none (65,535 units); names of machines are far shorter. */
export const MAX_PRECONNECTION_BLOB = 1024;

export const NOT_PRECONNECTION_BLOB = -1;
export const BLOB_BAD_LENGTH = -2;
export const PRECONNECTION_BLOB_REASONS: Reasons = {
  [NOT_PRECONNECTION_BLOB]: "not-preconnection-blob",
  [BLOB_BAD_LENGTH]: "bad-length",
};

export interface PreconnectionBlob {
  version: number;
  id: number;
  /** Where the UTF-16LE text lies, its closing zero included; empty for version 1. */
  textAt: number;
  textEnd: number;
}

export function newPreconnectionBlob(): PreconnectionBlob {
  return { version: 0, id: 0, textAt: 0, textEnd: 0 };
}

/**
 * Reads a preconnection blob in `bytes[from, to)`. Bound: MAX_PRECONNECTION_BLOB, 1,024 bytes. Its size is always even,
 * so its first byte is never 03: it cannot be taken for a TPKT.
 * @returns bytes used (> 0, `out` is filled), NEED_MORE (0), or a reason (< 0).
 */
export function readPreconnectionBlob(bytes: Uint8Array, from: number, to: number, out: PreconnectionBlob): number {
  const have = to - from;
  if (have >= 1 && (bytes[from]! & 1) !== 0) return NOT_PRECONNECTION_BLOB;
  if (have >= 4) {
    const size = readU32LE(bytes, from);
    if (size < V1_BYTES || size > MAX_PRECONNECTION_BLOB) return NOT_PRECONNECTION_BLOB;
  }
  for (let i = 4; i < 8 && i < have; i++) if (bytes[from + i] !== 0) return NOT_PRECONNECTION_BLOB;
  for (let i = 8; i < 12 && i < have; i++) {
    const right = i === 8 ? bytes[from + i] === 1 || bytes[from + i] === 2 : bytes[from + i] === 0;
    if (!right) return NOT_PRECONNECTION_BLOB;
  }
  if (have < V1_BYTES) return NEED_MORE;
  const size = readU32LE(bytes, from);
  out.version = bytes[from + 8]!;
  out.id = readU32LE(bytes, from + 12);
  out.textAt = from + size;
  out.textEnd = from + size;
  if (out.version === 1) return size === V1_BYTES ? V1_BYTES : BLOB_BAD_LENGTH;
  if (size < V2_HEADER) return BLOB_BAD_LENGTH;
  if (have < V2_HEADER) return NEED_MORE;
  const units = bytes[from + 16]! | (bytes[from + 17]! << 8);
  if (V2_HEADER + 2 * units !== size) return BLOB_BAD_LENGTH;
  if (have < size) return NEED_MORE;
  out.textAt = from + V2_HEADER;
  return size;
}
