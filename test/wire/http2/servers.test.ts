/** Servers that speak HTTP/2 frame by frame, and what their clients of HTTP/1.1 get. */
import { describe, expect, test } from "bun:test";
import {
  CANCEL,
  COMPRESSION_ERROR,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  NO_ERROR,
  PROTOCOL_ERROR,
} from "../../../src/protocols/http2/error-codes.ts";
import {
  ACK,
  DATA,
  ENABLE_CONNECT_PROTOCOL,
  END_HEADERS,
  GOAWAY,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  MAX_CONCURRENT_STREAMS,
  PREFACE,
  PUSH_PROMISE,
  SETTINGS,
} from "../../../src/protocols/http2/frames.ts";
import { data, type Fields, frame, headers, RawServer, rst, settings, windowUpdate, word } from "./raw.ts";

const GET = "GET /a?b HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nCookie: x=1\r\n\r\n";
const STATUS: Fields = [[":status", "200"]];
const goaway = (last: number) => frame(GOAWAY, 0, 0, Buffer.concat([word(last), word(NO_ERROR)]));
const UPGRADE =
  "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

describe("a request", () => {
  test("goes out behind the preface and our settings", () => {
    const server = new RawServer();
    server.ask(GET);
    expect(Buffer.from(server.channel.output.subarray(0, 24))).toEqual(Buffer.from(PREFACE));
    expect(server.frames[0]!.type).toBe(SETTINGS);
    expect(server.answers(1)).toEqual([
      [":method: GET", ":scheme: https", ":path: /a?b", ":authority: a.test", "cookie: x=1"],
    ]);
    expect(server.isEnded(1)).toBe(true);
  });

  test("with a body of known length, and one in chunks with trailers", () => {
    const server = new RawServer();
    server.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    expect(server.answers(1)[0]).toContain("content-length: 5");
    expect([server.data(1), server.isEnded(1)]).toEqual(["hello", true]);
    server.ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n");
    expect(server.answers(3)[0]).not.toContain("transfer-encoding: chunked");
    expect(server.answers(3)[1]).toEqual(["x-sum: 7"]);
    expect([server.data(3), server.isEnded(3)]).toEqual(["abc", true]);
  });

  test("gets its number when it goes out, not when somebody wanted it", () => {
    const server = new RawServer();
    const first = server.connection.openStream();
    server.ask(GET);
    expect(server.answers(1)).toHaveLength(1);
    first.close(false);
    server.turn();
    expect(server.reset(0)).toBe(-1);
    server.ask(GET);
    expect(server.answers(3)).toHaveLength(1);
  });

  test("waits for the server's windows", () => {
    const server = new RawServer(INITIAL_WINDOW_SIZE, 3);
    server.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    expect([server.data(1), server.isEnded(1)]).toEqual(["hel", false]);
    server.send(windowUpdate(1, 10));
    expect([server.data(1), server.isEnded(1)]).toEqual(["hello", true]);
  });

  test("that its client gives up is given up", () => {
    const server = new RawServer();
    server.ask(GET).visit.channel.close(false);
    server.turn();
    expect(server.reset(1)).toBe(CANCEL);
    // What was on its way is dropped.
    server.send(headers(1, STATUS, false), data(1, "late", true));
    expect(server.goaway).toBe(-1);
  });
});

