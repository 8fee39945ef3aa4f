/** Any frames in any order, in any pieces, while answers are written and given up: nothing throws, everything ends, once. */
import { expect, test } from "bun:test";
import { OUTBOX_BYTES } from "../../../src/balancer/worker/http2/limits.ts";
import { seeded } from "../../seeded.ts";
import {
  block,
  type Exchange,
  type Fields,
  frame,
  GET,
  headers,
  POST,
  RawClient,
  RawServer,
  settings,
  windowUpdate,
} from "./raw.ts";

const RUNS = 400;
const STEPS = 60;

type Below = (limit: number) => number;

const ANSWERS = [
  "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
  "HTTP/1.1 100 Continue\r\n\r\n",
  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: y\r\n\r\n",
  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7fff\r\n",
  "HTTP/1.1 204 No Content\r\n\r\n",
  "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n",
  "HTTP/1.1 101 Switching Protocols\r\n\r\n",
  "HTTP/1.1 2",
  "\r\n\r\n",
  "x".repeat(20_000),
  "0\r\n\r\n",
];
const REQUESTS = [
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4e20\r\n",
  "x".repeat(20_000),
  "\r\n0\r\n\r\n",
  "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
];
const LISTS: readonly Fields[] = [
  GET,
  POST,
  [...POST, ["content-length", "10"]],
  [...GET, ["cookie", "a"], ["cookie", "b"]],
  [["x", "y"]],
  [[":status", "200"]],
  [
    [":status", "200"],
    ["content-length", "10"],
  ],
  [[":status", "103"]],
  [[":method", "CONNECT"], [":protocol", "websocket"], ...GET.slice(1)],
];

/** A frame that is mostly right, sometimes not. */
function anyFrame(below: Below, streams: number): Uint8Array {
  const stream = below(8) === 0 ? below(2 * streams) : 2 * below(streams) + 1;
  switch (below(9)) {
    case 0:
    case 1:
    case 2:
      return headers(stream, LISTS[below(LISTS.length)]!, below(2) === 0, below(10) === 0 ? 0 : 4);
    case 3:
    case 4:
      return frame(0, below(3) === 0 ? 1 : 0, stream, new Uint8Array(below(4) === 0 ? 16_384 : below(40)));
    case 5:
      return windowUpdate(below(2) === 0 ? 0 : stream, 1 + below(100_000));
    case 6:
      return settings([1, 3, 4, 4, 5, 6][below(6)]!, below(2) === 0 ? 65_535 : 16_384 + below(100));
    case 7:
      return frame(3, 0, stream, Uint8Array.of(0, 0, 0, below(14)));
    default: {
      const payload =
        below(3) === 0 ? block(LISTS[below(LISTS.length)]!) : new Uint8Array([8, 4, 0, 5][below(4)]!).fill(below(256));
      return frame(below(11), below(2) === 0 ? below(256) : 0, below(3) === 0 ? 0 : stream, payload);
    }
  }
}

/** What whoever serves a request, or asks for one, may do. */
function act(exchange: Exchange, texts: readonly string[], below: Below): void {
  switch (below(6)) {
    case 0:
      return exchange.finish(below(2) === 0);
    case 1:
      return exchange.visit.channel.end();
    case 2:
      exchange.reading = !exchange.reading;
      if (exchange.reading) exchange.read(1 + below(200));
      return;
    default:
      exchange.write(texts[below(texts.length)]!);
  }
}

for (const side of ["client", "server"] as const) {
  test(`of a ${side}`, () => {
    for (let run = 0; run < RUNS; run++) {
      const random = seeded(run + (side === "client" ? 1 : 100_000));
      const below: Below = (limit) => Math.floor(random() * limit);
      const client = side === "client" ? new RawClient({ streams: 5, head: 2000 }) : null;
      const server = side === "server" ? new RawServer() : null;
      const peer = (client ?? server)!;
      const exchanges: Exchange[] = client?.exchanges ?? [];
      for (let step = 0; step < STEPS; step++) {
        if (server?.connection.hasPlace && below(4) === 0)
          exchanges.push(server.ask(REQUESTS[below(REQUESTS.length)]!));
        if (below(20) === 0) peer.channel.room = below(3) * 1000;
        if (below(10) === 0) peer.takes(Number.POSITIVE_INFINITY);
        if (below(10) === 0) peer.pass(below(3000));
        if (below(60) === 0) client?.served.windDown();
        if (exchanges.length > 0 && below(2) === 0) {
          act(exchanges[below(exchanges.length)]!, side === "client" ? ANSWERS : REQUESTS, below);
          peer.turn();
        }
        const bytes = anyFrame(below, 8);
        const cut = below(bytes.length + 1);
        peer.send(bytes.subarray(0, cut));
        if (below(50) > 0) peer.send(bytes.subarray(cut));
        // What waits for the other side is bounded, whatever was written.
        const written = peer.frames.reduce((sum, { payload }) => sum + payload.length + 9, 0);
        expect(peer.channel.output.length - written).toBeLessThan(OUTBOX_BYTES);
      }
      peer.takes(Number.POSITIVE_INFINITY);
      peer.hangUp(below(2) === 0);
      peer.pass(2000);
      expect(peer.channel.closed).toBe("closed");
      for (const exchange of exchanges) {
        if (exchange.visit.channel.readable) exchange.read();
        // Nobody waits for what will never come.
        const { linked } = exchange.visit.channel as unknown as { linked: boolean };
        expect(linked).toBe(false);
      }
    }
  });
}
