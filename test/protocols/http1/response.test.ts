import { expect, test } from "bun:test";
import {
  AMBIGUOUS_BODY,
  BAD_FIELD_VALUE,
  BAD_LENGTH,
  BAD_LINE_END,
  BAD_STATUS,
  BAD_TRANSFER_ENCODING,
  BLANK_BEFORE_COLON,
  HEAD_TOO_LONG,
  NOT_HTTP,
} from "../../../src/protocols/http1/reasons.ts";
import { CHUNKED, Method, NO_BODY, TUNNEL, UNTIL_CLOSE } from "../../../src/protocols/http1/request.ts";
import { bodyOf, CHECKED, PROXIED, ResponseHead, readResponseHead } from "../../../src/protocols/http1/response.ts";
import { show, text } from "../bytes.ts";

const out = new ResponseHead();
const read = (head: string, limits = PROXIED) => readResponseHead(text(head), 0, head.length, limits, out);
/** How long the body of a response to `method` is. */
function body(head: string, method: number = Method.GET): number {
  expect(read(`${head}\r\n\r\n`)).toBe(head.length + 4);
  return bodyOf(out, method);
}

test("status, version, phrase and length are read, the body is left", () => {
  const head = "HTTP/1.1 200 All right\r\ncontent-length: 5 \r\n\r\n";
  expect(read(`${head}hello`)).toBe(head.length);
  expect(out).toMatchObject({ status: 200, minorVersion: 1, contentLength: 5, chunked: false, close: false });
  expect(show(text(head), out.phraseAt, out.phraseEnd)).toBe("All right");
});

test("a body ends with its length, its last chunk, or the connection", () => {
  expect(body("HTTP/1.1 200 OK\r\nContent-Length: 7")).toBe(7);
  expect(body("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked")).toBe(CHUNKED);
  expect(body("HTTP/1.1 200 OK")).toBe(UNTIL_CLOSE);
  expect(body("HTTP/1.0 200")).toBe(UNTIL_CLOSE);
});

test("an answer to HEAD, a 204 and a 304 have no body, whatever they say", () => {
  expect(body("HTTP/1.1 200 OK\r\nContent-Length: 7", Method.HEAD)).toBe(NO_BODY);
  expect(body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", Method.HEAD)).toBe(NO_BODY);
  expect(body("HTTP/1.1 304 Not Modified\r\nContent-Length: 7")).toBe(NO_BODY);
  expect(body("HTTP/1.1 204 No Content\r\nContent-Length: 0")).toBe(NO_BODY);
  expect(body("HTTP/1.1 103 Early Hints")).toBe(NO_BODY);
});

test("behind 101, and behind a CONNECT that succeeded, comes another protocol", () => {
  expect(body("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket")).toBe(TUNNEL);
  expect(out.upgradeEnd - out.upgradeAt).toBe("websocket".length);
  expect(body("HTTP/1.1 200 OK", Method.CONNECT)).toBe(TUNNEL);
  expect(body("HTTP/1.1 403 No", Method.CONNECT)).toBe(UNTIL_CLOSE);
});

test("the connection goes on unless the server says otherwise", () => {
  const closes = (head: string) => body(head) !== TUNNEL && out.close;
  expect(closes("HTTP/1.1 200 OK")).toBe(false);
  expect(closes("HTTP/1.1 200 OK\r\nConnection: Close")).toBe(true);
  expect(closes("HTTP/1.0 200 OK")).toBe(true);
  expect(closes("HTTP/1.0 200 OK\r\nConnection: keep-alive")).toBe(false);
});

test("what two readers could see differently is refused", () => {
  const refused = (fields: string, first = "HTTP/1.1 200 OK") => read(`${first}\r\n${fields}\r\n\r\n`);
  expect(refused("Content-Length: 1\r\nContent-Length: 1")).toBe(BAD_LENGTH);
  expect(refused("Content-Length: 1, 1")).toBe(BAD_LENGTH);
  expect(refused("Content-Length: 01")).toBe(BAD_LENGTH);
  expect(refused("Content-Length: 9007199254740992")).toBe(BAD_LENGTH);
  expect(refused("Content-Length: 1\r\nTransfer-Encoding: chunked")).toBe(AMBIGUOUS_BODY);
  expect(refused("Transfer-Encoding: gzip, chunked")).toBe(BAD_TRANSFER_ENCODING);
  expect(refused("Transfer-Encoding: chunked", "HTTP/1.0 200 OK")).toBe(BAD_TRANSFER_ENCODING);
  expect(refused("Content-Length: 5", "HTTP/1.1 204 No Content")).toBe(AMBIGUOUS_BODY);
  expect(refused("Transfer-Encoding: chunked", "HTTP/1.1 100 Continue")).toBe(AMBIGUOUS_BODY);
});

test("a line that ends in LF alone is for checks only", () => {
  expect(read("HTTP/1.0 200 OK\nA: b\n\n", CHECKED)).toBe(22);
  expect(read("HTTP/1.0 200 OK\nA: b\n\n")).toBe(BAD_LINE_END);
  expect(read("HTTP/1.0 200 OK\r\nA: b\n\r\n")).toBe(BAD_LINE_END);
});

test("what is no HTTP/1 is refused at the first wrong byte", () => {
  expect(read("S")).toBe(NOT_HTTP);
  expect(read("HTTP/2")).toBe(NOT_HTTP);
  expect(read("HTTP/1.1 2x")).toBe(BAD_STATUS);
  expect(read("HTTP/1.1 600 Odd\r\n")).toBe(BAD_STATUS);
  expect(read("HTTP/1.1 200 O\0K\r\n")).toBe(BAD_FIELD_VALUE);
  expect(read("HTTP/1.1 200 OK\r\nna me: x\r\n")).toBe(BLANK_BEFORE_COLON);
});

test("a head without end is refused at its limit", () => {
  const endless = `HTTP/1.1 200 OK\r\n${`A: ${"b".repeat(500)}\r\n`.repeat(40)}`;
  expect(readResponseHead(text(endless), 0, CHECKED.head - 1, CHECKED, out)).toBe(0);
  expect(read(endless, CHECKED)).toBe(HEAD_TOO_LONG);
});
