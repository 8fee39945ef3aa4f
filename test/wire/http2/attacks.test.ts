/** Clients that want to cost more than they pay: what is bounded, and how it ends. */
import { describe, expect, test } from "bun:test";
import { EndCode } from "../../../src/balancer/shared/words.ts";
import {
  CONNECTION_WINDOW,
  CONTROL_ROOM,
  DATA_ROOM,
  OUTBOX_BYTES,
  PATIENCE,
  PATIENCE_A_SECOND,
  STREAM_WINDOW,
} from "../../../src/balancer/worker/http2/limits.ts";
import { CANCEL, ENHANCE_YOUR_CALM, NO_ERROR, PROTOCOL_ERROR } from "../../../src/protocols/http2/error-codes.ts";
import {
  CONTINUATION,
  DATA,
  GOAWAY,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  PADDED,
  PING,
  PRIORITY,
  RST_STREAM,
  readWord,
  WINDOW_UPDATE,
} from "../../../src/protocols/http2/frames.ts";
import {
  block,
  data,
  type Fields,
  frame,
  GET,
  headers,
  OK,
  POST,
  RawClient,
  rst,
  settings,
  windowUpdate,
} from "./raw.ts";

const zeros = (count: number) => new Uint8Array(count);

/** Sends the same again and again until the connection ends. @returns how often. */
function flood(client: RawClient, most: number, next: (index: number) => Uint8Array): number {
  for (let i = 0; i < most; i++) {
    client.send(next(i));
    if (client.channel.ended) return i + 1;
  }
  return most;
}

const MANY: Fields = [...GET, ...Array.from({ length: 600 }, () => ["x", ""] as const)];

describe("a flood ends with ENHANCE_YOUR_CALM", () => {
  const FLOODS: Record<string, (index: number) => Uint8Array> = {
    "streams that are reset at once (CVE-2023-44487)": (i) => Buffer.concat([headers(2 * i + 1, GET), rst(2 * i + 1)]),
    "requests that are malformed": (i) => headers(2 * i + 1, GET.slice(1)),
    "requests with too many fields": (i) => headers(2 * i + 1, MANY),
    "PING (CVE-2019-9512)": () => frame(PING, 0, 0, zeros(8)),
    "SETTINGS (CVE-2019-9515)": () => settings(INITIAL_WINDOW_SIZE, 70_000),
    "PRIORITY (CVE-2019-9513)": () => frame(PRIORITY, 0, 1, zeros(5)),
    "frames nobody knows": () => frame(0x77, 0, 0),
    GOAWAY: () => frame(GOAWAY, 0, 0, zeros(8)),
    "windows that grow by one": () => windowUpdate(0, 1),
    "RST_STREAM of a stream that is over": (i) => (i === 0 ? Buffer.concat([headers(1, GET), rst(1)]) : rst(1)),
    "empty DATA (CVE-2019-9518)": (i) => (i === 0 ? headers(1, POST, false) : data(1, "")),
    "DATA of padding": (i) => (i === 0 ? headers(1, POST, false) : frame(DATA, PADDED, 1, Uint8Array.from([2, 0, 0]))),
    "DATA for a stream that is over": (i) => (i === 0 ? Buffer.concat([headers(1, GET), rst(1)]) : data(1, "x")),
  };
  for (const [name, next] of Object.entries(FLOODS)) {
    test(name, () => {
      const client = new RawClient();
      const sent = flood(client, 2 * PATIENCE, next);
      expect(client.goaway).toBe(ENHANCE_YOUR_CALM);
      expect(sent).toBeLessThanOrEqual(PATIENCE + 2);
      expect(sent).toBeGreaterThan(100);
      client.hangUp();
      expect(client.endedWith).toBe(EndCode["bad-protocol"]);
    });
  }

  test("streams that are reset right behind their request cost no server anything", () => {
    const client = new RawClient();
    const pairs = Array.from({ length: 200 }, (_, i) => [headers(2 * i + 1, GET), rst(2 * i + 1)]).flat();
    client.send(...pairs);
    expect(client.exchanges).toHaveLength(0);
    expect(client.goaway).toBe(-1);
  });

  test("a browser that leaves a page with a hundred streams is no flood", () => {
    const client = new RawClient();
    for (let page = 0; page < 3; page++) {
      const first = 200 * page + 1;
      client.send(...Array.from({ length: 100 }, (_, i) => headers(first + 2 * i, GET)));
      client.send(...Array.from({ length: 100 }, (_, i) => rst(first + 2 * i)));
      expect(client.exchanges).toHaveLength(100 * (page + 1));
      expect(client.exchanges.every(({ lost }) => lost)).toBe(true);
      client.nowMs += 1000;
    }
    expect(client.goaway).toBe(-1);
  });

  test("a ping twice a second for an hour is none either", () => {
    const client = new RawClient();
    for (let i = 0; i < 7200; i++) {
      client.nowMs += 500;
      client.send(frame(PING, 0, 0, zeros(8)));
    }
    expect(client.goaway).toBe(-1);
    expect(PATIENCE_A_SECOND).toBeGreaterThan(2);
  });
});

