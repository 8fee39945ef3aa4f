import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Field, NameSet } from "../../../src/protocols/http1/fields.ts";
import { HEAD_TOO_LONG, HTTP1_REASONS, statusOf, TARGET_TOO_LONG } from "../../../src/protocols/http1/reasons.ts";
import {
  CHUNKED,
  isIdempotent,
  Method,
  NO_BODY,
  RequestHead,
  readRequestHead,
  TargetForm,
} from "../../../src/protocols/http1/request.ts";
import { serve } from "../../wire/http/smuggling/at-the-parsers.ts";
import { corpus } from "../../wire/http/smuggling/index.ts";
import { show, text } from "../bytes.ts";

const LIMITS = { head: 1024, target: 256, fields: 40 };
const head = new RequestHead();

/** Reads a head that is good. */
function read(...lines: string[]): (at: number, end: number) => string {
  const bytes = text(`${lines.join("\r\n")}\r\n\r\n`);
  expect(readRequestHead(bytes, 0, bytes.length, LIMITS, head)).toBe(bytes.length);
  return (at, end) => show(bytes, at, end);
}

describe("a request's head", () => {
  test("has a method, a path, a query and a host", () => {
    const part = read("GET /a/b?c=d&e HTTP/1.1", "Host: Web.example:8443");
    expect(part(head.methodAt, head.methodEnd)).toBe("GET");
    expect(part(head.targetAt, head.targetEnd)).toBe("/a/b?c=d&e");
    expect(part(head.pathAt, head.pathEnd)).toBe("/a/b");
    expect(part(head.queryAt, head.queryEnd)).toBe("c=d&e");
    expect(part(head.hostAt, head.hostEnd)).toBe("Web.example:8443");
    expect(part(head.hostAt, head.hostNameEnd)).toBe("Web.example");
    expect(head).toMatchObject({ method: Method.GET, targetForm: TargetForm.ORIGIN, minorVersion: 1, body: NO_BODY });
    expect(head).toMatchObject({ close: false, keepAlive: false, expectContinue: false, isUpgrade: false });
  });

  test("has the host of its target, where that is a whole URL or an authority", () => {
    let part = read("GET https://[::1]:81/x?y HTTP/1.1", "Host: other");
    expect(part(head.hostAt, head.hostNameEnd)).toBe("[::1]");
    expect(part(head.pathAt, head.pathEnd)).toBe("/x");
    expect(head.targetForm).toBe(TargetForm.ABSOLUTE);
    part = read("CONNECT a.example:443 HTTP/1.1", "Host: other");
    expect(part(head.hostAt, head.hostEnd)).toBe("a.example:443");
    expect([head.method, head.targetForm]).toEqual([Method.CONNECT, TargetForm.AUTHORITY]);
  });

  test("has no path and no query where the target has none", () => {
    const part = read("GET http://a HTTP/1.1", "Host: b");
    expect([part(head.pathAt, head.pathEnd), part(head.queryAt, head.queryEnd)]).toEqual(["", ""]);
    read("OPTIONS * HTTP/1.1", "Host: b");
    expect([head.targetForm, head.pathEnd - head.pathAt]).toEqual([TargetForm.ASTERISK, 0]);
  });

  test("has no host in HTTP/1.0, and nothing is left of the one before", () => {
    read("POST http://a/x?y HTTP/1.1", "Host: b", "Content-Length: 4", "Expect: 100-continue", "TE: trailers");
    expect(head).toMatchObject({ body: 4, hasLength: true, expectContinue: true, trailers: true });
    read("GET / HTTP/1.0");
    expect([head.hostEnd - head.hostAt, head.fields.count, head.queryEnd - head.queryAt]).toEqual([0, 0, 0]);
    expect(head).toMatchObject({
      body: NO_BODY,
      hasLength: false,
      expectContinue: false,
      trailers: false,
      close: true,
    });
  });

  test("says how the connection goes on", () => {
    const connection = (version: string, option: string) => {
      read(`GET / HTTP/${version}`, "Host: a", `Connection: ${option}`);
      return [head.close, head.keepAlive];
    };
    expect(connection("1.1", "keep-alive")).toEqual([false, false]);
    expect(connection("1.1", "Close")).toEqual([true, false]);
    expect(connection("1.0", "x")).toEqual([true, false]);
    expect(connection("1.0", "Keep-Alive")).toEqual([false, true]);
    expect(connection("1.0", "keep-alive, close")).toEqual([true, false]);
  });

  test("says how long the body is", () => {
    read("PUT / HTTP/1.1", "Host: a", "Content-Length: 9007199254740991");
    expect(head.body).toBe(Number.MAX_SAFE_INTEGER);
    read("PUT / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked");
    expect([head.body, head.hasLength]).toEqual([CHUNKED, false]);
    read("PUT / HTTP/1.1", "Host: a", "Content-Length: 0");
    expect([head.body, head.hasLength]).toEqual([NO_BODY, true]);
  });

  test("offers a protocol", () => {
    const part = read("GET /ws HTTP/1.1", "Host: a", "Upgrade: WebSocket", "Connection: keep-alive, Upgrade");
    expect([head.isUpgrade, part(head.upgradeAt, head.upgradeEnd)]).toEqual([true, "WebSocket"]);
  });

  test("has fields that are found by number and by name", () => {
    const part = read("GET / HTTP/1.1", "Host: a", "X-A: 1", "Cookie: a=b", "x-a: 2", "Connection: x-b", "X-B: 3");
    const { fields } = head;
    const value = (index: number) => (index < 0 ? null : part(fields.valueAt(index), fields.valueEnd(index)));
    expect(value(fields.find(Field.COOKIE))).toBe("a=b");
    expect(value(fields.find(Field.USER_AGENT))).toBe(null);
    const bytes = text(
      "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nCookie: a=b\r\nx-a: 2\r\nConnection: x-b\r\nX-B: 3\r\n\r\n",
    );
    const first = fields.findName(bytes, text("x-a"));
    expect([value(first), value(fields.findName(bytes, text("x-a"), first + 1))]).toEqual(["1", "2"]);
    expect(fields.findName(bytes, text("x-b"))).toBe(-1);
  });

  test("may be moved", () => {
    read("GET http://a:1/b?c HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: upgrade", "A: b");
    const before = JSON.stringify(head);
    head.shift(100);
    expect(JSON.stringify(head)).not.toBe(before);
    head.shift(-100);
    expect(JSON.stringify(head)).toBe(before);
  });

  test("may have more fields than most", () => {
    read("GET / HTTP/1.1", "Host: a", ...Array.from({ length: 39 }, (_, i) => `F${i}: ${i}`));
    expect(head.fields.count).toBe(40);
    expect(head.fields.valueEnd(39) - head.fields.valueAt(39)).toBe(2);
  });
});

