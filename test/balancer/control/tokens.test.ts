import { describe, expect, test } from "bun:test";
import { signToken } from "../../../src/balancer/control/tokens.ts";
import { loadConfig } from "../../../src/config/load.ts";
import type { Pool } from "../../../src/config/schema.ts";
import { newRoutingToken, openToken, type TokenKey } from "../../../src/protocols/rdp/token.ts";

const HOUR = 3_600_000;
const NOW = 1_800_000_000;
const key: TokenKey = { id: 1, secret: new Uint8Array(32).fill(7) };

function poolWith(persistence: string): Pool {
  const text = `services: { desktops: { listen: ":1", protocol: rdp, pool: rds } }
pools: { rds: { ${persistence} servers: { rds1: "127.0.0.1:2" } } }
`;
  return loadConfig({ text, name: "holdfast.yaml" }).config!.pools.rds!;
}

/** How long a line is good, in seconds. */
function secondsOf(line: string): number {
  const value = Buffer.from(line.slice(line.indexOf("=") + 1));
  const token = newRoutingToken();
  expect(openToken([key], value, 0, value.length, NOW, token)).toBeGreaterThan(0);
  return token.expiresSec - token.issuedSec;
}

describe("a token of a pool that remembers for 48 hours", () => {
  const pool = poolWith("persistence: { by: [user, token], lifetime: 48h },");

  test("is good for as long as the pool remembers, or for less when that is asked", () => {
    expect(secondsOf(signToken(key, pool, "rds1", NOW))).toBe(48 * 3_600);
    expect(secondsOf(signToken(key, pool, "rds1", NOW, HOUR))).toBe(3_600);
    expect(secondsOf(signToken(key, pool, "rds1", NOW, 48 * HOUR))).toBe(48 * 3_600);
  });

  test("is refused for longer: the pool would not follow it to its end", () => {
    expect(() => signToken(key, pool, "rds1", NOW, 48 * HOUR + 1)).toThrow(
      expect.objectContaining({
        code: "api/token-not-followed",
        message: "pool `rds` follows a token for 2d and no longer",
        hint: "ask for 2d or less; or raise `lifetime` of the pool's `persistence`, reload, and ask again",
      }),
    );
  });
});

test.each([
  ["without persistence", ""],
  ["that recognises by user and source only", "persistence: { by: [user, source] },"],
])("a pool %s gets no token: it would lead nowhere", (_, persistence) => {
  expect(() => signToken(key, poolWith(persistence), "rds1", NOW)).toThrow(
    "pool `rds` does not recognise clients by token",
  );
});
