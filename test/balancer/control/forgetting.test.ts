/** What an administrator has forgotten, asked of the pools as a worker has them. */
import { describe, expect, test } from "bun:test";
import { Forgetting } from "../../../src/balancer/control/forgetting.ts";
import { Slots } from "../../../src/balancer/control/slots.ts";
import { StickyCookies } from "../../../src/balancer/persistence/sticky-cookies.ts";
import type { PersistenceKind } from "../../../src/balancer/plan.ts";
import { PoolRuntime } from "../../../src/balancer/pool-runtime.ts";
import { Fingerprinter } from "../../../src/balancer/shared/fingerprint.ts";
import { Scoreboard } from "../../../src/balancer/shared/scoreboard.ts";
import { StickyTable } from "../../../src/balancer/shared/sticky.ts";
import { loadConfig } from "../../../src/config/load.ts";
import type { Pool } from "../../../src/config/schema.ts";
import type { TokenKey } from "../../../src/protocols/rdp/token.ts";
import { seeded } from "../../seeded.ts";
import { asks, clientFrom, NOW, PERSISTENCE, POOL } from "../rig.ts";
import { testMemory } from "../shared/shared-memory.ts";

const KEY = new Uint8Array(16).fill(7);
const TOKEN_KEYS: readonly TokenKey[] = [{ id: 1, secret: new Uint8Array(32).fill(9) }];

/** Control's view of a file with one pool, and a worker's. */
function rig(by: PersistenceKind[]) {
  const named = by.some((kind) => ["cookie", "header", "query"].includes(kind)) ? "name: SID, " : "";
  const yaml = `
services: { web: { listen: "127.0.0.1:0", protocol: http, pool: web } }
pools:
  web:
    persistence: { by: [${by.join(", ")}], ${named}idle: 1h, lifetime: 2h, mask: { ipv4: 24 } }
    servers: { a: 127.0.0.1:1, b: 127.0.0.1:2 }`;
  const { config, problems } = loadConfig({ text: yaml, name: "/nowhere/holdfast.yaml" });
  if (config === undefined) throw new Error(problems.map(({ message }) => message).join("; "));
  const { buffer, layout } = testMemory({ stickyEntries: 8_192 });
  const board = new Scoreboard(buffer, layout, 1);
  const sticky = new StickyTable(buffer, layout, 1);
  const slots = new Slots(board);
  const random = seeded(3);
  const pool = config.pools.web as Pool;
  const runtime = new PoolRuntime(
    {
      ...POOL,
      id: slots.pool("web"),
      name: "web",
      algorithm: "round-robin",
      persistence: { ...PERSISTENCE, by, name: "SID", idleSec: 3_600, lifetimeSec: 7_200, maskIpv4: 24 },
      servers: ["a", "b"].map((name, n) => ({
        ...{ id: slots.server("web", name), name, address: new Uint8Array(16), port: n, weight: 100 },
        ...{ backup: false, host: "", tokenHigh: n, tokenLow: n },
      })),
    },
    { board, sticky, fingerprinter: new Fingerprinter(KEY), random, cookies: new StickyCookies(TOKEN_KEYS, random) },
  );
  const forgetting = new Forgetting({ sticky, board, slots, fingerprintKey: KEY, tokenKeys: TOKEN_KEYS });
  const [a] = runtime.candidates;
  const isKnown = (client = clientFrom("10.0.0.1"), nowSec = NOW + 1) =>
    runtime.kinds.some(({ recogniser }) => recogniser.recognise(client, nowSec) > 0);
  /** What a browser gets that is on `a` now. */
  const newCookie = () => {
    const out = new Uint8Array(runtime.fieldBytes);
    const end = runtime.writeFields(asks([]), a!, false, NOW, out, 0);
    return /SID=[^;]*/.exec(Buffer.from(out.subarray(0, end)).toString())![0];
  };
  return {
    ...{ pool, runtime, board, sticky, slots, isKnown, newCookie },
    remember: (client = clientFrom("10.0.0.1")) => runtime.remember(client, a!.plan.id, NOW),
    forget: (selector: object, dryRun = false) => forgetting.forget(pool, selector, NOW, dryRun),
  };
}

