/** What RFC 9113 says must happen when a client is wrong, section by section: which error, of the stream or of all. */
import { describe, expect, test } from "bun:test";
import {
  COMPRESSION_ERROR,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  INTERNAL_ERROR,
  NO_ERROR,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
  STREAM_CLOSED,
} from "../../../src/protocols/http2/error-codes.ts";
import {
  ACK,
  CONTINUATION,
  DATA,
  ENABLE_CONNECT_PROTOCOL,
  ENABLE_PUSH,
  END_HEADERS,
  END_STREAM,
  GOAWAY,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  MAX_FRAME_SIZE,
  PADDED,
  PING,
  PREFACE,
  PRIORITY,
  PRIORITY_FLAG,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
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
  type RawOptions,
  rst,
  settings,
  windowUpdate,
  word,
} from "./raw.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);
const zeros = (count: number) => new Uint8Array(count);
const open = (stream = 1) => headers(stream, POST, false);
const whole = (stream = 1) => headers(stream, GET);

/** What a client sends behind its preface and settings, and the code of the GOAWAY that ends the connection. */
const CONNECTION_ERRORS: Record<string, Record<string, [code: number, ...frames: Uint8Array[]]>> = {
  "4.1 frame format": {
    "a frame of 16,385 bytes": [FRAME_SIZE_ERROR, frame(DATA, 0, 1, zeros(16_385))],
    "an unknown frame of 16,385 bytes": [FRAME_SIZE_ERROR, frame(0x42, 0, 0, zeros(16_385))],
    "HEADERS of 16,385 bytes": [FRAME_SIZE_ERROR, frame(HEADERS, END_HEADERS, 1, zeros(16_385))],
  },
  "4.3 field blocks": {
    "a block that ends within a field": [COMPRESSION_ERROR, frame(HEADERS, 5, 1, bytes(0x82, 0x00, 0x05, 0x61))],
    "an index of nothing": [COMPRESSION_ERROR, frame(HEADERS, 5, 1, bytes(0x80))],
    "an index behind the table": [COMPRESSION_ERROR, frame(HEADERS, 5, 1, bytes(0xbe))],
    "an integer without an end": [COMPRESSION_ERROR, frame(HEADERS, 5, 1, bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0xff))],
    "a table larger than we allow": [COMPRESSION_ERROR, frame(HEADERS, 5, 1, bytes(0x3f, 0xe2, 0x1f, 0x82))],
    "a table that changes behind a field": [COMPRESSION_ERROR, frame(HEADERS, 5, 1, bytes(0x82, 0x20))],
    "Huffman padding of eight bits": [COMPRESSION_ERROR, frame(HEADERS, 5, 1, bytes(0x00, 0x82, 0x1f, 0xff, 0x00))],
    "Huffman padding of zeros": [COMPRESSION_ERROR, frame(HEADERS, 5, 1, bytes(0x00, 0x81, 0x18, 0x00))],
    "EOS within a Huffman text": [
      COMPRESSION_ERROR,
      frame(HEADERS, 5, 1, bytes(0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00)),
    ],
    "a bad block of a stream that is over the limit": [
      COMPRESSION_ERROR,
      ...Array.from({ length: 100 }, (_, i) => open(2 * i + 1)),
      frame(HEADERS, 5, 201, bytes(0x80)),
    ],
    "a bad block of a stream that was reset": [
      COMPRESSION_ERROR,
      open(),
      data(1, "x", true),
      data(1, "x"),
      frame(HEADERS, 5, 1, bytes(0x80)),
    ],
    "a bad block of trailers": [COMPRESSION_ERROR, open(), frame(HEADERS, 5, 1, bytes(0x80))],
    "DATA within a block": [PROTOCOL_ERROR, headers(1, POST, false, 0), data(1, "x")],
    "PING within a block": [PROTOCOL_ERROR, headers(1, GET, true, 0), frame(PING, 0, 0, zeros(8))],
    "an unknown frame within a block": [PROTOCOL_ERROR, headers(1, GET, true, 0), frame(0x42, 0, 0)],
    "HEADERS within a block": [PROTOCOL_ERROR, headers(1, GET, true, 0), whole(3)],
    "CONTINUATION of another stream within a block": [
      PROTOCOL_ERROR,
      headers(1, GET, true, 0),
      frame(CONTINUATION, END_HEADERS, 3),
    ],
  },
  "5.1 stream states": {
    "DATA on an idle stream": [PROTOCOL_ERROR, data(1, "x")],
    "RST_STREAM on an idle stream": [PROTOCOL_ERROR, rst(1)],
    "WINDOW_UPDATE on an idle stream": [PROTOCOL_ERROR, windowUpdate(1, 1)],
    "CONTINUATION on an idle stream": [PROTOCOL_ERROR, frame(CONTINUATION, END_HEADERS, 1, block(GET))],
    "CONTINUATION behind a whole block": [PROTOCOL_ERROR, whole(), frame(CONTINUATION, END_HEADERS, 1)],
    "HEADERS on a stream that the client has reset": [STREAM_CLOSED, open(), rst(1), whole()],
    "HEADERS on a stream below the newest": [STREAM_CLOSED, whole(5), whole(3)],
    "DATA on a stream of ours that we never open": [PROTOCOL_ERROR, data(2, "x")],
  },
  "5.1.1 stream identifiers": {
    "HEADERS on an even stream": [PROTOCOL_ERROR, whole(2)],
    "HEADERS on stream 0": [PROTOCOL_ERROR, whole(0)],
    "CONTINUATION on stream 0": [PROTOCOL_ERROR, frame(CONTINUATION, END_HEADERS, 0)],
  },
  "6.1 DATA": {
    "on stream 0": [PROTOCOL_ERROR, data(0, "x")],
    "padding as long as the payload": [PROTOCOL_ERROR, open(), frame(DATA, PADDED, 1, bytes(3, 0, 0))],
    "padding longer than the payload": [PROTOCOL_ERROR, open(), frame(DATA, PADDED, 1, bytes(200, 0, 0))],
    "padded, without a length of it": [FRAME_SIZE_ERROR, open(), frame(DATA, PADDED, 1)],
  },
  "6.2 HEADERS": {
    "padding longer than the payload": [PROTOCOL_ERROR, frame(HEADERS, END_HEADERS | PADDED, 1, bytes(200, 0x82))],
    "padded, without a length of it": [FRAME_SIZE_ERROR, frame(HEADERS, END_HEADERS | PADDED, 1)],
    "a priority that is cut off": [FRAME_SIZE_ERROR, frame(HEADERS, END_HEADERS | PRIORITY_FLAG, 1, zeros(4))],
    "padding that leaves no room for the priority": [
      PROTOCOL_ERROR,
      frame(HEADERS, END_HEADERS | PADDED | PRIORITY_FLAG, 1, bytes(1, 0, 0, 0, 0, 0)),
    ],
  },
  "6.3 PRIORITY": {
    "on stream 0": [PROTOCOL_ERROR, frame(PRIORITY, 0, 0, zeros(5))],
    "of four bytes": [FRAME_SIZE_ERROR, frame(PRIORITY, 0, 1, zeros(4))],
    "of six bytes": [FRAME_SIZE_ERROR, frame(PRIORITY, 0, 1, zeros(6))],
  },
  "6.4 RST_STREAM": {
    "on stream 0": [PROTOCOL_ERROR, rst(0)],
    "of three bytes": [FRAME_SIZE_ERROR, open(), frame(RST_STREAM, 0, 1, zeros(3))],
    "of five bytes": [FRAME_SIZE_ERROR, open(), frame(RST_STREAM, 0, 1, zeros(5))],
  },
  "6.5 SETTINGS": {
    "on a stream": [PROTOCOL_ERROR, frame(SETTINGS, 0, 1)],
    "an answer with a payload": [FRAME_SIZE_ERROR, frame(SETTINGS, ACK, 0, zeros(6))],
    "of five bytes": [FRAME_SIZE_ERROR, frame(SETTINGS, 0, 0, zeros(5))],
    "of seven bytes": [FRAME_SIZE_ERROR, frame(SETTINGS, 0, 0, zeros(7))],
    "ENABLE_PUSH 2": [PROTOCOL_ERROR, settings(ENABLE_PUSH, 2)],
    "INITIAL_WINDOW_SIZE 2^31": [FLOW_CONTROL_ERROR, settings(INITIAL_WINDOW_SIZE, 0x80000000)],
    "MAX_FRAME_SIZE 16,383": [PROTOCOL_ERROR, settings(MAX_FRAME_SIZE, 16_383)],
    "MAX_FRAME_SIZE 2^24": [PROTOCOL_ERROR, settings(MAX_FRAME_SIZE, 0x1000000)],
    "ENABLE_CONNECT_PROTOCOL 2 (RFC 8441)": [PROTOCOL_ERROR, settings(ENABLE_CONNECT_PROTOCOL, 2)],
    "a window that grows above 2^31 - 1 by a setting": [
      FLOW_CONTROL_ERROR,
      open(),
      windowUpdate(1, 0x7fffffff - 65_535),
      settings(INITIAL_WINDOW_SIZE, 65_536),
    ],
  },
  "6.6 PUSH_PROMISE": {
    "from a client": [PROTOCOL_ERROR, open(), frame(PUSH_PROMISE, END_HEADERS, 1, bytes(0, 0, 0, 2, 0x82))],
  },
  "6.7 PING": {
    "on a stream": [PROTOCOL_ERROR, frame(PING, 0, 1, zeros(8))],
    "of seven bytes": [FRAME_SIZE_ERROR, frame(PING, 0, 0, zeros(7))],
    "of nine bytes": [FRAME_SIZE_ERROR, frame(PING, 0, 0, zeros(9))],
    "an answer of no bytes": [FRAME_SIZE_ERROR, frame(PING, ACK, 0)],
  },
  "6.8 GOAWAY": {
    "on a stream": [PROTOCOL_ERROR, frame(GOAWAY, 0, 1, zeros(8))],
    "of seven bytes": [FRAME_SIZE_ERROR, frame(GOAWAY, 0, 0, zeros(7))],
  },
  "6.9 WINDOW_UPDATE": {
    "by 0 for the connection": [PROTOCOL_ERROR, windowUpdate(0, 0)],
    "of three bytes": [FRAME_SIZE_ERROR, frame(WINDOW_UPDATE, 0, 0, zeros(3))],
    "of five bytes": [FRAME_SIZE_ERROR, frame(WINDOW_UPDATE, 0, 0, zeros(5))],
    "the connection's above 2^31 - 1": [FLOW_CONTROL_ERROR, windowUpdate(0, 0x7fffffff)],
    "more data than the connection's window": [
      FLOW_CONTROL_ERROR,
      ...Array.from({ length: 17 }, (_, i) => [
        open(2 * i + 1),
        ...Array.from({ length: 4 }, () => data(2 * i + 1, zeros(16_383))),
      ]).flat(),
    ],
  },
};