describe("field blocks are bounded", () => {
  test("CONTINUATIONs without an end (CVE-2024-27316)", () => {
    const client = new RawClient().send(headers(1, GET, true, 0));
    const sent = flood(client, 1000, () => frame(CONTINUATION, 0, 1, block([["x", "y".repeat(1000)]])));
    expect(client.goaway).toBe(ENHANCE_YOUR_CALM);
    expect(sent).toBeLessThan(40);
    expect(client.exchanges).toHaveLength(0);
  });

  test("CONTINUATIONs of nothing", () => {
    const client = new RawClient().send(headers(1, GET, true, 0));
    expect(flood(client, 1000, () => frame(CONTINUATION, 0, 1))).toBeLessThan(40);
    expect(client.goaway).toBe(ENHANCE_YOUR_CALM);
  });

  test("a block that never ends is given the time of a request", () => {
    const client = new RawClient({ request: 2000 }).send(headers(1, GET, true, 0));
    client.pass(1500);
    expect(client.endedWith).toBe(-1);
    client.pass(1000);
    expect(client.endedWith).toBe(EndCode["first-bytes-timeout"]);
  });

  /** A field of 4000 bytes, and `references` to it. */
  const bomb = (stream: number, reference: Uint8Array) =>
    frame(
      HEADERS,
      0x5,
      stream,
      Buffer.concat([
        block(GET),
        Uint8Array.of(0x40),
        Buffer.from([1, 0x78]),
        Buffer.from([0x7f, 0xa1, 0x1e]),
        Buffer.alloc(0x7f + 0x21 + (0x1e << 7), "y"),
        reference,
      ]),
    );

  test("a small block that refers to a large field thousands of times is answered with 431", () => {
    const client = new RawClient();
    const began = performance.now();
    client.send(bomb(1, Buffer.alloc(10_000, 0xbe)));
    expect(client.answers(1)).toEqual([[":status: 431", "content-length: 0"]]);
    expect(client.exchanges).toHaveLength(0);
    // Nothing was copied: 40 MB of fields took no longer than a moment.
    expect(performance.now() - began).toBeLessThan(1000);
    // The table is right behind it.
    client.send(frame(HEADERS, 0x5, 3, Buffer.concat([block(GET), Uint8Array.of(0xbe)])));
    expect(client.exchanges[0]!.text).toContain(`x: ${"y".repeat(100)}`);
  });

  test("such blocks, again and again", () => {
    const client = new RawClient();
    expect(flood(client, 100, (index) => bomb(2 * index + 1, Buffer.alloc(10_000, 0xbe)))).toBeLessThan(10);
    expect(client.goaway).toBe(ENHANCE_YOUR_CALM);
  });

  test("and blocks that fill the table with a large name again and again, two bytes each", () => {
    const client = new RawClient();
    const refill = Buffer.alloc(8_000, Buffer.from([0x7e, 0]));
    expect(flood(client, 1000, (index) => bomb(2 * index + 1, refill))).toBeLessThan(400);
    expect(client.goaway).toBe(ENHANCE_YOUR_CALM);
  });
});

