/** Listening to streams: every byte of every message is looked at, and how long it has been under way. */
import { now } from "../clock.ts";
import { percentiles } from "../figures.ts";
import type { WebAnswer } from "./jobs.ts";
import type { Open, Opened } from "./open.ts";
import { STREAM_FILLING, STREAM_FILLING_AT, STREAM_MESSAGE_BYTES, STREAM_RATE } from "./wire.ts";

const CR = 13;
const LF = 10;
const FILLING = Buffer.alloc(STREAM_MESSAGE_BYTES, STREAM_FILLING);
const input = Buffer.alloc(64 * 1024);

/** Takes a chunked body apart (RFC 9112 7.1) into messages of equal length, however a balancer has cut it. */
export class StreamReader {
  readonly #message = Buffer.alloc(STREAM_MESSAGE_BYTES);
  /** Bytes of the message that are here. */
  #here = 0;
  /** Bytes of the chunk that are still to come; below zero: within the line of its length, or the CRLF behind it. */
  #left = 0;
  #size = 0;
  #inSize = true;
  /** The number of the last message; -1: none has come. */
  #number = -1;

  /** @returns how many messages have ended within the bytes; `sent` is called with the time of each. */
  take(bytes: Buffer, length: number, sent: (at: number) => void): void {
    for (let at = 0; at < length; ) {
      if (this.#left > 0) {
        const part = Math.min(this.#left, length - at, STREAM_MESSAGE_BYTES - this.#here);
        bytes.copy(this.#message, this.#here, at, at + part);
        this.#here += part;
        this.#left -= part;
        at += part;
        if (this.#here === STREAM_MESSAGE_BYTES) this.#whole(sent);
        continue;
      }
      const byte = bytes[at++]!;
      if (byte === LF) {
        // The end of a length, or of the empty rest behind a chunk.
        if (!this.#inSize) continue;
        this.#left = this.#size;
        this.#inSize = false;
        this.#size = 0;
        if (this.#left === 0) throw new Error("a stream has ended");
      } else if (byte !== CR) {
        const digit = Number.parseInt(String.fromCharCode(byte), 16);
        if (Number.isNaN(digit)) throw new Error(`a stream has a chunk that begins with ${byte}`);
        this.#inSize = true;
        this.#size = this.#size * 16 + digit;
      }
    }
  }

  #whole(sent: (at: number) => void): void {
    this.#here = 0;
    const from = STREAM_FILLING_AT;
    if (this.#message.compare(FILLING, from, STREAM_MESSAGE_BYTES, from) !== 0)
      throw new Error("a message was changed");
    const number = this.#message.readDoubleLE(8);
    if (number !== ++this.#number) throw new Error(`message ${number} came instead of ${this.#number}`);
    sent(this.#message.readDoubleLE(0));
  }
}

const readers = new WeakMap<Opened, StreamReader>();

export function listen({ crowd, ones }: Open, seconds: number): Partial<WebAnswer> {
  const times: number[] = [];
  let arrivedAt = 0;
  const sent = (at: number): void => {
    times.push(arrivedAt - at);
  };
  const whenReady = (one: Opened): void => {
    for (;;) {
      const got = one.line.receive(input);
      if (got === -1) return;
      if (got <= 0) throw new Error("a stream has ended");
      arrivedAt = now();
      readerOf(one).take(input, got, sent);
    }
  };
  for (const one of ones) {
    // What came with the head, or while nobody listened, is not counted.
    if (one.length > 0) readerOf(one).take(one.answer, one.length, () => {});
    one.length = 0;
    one.whenReady = whenReady;
    whenReady(one);
  }
  times.length = 0;
  const until = now() + seconds * 1e9;
  while (now() < until) crowd.turn(100);
  // None is lost, or its stream would have said so; half of them being late is another measurement.
  const due = ones.length * seconds * STREAM_RATE;
  if (times.length < due / 2) throw new Error(`${times.length} messages came, ${due} were due`);
  return { messages: times.length, ...percentiles(Float64Array.from(times)) };
}

function readerOf(one: Opened): StreamReader {
  const known = readers.get(one);
  if (known) return known;
  const made = new StreamReader();
  readers.set(one, made);
  return made;
}
