/** What holds for every pool, state and client, not only for the cases that someone thought of. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { ALGORITHM_NAMES } from "../../src/balancer/algorithms/index.ts";
import { TriedSet } from "../../src/balancer/candidate.ts";
import { CHOSEN, Decision, decide, NO_SERVER, WAIT_FOR_POOL, WAIT_FOR_SERVER } from "../../src/balancer/decide.ts";
import type { PoolRuntime } from "../../src/balancer/pool-runtime.ts";
import { Reason, Recognised, ServerState } from "../../src/balancer/shared/words.ts";
import { clientFrom, NOW, occupy, Rig } from "./rig.ts";

const RUNS = { numRuns: 500, seed: 20_261_121 };

const server = fc.record({
  state: fc.constantFrom(...Object.values(ServerState).filter((state) => state !== ServerState.FREE)),
  wasUp: fc.boolean(),
  weight: fc.integer({ min: 1, max: 256 }),
  agentWeight: fc.constantFrom(0, 1, 50, 100),
  load: fc.integer({ min: 0, max: 100 }),
  limit: fc.constantFrom(0, 0, 1, 2),
  open: fc.integer({ min: 0, max: 2 }),
  backup: fc.boolean(),
  tried: fc.boolean(),
});

const pool = fc.record({
  algorithm: fc.constantFrom(...ALGORITHM_NAMES),
  allDown: fc.constantFrom("refuse" as const, "last-known" as const),
  onDown: fc.constantFrom("forget" as const, "keep" as const),
  queue: fc.constantFrom(0, 10),
  servers: fc.array(server, { minLength: 1, maxLength: 5 }),
  /** Where the user and the address of the client are known; beyond the servers: nowhere. */
  knownUser: fc.nat(7),
  knownSource: fc.nat(7),
});

const world = fc.record({
  pools: fc.array(pool, { minLength: 1, maxLength: 3 }),
  user: fc.constantFrom("", "alice", "contoso\\a"),
  seed: fc.nat(),
});
type World = typeof world extends fc.Arbitrary<infer W> ? W : never;

function build({ pools: sketches, user, seed }: World) {
  const rig = new Rig(seed);
  const client = clientFrom("10.0.0.1", user);
  const tried = new TriedSet();
  const pools = sketches.map((sketch) => {
    const runtime = rig.pool({
      algorithm: sketch.algorithm,
      allDown: sketch.allDown,
      queue: { length: sketch.queue, timeoutMs: 1_000 },
      persistence: { by: ["user", "source"], onDown: sketch.onDown },
      servers: Object.fromEntries(sketch.servers.map((s, n) => [`s${n}`, { weight: s.weight, backup: s.backup }])),
    });
    const [byUser, bySource] = [runtime.kinds[0]!, runtime.kinds[1]!];
    for (const [n, { plan, view }] of runtime.candidates.entries()) {
      const s = sketch.servers[n]!;
      occupy(runtime.candidates[n]!, s.open);
      view.setLimit(s.limit);
      view.setLoad(s.load);
      view.setWeight(Math.floor((s.weight * 256 * s.agentWeight) / 100), 0);
      view.setState(s.state, NOW);
      if (!s.wasUp) view.forgetLastKnown();
      if (s.tried) tried.add(plan.id);
      if (n === sketch.knownUser) byUser.recogniser.remember(client, plan.id, NOW);
      if (n === sketch.knownSource) bySource.recogniser.remember(client, plan.id, NOW);
    }
    return runtime;
  });
  const out = new Decision();
  const outcome = decide(client, pools, 0, tried, NOW, out);
  return { pools, tried, out, outcome, client };
}

const all = (pools: PoolRuntime[]) => pools.flatMap((runtime) => runtime.candidates);

test("nobody is sent to a server that may not have them", () => {
  fc.assert(
    fc.property(world, (input) => {
      const { tried, out, outcome } = build(input);
      const chosen = out.server;
      expect(chosen === null).toBe(outcome === NO_SERVER || outcome === WAIT_FOR_POOL);
      if (chosen === null) return;
      expect(tried.has(chosen.plan.id)).toBeFalse();
      expect(chosen.view.hasRoom()).toBe(outcome === CHOSEN);
      if (out.reason === Reason.LAST_KNOWN) expect(chosen.view.wasUsable()).toBeTrue();
      else if (out.recognisedBy === Recognised.NEW) expect(chosen.view.takesNew()).toBeTrue();
      else expect(chosen.view.takesKnown()).toBeTrue();
    }),
    RUNS,
  );
});

test("a client who is known on a usable server always lands there or waits for it", () => {
  fc.assert(
    fc.property(world, (input) => {
      const { pools, tried, out, outcome } = build(input);
      const homes = pools.flatMap((runtime, p) => {
        const { knownUser, knownSource, queue } = input.pools[p]!;
        return [input.user === "alice" ? knownUser : 9, knownSource]
          .map((n) => runtime.candidates[n])
          .filter((home) => home?.view.takesKnown() && !tried.has(home.plan.id) && (queue > 0 || home.view.hasRoom()));
      });
      if (homes.length === 0) return;
      expect(homes).toContain(out.server!);
      expect([CHOSEN, WAIT_FOR_SERVER]).toContain(outcome as number);
    }),
    RUNS,
  );
});

test("a client is refused only when no server may take them", () => {
  fc.assert(
    fc.property(world, (input) => {
      const { pools, tried, outcome } = build(input);
      const usable = all(pools).some(
        ({ plan, view }) => view.takesNew() && !tried.has(plan.id) && view.weight(NOW) > 0 && view.hasRoom(),
      );
      if (usable) expect(outcome).not.toBe(NO_SERVER);
      if (outcome === NO_SERVER && !all(pools).some(({ view }) => view.takesKnown())) {
        const hopeful = pools
          .filter((runtime) => runtime.plan.allDown === "last-known")
          .flatMap((runtime) => runtime.candidates)
          .filter(
            ({ plan, view }) => view.wasUsable() && !tried.has(plan.id) && view.hasRoom() && view.weight(NOW) > 0,
          );
        expect(hopeful).toEqual([]);
      }
    }),
    RUNS,
  );
});

test("the same question has the same answer", () => {
  fc.assert(
    fc.property(world, (input) => {
      const [one, other] = [build(input), build(input)];
      expect(other.outcome).toBe(one.outcome);
      expect(other.out.server?.plan.id).toBe(one.out.server?.plan.id);
      expect([other.out.reason, other.out.returned, other.out.keep]).toEqual([
        one.out.reason,
        one.out.returned,
        one.out.keep,
      ]);
    }),
    RUNS,
  );
});
