import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { RequestHead, readRequestHead } from "../../../src/protocols/http1/request.ts";
import { FieldList } from "../../../src/protocols/http2/field-list.ts";
import { MALFORMED_REASONS, writeTrailers } from "../../../src/protocols/http2/field-rules.ts";
import { FIELD_SLACK, HpackDecoder } from "../../../src/protocols/http2/hpack-decoder.ts";
import {
  HEAD_FRAMING,
  newRequestFacts,
  WEBSOCKET_KEY_BYTES,
  writeRequestHead,
} from "../../../src/protocols/http2/request-head.ts";
import { newResponseFacts, writeResponseBlock } from "../../../src/protocols/http2/response-block.ts";
import { block, type Fields, fieldsOf, GET } from "../../wire/http2/raw.ts";
import { text } from "../bytes.ts";

const KEY = text("dGhlIHNhbXBsZSBub25jZQ==");
const LIMITS = { head: 65_536, target: 32_768, fields: 1000 };

function write(fields: Fields, ended = true): { text: string; facts: ReturnType<typeof newRequestFacts> } | string {
  const bytes = block(fields);
  const list = new FieldList(32_768, FIELD_SLACK);
  expect(new HpackDecoder().read(bytes, 0, bytes.length, list)).toBe(bytes.length);
  const into = new Uint8Array(list.limit + HEAD_FRAMING);
  const facts = newRequestFacts();
  const length = writeRequestHead(list, ended, KEY, into, facts);
  if (length < 0) return MALFORMED_REASONS[length]!;
  return { text: Buffer.from(into.subarray(0, length)).toString("latin1"), facts };
}

const head = (fields: Fields, ended = true) => {
  const written = write(fields, ended);
  return typeof written === "string" ? written : written.text;
};