describe("who reads nothing", () => {
  test("holds back a server, within a bounded number of bytes", () => {
    const client = new RawClient({ settings: [INITIAL_WINDOW_SIZE, 0x7fffffff] });
    client.channel.room = 0;
    client.send(windowUpdate(0, 0x70000000), headers(1, GET));
    const [exchange] = client.exchanges;
    exchange!.write("HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n");
    exchange!.write(Buffer.alloc(10_000_000));
    client.turn();
    expect(10_000_000 - exchange!.unsent).toBeLessThan(OUTBOX_BYTES);
    client.takes(1_000_000);
    expect(10_000_000 - exchange!.unsent).toBeGreaterThanOrEqual(980_000);
    expect(10_000_000 - exchange!.unsent).toBeLessThan(1_000_000 + OUTBOX_BYTES);
    client.takes(Number.POSITIVE_INFINITY);
    expect(exchange!.unsent).toBe(0);
    expect(client.data(1)).toHaveLength(10_000_000);
  });

  test("and pings makes us stop reading", () => {
    const client = new RawClient();
    client.channel.room = 0;
    for (let i = 0; i < 3900; i++) client.send(frame(PING, 0, 0, zeros(8)));
    // What was answered is held, the rest waits in the kernel.
    expect(client.channel.input.length).toBeGreaterThan(3900 * 17 - DATA_ROOM - CONTROL_ROOM);
    client.takes(Number.POSITIVE_INFINITY);
    expect(client.channel.input.length).toBe(0);
    expect(client.of(PING)).toHaveLength(3900);
  });

  test("takes an answer a byte at a time for as long as we are patient (CVE-2019-9511)", () => {
    const client = new RawClient({ settings: [INITIAL_WINDOW_SIZE, 0] }).send(headers(1, GET));
    client.exchanges[0]!.write(`HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n${"x".repeat(100_000)}`);
    client.turn();
    const sent = flood(client, 100_000, () => windowUpdate(1, 1));
    expect(sent).toBeLessThanOrEqual(PATIENCE + 1);
    expect(client.goaway).toBe(ENHANCE_YOUR_CALM);
  });

  test("is left after the idle time", () => {
    const client = new RawClient({ idle: 5000 });
    client.channel.room = 0;
    client.send(headers(1, POST, false));
    client.exchanges[0]!.write(OK);
    client.turn();
    client.pass(4000);
    expect(client.endedWith).toBe(-1);
    client.pass(2000);
    expect(client.endedWith).toBe(EndCode["idle-timeout"]);
    expect(client.exchanges[0]!.visit.channel.broken).toBe(true);
  });

  test("through a window of 0 loses the stream after the idle time, not the connection (CVE-2019-9517)", () => {
    const client = new RawClient({ idle: 5000, settings: [INITIAL_WINDOW_SIZE, 0] }).send(headers(1, GET));
    client.exchanges[0]!.write(OK);
    client.turn();
    expect(client.answers(1)).toHaveLength(1);
    client.pass(4000);
    // Something else that moves does not help it.
    client.send(headers(3, POST, false), data(3, "x"));
    client.pass(7000);
    expect(client.reset(1)).toBe(CANCEL);
    expect(client.exchanges[0]!.lost).toBe(true);
    expect(client.endedWith).toBe(-1);
    expect(client.exchanges[1]!.lost).toBe(false);
  });
});

describe("who sends to a server that does not read", () => {
  test("gets no window beyond the stream's", () => {
    const client = new RawClient();
    client.reading = false;
    client.send(headers(1, POST, false));
    for (let left = STREAM_WINDOW; left > 0; left -= 13_107) client.send(data(1, zeros(Math.min(left, 13_107))));
    client.turn();
    expect(client.of(WINDOW_UPDATE, 1)).toEqual([]);
    client.exchanges[0]!.read();
    client.turn();
    const given = client.of(WINDOW_UPDATE, 1).reduce((sum, { payload }) => sum + readWord(payload, 0), 0);
    expect(given).toBeGreaterThan(STREAM_WINDOW / 2);
    expect(given).toBeLessThanOrEqual(STREAM_WINDOW);
  });

  test("on all streams gets no window beyond the connection's", () => {
    const client = new RawClient();
    client.reading = false;
    let sent = 0;
    for (let stream = 1; sent < CONNECTION_WINDOW; stream += 2) {
      client.send(headers(stream, POST, false));
      for (let i = 0; i < 4 && sent < CONNECTION_WINDOW; i++) {
        const count = Math.min(16_000, CONNECTION_WINDOW - sent);
        client.send(data(stream, zeros(count)));
        sent += count;
      }
    }
    expect(client.goaway).toBe(-1);
    expect(client.of(WINDOW_UPDATE, 0)).toHaveLength(1);
    // Who gives up gets the window back.
    for (const exchange of client.exchanges) exchange.finish();
    client.turn();
    const given = client
      .of(WINDOW_UPDATE, 0)
      .slice(1)
      .reduce((sum, { payload }) => sum + readWord(payload, 0), 0);
    expect(given).toBeGreaterThan(CONNECTION_WINDOW / 2);
  });

  test("in single bytes costs no more memory than the bytes", () => {
    const client = new RawClient();
    client.reading = false;
    client.send(headers(1, POST, false));
    for (let i = 0; i < 5000; i++) client.send(data(1, "x"));
    client.send(data(1, "y", true));
    client.exchanges[0]!.read();
    expect(client.exchanges[0]!.text).toEndWith(`\r\n1389\r\n${"x".repeat(5000)}y\r\n0\r\n\r\n`);
  });
});