describe("a connection error ends everything, with its code", () => {
  for (const [section, cases] of Object.entries(CONNECTION_ERRORS)) {
    for (const [name, [code, ...frames]] of Object.entries(cases)) {
      for (const way of ["send", "drip"] as const) {
        if (way === "drip" && Buffer.concat(frames).length > 2000) continue;
        test(`${section}: ${name}${way === "drip" ? ", a byte at a time" : ""}`, () => {
          const client = new RawClient();
          client.reading = false;
          client[way](...frames);
          expect(client.goaway).toBe(code);
          expect(client.exchanges.every(({ visit }) => visit.channel.broken)).toBe(true);
          expect(client.channel.ended).toBe(true);
          // The client has time to read that, and no more.
          expect(client.endedWith).toBe(-1);
          client.hangUp();
          expect(client.channel.closed).toBe("closed");
        });
      }
    }
  }
});

const fields = (...more: [string, string][]): Fields => [...GET, ...more];
const without = (name: string): Fields => GET.filter(([field]) => field !== name);
const instead = (name: string, value: string): Fields =>
  GET.map((field) => (field[0] === name ? [name, value] : field));
const connect = (...more: [string, string][]): Fields => [
  [":method", "CONNECT"],
  [":scheme", "https"],
  [":path", "/ws"],
  [":authority", "example.test"],
  [":protocol", "websocket"],
  ...more,
];

