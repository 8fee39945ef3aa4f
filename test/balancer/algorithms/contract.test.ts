/** What every algorithm keeps, whatever it goes by. One suite, run for each member of the folder. */
import { describe, expect, test } from "bun:test";
import type { PickRequest } from "../../../src/balancer/algorithms/algorithm.ts";
import { ALGORITHMS } from "../../../src/balancer/algorithms/index.ts";
import { type Candidate, NONE_TRIED, TriedSet } from "../../../src/balancer/candidate.ts";
import type { PoolRuntime } from "../../../src/balancer/pool-runtime.ts";
import { WEIGHT_UNIT } from "../../../src/balancer/shared/server-view.ts";
import { ServerState } from "../../../src/balancer/shared/words.ts";
import { NOW, nthClient, Rig, serverOf } from "../rig.ts";

const CLIENTS = 20_000;

/** Fills from the top of the file, so that weights and slow start have nothing to say. */
const IGNORES_WEIGHT = new Set(["first"]);

function pick(pool: PoolRuntime, n: number, tried = NONE_TRIED, nowSec = NOW, lastKnown = false): Candidate | null {
  const request: PickRequest = { client: nthClient(n), lastKnown };
  return pool.tiers[0]!.picker.pick(request, tried, nowSec);
}

/** How many of many clients each server got, who all stay. */
function share(pool: PoolRuntime, clients = CLIENTS, nowSec = NOW): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let n = 0; n < clients; n++) {
    const { plan, view } = pick(pool, n, NONE_TRIED, nowSec)!;
    counts[plan.name] = (counts[plan.name] ?? 0) + 1;
    view.reserve();
  }
  return counts;
}

/** Within five standard deviations of a fair lottery, which leaves no room for a wrong weight. */
function expectShare(count: number | undefined, part: number): void {
  const tolerance = 5 * Math.sqrt(CLIENTS * part * (1 - part));
  expect(Math.abs((count ?? 0) - CLIENTS * part)).toBeLessThan(tolerance);
}

for (const { name } of ALGORITHMS) {
  describe(name, () => {
    if (!IGNORES_WEIGHT.has(name)) {
      test("servers of weight 100, 50 and 25 get 4, 2 and 1 of 7 clients", () => {
        const servers = { a: {}, b: { weight: 50 }, c: { weight: 25 } };
        const counts = share(new Rig().pool({ algorithm: name, servers }));
        expectShare(counts.a, 4 / 7);
        expectShare(counts.b, 2 / 7);
        expectShare(counts.c, 1 / 7);
      });

      test("a server a quarter into its slow start gets a quarter of its share", () => {
        const pool = new Rig().pool({ algorithm: name, servers: { a: {}, b: {}, c: {} } });
        const { view } = serverOf(pool, "b");
        view.setWeight(100 * WEIGHT_UNIT, 60);
        view.setState(ServerState.DOWN, NOW - 100);
        view.setState(ServerState.READY, NOW);
        const counts = share(pool, CLIENTS, NOW + 15);
        expectShare(counts.b, 0.25 / 2.25);
      });
    }

    test("a server that is draining, overloaded, down or in maintenance gets nobody", () => {
      const pool = new Rig().pool({ algorithm: name, servers: { a: {}, b: {}, c: {}, d: {}, e: {} } });
      serverOf(pool, "a").view.setState(ServerState.DRAINING, NOW);
      serverOf(pool, "b").view.setState(ServerState.OVERLOADED, NOW);
      serverOf(pool, "c").view.setState(ServerState.DOWN, NOW);
      serverOf(pool, "e").view.setState(ServerState.MAINTENANCE, NOW);
      expect(share(pool, 2_000)).toEqual({ d: 2_000 });
    });

    test("a server whose agent set its weight to 0 gets nobody", () => {
      const pool = new Rig().pool({ algorithm: name, servers: { a: {}, b: {} } });
      serverOf(pool, "a").view.setWeight(0, 0);
      expect(share(pool, 2_000)).toEqual({ b: 2_000 });
    });

    test("full servers get nobody, and when all are full there is none", () => {
      const pool = new Rig().pool({ algorithm: name, servers: { a: { limit: 3 }, b: { limit: 5 } } });
      expect(share(pool, 8)).toEqual({ a: 3, b: 5 });
      expect(pick(pool, 9)).toBeNull();
    });

    test("a server that was tried is not picked again, until all were tried", () => {
      const pool = new Rig().pool({ algorithm: name, servers: { a: {}, b: {}, c: { weight: 1 }, d: { weight: 256 } } });
      for (let n = 0; n < 200; n++) {
        const tried = new TriedSet();
        for (let i = 0; i < 4; i++) {
          const picked = pick(pool, n, tried)!;
          expect(tried.has(picked.plan.id)).toBeFalse();
          tried.add(picked.plan.id);
        }
        expect(pick(pool, n, tried)).toBeNull();
      }
    });

    test("all down: there is none, unless the last known state is asked for", () => {
      const pool = new Rig().pool({ algorithm: name, servers: { a: {}, b: {}, c: {} } });
      for (const { view } of pool.candidates) view.setState(ServerState.DOWN, NOW);
      serverOf(pool, "c").view.forgetLastKnown();
      serverOf(pool, "b").view.setState(ServerState.MAINTENANCE, NOW);
      expect(pick(pool, 1)).toBeNull();
      expect(pick(pool, 1, NONE_TRIED, NOW, true)?.plan.name).toBe("a");
    });

    test("a single server gets everybody", () => {
      expect(share(new Rig().pool({ algorithm: name, servers: { only: { weight: 1 } } }), 500)).toEqual({ only: 500 });
    });

    test("one usable server among 2,000 is found for everybody, in less than a millisecond each", () => {
      const servers = Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`s${n}`, {}]));
      const pool = new Rig().pool({ algorithm: name, servers });
      for (const { plan, view } of pool.candidates) if (plan.name !== "s1234") view.setState(ServerState.DOWN, NOW);
      const began = performance.now();
      expect(share(pool, 1_000)).toEqual({ s1234: 1_000 });
      expect((performance.now() - began) / 1_000).toBeLessThan(1);
    });
  });
}
