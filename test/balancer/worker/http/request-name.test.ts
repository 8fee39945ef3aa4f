import { expect, test } from "bun:test";
import { RequestName } from "../../../../src/balancer/worker/http/request-name.ts";
import { RequestHead, readRequestHead } from "../../../../src/protocols/http1/request.ts";
import { HTTP } from "./stage.ts";

function nameOf(trusted: boolean, fields: string): { text: string; isOurs: boolean } {
  const bytes = new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  const head = new RequestHead();
  expect(readRequestHead(bytes, 0, bytes.length, HTTP.limits, head)).toBe(bytes.length);
  const name = new RequestName();
  if (!(trusted && name.keep({ bytes, head }))) name.make(0x0abcdef0, 0x1f, 17);
  return { text: new TextDecoder().decode(name.bytes.subarray(0, name.length)), isOurs: name.isOurs };
}

test("a request is called after its connection and its number there", () => {
  expect(nameOf(false, "")).toEqual({ text: "0abcdef01f-11", isOurs: true });
});

test("a name that the client makes up is not believed", () => {
  expect(nameOf(false, "X-Request-Id: mine\r\n").text).toBe("0abcdef01f-11");
});

test("a name from those whom we trust stays, cut where it is long", () => {
  expect(nameOf(true, "X-Request-Id: mine\r\n")).toEqual({ text: "mine", isOurs: false });
  expect(nameOf(true, `X-Request-Id: ${"x".repeat(100)}\r\n`).text).toBe("x".repeat(64));
  expect(nameOf(true, "").isOurs).toBe(true);
});