/** Requests that are malformed (RFC 9113 8.1.1): the stream ends with PROTOCOL_ERROR, and no server hears of it. */
const MALFORMED: Record<string, Fields> = {
  "8.2.1 an upper-case name": fields(["X-Upper", "1"]),
  "8.2.1 a space in a name": fields(["x y", "1"]),
  "8.2.1 an empty name": fields(["", "1"]),
  "8.2.1 a colon in a name": fields(["x:y", "1"]),
  "8.2.1 CR LF in a name": fields(["x\r\ny", "1"]),
  "8.2.1 NUL in a name": fields(["x\0y", "1"]),
  "8.2.1 a letter of another alphabet in a name": fields(["x\xe4", "1"]),
  "8.2.1 NUL in a value": fields(["x", "a\0b"]),
  "8.2.1 CR in a value": fields(["x", "a\rb"]),
  "8.2.1 LF in a value": fields(["x", "a\nb"]),
  "8.2.1 another request in a value": fields(["x", "a\r\n\r\nGET /admin HTTP/1.1\r\nhost: a"]),
  "8.2.1 a blank in front of a value": fields(["x", " a"]),
  "8.2.1 a tab behind a value": fields(["x", "a\t"]),
  "8.2.2 Connection": fields(["connection", "close"]),
  "8.2.2 Connection in disguise": fields(["connection", "x-forwarded-for"]),
  "8.2.2 Proxy-Connection": fields(["proxy-connection", "keep-alive"]),
  "8.2.2 Keep-Alive": fields(["keep-alive", "timeout=5"]),
  "8.2.2 Transfer-Encoding": fields(["transfer-encoding", "chunked"]),
  "8.2.2 Transfer_Encoding": fields(["transfer_encoding", "chunked"]),
  "8.2.2 Upgrade": fields(["upgrade", "websocket"]),
  "8.2.2 TE that is not trailers": fields(["te", "gzip"]),
  "8.2.2 TE with more than trailers": fields(["te", "trailers, gzip"]),
  "8.3 a pseudo-header field behind another": [["x", "1"], ...GET],
  "8.3 an unknown pseudo-header field": [[":foo", "1"], ...GET],
  "8.3 one of a response": [[":status", "200"], ...GET],
  "8.3 :method twice": [[":method", "GET"], ...GET],
  "8.3 :path twice": [[":path", "/"], ...GET],
  "8.3 :authority twice": [[":authority", "example.test"], ...GET],
  "8.3 :scheme twice": [[":scheme", "https"], ...GET],
  "8.3.1 no :method": without(":method"),
  "8.3.1 no :scheme": without(":scheme"),
  "8.3.1 no :path": without(":path"),
  "8.3.1 neither :authority nor Host": without(":authority"),
  "8.3.1 nothing at all": [["x", "1"]],
  "8.3.1 an empty :path": instead(":path", ""),
  "8.3.1 a :path without a slash": instead(":path", "index.html"),
  "8.3.1 an absolute :path": instead(":path", "http://other.test/"),
  "8.3.1 * for GET": instead(":path", "*"),
  "8.3.1 a space in :path": instead(":path", "/ HTTP/1.1"),
  "8.3.1 CR LF in :path": instead(":path", "/ HTTP/1.1\r\nx: y"),
  "8.3.1 a fragment in :path": instead(":path", "/#a"),
  "8.3.1 a letter of another alphabet in :path": instead(":path", "/\xe4"),
  "8.3.1 a space in :method": instead(":method", "GET /admin"),
  "8.3.1 CR LF in :method": instead(":method", "GET\r\n"),
  "8.3.1 an empty :method": instead(":method", ""),
  "8.3.1 a :method in lower case": instead(":method", "get"),
  "8.3.1 a :scheme that is not of HTTP": instead(":scheme", "ftp"),
  "8.3.1 a space in :scheme": instead(":scheme", "https "),
  "8.3.1 a :scheme that is a beginning": instead(":scheme", "https://example.test/"),
  "8.3.1 an empty :authority": instead(":authority", ""),
  "8.3.1 a login in :authority": instead(":authority", "user@example.test"),
  "8.3.1 a path in :authority": instead(":authority", "example.test/a"),
  "8.3.1 a space in :authority": instead(":authority", "example.test x"),
  "8.3.1 CR LF in :authority": instead(":authority", "example.test\r\nx: y"),
  "8.3.1 Host that is not :authority": fields(["host", "other.test"]),
  "8.3.1 Host twice": fields(["host", "example.test"], ["host", "example.test"]),
  "8.3.1 Host twice, without :authority": [...without(":authority"), ["host", "example.test"], ["host", "other.test"]],
  "8.1.1 a Content-Length that is no number": fields(["content-length", "1a"]),
  "8.1.1 a negative Content-Length": fields(["content-length", "-1"]),
  "8.1.1 a signed Content-Length": fields(["content-length", "+1"]),
  "8.1.1 an empty Content-Length": fields(["content-length", ""]),
  "8.1.1 Content-Length twice": fields(["content-length", "0"], ["content-length", "0"]),
  "8.1.1 a list as Content-Length": fields(["content-length", "0, 0"]),
  "8.1.1 a Content-Length of 2^64": fields(["content-length", "18446744073709551616"]),
  "8.1.1 a Content-Length without DATA": fields(["content-length", "1"]),
  "8.5 CONNECT with :scheme": [
    [":method", "CONNECT"],
    [":scheme", "https"],
    [":authority", "example.test:443"],
  ],
  "8.5 CONNECT with :path": [
    [":method", "CONNECT"],
    [":path", "/"],
    [":authority", "example.test:443"],
  ],
  "8.5 CONNECT without :authority": [
    [":method", "CONNECT"],
    ["host", "example.test:443"],
  ],
  "RFC 8441 4: :protocol for GET": [...GET.slice(0, 4), [":protocol", "websocket"]],
  "RFC 8441 4: extended CONNECT without :scheme": connect().filter(([name]) => name !== ":scheme"),
  "RFC 8441 4: extended CONNECT without :path": connect().filter(([name]) => name !== ":path"),
};

