/** Who a request is from, as proxies that are trusted say it, and what a client can make up in front of it. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatEndpoint, parseCidr } from "../../../src/protocols/address.ts";
import { RequestHead, readRequestHead } from "../../../src/protocols/http1/request.ts";
import { readTrueClient } from "../../../src/protocols/http1/true-client.ts";
import { text } from "../bytes.ts";

const LIMITS = { head: 65_536, target: 4096, fields: 1000 };
const TRUST = ["10.0.0.0/8", "2001:db8:1::/48"].map((network) => parseCidr(network)!);
const address = new Uint8Array(16);

/** Whom these fields name, with the port; "the peer": nobody. */
function client(fields: readonly string[], standard = false): string {
  const bytes = text(["GET / HTTP/1.1", "Host: a", ...fields, "", ""].join("\r\n"));
  const head = new RequestHead();
  expect(readRequestHead(bytes, 0, bytes.length, LIMITS, head)).toBe(bytes.length);
  const port = readTrueClient(bytes, head.fields, standard, TRUST, address);
  return port < 0 ? "the peer" : formatEndpoint(address, 0, port);
}

const saidBy = (...lists: string[]) => client(lists.map((list) => `X-Forwarded-For: ${list}`));
const standard = (...lists: string[]) =>
  client(
    lists.map((list) => `Forwarded: ${list}`),
    true,
  );

describe("X-Forwarded-For", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1:0"],
    ["192.0.2.1:4711", "192.0.2.1:4711"],
    ["2001:db8::7", "[2001:db8::7]:0"],
    ["[2001:db8::7]", "[2001:db8::7]:0"],
    ["[2001:db8::7]:4711", "[2001:db8::7]:4711"],
    ["::ffff:192.0.2.1", "192.0.2.1:0"],
    ["  192.0.2.1\t", "192.0.2.1:0"],
  ])("is read as %s", (value, expected) => {
    expect(saidBy(value)).toBe(expected);
  });

  test("is believed from its end up to the first who is not trusted", () => {
    expect(saidBy("203.0.113.9, 192.0.2.1")).toBe("192.0.2.1:0");
    expect(saidBy("203.0.113.9, 192.0.2.1, 10.0.0.7")).toBe("192.0.2.1:0");
    expect(saidBy("203.0.113.9,192.0.2.1,2001:db8:1::5,10.0.0.7:80")).toBe("192.0.2.1:0");
  });

  test("in several fields is one list", () => {
    expect(saidBy("203.0.113.9", "192.0.2.1, 10.0.0.8", "10.0.0.7")).toBe("192.0.2.1:0");
    expect(saidBy("203.0.113.9", "192.0.2.1", "")).toBe("192.0.2.1:0");
  });

  test("with nobody but trusted machines names the first of them", () => {
    expect(saidBy("10.1.1.1, 10.0.0.7")).toBe("10.1.1.1:0");
  });

  test.each([
    "",
    ",",
    "unknown",
    "_hidden",
    "192.0.2.1 10.0.0.1",
    "192.0.2.01",
    "192.0.2.1:",
    "192.0.2.1:65536",
    "192.0.2.1:x",
  ])("of %p names nobody", (value) => expect(saidBy(value)).toBe("the peer"));

  test.each([
    "[2001:db8::7",
    "[2001:db8::7]x",
    "[2001:db8::7]:",
    "[192.0.2.1]",
    "2001:db8::7%eth0",
    '"192.0.2.1"',
    "::1::2",
  ])("of %p names nobody", (value) => expect(saidBy(value)).toBe("the peer"));

  test("with something that is no address ends there", () => {
    expect(saidBy("192.0.2.1, unknown, 10.0.0.7")).toBe("10.0.0.7:0");
    expect(saidBy("192.0.2.1, unknown")).toBe("the peer");
  });

  test("in another spelling is not the proxy's and names nobody", () => {
    expect(client(["X-Forwarded-For: 192.0.2.1", "X_Forwarded_For: 203.0.113.9"])).toBe("192.0.2.1:0");
    expect(client(["X_Forwarded_For: 203.0.113.9"])).toBe("the peer");
  });
});

describe("Forwarded", () => {
  test.each([
    ["for=192.0.2.1", "192.0.2.1:0"],
    ['for="192.0.2.1:4711"', "192.0.2.1:4711"],
    ['For="[2001:db8::7]:4711";proto=https;by=10.0.0.7', "[2001:db8::7]:4711"],
    ["proto=https; host=a.test; for=192.0.2.1", "192.0.2.1:0"],
    ['host="a;for=203.0.113.9";for=192.0.2.1', "192.0.2.1:0"],
  ])("is read as %s", (value, expected) => {
    expect(standard(value)).toBe(expected);
  });

  test("is believed from its end up to the first who is not trusted", () => {
    expect(standard("for=203.0.113.9, for=192.0.2.1;proto=https, for=10.0.0.8", 'for="[2001:db8:1::5]"')).toBe(
      "192.0.2.1:0",
    );
  });

  test("cannot be spoilt by what a client writes in front of the proxy", () => {
    expect(standard('for="203.0.113.9, for=192.0.2.1')).toBe("192.0.2.1:0");
    expect(standard('"\\", ";;=, for=192.0.2.1')).toBe("192.0.2.1:0");
  });

  test("has nothing to say within quotes", () => {
    expect(standard('for=192.0.2.1;host="x,for=203.0.113.9;y=z"')).toBe("192.0.2.1:0");
    expect(standard('for=192.0.2.1;host="x\\",for=203.0.113.9;y="')).toBe("192.0.2.1:0");
  });

  test.each([
    "for=unknown",
    "for=_x",
    "proto=https",
    "for=192.0.2.1;for=203.0.113.9",
    'for="192.0.2.1',
    'for="192.0.2.1"x',
    'for=""',
    "for",
  ])("of %p names nobody", (value) => expect(standard(value)).toBe("the peer"));

  test("is asked only where it is standard, and only without X-Forwarded-For", () => {
    expect(client(["Forwarded: for=203.0.113.9"])).toBe("the peer");
    expect(client(["Forwarded: for=203.0.113.9", "X-Forwarded-For: 192.0.2.1"], true)).toBe("192.0.2.1:0");
  });
});

test("whatever a client writes, who the proxy names behind it is who it is", () => {
  const written = fc.string({ unit: fc.constantFrom(...'0123456789.:,;="\\[] abfor%_') });
  fc.assert(
    fc.property(written, (made) => {
      expect(saidBy(`${made},192.0.2.1`)).toBe("192.0.2.1:0");
      expect(standard(`${made},for=192.0.2.1`)).toBe("192.0.2.1:0");
    }),
    { numRuns: 2_000 },
  );
});
