import { expect, test } from "bun:test";
import { locationFor } from "../../../../src/balancer/worker/http/redirect.ts";
import { RequestHead, readRequestHead } from "../../../../src/protocols/http1/request.ts";
import { HTTP } from "./stage.ts";

const TO_HTTPS = { kind: "redirect", status: 301, scheme: "https", port: 0 } as const;

function location(request: string, plan: Parameters<typeof locationFor>[0], secure = false): string | undefined {
  const bytes = new TextEncoder().encode(request);
  const head = new RequestHead();
  expect(readRequestHead(bytes, 0, bytes.length, HTTP.limits, head)).toBe(bytes.length);
  return locationFor(plan, bytes, head, secure);
}

const to = (target: string, host = "a.test:8080") => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

test.each([
  ["to another scheme: the same host without its port, path and query", to("/a?b"), TO_HTTPS, "https://a.test/a?b"],
  ["to another port", to("/a"), { ...TO_HTTPS, port: 8443 }, "https://a.test:8443/a"],
  ["to the scheme's usual port, which is not written", to("/a"), { ...TO_HTTPS, port: 443 }, "https://a.test/a"],
  ["to an address of version 6", to("/", "[::1]:80"), TO_HTTPS, "https://[::1]/"],
  ["to another host", to("/a?b"), { ...TO_HTTPS, host: "b.test" }, "https://b.test/a?b"],
  ["to one page, without what was asked", to("/a?b"), { ...TO_HTTPS, path: "/moved" }, "https://a.test/moved"],
  ["from an absolute target without a path", to("http://c.test?x"), TO_HTTPS, "https://c.test/?x"],
  ["from `*`", "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n", TO_HTTPS, "https://a.test/"],
] as const)("a redirect leads %s", (_name, request, plan, expected) => {
  expect(location(request, plan)).toBe(expected);
});

test("a redirect that names no scheme keeps the client's", () => {
  const plan = { kind: "redirect", status: 302, host: "b.test", port: 0 } as const;
  expect(location(to("/"), plan)).toBe("http://b.test/");
  expect(location(to("/"), plan, true)).toBe("https://b.test/");
});

test("a request of HTTP/1.0 without a host has nowhere to go, unless the redirect says where", () => {
  expect(location("GET / HTTP/1.0\r\n\r\n", TO_HTTPS)).toBeUndefined();
  expect(location("GET / HTTP/1.0\r\n\r\n", { ...TO_HTTPS, host: "b.test" })).toBe("https://b.test/");
});