describe("a malformed request ends its stream and nothing else", () => {
  for (const [name, list] of Object.entries(MALFORMED)) {
    test(name, () => {
      const client = new RawClient().send(headers(1, list), whole(3));
      expect(client.reset(1)).toBe(PROTOCOL_ERROR);
      expect(client.refused).toEqual([expect.stringMatching(/^1: 0 /)]);
      expect(client.goaway).toBe(-1);
      expect(client.exchanges.map(({ text }) => text)).toEqual(["GET / HTTP/1.1\r\nhost: example.test\r\n\r\n"]);
    });
  }
});

/** Errors of a stream that has begun: its code, and what the client sends. */
const STREAM_ERRORS: Record<string, [code: number, ...frames: Uint8Array[]]> = {
  "5.1 DATA behind the end of the request": [STREAM_CLOSED, whole(), data(1, "x")],
  "5.1 HEADERS behind the end of the request": [STREAM_CLOSED, whole(), whole()],
  "5.1 DATA behind a reset by the client": [STREAM_CLOSED, open(), rst(1), data(1, "x")],
  "6.9 WINDOW_UPDATE by 0": [PROTOCOL_ERROR, open(), windowUpdate(1, 0)],
  "6.9.1 the stream's window above 2^31 - 1": [FLOW_CONTROL_ERROR, open(), windowUpdate(1, 0x7fffffff)],
  "6.9.1 more data than the stream's window": [
    FLOW_CONTROL_ERROR,
    open(),
    ...Array.from({ length: 5 }, () => data(1, zeros(16_000))),
  ],
  "8.1 trailers that do not end the stream": [PROTOCOL_ERROR, open(), headers(1, [["x", "1"]], false)],
  "8.1 pseudo-header fields in trailers": [PROTOCOL_ERROR, open(), headers(1, [[":path", "/"]])],
  "8.2.1 an upper-case name in trailers": [PROTOCOL_ERROR, open(), headers(1, [["X", "1"]])],
  "8.2.1 CR LF in trailers": [PROTOCOL_ERROR, open(), headers(1, [["x", "a\r\nb: c"]])],
  "8.2.2 Transfer-Encoding in trailers": [PROTOCOL_ERROR, open(), headers(1, [["transfer-encoding", "chunked"]])],
  "8.1.1 less DATA than Content-Length": [
    PROTOCOL_ERROR,
    headers(1, [...POST, ["content-length", "3"]], false),
    data(1, "ab", true),
  ],
  "8.1.1 more DATA than Content-Length": [
    PROTOCOL_ERROR,
    headers(1, [...POST, ["content-length", "3"]], false),
    data(1, "abcd"),
  ],
  "8.1.1 trailers in front of all of Content-Length": [
    PROTOCOL_ERROR,
    headers(1, [...POST, ["content-length", "3"]], false),
    headers(1, [["x", "1"]]),
  ],
};

