import { describe, expect, test } from "bun:test";
import { parseAddress } from "../../../src/protocols/address.ts";
import { findPair, spanOfPair } from "../../../src/protocols/http1/cookies.ts";
import { CHUNKED, RequestHead, readRequestHead, UNTIL_CLOSE } from "../../../src/protocols/http1/request.ts";
import { bodyOf, PROXIED, ResponseHead, readResponseHead } from "../../../src/protocols/http1/response.ts";
import {
  endHead,
  type RequestFacts,
  RequestRules,
  type ResponseFacts,
  ResponseRules,
  TOO_LONG,
  writeField,
  writeRequestHead,
  writeResponseHead,
} from "../../../src/protocols/http1/write.ts";
import { show, text } from "../bytes.ts";

const LIMITS = { head: 8192, target: 4096, fields: 100 };
const OFF = { set: [], remove: [], forwarded: { mode: "off", standard: false } } as const;
const into = new Uint8Array(4096);

function factsWith(change: Partial<RequestFacts>): RequestFacts {
  return {
    source: parseAddress("192.0.2.7")!,
    trusted: false,
    secure: false,
    port: 80,
    requestId: new Uint8Array(0),
    requestIdLength: 0,
    fallbackHost: text("10.0.0.9:8080"),
    peer: parseAddress("192.0.2.7")!,
    close: false,
    hidden: { at: 0, end: 0 },
    ...change,
  };
}

/** The request as a server gets it, by lines, without the empty one. */
function forwarded(lines: string[], rules: RequestRules = new RequestRules(OFF), facts = factsWith({})): string[] {
  const bytes = text(`${lines.join("\r\n")}\r\n\r\n`);
  const head = new RequestHead();
  expect(readRequestHead(bytes, 0, bytes.length, LIMITS, head)).toBe(bytes.length);
  const end = endHead(into, writeRequestHead(bytes, head, rules, facts, into, 0));
  const again = new RequestHead();
  expect(readRequestHead(into, 0, end, { ...LIMITS, fields: 200 }, again)).toBe(end);
  expect([again.body, again.isUpgrade, again.trailers]).toEqual([head.body, head.isUpgrade, head.trailers]);
  return show(into, 0, end).split("\r\n").slice(0, -2);
}

/** The response as a client gets it, by lines, without the empty one. */
function answered(
  lines: string[],
  rules = new ResponseRules({ set: [], remove: [] }),
  change: Partial<ResponseFacts> = {},
): string[] {
  const bytes = text(`${lines.join("\r\n")}\r\n\r\n`);
  const head = new ResponseHead();
  expect(readResponseHead(bytes, 0, bytes.length, PROXIED, head)).toBe(bytes.length);
  const facts = { body: bodyOf(head, 1), close: false, keepAlive: false, ...change };
  const end = endHead(into, writeResponseHead(bytes, head, rules, facts, into, 0));
  return show(into, 0, end).split("\r\n").slice(0, -2);
}