describe("an answer", () => {
  const answer = (request: string, ...frames: Uint8Array[]) => {
    const server = new RawServer();
    const exchange = server.ask(request);
    server.send(...frames);
    return exchange;
  };

  test("of unknown length is read in chunks, and its end is the stream's", () => {
    const exchange = answer(GET, headers(1, [...STATUS, ["x", "y"]], false), data(1, "abc"), data(1, "", true));
    expect(exchange.text).toBe("HTTP/1.1 200 \r\nx: y\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    expect(exchange.ended).toBe(true);
  });

  test("of known length, of none, and with trailers", () => {
    const known = answer(GET, headers(1, [...STATUS, ["content-length", "2"]], false), data(1, "ok", true));
    expect(known.text).toBe("HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok");
    expect(answer(GET, headers(1, STATUS)).text).toBe("HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n");
    expect(answer(GET, headers(1, [[":status", "304"]])).text).toBe("HTTP/1.1 304 \r\n\r\n");
    const trailers = answer(GET, headers(1, STATUS, false), data(1, "a"), headers(1, [["x-sum", "7"]]));
    expect(trailers.text).toEndWith("1\r\na\r\n0\r\nx-sum: 7\r\n\r\n");
  });

  test("to HEAD says how long it would be", () => {
    const exchange = answer(GET.replace("GET", "HEAD"), headers(1, [...STATUS, ["content-length", "9"]]));
    expect(exchange.text).toBe("HTTP/1.1 200 \r\ncontent-length: 9\r\n\r\n");
    expect(exchange.lost).toBe(false);
  });

  test("comes behind any number of interim ones", () => {
    const exchange = answer(
      GET,
      headers(1, [[":status", "103"]], false),
      headers(1, [[":status", "100"]], false),
      headers(1, STATUS),
    );
    expect(exchange.text).toStartWith("HTTP/1.1 103 \r\n\r\nHTTP/1.1 100 \r\n\r\nHTTP/1.1 200 \r\n");
  });

  test("to a WebSocket is 101, and bytes go both ways", () => {
    const server = new RawServer(ENABLE_CONNECT_PROTOCOL, 1);
    const exchange = server.ask(UPGRADE);
    expect(server.answers(1)[0]!.slice(0, 2)).toEqual([":method: CONNECT", ":protocol: websocket"]);
    server.send(headers(1, STATUS, false), data(1, "welcome"));
    expect(exchange.text).toBe(
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n" +
        "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nwelcome",
    );
    exchange.write("thanks");
    exchange.visit.channel.end();
    server.turn();
    expect([server.data(1), server.isEnded(1)]).toEqual(["thanks", true]);
  });

  test("to a WebSocket that the server does not know is none", () => {
    const server = new RawServer();
    expect(server.ask(UPGRADE).visit.channel.broken).toBe(true);
    expect(server.of(HEADERS)).toEqual([]);
  });

  const BAD: Record<string, Uint8Array[]> = {
    "without :status": [headers(1, [["x", "y"]])],
    "with :path": [headers(1, [...STATUS, [":path", "/"]])],
    "with a status of two digits": [headers(1, [[":status", "20"]])],
    "101": [headers(1, [[":status", "101"]], false)],
    "1xx that ends the stream": [headers(1, [[":status", "103"]])],
    "with Transfer-Encoding": [headers(1, [...STATUS, ["transfer-encoding", "chunked"]])],
    "with CR LF in a value": [headers(1, [...STATUS, ["x", "a\r\nset-cookie: b"]])],
    "with an upper-case name": [headers(1, [...STATUS, ["X", "a"]])],
    "with two lengths": [headers(1, [...STATUS, ["content-length", "1"], ["content-length", "2"]])],
    "shorter than it says": [headers(1, [...STATUS, ["content-length", "3"]], false), data(1, "ab", true)],
    "longer than it says": [headers(1, [...STATUS, ["content-length", "3"]], false), data(1, "abcd")],
    "whose trailers do not end it": [headers(1, STATUS, false), headers(1, [["x", "y"]], false)],
  };
  for (const [name, frames] of Object.entries(BAD)) {
    test(`${name} is lost, and the other streams are not`, () => {
      const server = new RawServer();
      const [bad, good] = [server.ask(GET), server.ask(GET)];
      server.send(...frames);
      expect(server.reset(1)).toBe(PROTOCOL_ERROR);
      expect(bad.lost).toBe(true);
      server.send(headers(3, STATUS));
      expect(good.text).toStartWith("HTTP/1.1 200 ");
    });
  }

  test("that nobody reads is held back at the stream's window", () => {
    const server = new RawServer();
    const exchange = server.ask(GET);
    exchange.reading = false;
    server.send(headers(1, STATUS, false));
    for (let i = 0; i < 4; i++) server.send(data(1, new Uint8Array(16_000)));
    expect(server.of(8, 1)).toEqual([]);
    server.send(data(1, new Uint8Array(16_000)));
    expect(server.reset(1)).toBe(FLOW_CONTROL_ERROR);
  });
});

describe("the connection", () => {
  const ERRORS: Record<string, [number, Uint8Array]> = {
    PUSH_PROMISE: [PROTOCOL_ERROR, frame(PUSH_PROMISE, END_HEADERS, 1, Uint8Array.from([0, 0, 0, 2, 0x82]))],
    "HEADERS of a stream that nobody opened": [PROTOCOL_ERROR, headers(5, STATUS)],
    "DATA of a stream that nobody opened": [PROTOCOL_ERROR, data(5, "x")],
    "a block that cannot be read": [COMPRESSION_ERROR, frame(HEADERS, 0x5, 1, Uint8Array.of(0x80))],
    "a frame that is too large": [FRAME_SIZE_ERROR, frame(DATA, 0, 1, new Uint8Array(16_385))],
    "settings of five bytes": [FRAME_SIZE_ERROR, frame(SETTINGS, 0, 0, new Uint8Array(5))],
  };
  for (const [name, [code, bytes]] of Object.entries(ERRORS)) {
    test(`ends with ${name}, and so do all its streams`, () => {
      const server = new RawServer();
      const exchanges = [server.ask(GET), server.ask(GET)];
      const unopened = server.connection.openStream();
      server.send(bytes);
      expect(server.goaway).toBe(code);
      expect(exchanges.map(({ lost }) => lost)).toEqual([true, true]);
      expect(unopened.broken).toBe(true);
      server.hangUp();
      expect([server.over, server.channel.closed]).toEqual([true, "closed"]);
    });
  }

  test("has as many places as the server says, from when it says so", () => {
    const server = new RawServer(MAX_CONCURRENT_STREAMS, 2);
    server.ask(GET);
    expect(server.connection.hasPlace).toBe(true);
    server.ask(GET);
    expect(server.connection.hasPlace).toBe(false);
    server.send(headers(1, STATUS));
    expect(server.connection.hasPlace).toBe(true);
    server.send(settings(MAX_CONCURRENT_STREAMS, 0));
    expect(server.connection.hasPlace).toBe(false);
  });

  test("that the server ends in order loses only what was not looked at, and closes with the last answer", () => {
    const server = new RawServer();
    const [served, late] = [server.ask(GET), server.ask(GET)];
    server.send(goaway(1));
    expect([served.lost, late.lost, server.connection.hasPlace]).toEqual([false, true, false]);
    server.send(headers(1, STATUS));
    expect(served.text).toStartWith("HTTP/1.1 200");
    expect(server.channel.ended).toBe(true);
    server.hangUp();
    expect(server.over).toBe(true);
  });

  test("that is reset loses all", () => {
    const server = new RawServer();
    const exchange = server.ask(GET);
    server.hangUp(true);
    expect([exchange.lost, server.over]).toEqual([true, true]);
  });

  test("that nobody uses ends after the keep-alive time", () => {
    const server = new RawServer();
    server.ask(GET);
    server.send(headers(1, STATUS));
    server.pass(29_000);
    expect(server.goaway).toBe(-1);
    server.pass(2_000);
    expect(server.goaway).toBe(NO_ERROR);
    server.pass(2_000);
    expect(server.over).toBe(true);
  });

  test("to a server that resets a stream goes on", () => {
    const server = new RawServer();
    const exchange = server.ask(GET);
    server.send(rst(1, 7));
    expect(exchange.lost).toBe(true);
    expect(server.connection.hasPlace).toBe(true);
    expect(server.of(SETTINGS).filter(({ flags }) => flags === ACK)).toHaveLength(1);
  });
});