describe("an error of a stream that has begun is told to whoever serves it", () => {
  for (const [name, [code, ...frames]] of Object.entries(STREAM_ERRORS)) {
    test(name, () => {
      const client = new RawClient();
      client.reading = false;
      client.send(frames[0]!);
      client.send(...frames.slice(1));
      expect(client.reset(1)).toBe(code);
      expect(client.exchanges).toHaveLength(1);
      client.exchanges[0]!.read();
      expect(client.exchanges[0]!.lost).toBe(true);
      expect(client.goaway).toBe(-1);
      client.reading = true;
      client.send(whole(3));
      expect(client.exchanges[1]!.text).toStartWith("GET / HTTP/1.1\r\n");
    });
  }
});

/** What is unusual and right. */
const ALLOWED: Record<string, Uint8Array[]> = {
  "4.1 an unknown frame": [frame(0x42, 0xff, 0, zeros(100))],
  "4.1 an unknown frame on a stream": [frame(0x42, 0xff, 77, zeros(100))],
  "4.1 flags that mean nothing": [frame(PING, 0xf0, 0, zeros(8))],
  "4.1 the reserved bit of a stream's number": [frame(PING, 0, 0x80000000, zeros(8))],
  "5.1.1 streams that are left out": [headers(99, GET)],
  "5.3 a priority": [
    frame(HEADERS, END_HEADERS | END_STREAM | PRIORITY_FLAG, 3, Buffer.concat([zeros(5), block(GET)])),
  ],
  "5.3 PRIORITY of an idle stream": [frame(PRIORITY, 0, 7, zeros(5))],
  "6.1 padding": [open(3), frame(DATA, PADDED | END_STREAM, 3, bytes(2, 0x61, 0, 0))],
  "6.2 padding": [
    frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 3, Buffer.concat([bytes(4), block(GET), zeros(4)])),
  ],
  "6.4 RST_STREAM of a stream that is over": [open(3), rst(3), rst(3)],
  "6.5 an unknown setting": [settings(0x99, 0xffffffff)],
  "6.5 the same setting twice": [settings(INITIAL_WINDOW_SIZE, 5, INITIAL_WINDOW_SIZE, 70_000)],
  "6.5 the answer to our settings": [frame(SETTINGS, ACK, 0)],
  "6.9 WINDOW_UPDATE of a stream that is over": [open(3), rst(3), windowUpdate(3, 100)],
  "6.10 a block in many pieces": [
    frame(HEADERS, END_STREAM, 3, block(GET).subarray(0, 3)),
    frame(CONTINUATION, 0, 3, block(GET).subarray(3, 9)),
    frame(CONTINUATION, 0, 3),
    frame(CONTINUATION, END_HEADERS, 3, block(GET).subarray(9)),
  ],
  "6.10 a block that begins with nothing": [
    frame(HEADERS, END_STREAM, 3),
    frame(CONTINUATION, END_HEADERS, 3, block(GET)),
  ],
};