describe("a server gets", () => {
  test("the request of a browser as it was, Host first", () => {
    expect(forwarded(["GET /a?b=c HTTP/1.1", "User-Agent: x", "Host: a.example:81", "Cookie: a=b"])).toEqual([
      "GET /a?b=c HTTP/1.1",
      "Host: a.example:81",
      "User-Agent: x",
      "Cookie: a=b",
    ]);
  });

  test("fields without the blanks that they came with", () => {
    expect(forwarded(["GET / HTTP/1.1", "Host:a", "A:b", "C:\td \t", "E: ", "F:", "G: h"])).toEqual([
      "GET / HTTP/1.1",
      "Host: a",
      "A: b",
      "C: d",
      "E: ",
      "F: ",
      "G: h",
    ]);
  });

  test("the cookies without ours, and no field of which nothing is left", () => {
    const cookiesOf = (...values: string[]) => {
      const lines = ["GET / HTTP/1.1", "Host: a", ...values.map((value) => `cookie:${value}`), "X: y"];
      const bytes = text(`${lines.join("\r\n")}\r\n\r\n`);
      const head = new RequestHead();
      readRequestHead(bytes, 0, bytes.length, LIMITS, head);
      const [pair, hidden] = [
        { index: 0, at: 0, end: 0 },
        { at: 0, end: 0 },
      ];
      if (findPair(bytes, head.fields, text("SRV"), pair, hidden)) spanOfPair(bytes, head.fields, pair, hidden);
      const passed = forwarded(lines, new RequestRules(OFF), factsWith({ hidden }));
      return passed.filter((line) => /^cookie/i.test(line)).map((line) => line.slice("Cookie: ".length));
    };
    expect(cookiesOf("SRV=x")).toEqual([]);
    expect(cookiesOf(" SRV=x; ")).toEqual([]);
    expect(cookiesOf("SRV=x; a=1; b=2")).toEqual(["a=1; b=2"]);
    expect(cookiesOf("a=1; SRV=x; b=2")).toEqual(["a=1; b=2"]);
    expect(cookiesOf('a=1;b=2;SRV="x y"')).toEqual(["a=1;b=2"]);
    expect(cookiesOf("a=1", "SRV=x", "b=2; SRV=other")).toEqual(["a=1", "b=2; SRV=other"]);
    expect(cookiesOf("notSRV=x; SRV2=y")).toEqual(["notSRV=x; SRV2=y"]);
  });

  test("nothing that was only for us, nor what Connection names", () => {
    expect(
      forwarded([
        "GET / HTTP/1.1",
        "Host: a",
        "Connection: keep-alive, X-Only",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "X-Only: 1",
        "x_only: 2",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
        "TE: gzip",
      ]),
    ).toEqual(["GET / HTTP/1.1", "Host: a"]);
  });

  test("the path and the host of a whole URL", () => {
    expect(forwarded(["GET http://a.example/x?y HTTP/1.1", "Host: b"])).toEqual([
      "GET /x?y HTTP/1.1",
      "Host: a.example",
    ]);
    expect(forwarded(["GET HTTP://a?y HTTP/1.1", "Host: b"])).toEqual(["GET /?y HTTP/1.1", "Host: a"]);
    expect(forwarded(["OPTIONS http://a:1 HTTP/1.1", "Host: b"])).toEqual(["OPTIONS * HTTP/1.1", "Host: a:1"]);
    expect(forwarded(["OPTIONS * HTTP/1.1", "Host: b"])).toEqual(["OPTIONS * HTTP/1.1", "Host: b"]);
  });

  test("a host and HTTP/1.1 from a client of HTTP/1.0", () => {
    expect(forwarded(["GET / HTTP/1.0", "Expect: 100-continue"])).toEqual(["GET / HTTP/1.1", "Host: 10.0.0.9:8080"]);
  });

  test("one length or chunks, an expectation where there is a body, and the offer of a protocol", () => {
    expect(forwarded(["POST / HTTP/1.1", "Host: a", "Content-Length:  12", "Expect: 100-Continue"])).toEqual([
      "POST / HTTP/1.1",
      "Host: a",
      "Content-Length: 12",
      "Expect: 100-continue",
    ]);
    expect(forwarded(["GET / HTTP/1.1", "Host: a", "Content-Length: 0", "Expect: 100-Continue"])).toEqual([
      "GET / HTTP/1.1",
      "Host: a",
      "Content-Length: 0",
    ]);
    expect(forwarded(["POST / HTTP/1.1", "Host: a", "Transfer-Encoding: Chunked", "TE: trailers"])).toEqual([
      "POST / HTTP/1.1",
      "Host: a",
      "Transfer-Encoding: chunked",
      "TE: trailers",
      "Connection: TE",
    ]);
    expect(forwarded(["GET / HTTP/1.1", "Host: a", "Connection: upgrade", "Upgrade: websocket"])).toEqual([
      "GET / HTTP/1.1",
      "Host: a",
      "Upgrade: websocket",
      "Connection: Upgrade",
    ]);
  });

  test("the fields that are set, once, and none that are removed, however they are spelt", () => {
    const rules = new RequestRules({ ...OFF, set: [{ name: "X-Client", value: "none" }], remove: ["Via"] });
    expect(
      forwarded(["GET / HTTP/1.1", "Host: a", "X_Client: forged", "x-client: me", "VIA: 1", "A: b"], rules),
    ).toEqual(["GET / HTTP/1.1", "Host: a", "A: b", "X-Client: none"]);
  });

  test("a host that is set, and no framing that is", () => {
    const set = [
      { name: "host", value: "inner" },
      { name: "Content-Length", value: "5" },
      { name: "transfer_encoding", value: "chunked" },
      { name: "Connection", value: "close" },
      { name: "X-A", value: "b" },
    ];
    const rules = new RequestRules({ ...OFF, set, remove: ["Host", "Content-Length"] });
    expect(forwarded(["POST / HTTP/1.1", "Host: a", "Content-Length: 3"], rules)).toEqual([
      "POST / HTTP/1.1",
      "Host: inner",
      "X-A: b",
      "Content-Length: 3",
    ]);
  });

  test("our name for the request instead of the client's, or the client's", () => {
    const facts = factsWith({ requestId: text("abc-1 and more"), requestIdLength: 5, close: true });
    const lines = ["GET / HTTP/1.1", "Host: a", "X-Request-Id: theirs"];
    expect(forwarded(lines, undefined, facts)).toEqual([
      "GET / HTTP/1.1",
      "Host: a",
      "X-Request-Id: abc-1",
      "Connection: close",
    ]);
    expect(forwarded(lines)).toEqual(lines);
  });
});

