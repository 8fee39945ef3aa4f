import { expect, test } from "bun:test";
import {
  fingerprintServer,
  fingerprintUser,
  newRoutingToken,
  openToken,
  sealToken,
  TOKEN_EXPIRED,
  TOKEN_FORGED,
  TOKEN_MALFORMED,
  TOKEN_UNKNOWN_KEY,
  type TokenKey,
  tokenLine,
} from "../../../src/protocols/rdp/token.ts";
import { text } from "../bytes.ts";

const NOW = 1_800_000_000;
const oldKey: TokenKey = { id: 1, secret: new Uint8Array(32).fill(1) };
const newKey: TokenKey = { id: 2, secret: new Uint8Array(32).fill(2) };
const server = fingerprintServer(oldKey, "rds", "rds1");
const user = fingerprintUser(oldKey, "corp\\alice");
const token = {
  issuedSec: NOW,
  expiresSec: NOW + 3600,
  serverHigh: server.high,
  serverLow: server.low,
  userHigh: user.high,
  userLow: user.low,
};
const out = newRoutingToken();

function open(value: string, nowSec = NOW, keys: readonly TokenKey[] = [newKey, oldKey]): number {
  return openToken(keys, text(value), 0, value.length, nowSec, out);
}

test("what was sealed comes back, also after a new key was added", () => {
  expect(open(sealToken(oldKey, token))).toBe(56);
  expect(out).toEqual(token);
});

test("its line fits the 190 bytes that X.224 leaves", () => {
  const line = tokenLine(sealToken(oldKey, token));
  expect(line).toStartWith("Cookie: holdfast=");
  expect(line.length + 2).toBeLessThanOrEqual(190);
});

test("it lives until its expiry and not a second longer", () => {
  const value = sealToken(oldKey, token);
  expect(open(value, NOW + 3599)).toBe(56);
  expect(open(value, NOW + 3600)).toBe(TOKEN_EXPIRED);
});

test("no character of it can be changed", () => {
  const value = sealToken(oldKey, token);
  for (let at = 0; at < value.length; at++) {
    const changed = value.slice(0, at) + (value[at] === "A" ? "B" : "A") + value.slice(at + 1);
    expect([TOKEN_FORGED, TOKEN_MALFORMED, TOKEN_UNKNOWN_KEY]).toContain(open(changed));
  }
});

test("a key that was taken away no longer opens", () => {
  expect(open(sealToken(oldKey, token), NOW, [newKey])).toBe(TOKEN_UNKNOWN_KEY);
});

test("another key under the same number does not open", () => {
  expect(open(sealToken(oldKey, token), NOW, [{ ...newKey, id: oldKey.id }])).toBe(TOKEN_FORGED);
});

test("characters that base64url does not have are malformed", () => {
  const value = sealToken(oldKey, token);
  for (const character of ["+", "/", "=", " ", "\u00e9"])
    expect(open(value.slice(0, 55) + character)).toBe(TOKEN_MALFORMED);
});

test("fingerprints differ by server, pool, key and kind", () => {
  const prints = [
    server,
    fingerprintServer(oldKey, "rds", "rds2"),
    fingerprintServer(oldKey, "rds2", "rds1"),
    fingerprintServer(newKey, "rds", "rds1"),
    fingerprintUser(oldKey, "rds/rds1"),
    user,
  ];
  expect(new Set(prints.map(({ high, low }) => `${high}.${low}`)).size).toBe(prints.length);
});