describe("what is unusual and right is served", () => {
  for (const [name, frames] of Object.entries(ALLOWED)) {
    for (const way of ["send", "drip"] as const) {
      test(`${name}${way === "drip" ? ", a byte at a time" : ""}`, () => {
        const client = new RawClient()[way](...frames);
        expect(client.goaway).toBe(-1);
        client.send(whole(101));
        client.exchanges.at(-1)!.write(OK);
        client.turn();
        expect(client.answers(101)).toEqual([[":status: 200", "content-length: 2"]]);
        expect(client.data(101)).toBe("ok");
        for (const { stream } of client.frames) expect(client.reset(stream)).toBe(-1);
      });
    }
  }
});

describe("3.4 the preface", () => {
  const silent = (options: RawOptions = {}) => new RawClient({ ...options, silent: true });

  test("our settings come first, without waiting for the client's", () => {
    const client = silent();
    client.turn();
    expect(client.frames[0]!.type).toBe(SETTINGS);
    expect(client.frames[0]!.flags).toBe(0);
  });

  test("a request of HTTP/1.1 is none", () => {
    const client = silent().send(Buffer.from("GET / HTTP/1.1\r\nHost: example.test\r\n\r\n"));
    expect(client.goaway).toBe(PROTOCOL_ERROR);
    expect(client.exchanges).toHaveLength(0);
  });

  test("one that is wrong at its last byte is none", () => {
    const wrong = PREFACE.slice();
    wrong[23] = 0x0b;
    expect(silent().send(wrong).goaway).toBe(PROTOCOL_ERROR);
  });

  test("settings follow it", () => {
    expect(silent().send(PREFACE, frame(PING, 0, 0, zeros(8))).goaway).toBe(PROTOCOL_ERROR);
    expect(silent().send(PREFACE, whole()).goaway).toBe(PROTOCOL_ERROR);
    expect(silent().send(PREFACE, frame(SETTINGS, ACK, 0)).goaway).toBe(PROTOCOL_ERROR);
  });

  test("it may come a byte at a time", () => {
    const client = silent().drip(PREFACE, settings(), whole());
    expect(client.exchanges).toHaveLength(1);
  });
});