describe("the client's address", () => {
  const lines = [
    "GET / HTTP/1.1",
    "Host: a:81",
    "X-Forwarded-For: 198.51.100.1",
    "x_forwarded_for: 198.51.100.9",
    "X-Forwarded-For: 198.51.100.2",
    "X-Forwarded-Proto: https",
    'Forwarded: for=198.51.100.1;host="x"',
  ];
  const rules = (mode: "replace" | "append" | "off", standard = false) =>
    new RequestRules({ ...OFF, forwarded: { mode, standard } });

  test("replaces what came", () => {
    expect(forwarded(lines, rules("replace"), factsWith({ trusted: true, secure: true, port: 443 }))).toEqual([
      "GET / HTTP/1.1",
      "Host: a:81",
      "X-Forwarded-For: 192.0.2.7",
      "X-Forwarded-Proto: https",
      "X-Forwarded-Port: 443",
      "X-Forwarded-Host: a:81",
    ]);
  });

  test("is appended to what a trusted peer says", () => {
    expect(forwarded(lines, rules("append", true), factsWith({ trusted: true }))).toEqual([
      "GET / HTTP/1.1",
      "Host: a:81",
      "X-Forwarded-Proto: https",
      "X-Forwarded-For: 198.51.100.1, 198.51.100.2, 192.0.2.7",
      "X-Forwarded-Port: 80",
      "X-Forwarded-Host: a:81",
      'Forwarded: for=198.51.100.1;host="x", for=192.0.2.7;host="a:81";proto=http',
    ]);
  });

  test("is all there is where others say it", () => {
    expect(forwarded(lines, rules("append", true), factsWith({ source: parseAddress("2001:db8::1")! }))).toEqual([
      "GET / HTTP/1.1",
      "Host: a:81",
      "X-Forwarded-For: 2001:db8::1",
      "X-Forwarded-Proto: http",
      "X-Forwarded-Port: 80",
      "X-Forwarded-Host: a:81",
      'Forwarded: for="[2001:db8::1]";host="a:81";proto=http',
    ]);
  });

  test("is not said where the configuration says something else, or nothing", () => {
    const ruled = new RequestRules({
      set: [{ name: "X-Forwarded-Proto", value: "https" }],
      remove: ["X-Forwarded-Port", "x-forwarded-host", "X-Request-Id"],
      forwarded: { mode: "append", standard: false },
    });
    const facts = factsWith({ trusted: true, requestId: text("id"), requestIdLength: 2 });
    expect(forwarded([...lines, "X-Forwarded-Port: 1", "X-Request-Id: x"], ruled, facts)).toEqual([
      "GET / HTTP/1.1",
      "Host: a:81",
      'Forwarded: for=198.51.100.1;host="x"',
      "X-Forwarded-For: 198.51.100.1, 198.51.100.2, 192.0.2.7",
      "X-Forwarded-Proto: https",
    ]);
  });

  test("is nobody's business when it is off", () => {
    expect(forwarded(lines, rules("off"))).toEqual(lines.filter((line) => !line.startsWith("x_")));
  });
});

