/**
 * What the sides of the bytes test send: random bytes, the same on both ends. Every stream begins somewhere else in one block,
 * so bytes that are lost, repeated, changed or another connection's do not match. Comparing them in place is as strict as
 * comparing hashes, and says where a stream went wrong.
 */

const BLOCK = 1 << 22;
const block = new Uint8Array(BLOCK);
/** The number of the connection, so that the other side knows which stream to expect. */
export const HEADER_BYTES = 8;
const MAGIC = 0x48644279;

/** Once, before the first stream. */
export function fillNoise(random: () => number): void {
  for (let at = 0; at < BLOCK; at++) block[at] = random() * 256;
}

/** One direction of one connection, `bytes` long: a header with the connection's number, then noise. */
export class Stream {
  readonly bytes: number;
  readonly #from: number;
  readonly #header = new Uint8Array(HEADER_BYTES);

  constructor(number: number, bytes: number, from: number) {
    this.bytes = bytes;
    this.#from = from % BLOCK;
    const view = new DataView(this.#header.buffer);
    view.setUint32(0, MAGIC);
    view.setUint32(4, number);
  }

  /** The bytes from position `at`: at least one, at most `most`, in one piece. */
  piece(at: number, most: number): Uint8Array {
    if (at < HEADER_BYTES) return this.#header.subarray(at, Math.min(HEADER_BYTES, at + most, this.bytes));
    const from = (this.#from + at) % BLOCK;
    return block.subarray(from, Math.min(BLOCK, from + Math.min(most, this.bytes - at)));
  }

  /** Are these the bytes of the stream from position `at`? */
  matches(at: number, bytes: Uint8Array): boolean {
    for (let done = 0; done < bytes.length; ) {
      if (at + done >= this.bytes) return false;
      const piece = this.piece(at + done, bytes.length - done);
      if (Buffer.compare(piece, bytes.subarray(done, done + piece.length)) !== 0) return false;
      done += piece.length;
    }
    return true;
  }
}

/** The connection's number in the first bytes of a stream; -1 when they are no header. */
export function numberIn(header: Uint8Array): number {
  const view = new DataView(header.buffer, header.byteOffset, HEADER_BYTES);
  return view.getUint32(0) === MAGIC ? view.getUint32(4) : -1;
}