describe("a request becomes one of HTTP/1.1", () => {
  test("a page", () => {
    expect(head([...GET, ["accept", "*/*"]])).toBe("GET / HTTP/1.1\r\nhost: example.test\r\naccept: */*\r\n\r\n");
  });

  test("Host stands in for :authority, and is not there twice", () => {
    const rest = GET.slice(0, 3);
    expect(head([...rest, ["host", "a.test"]])).toBe("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
    expect(head([...GET, ["host", "EXAMPLE.test"]])).toBe("GET / HTTP/1.1\r\nhost: example.test\r\n\r\n");
  });

  test("cookies that were sent one by one are one field", () => {
    const cookies: Fields = [...GET, ["cookie", "a=1"], ["x", "y"], ["cookie", "b=2"], ["cookie", "c=3"]];
    expect(head(cookies)).toBe("GET / HTTP/1.1\r\nhost: example.test\r\ncookie: a=1; b=2; c=3\r\nx: y\r\n\r\n");
  });

  test("a body of unknown length comes in chunks, one of known length as it is", () => {
    const post: Fields = [[":method", "POST"], ...GET.slice(1)];
    expect(head(post, false)).toContain("\r\ntransfer-encoding: chunked\r\n");
    expect(head([...post, ["content-length", "007"]], false)).toContain("\r\ncontent-length: 7\r\n");
    expect(head(post)).toContain("\r\ncontent-length: 0\r\n");
    expect(head(GET)).not.toContain("content-length");
  });

  test("OPTIONS *", () => {
    expect(head([[":method", "OPTIONS"], GET[1]!, [":path", "*"], GET[3]!])).toStartWith("OPTIONS * HTTP/1.1\r\n");
  });

  test("CONNECT names what it connects to", () => {
    expect(
      head(
        [
          [":method", "CONNECT"],
          [":authority", "a.test:443"],
        ],
        false,
      ),
    ).toBe("CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\n\r\n");
  });

  test("an extended CONNECT for a WebSocket is an upgrade with a key of ours (RFC 8441 5)", () => {
    const list: Fields = [
      [":method", "CONNECT"],
      [":protocol", "websocket"],
      ...GET.slice(1),
      ["sec-websocket-key", "of the client"],
      ["sec-websocket-protocol", "TLCP-2.5.0"],
    ];
    expect(head(list, false)).toBe(
      "GET / HTTP/1.1\r\nhost: example.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n" +
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n" +
        "sec-websocket-protocol: TLCP-2.5.0\r\n\r\n",
    );
    expect(WEBSOCKET_KEY_BYTES).toBe(KEY.length);
  });
});

test("whatever fields are accepted, the parser of HTTP/1.1 finds one whole request in them or refuses it", () => {
  const part = fc.oneof(
    fc.constantFrom(
      "",
      "/",
      "*",
      "GET",
      "a",
      "a.test",
      "chunked",
      "close",
      "0",
      "5",
      "\r\n",
      " ",
      "x y",
      "https",
      "http",
    ),
    fc.string({ maxLength: 12, unit: "binary" }).map((s) => Buffer.from(s, "utf8").toString("latin1")),
  );
  const name = fc.oneof(
    fc.constantFrom(
      "host",
      "content-length",
      "transfer-encoding",
      "te",
      "connection",
      "cookie",
      "x",
      "content_length",
      ":path",
    ),
    part,
  );
  const fields = fc.array(fc.tuple(name, part), { maxLength: 6 });
  const pseudo = fc.record({
    method: fc.oneof(fc.constantFrom("GET", "POST", "CONNECT", "OPTIONS", "HEAD"), part),
    path: fc.oneof(
      fc.constant("/"),
      part.map((p) => `/${p}`),
      part,
    ),
    authority: fc.oneof(fc.constantFrom("a.test", "[::1]:80"), part),
    ended: fc.boolean(),
  });
  const parsed = new RequestHead();
  let accepted = 0;
  fc.assert(
    fc.property(pseudo, fields, ({ method, path, authority, ended }, more) => {
      const list: Fields = [
        [":method", method],
        [":scheme", "https"],
        [":path", path],
        [":authority", authority],
        ...more,
      ];
      const written = head(list, ended);
      if (!written.includes(" HTTP/1.1\r\n")) return;
      const bytes = text(written);
      const used = readRequestHead(bytes, 0, bytes.length, LIMITS, parsed);
      expect(used === bytes.length || used < 0).toBe(true);
      if (used > 0) accepted++;
    }),
    { numRuns: 2000 },
  );
  expect(accepted).toBeGreaterThan(20);
});

test("trailers are lines, without those that say how a message is to be read", () => {
  const bytes = block([
    ["x-sum", "1"],
    ["content-length", "5"],
    ["host", "a"],
  ]);
  const list = new FieldList(4096, FIELD_SLACK);
  new HpackDecoder().read(bytes, 0, bytes.length, list);
  const into = new Uint8Array(4096);
  expect(Buffer.from(into.subarray(0, writeTrailers(list, into, 0))).toString()).toBe("x-sum: 1\r\n\r\n");
});

test("an answer loses what is about a connection of HTTP/1.1", () => {
  const answer = text(
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nKeep-Alive: timeout=5\r\n" +
      "Proxy-Connection: close\r\nSec-WebSocket-Accept: abc\r\nTransfer-Encoding: chunked\r\nX-One:  1 \r\nEmpty:\r\n\r\n",
  );
  const into = new Uint8Array(1024);
  const facts = newResponseFacts();
  const end = writeResponseBlock(answer, 0, answer.length, into, 0, facts);
  const list = new FieldList(4096, FIELD_SLACK);
  new HpackDecoder().read(into, 0, end, list);
  expect(fieldsOf(list)).toEqual([":status: 200", "x-one: 1", "empty: "]);
  expect(facts.status).toBe(101);
  expect(facts.chunked).toBe(true);
  expect(Buffer.from(answer.subarray(facts.acceptAt, facts.acceptEnd)).toString()).toBe("abc");
});