describe("one client", () => {
  const get = (...lines: string[]) => asks(lines);
  const cases: [by: PersistenceKind, typed: string, of: ReturnType<typeof asks>][] = [
    ["user", " Alice.Jones ", clientFrom("10.0.0.1", "alice.jones")],
    ["source", "10.0.0.99", clientFrom("10.0.0.1")],
    ["header", "s-1", get("GET / HTTP/1.1", "SID: s-1")],
    ["query", "s-1", get("GET /?SID=s-1 HTTP/1.1")],
    ["host", "App.Example.test.", get("GET / HTTP/1.1", "Host: app.example.test:81")],
  ];
  test.each(cases)("by %s, as a person types it: %p", (by, typed, client) => {
    const { remember, isKnown, forget } = rig([by]);
    remember(client);
    expect(forget({ [by]: typed }, true)).toEqual({ pool: "web", forgotten: 1, dryRun: true });
    expect(isKnown(client)).toBeTrue();
    expect(forget({ [by]: typed })).toEqual({ pool: "web", forgotten: 1, dryRun: false });
    expect(isKnown(client)).toBeFalse();
    expect(forget({ [by]: typed }).forgotten).toBe(0);
  });

  test("by the cookie that their browser shows, with its name or without; other browsers stay known", () => {
    const { isKnown, newCookie, forget } = rig(["cookie"]);
    const [one, two, three] = [newCookie(), newCookie(), newCookie()];
    const shows = (cookie: string) => asks(["GET / HTTP/1.1", `Cookie: ${cookie}`]);
    expect(forget({ cookie: one }, true).forgotten).toBe(1);
    expect(isKnown(shows(one))).toBeTrue();
    forget({ cookie: one });
    forget({ cookie: two.slice("SID=".length) });
    expect([one, two, three].map((cookie) => isKnown(shows(cookie)))).toEqual([false, false, true]);
    expect(isKnown(shows(one), NOW + 3_500)).toBeFalse();
  });

  test("what the pool does not go by, or what is no such thing, is told", () => {
    const { forget } = rig(["cookie", "source"]);
    expect(() => forget({ user: "alice" })).toThrow("pool `web` does not recognise clients by user");
    expect(() => forget({ source: "here" })).toThrow("`here` is not an address");
    expect(() => forget({ cookie: "SID=push1" })).toThrow("that is no value of a cookie of ours");
    expect(() => forget({})).toThrow("say whom");
  });
});

describe("a share", () => {
  test("of what is remembered: about so many, others the next time, and after all shares nobody is left", () => {
    const { runtime, forget, sticky } = rig(["source"]);
    const clients = Array.from({ length: 2_000 }, (_, n) => clientFrom(`10.${n >> 8}.${n & 255}.1`));
    for (const client of clients) runtime.remember(client, runtime.plan.servers[0]!.id, NOW);
    const all = sticky.entries();
    const would = forget({ share: 0.25 }, true).forgotten;
    expect(Math.abs(would - all / 4)).toBeLessThan(100);
    expect(sticky.entries()).toBe(all);
    const counts = [1, 2, 3, 4].map(() => forget({ share: 0.25 }).forgotten);
    expect(counts[0]).toBe(would);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(all);
    expect(sticky.entries()).toBe(0);
  });

  test("of cookies too, which nobody can count; a cookie that was forgotten by itself stays so", () => {
    const { newCookie, isKnown, forget } = rig(["cookie"]);
    const cookies = Array.from({ length: 400 }, newCookie);
    const shows = (cookie: string) => asks(["GET / HTTP/1.1", `Cookie: ${cookie}`]);
    forget({ cookie: cookies[0]! });
    expect(forget({ share: 0.5 }, true)).toEqual({ pool: "web", forgotten: 0, shareOfCookies: 0.5, dryRun: true });
    forget({ share: 0.5 });
    const known = cookies.filter((cookie) => isKnown(shows(cookie))).length;
    expect(Math.abs(known - 200)).toBeLessThan(60);
    forget({ share: 1 });
    expect(isKnown(shows(cookies[0]!))).toBeFalse();
    expect(cookies.some((cookie) => isKnown(shows(cookie)))).toBeFalse();
  });

  test("of one pool leaves the clients of another alone", () => {
    const { remember, isKnown, forget, slots, sticky } = rig(["source"]);
    remember();
    const other = slots.server("other", "a");
    sticky.remember(Int32Array.of(1, 2, 3, 4), other, NOW);
    forget({ share: 1 });
    expect(isKnown()).toBeFalse();
    expect(sticky.entries()).toBe(1);
  });
});