describe("a client gets", () => {
  test("the response without what was for us, with what is set", () => {
    const rules = new ResponseRules({ set: [{ name: "Server", value: "h" }], remove: ["X-Powered-By"] });
    expect(
      answered(["HTTP/1.0 200 Fine", "Server: y", "Connection: close", "x-powered-by: z", "Content-Length: 3"], rules),
    ).toEqual(["HTTP/1.1 200 Fine", "Server: h", "Content-Length: 3"]);
  });

  test("chunks, or an end with the connection, as the engine says", () => {
    const lines = ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"];
    expect(answered(lines)).toEqual(["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"]);
    expect(answered(lines, undefined, { body: UNTIL_CLOSE, close: true })).toEqual([
      "HTTP/1.1 200 OK",
      "Connection: close",
    ]);
    expect(answered(["HTTP/1.0 200 OK"], undefined, { body: CHUNKED })).toEqual([
      "HTTP/1.1 200 OK",
      "Transfer-Encoding: chunked",
    ]);
    expect(answered(["HTTP/1.1 200 OK", "Content-Length: 5"], undefined, { keepAlive: true })).toEqual([
      "HTTP/1.1 200 OK",
      "Content-Length: 5",
      "Connection: keep-alive",
    ]);
  });

  test("the protocol that the server goes on with, or wants", () => {
    expect(answered(["HTTP/1.1 101", "Connection: upgrade", "upgrade: websocket", "Sec-WebSocket-Accept: x"])).toEqual([
      "HTTP/1.1 101 ",
      "Sec-WebSocket-Accept: x",
      "Upgrade: websocket",
      "Connection: Upgrade",
    ]);
    expect(answered(["HTTP/1.1 200 OK", "Connection: upgrade", "Upgrade: h2", "Content-Length: 0"])).toEqual([
      "HTTP/1.1 200 OK",
      "Content-Length: 0",
    ]);
  });

  test("early hints as they are, and no length where none may be", () => {
    const rules = new ResponseRules({ set: [{ name: "A", value: "b" }], remove: [] });
    expect(answered(["HTTP/1.1 103 Early Hints", "Link: </x>"], rules)).toEqual([
      "HTTP/1.1 103 Early Hints",
      "Link: </x>",
    ]);
    expect(answered(["HTTP/1.1 204 None", "Content-Length: 0"])).toEqual(["HTTP/1.1 204 None"]);
    expect(answered(["HTTP/1.1 304 Same", "Content-Length: 7"])).toEqual(["HTTP/1.1 304 Same", "Content-Length: 7"]);
  });
});

test("a head that does not fit is too long, wherever the room ends", () => {
  const bytes = text("GET /long HTTP/1.1\r\nHost: a\r\nA: b\r\nC:  d\r\nContent-Length: 12\r\n\r\n");
  const head = new RequestHead();
  readRequestHead(bytes, 0, bytes.length, LIMITS, head);
  const rules = new RequestRules({ ...OFF, forwarded: { mode: "replace", standard: true } });
  const write = (room: Uint8Array) => endHead(room, writeRequestHead(bytes, head, rules, factsWith({}), room, 0));
  const whole = write(into);
  expect(write(new Uint8Array(whole))).toBe(whole);
  for (let room = 0; room < whole; room++) expect(write(new Uint8Array(room))).toBe(TOO_LONG);
});

test("a field of our own is a line more", () => {
  const end = writeField(text("X-A: "), text("value"), 1, 3, into, 0);
  expect(show(into, 0, end)).toBe("X-A: al\r\n");
  expect(writeField(text("X-A: "), text("value"), 1, 3, into, TOO_LONG)).toBe(TOO_LONG);
});
