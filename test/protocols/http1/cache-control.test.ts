import { expect, test } from "bun:test";
import { isForOneClient } from "../../../src/protocols/http1/cache-control.ts";
import { PROXIED, ResponseHead, readResponseHead } from "../../../src/protocols/http1/response.ts";
import { text } from "../bytes.ts";

function isKept(...lines: string[]): boolean {
  const bytes = text(["HTTP/1.1 200 OK", ...lines, "", ""].join("\r\n"));
  const head = new ResponseHead();
  expect(readResponseHead(bytes, 0, bytes.length, PROXIED, head)).toBe(bytes.length);
  return !isForOneClient(bytes, head.fields);
}

const KEPT = [
  [],
  ["Cache-Control: public, max-age=600"],
  ["Cache-Control: no-cache"],
  ['Cache-Control: private="set-cookie, x"'],
  ['Cache-Control: x="private", y="a\\", no-store, \\""'],
  ['Cache-Control: x="a, no-store'],
  ["Cache-Control: privately, xno-store"],
  ["X-Cache-Control: private"],
  ["Cache-Control:", "Cache-Control: ,,"],
];
for (const lines of KEPT) {
  test(`a shared cache may keep an answer that says "${lines.join(", ")}"`, () => expect(isKept(...lines)).toBe(true));
}

const NOT_KEPT = [
  ["Cache-Control: private"],
  ["Cache-Control: max-age=600 , Private"],
  ["cache-control:NO-STORE"],
  ['Cache-Control: x="a, b",no-store'],
  ["Cache-Control: public", "Cache-Control: no-store"],
];
for (const lines of NOT_KEPT) {
  test(`and none that says "${lines.join(", ")}"`, () => expect(isKept(...lines)).toBe(false));
}
