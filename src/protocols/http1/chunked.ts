/** A body in chunks (RFC 9112 7.1), read as it comes. */
import { type NameSet, NO_NAMES } from "./fields.ts";

/**
 * Reads a body in chunks, piece by piece, and leaves in the piece what is passed on: the same chunks in canonical form
 * (no extensions, no leading zeros), or with `dataOnly` their data. It is rewritten in place, and only where something is
 * taken out: a peer that sends canonical chunks costs no copy.
 *
 *     const used = reader.read(bytes, from, to);
 *     if (used < 0) …refuse: nothing that was passed on is a whole body
 *     …pass on bytes[from, reader.end)
 *     if (reader.done) …pass on reader.tail; what follows at from + used is no part of the body
 */
export class ChunkedReader {
  /** Behind the last `read`: what is passed on ends here. At most `from + used`. */
  end = 0;
  /** The body is complete, its trailers too. */
  done = false;
  /** When `done`: bytes that are passed on behind the rest, without `dataOnly`: the last chunk, trailers, the empty line. */
  tail: Uint8Array = new Uint8Array(0);
  /** When `done`: whole lines of the trailers that may be passed on, without the empty line. */
  trailers: Uint8Array = new Uint8Array(0);
  /** Bytes of data so far. */
  dataBytes = 0;

  /** Begins a body. Trailers in `removed`, and those that a balancer acts upon, are not passed on. */
  begin(_dataOnly: boolean, _removed: NameSet = NO_NAMES): void {}

  /**
   * Reads on in `bytes[from, to)`, of which nothing may be read again.
   * @returns bytes that belong to the body (all of them unless `done`), or a reason (< 0, reasons.ts).
   */
  read(_bytes: Uint8Array, _from: number, _to: number): number {
    return -1;
  }
}

/** Begins a chunk of `length` bytes at `into[at]`: its size and CRLF. Behind its data comes CRLF. @returns the position behind it. */
export function writeChunkSize(_into: Uint8Array, at: number, _length: number): number {
  return at;
}

/** Ends a body without trailers. */
export const LAST_CHUNK = new TextEncoder().encode("0\r\n\r\n");
