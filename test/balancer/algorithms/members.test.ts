/** What each algorithm promises beside the contract that all keep. */
import { describe, expect, test } from "bun:test";
import { TABLE_SIZE } from "../../../src/balancer/algorithms/maglev.ts";
import { type Candidate, NONE_TRIED } from "../../../src/balancer/candidate.ts";
import type { Client } from "../../../src/balancer/client.ts";
import type { PoolRuntime } from "../../../src/balancer/pool-runtime.ts";
import { ServerState } from "../../../src/balancer/shared/words.ts";
import { asks, clientFrom, NOW, nthClient, occupy, Rig, serverOf } from "../rig.ts";

function pick(pool: PoolRuntime, client: Client = nthClient(1)): Candidate {
  return pool.tiers[0]!.picker.pick({ client, lastKnown: false }, NONE_TRIED, NOW)!;
}

function names(pool: PoolRuntime, clients: number): string {
  return Array.from({ length: clients }, () => pick(pool).plan.name).join("");
}

function count(pool: PoolRuntime, clients: number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let n = 0; n < clients; n++) {
    const { name } = pick(pool, nthClient(n)).plan;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

describe("round-robin", () => {
  test("equal weights: a, b, c, a, b, c, whatever the connections", () => {
    const pool = new Rig().pool({ servers: { a: {}, b: {}, c: {} } });
    occupy(serverOf(pool, "a"), 50);
    expect(names(pool, 7)).toBe("abcabca");
  });

  test("weights are kept exactly and smoothly: of 3 to 1, never two b in a row and never four a", () => {
    const pool = new Rig().pool({ servers: { a: { weight: 150 }, b: { weight: 50 } } });
    const order = names(pool, 4_000);
    expect(order.replaceAll("a", "")).toHaveLength(1_000);
    expect(order).not.toMatch(/bb|aaaa/);
  });

  test("two workers share one round", () => {
    const rig = new Rig();
    const mine = rig.pool({ servers: { a: {}, b: {}, c: {} } });
    const theirs = rig.prepare(mine.plan, rig.boardOf(2));
    expect(names(mine, 1) + names(theirs, 1) + names(mine, 1) + names(theirs, 3)).toBe("abcabc");
  });

  test("a server that comes back takes its turn and not those that it missed", () => {
    const pool = new Rig().pool({ servers: { a: {}, b: {} } });
    serverOf(pool, "b").view.setState(ServerState.DOWN, NOW);
    expect(names(pool, 500)).toBe("a".repeat(500));
    serverOf(pool, "b").view.setState(ServerState.READY, NOW);
    expect(names(pool, 6)).toBe("bababa");
  });

  test("a new server is not passed over when the turns have come round the 32 bits", () => {
    const rig = new Rig();
    const pool = rig.pool({ servers: { a: {}, b: {} } });
    for (const turn of [0x7fffffff, 0x80000000, 0xc0000000, 0xffffffff]) {
      // `a` had its turn just now, `b` never.
      pool.view.setTurn(turn);
      serverOf(pool, "a").view.takeTurn(turn, 0);
      serverOf(pool, "b").view.takeTurn(0, 0);
      const order = names(pool, 20);
      expect(order.replaceAll("a", "")).toHaveLength(10);
    }
  });
});

describe("least-connections", () => {
  test("the fewest connections for each unit of weight", () => {
    const pool = new Rig().pool({ algorithm: "least-connections", servers: { a: {}, b: {}, c: { weight: 200 } } });
    occupy(serverOf(pool, "a"), 4);
    occupy(serverOf(pool, "b"), 3);
    occupy(serverOf(pool, "c"), 6);
    // 5/100, 4/100, 7/200
    expect(pick(pool).plan.name).toBe("c");
    occupy(serverOf(pool, "c"), 2);
    expect(pick(pool).plan.name).toBe("b");
  });

  test("an idle pool hands its clients around instead of giving all to the first", () => {
    const pool = new Rig().pool({ algorithm: "least-connections", servers: { a: {}, b: {}, c: {} } });
    expect(names(pool, 6)).toBe("abcabc");
  });

  test("the connections of all workers count", () => {
    const rig = new Rig();
    const mine = rig.pool({ algorithm: "least-connections", servers: { a: {}, b: {} } });
    occupy(serverOf(rig.prepare(mine.plan, rig.boardOf(2)), "a"), 3);
    expect(names(mine, 2)).toBe("bb");
  });
});

describe("least-load", () => {
  test("a server at 90 gets about one client in a hundred beside one at 10, so no reading sends all to one", () => {
    const pool = new Rig().pool({ algorithm: "least-load", servers: { idle: {}, busy: {} } });
    serverOf(pool, "idle").view.setLoad(10);
    serverOf(pool, "busy").view.setLoad(90);
    const { idle, busy } = count(pool, 10_000);
    expect(idle).toBeGreaterThan(9_800);
    expect(busy).toBeGreaterThan(40);
  });

  test("of ten servers, the least loaded gets the most clients and not half of a burst", () => {
    const servers = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`s${n}`, {}]));
    const pool = new Rig().pool({ algorithm: "least-load", servers });
    for (const [n, { view }] of pool.candidates.entries()) view.setLoad(20 + n * 5);
    const counts = count(pool, 10_000);
    const most = Math.max(...Object.values(counts));
    expect(counts.s0).toBe(most);
    expect(most).toBeLessThan(5_000);
  });

  test("equal loads, or no agents: the fewest connections", () => {
    const pool = new Rig().pool({ algorithm: "least-load", servers: { a: {}, b: {} } });
    occupy(serverOf(pool, "a"), 2);
    expect(names(pool, 5)).toBe("bbbbb");
    for (const { view } of pool.candidates) view.setLoad(40);
    expect(names(pool, 5)).toBe("bbbbb");
  });
});