describe("who is slow", () => {
  test("to begin is let go without a word after the time of a request", () => {
    const client = new RawClient({ silent: true, request: 2000 });
    client.pass(1800);
    expect(client.endedWith).toBe(-1);
    client.pass(500);
    expect(client.endedWith).toBe(EndCode["first-bytes-timeout"]);
  });

  test("between two requests is told after the keep-alive time", () => {
    const client = new RawClient({ keepAlive: 5000 }).send(headers(1, GET));
    client.exchanges[0]!.write(OK);
    client.turn();
    client.pass(4000);
    expect(client.goaway).toBe(-1);
    client.pass(2000);
    expect(client.goaway).toBe(NO_ERROR);
    expect(client.channel.ended).toBe(true);
    client.pass(2000);
    expect(client.endedWith).toBe(EndCode["idle-timeout"]);
  });

  test("to take its leave is not waited for", () => {
    const client = new RawClient().send(data(0, "x"));
    expect(client.goaway).toBe(PROTOCOL_ERROR);
    for (let i = 0; i < 10; i++) client.send(zeros(10_000));
    expect(client.endedWith).toBe(-1);
    client.pass(2000);
    expect(client.endedWith).toBe(EndCode["bad-protocol"]);
  });

  test("to stop sending is not listened to for long", () => {
    const client = new RawClient().send(data(0, "x"));
    let sent = 0;
    for (; client.endedWith < 0 && sent < 100; sent++) client.send(zeros(100_000));
    expect(client.endedWith).toBe(EndCode["bad-protocol"]);
    expect(sent * 100_000).toBeGreaterThan(2 * CONNECTION_WINDOW);
    expect(sent * 100_000).toBeLessThan(5 * CONNECTION_WINDOW);
  });

  test("with an answer that takes long is left alone", () => {
    const client = new RawClient({ keepAlive: 5000, idle: 5000 }).send(headers(1, GET));
    client.pass(60_000);
    expect(client.endedWith).toBe(-1);
    client.exchanges[0]!.write(OK);
    client.turn();
    expect(client.data(1)).toBe("ok");
  });
});

describe("the end in order (6.8)", () => {
  const last = (client: RawClient) => client.of(GOAWAY).map(({ payload }) => readWord(payload, 0));

  test("what was on its way is served, what comes later is not, and the connection ends with the last answer", () => {
    const client = new RawClient().send(headers(1, GET));
    client.served.windDown();
    client.turn();
    expect(last(client)).toEqual([0x7fffffff]);
    expect(client.of(PING)).toHaveLength(1);
    client.send(headers(3, GET), frame(PING, 1, 0, client.of(PING)[0]!.payload));
    expect(client.exchanges).toHaveLength(2);
    expect(last(client)).toEqual([0x7fffffff, 3]);
    client.send(headers(5, GET), headers(7, POST, false), data(7, "x"));
    expect(client.exchanges).toHaveLength(2);
    expect(client.of(RST_STREAM)).toEqual([]);
    for (const exchange of client.exchanges) exchange.write(OK);
    client.turn();
    expect([client.data(1), client.data(3)]).toEqual(["ok", "ok"]);
    expect(last(client)).toEqual([0x7fffffff, 3, 3]);
    expect(client.channel.ended).toBe(true);
    client.hangUp();
    expect(client.endedWith).toBe(EndCode["client-closed"]);
  });

  test("a client that answers no PING is not waited for", () => {
    const client = new RawClient();
    client.served.windDown();
    client.pass(2000);
    expect(last(client)).toEqual([0x7fffffff, 0]);
    expect(client.channel.ended).toBe(true);
  });

  test("control ends it, with all that is served", () => {
    const client = new RawClient().send(headers(1, GET), headers(3, GET));
    client.served.close(EndCode.drained);
    client.turn();
    expect(client.exchanges.map(({ closedWith }) => closedWith)).toEqual([EndCode.drained, EndCode.drained]);
    expect(client.goaway).toBe(NO_ERROR);
    client.hangUp();
    expect(client.endedWith).toBe(EndCode.drained);
  });
});