describe("answers of the protocol itself", () => {
  test("6.5.3 settings are answered, each", () => {
    const client = new RawClient().send(settings(), settings());
    expect(client.of(SETTINGS).filter(({ flags }) => flags === ACK)).toHaveLength(3);
  });

  test("6.7 a PING is answered with its own bytes", () => {
    const client = new RawClient().send(frame(PING, 0, 0, bytes(1, 2, 3, 4, 5, 6, 7, 8)));
    expect(client.of(PING)).toEqual([
      { type: PING, flags: ACK, stream: 0, payload: Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]) },
    ]);
  });

  test("6.7 an answer to a PING is not answered", () => {
    expect(new RawClient().send(frame(PING, ACK, 0, zeros(8))).of(PING)).toEqual([]);
  });

  test("5.1.2 a stream too many is refused, and may be tried again", () => {
    const client = new RawClient({ streams: 2 }).send(open(1), open(3), open(5));
    expect(client.reset(5)).toBe(REFUSED_STREAM);
    expect(client.exchanges).toHaveLength(2);
    client.exchanges[0]!.write(OK);
    client.send(data(1, "", true), open(7));
    expect(client.exchanges).toHaveLength(3);
    expect(client.goaway).toBe(-1);
  });

  test("8.1 an answer before the end of the request is whole, and the rest is not wanted", () => {
    const client = new RawClient().send(open());
    client.exchanges[0]!.write(OK);
    client.exchanges[0]!.finish();
    client.turn();
    expect(client.data(1)).toBe("ok");
    expect(client.isEnded(1)).toBe(true);
    expect(client.reset(1)).toBe(NO_ERROR);
    expect(client.send(data(1, "what was on its way", true)).goaway).toBe(-1);
    expect(client.send(whole(3)).exchanges).toHaveLength(2);
  });

  test("6.10 an answer with 60,000 bytes of fields comes in pieces; one with more than fits never does", () => {
    const client = new RawClient().send(whole(1), whole(3), whole(5));
    const answer = (length: number) => `HTTP/1.1 200 OK\r\nx: ${"y".repeat(length)}\r\ncontent-length: 0\r\n\r\n`;
    client.exchanges[0]!.write(answer(60_000));
    client.exchanges[1]!.write(answer(60_000));
    client.exchanges[2]!.write(answer(90_000));
    client.turn();
    expect(client.answers(1)[0]![1]).toHaveLength(60_003);
    expect(client.answers(3)[0]![1]).toHaveLength(60_003);
    expect(client.of(CONTINUATION, 3)).toHaveLength(3);
    expect(client.of(CONTINUATION, 3).at(-1)!.flags).toBe(END_HEADERS);
    expect(client.reset(5)).toBe(INTERNAL_ERROR);
    expect(client.exchanges[2]!.visit.channel.broken).toBe(true);
  });

  test("10.5.1 a list of fields above the limit is answered with 431", () => {
    const client = new RawClient({ head: 2000 }).send(headers(1, [...GET, ["x", "y".repeat(2000)]]));
    expect(client.answers(1)).toEqual([[":status: 431", "content-length: 0"]]);
    expect(client.isEnded(1)).toBe(true);
    expect(client.refused).toEqual(["1: 431 GET /"]);
    expect(client.exchanges).toHaveLength(0);
    expect(client.send(whole(3)).exchanges).toHaveLength(1);
  });

  test("the client's GOAWAY lets what is in progress end", () => {
    const client = new RawClient().send(open(), frame(GOAWAY, 0, 0, Buffer.concat([word(0), word(NO_ERROR)])));
    expect(client.channel.ended).toBe(false);
    client.exchanges[0]!.write(OK);
    client.send(data(1, "x", true), frame(PING, ACK, 0, zeros(8)));
    expect(client.data(1)).toBe("ok");
    expect(client.channel.ended).toBe(true);
  });

  test("a client that hangs up takes its requests along", () => {
    for (const withReset of [false, true]) {
      const client = new RawClient().send(open(), open(3));
      client.hangUp(withReset);
      expect(client.exchanges.map(({ lost }) => lost)).toEqual([true, true]);
      expect(client.endedWith).toBeGreaterThanOrEqual(0);
    }
  });
});