describe("least-time", () => {
  test("the shortest connect time, weighed against connections", () => {
    const pool = new Rig().pool({ algorithm: "least-time", servers: { near: {}, far: {} } });
    serverOf(pool, "near").view.connected(1_000);
    serverOf(pool, "far").view.connected(4_000);
    expect(pick(pool).plan.name).toBe("near");
    occupy(serverOf(pool, "near"), 4);
    // 1000 * 5 against 4000 * 1
    expect(pick(pool).plan.name).toBe("far");
  });

  test("a server that was never tried is tried by one client, not by all at once", () => {
    const pool = new Rig().pool({ algorithm: "least-time", servers: { known: {}, new: {} } });
    serverOf(pool, "known").view.connected(1_000);
    const first = pick(pool);
    expect(first.plan.name).toBe("new");
    occupy(first, 1);
    expect(pick(pool).plan.name).toBe("known");
  });

  test("a server that was slow once is measured again", () => {
    const pool = new Rig().pool({ algorithm: "least-time", servers: { fast: {}, slow: {} } });
    serverOf(pool, "fast").view.connected(500);
    serverOf(pool, "slow").view.connected(500_000);
    const { slow } = count(pool, 1_000);
    expect(slow).toBeGreaterThan(0);
    expect(slow).toBeLessThan(20);
  });
});

describe("first", () => {
  test("fills the file from its top, and comes back to the top when there is room", () => {
    const pool = new Rig().pool({ algorithm: "first", servers: { a: { limit: 2 }, b: { limit: 1 }, c: {} } });
    for (const name of ["a", "a", "b", "c", "c"]) {
      const picked = pick(pool);
      expect(picked.plan.name).toBe(name);
      occupy(picked, 1);
    }
    serverOf(pool, "a").view.release();
    expect(pick(pool).plan.name).toBe("a");
  });
});

