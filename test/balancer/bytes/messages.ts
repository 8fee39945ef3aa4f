/** Messages of HTTP/1.1 over a wire, as the clients and servers of the web load write and read them. */
import type { Stream } from "./noise.ts";
import type { Wire } from "./wire.ts";

const MOST_HEAD = 64 * 1024;
const CRLF = Buffer.from("\r\n");
const END_OF_HEAD = Buffer.from("\r\n\r\n");

export interface Head {
  /** The request line or status line. */
  readonly first: string;
  /** Names in lower case. */
  readonly fields: ReadonlyMap<string, string>;
}

export const status = ({ first }: Head): number => Number(first.split(" ")[1]);
const isChunked = ({ fields }: Head) => fields.get("transfer-encoding") === "chunked";
export const closes = ({ fields }: Head): boolean => /\bclose\b/i.test(fields.get("connection") ?? "");

/** Reads what comes over a wire, message by message. Rejects at the first byte that should not be there. */
export class Incoming {
  readonly #wire: Wire;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** @returns whether anything came. */
  async #more(): Promise<boolean> {
    const bytes = await this.#wire.read();
    if (bytes === null) return false;
    this.#bytes = this.#bytes.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#bytes, bytes]);
    return true;
  }

  /** Up to `mark`, without it; null: the other side had ended before the first byte. */
  async #upTo(mark: Buffer): Promise<string | null> {
    for (;;) {
      const at = this.#bytes.indexOf(mark);
      if (at >= 0) {
        const text = this.#bytes.toString("latin1", 0, at);
        this.#bytes = this.#bytes.subarray(at + mark.length);
        return text;
      }
      if (this.#bytes.length > MOST_HEAD) throw new Error("a head has no end");
      if (await this.#more()) continue;
      if (this.#bytes.length === 0) return null;
      throw new Error(`it ended within a head: ${this.#bytes.toString("latin1").slice(0, 80)}`);
    }
  }

  /** The next head; null: the other side has ended in good order instead. */
  async head(): Promise<Head | null> {
    const text = await this.#upTo(END_OF_HEAD);
    if (text === null) return null;
    const [first = "", ...lines] = text.split("\r\n");
    const fields = lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    });
    return { first, fields: new Map(fields) };
  }

  /** The body that a head announces. */
  async body(head: Head, take: (bytes: Uint8Array) => void): Promise<void> {
    if (!isChunked(head)) return this.exactly(Number(head.fields.get("content-length") ?? 0), take);
    for (;;) {
      const size = Number.parseInt((await this.#upTo(CRLF)) ?? "", 16);
      if (Number.isNaN(size)) throw new Error("a chunk has no size");
      await this.exactly(size, take);
      if ((await this.#upTo(CRLF)) !== "") throw new Error("a chunk has no end");
      if (size === 0) return;
    }
  }

  /** So many bytes. */
  async exactly(count: number, take: (bytes: Uint8Array) => void): Promise<void> {
    for (let left = count; left > 0; ) {
      const bytes = this.#bytes.length > 0 ? this.#bytes : await this.#wire.read();
      if (bytes === null) throw new Error(`it ended ${left} bytes before its end`);
      const used = Math.min(left, bytes.length);
      take(bytes.subarray(0, used));
      left -= used;
      this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset + used, bytes.length - used);
    }
  }

  /** All that comes until the other side ends. */
  async rest(take: (bytes: Uint8Array) => void): Promise<void> {
    if (this.#bytes.length > 0) take(this.#bytes);
    this.#bytes = Buffer.alloc(0);
    for (;;) {
      const bytes = await this.#wire.read();
      if (bytes === null) return;
      take(bytes);
    }
  }
}

/** How a body goes out. */
export interface Framing {
  readonly chunked: boolean;
  /** Most bytes that are written at once, and of one chunk. */
  readonly piece: number;
}

/** The lines that announce a body. */
export function announced(body: Stream, { chunked }: Framing): string {
  if (body.bytes === 0) return "";
  return chunked ? "Transfer-Encoding: chunked\r\n" : `Content-Length: ${body.bytes}\r\n`;
}

/** Sends a body; `before` is awaited in front of each piece, with the bytes that will have been sent with it. */
export async function sendBody(
  wire: Wire,
  body: Stream,
  { chunked, piece }: Framing,
  before: (bytes: number) => Promise<void>,
): Promise<void> {
  for (let sent = 0; sent < body.bytes; ) {
    const bytes = body.piece(sent, piece);
    sent += bytes.length;
    await before(sent);
    await wire.write(chunked ? Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, CRLF]) : bytes);
  }
  if (chunked && body.bytes > 0) await wire.write("0\r\n\r\n");
}
