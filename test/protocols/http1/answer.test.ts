import { expect, test } from "bun:test";
import { buildAnswer, builtInAnswer } from "../../../src/protocols/http1/answer.ts";
import { Method } from "../../../src/protocols/http1/request.ts";
import { bodyOf, PROXIED, ResponseHead, readResponseHead } from "../../../src/protocols/http1/response.ts";
import { show, text } from "../bytes.ts";

const STATUSES = [400, 403, 404, 405, 408, 413, 414, 417, 429, 431, 500, 501, 502, 503, 504, 505];

test("every built-in answer is whole, in both endings, with a phrase and a sentence", () => {
  const head = new ResponseHead();
  for (const status of STATUSES) {
    const answer = builtInAnswer(status, [{ name: "Retry-After", value: "3" }]);
    for (const [bytes, length, close] of [
      [answer.kept, answer.keptHead, false],
      [answer.closing, answer.closingHead, true],
    ] as const) {
      expect(readResponseHead(bytes, 0, bytes.length, PROXIED, head)).toBe(length);
      expect([head.status, head.close, bodyOf(head, Method.GET)]).toEqual([status, close, bytes.length - length]);
      expect(head.phraseEnd).toBeGreaterThan(head.phraseAt);
      expect(show(bytes)).toContain("\r\nRetry-After: 3\r\n");
      expect(show(bytes, length)).toMatch(/<p>[A-Z].*\.<\/p>/);
    }
  }
});

test("an answer without a body says so, and a 204 says nothing of one", () => {
  expect(show(buildAnswer(302, "text/plain", text(""), [{ name: "Location", value: "/" }]).kept)).toBe(
    "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
  );
  expect(show(buildAnswer(204, "text/plain", text("x"), []).closing)).toBe(
    "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
  );
});

test("an answer of the administrator's is as it was given", () => {
  const { kept, keptHead } = buildAnswer(503, "text/plain", text("later"), [{ name: "A", value: "b" }]);
  expect(show(kept)).toBe(
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nA: b\r\nContent-Length: 5\r\n\r\nlater",
  );
  expect(show(kept, keptHead)).toBe("later");
});

test("an answer has one type and one length, whatever is set", () => {
  const fields = [
    { name: "content-type", value: "text/css" },
    { name: "Content-Length", value: "9" },
    { name: "connection", value: "upgrade" },
  ];
  expect(show(buildAnswer(200, "text/plain", text("x"), fields).kept)).toBe(
    "HTTP/1.1 200 OK\r\ncontent-type: text/css\r\nContent-Length: 1\r\n\r\nx",
  );
});
