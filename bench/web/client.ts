/** One client of the web load: a connection, what it waits for, and the check of every answer. */
import { COOKIE } from "../peers.ts";
import { connectFrom, type Endpoint, socketAddress } from "../sockets.ts";
import type { Target } from "./jobs.ts";
import { type Line, PlainLine, TlsLine } from "./line.ts";
import { BODY, BODY_BYTES, cookieOf, request, SERVER_MESSAGE } from "./wire.ts";

const SOURCES = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => socketAddress({ host: `127.0.2.${n}`, port: 0 }));
let dialled = 0;

/** Starts to connect; the addresses take turns. */
export function dial(to: Endpoint): number {
  return connectFrom(SOURCES[dialled++ % SOURCES.length]!, socketAddress(to));
}

export const END_OF_HEAD = "\r\n\r\n";
const SET = ` ${COOKIE}=`;
const [TWO, ZERO] = [0x32, 0x30];

/** Who a client is: the cookie that it was given, and whose pages it must get. */
export interface User {
  cookie: string;
  server: number;
  page: Buffer;
}

export const NEWCOMER: User = { cookie: "", server: 0, page: request("page", "") };

export class Client {
  readonly line: Line;
  user: User;
  /** What has come of an answer; where in it the body begins, once that is known. */
  readonly answer: Buffer;
  length = 0;

  constructor({ target, secure }: Target, user: User) {
    const fd = dial(target);
    this.line = secure ? new TlsLine(fd) : new PlainLine(fd);
    this.user = user;
    this.answer = Buffer.allocUnsafe(4096);
  }

  send(bytes: Uint8Array): void {
    if (this.line.send(bytes) !== bytes.length) throw new Error("a request was not taken");
    this.length = 0;
  }

  /** Reads once. @returns whether something came. */
  #read(): boolean {
    const { answer, length } = this;
    const got = this.line.receive(length === 0 ? answer : answer.subarray(length));
    if (got === -1) return false;
    if (got <= 0) throw new Error(`the connection was ended before its answer, ${length} bytes of it had come`);
    this.length += got;
    return true;
  }

  /** Reads a page and checks it: status, length and every byte. @returns whether it is here. */
  readPage(): boolean {
    while (this.#read()) {
      const { answer, length } = this;
      const end = answer.indexOf(END_OF_HEAD);
      if (end < 0 || end + 4 > length) continue;
      const body = end + 4;
      if (length < body + BODY_BYTES) continue;
      const right =
        length === body + BODY_BYTES &&
        answer[9] === TWO &&
        answer[10] === ZERO &&
        answer[11] === ZERO &&
        answer.compare(BODY, 1, BODY_BYTES, body + 1, length) === 0;
      if (!right) throw new Error(`a wrong answer: ${answer.toString("latin1", 0, Math.min(length, 300))}`);
      const server = answer[body]! - ZERO;
      if (this.user !== NEWCOMER && server !== this.user.server) {
        throw new Error(`${this.user.cookie} belongs to server ${this.user.server}, and ${server} has answered`);
      }
      return true;
    }
    return false;
  }

  /** The head of the page that was read, and whose it is. */
  became(): User {
    const end = this.answer.indexOf(END_OF_HEAD);
    const cookie = cookieOf(this.answer.toString("latin1", 0, end + 2));
    return { cookie, server: this.answer[end + 4]! - ZERO, page: request("page", cookie) };
  }

  /** The page that was read came with a cookie. Throws if it did not. */
  wasGivenCookie(): true {
    const at = this.answer.indexOf(SET);
    if (at < 0 || at > this.length - BODY_BYTES) throw new Error("a newcomer was given no cookie");
    return true;
  }

  /** Reads a head with this status. @returns its length, 0 while it is not here; what came behind it stays in `answer`. */
  readHead(status: string): number {
    while (this.#read()) {
      const end = this.answer.subarray(0, this.length).indexOf(END_OF_HEAD);
      if (end < 0) continue;
      const head = this.answer.toString("latin1", 0, end);
      if (head.slice(9, 12) !== status) throw new Error(`not ${status}: ${head.slice(0, 300)}`);
      return end + 4;
    }
    return 0;
  }

  /** Reads a WebSocket message and checks it. @returns whether it is here. */
  readMessage(): boolean {
    while (this.#read()) {
      if (this.length < SERVER_MESSAGE.length) continue;
      if (this.length > SERVER_MESSAGE.length) throw new Error("more than one message came back");
      if (this.answer.compare(SERVER_MESSAGE, 0, SERVER_MESSAGE.length, 0, this.length) !== 0) {
        throw new Error("another message came back");
      }
      return true;
    }
    return false;
  }
}