test("a target and a head are refused at their limits, before they end", () => {
  const refused = (bytes: string) => readRequestHead(text(bytes), 0, bytes.length, LIMITS, head);
  expect(refused(`GET /${"a".repeat(255)}`)).toBe(0);
  expect(refused(`GET /${"a".repeat(256)}`)).toBe(TARGET_TOO_LONG);
  expect(refused(`GET / HTTP/1.1\r\nA: ${"b".repeat(1004)}`)).toBe(0);
  expect(refused(`GET / HTTP/1.1\r\nA: ${"b".repeat(1005)}`)).toBe(HEAD_TOO_LONG);
});

test("only what may be done twice is idempotent", () => {
  const { GET, HEAD, PUT, DELETE, OPTIONS, TRACE, POST, PATCH, CONNECT, OTHER } = Method;
  expect([GET, HEAD, PUT, DELETE, OPTIONS, TRACE].map(isIdempotent)).not.toContain(false);
  expect([POST, PATCH, CONNECT, OTHER].map(isIdempotent)).not.toContain(true);
});

test("every reason has a status that clients are told", () => {
  for (const reason of Object.keys(HTTP1_REASONS)) expect([400, 414, 417, 431, 501, 505]).toContain(statusOf(+reason));
});

test("names are told apart without case, and an underscore is a dash", () => {
  const set = new NameSet(["X-Client-Cert", "Via"]);
  const has = (name: string) => set.has(text(`:${name}:`), 1, 1 + name.length);
  expect(["x-client-cert", "X_CLIENT_CERT", "VIA", "via"].map(has)).toEqual([true, true, true, true]);
  expect(["x-client-cer", "x-client-certs", "vib", "", "x-a"].map(has)).toEqual([false, false, false, false, false]);
});

describe("whatever a client sends,", () => {
  const pieces = fc.constantFrom(
    ...corpus.map(({ sent }) => sent).filter((sent) => sent.length < 400),
    "\r\n",
    "\n",
    "\r",
    " ",
    "\0",
    ":",
    "0\r\n\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n",
  );
  /** Cases of the corpus, cut and put together anew. */
  const mixed = fc
    .array(fc.tuple(pieces, fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 400 })), { maxLength: 4 })
    .map((parts) => parts.map(([piece, from, to]) => piece.slice(Math.min(from, to) % piece.length, to)).join(""));

  test("it ends in the same way in other pieces", () => {
    fc.assert(
      fc.property(mixed, fc.integer({ min: 1, max: 60 }), (sent, step) => {
        expect(serve(sent, step)).toEqual(serve(sent));
      }),
      { numRuns: 3000 },
    );
  });

  test("what is passed on is one request each, and stays as it is", () => {
    fc.assert(
      fc.property(mixed, (sent) => {
        const { requests } = serve(sent);
        expect(serve(requests.join(""))).toMatchObject({ requests });
      }),
      { numRuns: 3000 },
    );
  });
});