describe.each(["source-hash", "uri-hash", "hash"])("%s", (algorithm) => {
  const CLIENTS = 10_000;
  const ten = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`s${n}`, {}]));

  function placesOf(pool: PoolRuntime): string[] {
    return Array.from({ length: CLIENTS }, (_, n) => pick(pool, nthClient(n)).plan.name);
  }

  test("only the clients of a server that goes down move, over all others, and they come back with it", () => {
    const pool = new Rig().pool({ algorithm, servers: ten });
    const before = placesOf(pool);
    serverOf(pool, "s3").view.setState(ServerState.DOWN, NOW);
    const during = placesOf(pool);
    const moved = new Map<string, number>();
    for (const [n, name] of during.entries()) {
      if (before[n] === "s3") moved.set(name, (moved.get(name) ?? 0) + 1);
      else expect(name).toBe(before[n]!);
    }
    expect(moved.size).toBe(9);
    expect(Math.max(...moved.values())).toBeLessThan(2 * Math.min(...moved.values()));
    serverOf(pool, "s3").view.setState(ServerState.READY, NOW);
    expect(placesOf(pool)).toEqual(before);
  });

  test("a server that leaves the file moves few clients of the others", () => {
    const { s3: _gone, ...nine } = ten;
    const before = placesOf(new Rig().pool({ algorithm, servers: ten }));
    const after = placesOf(new Rig().pool({ algorithm, servers: nine }));
    const moved = before.filter((name, n) => name !== "s3" && name !== after[n]).length;
    expect(moved).toBeLessThan(CLIENTS * 0.05);
  });

  test("two balancers with the same file agree, whatever else they have seen", () => {
    const places = placesOf(new Rig(1).pool({ algorithm, servers: ten }));
    const rig = new Rig(2);
    rig.pool({ servers: { other: {} } });
    const reversed = Object.fromEntries(Object.entries(ten).reverse());
    expect(placesOf(rig.pool({ algorithm, servers: ten }))).toEqual(places);
    const inOtherOrder = placesOf(rig.pool({ algorithm, servers: reversed }));
    expect(inOtherOrder.filter((name, n) => name !== places[n]).length).toBeLessThan(CLIENTS * 0.05);
  });

  test("where few of many servers are left, they share the clients by weight", () => {
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`s${n}`, { weight: n === 7 ? 200 : 100 }]));
    const pool = new Rig().pool({ algorithm, servers: many });
    for (const { plan, view } of pool.candidates) {
      if (plan.name !== "s7" && plan.name !== "s8") view.setState(ServerState.DOWN, NOW);
    }
    const heavy = placesOf(pool).filter((name) => name === "s7").length;
    expect(Math.abs(heavy - (CLIENTS * 2) / 3)).toBeLessThan(5 * Math.sqrt((CLIENTS * 2) / 9));
  });

  test("every server of 2,000 has its part of the table", () => {
    const servers = Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`s${n}`, { weight: 1 + (n % 256) }]));
    const began = performance.now();
    const pool = new Rig().pool({ algorithm, servers });
    expect(performance.now() - began).toBeLessThan(1_000);
    const seen = new Set<string>();
    for (let n = 0; n < TABLE_SIZE; n++) seen.add(pick(pool, nthClient(n)).plan.name);
    expect(seen.size).toBeGreaterThan(1_900);
  });

  test("clients of one masked network are one client, by IPv4 and by IPv4 in IPv6 alike", () => {
    const pool = new Rig().pool({ algorithm, servers: ten, persistence: { by: ["source"], maskIpv4: 24 } });
    const place = pick(pool, clientFrom("10.1.2.3"));
    expect(pick(pool, clientFrom("10.1.2.250"))).toBe(place);
    expect(pick(pool, clientFrom("::ffff:10.1.2.77"))).toBe(place);
    const others = new Set(Array.from({ length: 50 }, (_, n) => pick(pool, clientFrom(`10.1.${n}.3`))));
    expect(others.size).toBeGreaterThan(5);
  });
});

test("hash goes by the user from wherever they come, and by the address where the login may be cut", () => {
  const servers = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`s${n}`, {}]));
  const pool = new Rig().pool({ algorithm: "hash", servers });
  expect(pick(pool, clientFrom("10.0.0.1", "alice"))).toBe(pick(pool, clientFrom("192.0.2.9", "alice")));
  expect(pick(pool, clientFrom("10.0.0.1", "administr"))).toBe(pick(pool, clientFrom("10.0.0.1")));
  const places = new Set(Array.from({ length: 50 }, (_, n) => pick(pool, clientFrom("10.0.0.1", `user${n}`))));
  expect(places.size).toBeGreaterThan(20);
});

test("uri-hash goes by the path without the query, whoever asks, and by the address where there is no path", () => {
  const servers = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`s${n}`, {}]));
  const pool = new Rig().pool({ algorithm: "uri-hash", servers });
  const get = (target: string, from = "10.0.0.1") => pick(pool, asks([`GET ${target} HTTP/1.1`], from));
  expect(get("/a/b?c=1")).toBe(get("/a/b?c=2", "192.0.2.9"));
  expect(new Set(Array.from({ length: 50 }, (_, n) => get(`/${n}`))).size).toBeGreaterThan(20);
  expect(pick(pool, asks(["OPTIONS * HTTP/1.1"]))).toBe(pick(pool, clientFrom("10.0.0.1")));
});
