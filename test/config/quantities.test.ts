import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  formatDuration,
  formatHostPort,
  parseDuration,
  parseListen,
  parseNetwork,
  parseRate,
  parseServer,
  parseStatus,
} from "../../src/config/quantities.ts";

test.each([
  ["250ms", 250],
  ["2s", 2_000],
  ["1.5s", 1_500],
  ["10m", 600_000],
  ["8h", 28_800_000],
  ["7d", 604_800_000],
  ["0s", 0],
])("%s is %d milliseconds", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test("every duration is read back from what is printed", () => {
  fc.assert(
    fc.property(fc.nat(86_400_000 * 400), (ms) => {
      expect(parseDuration(formatDuration(ms))).toBe(ms);
    }),
  );
});

test("an address is printed as it is written", () => {
  for (const text of ["10.0.0.1:3389", "[::1]:3389", ":3389", "0.0.0.0:1", "127.0.0.1:0"]) {
    expect(formatHostPort(parseListen(text) as { host: string; port: number })).toBe(text);
  }
  expect(parseServer("RDS1.Example.test:3389")).toEqual({ host: "rds1.example.test", port: 3389 });
});

test("no text makes a parser throw", () => {
  const pieces = fc.constantFrom(...["1", "10.0.0.1", "[", "]", ":", "::1", "/", "s", "ms", "-", "200", " ", "x", "é"]);
  const texts = fc.oneof(
    fc.string(),
    fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      for (const parse of [parseDuration, parseRate, parseStatus, parseListen, parseServer, parseNetwork]) {
        const value: unknown = parse(text);
        expect(Number.isNaN(value)).toBe(false);
      }
    }),
    { numRuns: 3_000 },
  );
});
