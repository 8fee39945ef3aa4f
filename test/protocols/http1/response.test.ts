import { expect, test } from "bun:test";
import {
  MAX_RESPONSE_HEAD,
  NOT_HTTP,
  newResponseHead,
  RESPONSE_BAD_CONTENT_LENGTH,
  RESPONSE_BAD_FIELD,
  RESPONSE_BAD_STATUS,
  RESPONSE_TOO_LONG,
  readResponseHead,
} from "../../../src/protocols/http1/response.ts";
import { text } from "../bytes.ts";

const out = newResponseHead();
const read = (head: string) => readResponseHead(text(head), 0, head.length, out);

test("status, version and length are read, the body is left", () => {
  expect(read("HTTP/1.1 200 OK\r\ncontent-length: 5 \r\n\r\nhello")).toBe(39);
  expect(out).toMatchObject({ status: 200, minorVersion: 1, contentLength: 5, chunked: false });
});

test("chunks are known as the last coding", () => {
  read("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, CHUNKED\r\n\r\n");
  expect(out.chunked).toBe(true);
  read("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n");
  expect(out.chunked).toBe(false);
});

test("a response of HTTP/1.0 without a phrase or fields ends with its connection", () => {
  expect(read("HTTP/1.0 503\r\n\r\n")).toBe(16);
  expect(out).toMatchObject({ status: 503, minorVersion: 0, contentLength: -1, chunked: false });
});

test("the same length twice is one length, two lengths are none", () => {
  expect(read("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n")).toBeGreaterThan(0);
  expect(read("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")).toBe(RESPONSE_BAD_CONTENT_LENGTH);
});

test("what is no HTTP/1 is refused at the first wrong byte", () => {
  expect(read("S")).toBe(NOT_HTTP);
  expect(read("HTTP/2")).toBe(NOT_HTTP);
  expect(read("HTTP/1.1 2x")).toBe(RESPONSE_BAD_STATUS);
  expect(read("HTTP/1.1 600 Odd\r\n")).toBe(RESPONSE_BAD_STATUS);
  expect(read("HTTP/1.1 200 OK\r\nna me: x\r\n")).toBe(RESPONSE_BAD_FIELD);
});

test("a head without end is refused at 16 KiB", () => {
  const endless = `HTTP/1.1 200 OK\r\n${"A: b\r\n".repeat(3000)}`;
  expect(readResponseHead(text(endless), 0, MAX_RESPONSE_HEAD - 1, out)).toBe(0);
  expect(read(endless)).toBe(RESPONSE_TOO_LONG);
});
