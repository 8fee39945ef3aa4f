/** What a server has sent of its answer: heads, as far as they have come, then the beginning of the body. */
import { PROXIED, type ResponseHead, readResponseHead } from "../../../protocols/http1/response.ts";
import { NEED_MORE } from "../../../protocols/result.ts";
import { type Channel, NOTHING_YET } from "../channel.ts";
import { READ_BYTES } from "../way.ts";

const NO_BYTES = new Uint8Array(0);
const TOO_LONG = -1;

export class AnswerInput {
  /** The server has said something. */
  heard = false;
  /** What was read and not understood yet is `bytes[at, end)`, until somebody else reads. */
  bytes: Uint8Array = NO_BYTES;
  at = 0;
  end = 0;
  /** The beginning of a head that came without its end. */
  #part: Uint8Array = NO_BYTES;

  /** Reads to `buffer`, or behind the part of a head that is here to `large`. @returns as Channel.read. */
  fill(server: Channel, buffer: Uint8Array, large: Uint8Array): number {
    const held = this.#part.length;
    const bytes = held === 0 ? buffer : large;
    const read = server.read(held === 0 ? bytes : bytes.subarray(held), READ_BYTES);
    if (read === NOTHING_YET || read <= 0) return read;
    if (held > 0) bytes.set(this.#part);
    this.heard = true;
    this.bytes = bytes;
    this.at = 0;
    this.end = held + read;
    return read;
  }

  /** Takes the next head. @returns bytes of it (> 0), NEED_MORE: what is here of it is kept, or a reason (< 0). */
  readHead(out: ResponseHead): number {
    const { bytes, at, end } = this;
    const used = readResponseHead(bytes, at, end, PROXIED, out);
    if (used > 0) {
      this.at = at + used;
    } else if (used === NEED_MORE) {
      if (end - at >= PROXIED.head) return TOO_LONG;
      this.#part = at < end ? bytes.slice(at, end) : NO_BYTES;
    }
    return used;
  }

  /** For the next answer. */
  clear(): void {
    this.heard = false;
    this.bytes = NO_BYTES;
    this.#part = NO_BYTES;
  }
}
