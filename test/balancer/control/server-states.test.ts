import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  type AgentAxis,
  type Axes,
  combine,
  explain,
  heard,
  NO_ADMINISTRATOR,
  NO_AGENT,
  ServerCondition,
  spellDuration,
} from "../../../src/balancer/control/server-states.ts";
import { WEIGHT_UNIT } from "../../../src/balancer/shared/server-view.ts";
import { ServerState } from "../../../src/balancer/shared/words.ts";

const SETTINGS = { weight: 100, limit: 40, rampMs: 0 };
const UP = { health: "up", reason: "answered", by: "check" } as const;
const DOWN = { health: "down", reason: "connection refused", by: "check" } as const;
const UNKNOWN = { health: "unknown", reason: "not checked yet", by: "check" } as const;
const DRAIN = { state: "drain", by: "anna", sinceMs: 5 } as const;
const MAINTENANCE = { state: "maintenance", by: "anna", sinceMs: 5 } as const;
const OUTLIER = { reason: "5 bad answers in a row, left out for 30s" };
const AXES: Axes = { health: UP, administrative: NO_ADMINISTRATOR, agent: NO_AGENT, outlier: null };
const agent = (said: Partial<AgentAxis>): Partial<Axes> => ({ agent: { ...NO_AGENT, ...said } });

const MEANING: Record<string, ServerState> = {
  ready: ServerState.READY,
  draining: ServerState.DRAINING,
  overloaded: ServerState.OVERLOADED,
  down: ServerState.DOWN,
  maintenance: ServerState.MAINTENANCE,
};

describe("the sum of the axes", () => {
  test.each<[string, Partial<Axes>, string, string]>([
    ["nothing said", {}, "ready", "nobody"],
    ["not checked yet", { health: UNKNOWN }, "down", "check"],
    ["a check failed", { health: DOWN }, "down", "check"],
    ["clients could not connect", { health: { ...DOWN, by: "traffic" } }, "down", "traffic"],
    ["answers badly", { outlier: OUTLIER }, "overloaded", "answers"],
    ["answers badly and drains", { outlier: OUTLIER, administrative: DRAIN }, "draining", "administrator"],
    ["drained by a person", { administrative: DRAIN }, "draining", "administrator"],
    ["drained, then died", { administrative: DRAIN, health: DOWN }, "down", "check"],
    ["in maintenance and dead", { administrative: MAINTENANCE, health: DOWN }, "maintenance", "administrator"],
    [
      "in maintenance, and the agent says ready",
      { administrative: MAINTENANCE, ...agent({ admin: "ready" }) },
      "maintenance",
      "administrator",
    ],
    ["the agent says maint", agent({ admin: "maint" }), "maintenance", "agent"],
    ["the agent says maint, the check fails", { health: DOWN, ...agent({ admin: "maint" }) }, "maintenance", "agent"],
    ["the agent says down, the check is good", agent({ health: "down" }), "down", "agent"],
    ["the agent says fail", agent({ health: "fail" }), "down", "agent"],
    ["the agent says stopped", agent({ health: "stopped" }), "down", "agent"],
    ["the agent says up, the check is bad", { health: DOWN, ...agent({ health: "up" }) }, "down", "check"],
    ["the agent says drain", agent({ admin: "drain" }), "draining", "agent"],
    [
      "a person drains, the agent is overloaded",
      { administrative: DRAIN, ...agent({ load: 100 }) },
      "draining",
      "administrator",
    ],
    ["weight 0", agent({ weight: { absolute: 0 } }), "draining", "agent"],
    ["weight 0 %", agent({ weight: { percent: 0 } }), "draining", "agent"],
    ["a load of 98", agent({ load: 98 }), "ready", "nobody"],
    ["a load of 99", agent({ load: 99 }), "overloaded", "agent"],
    ["a load of 100", agent({ load: 100 }), "overloaded", "agent"],
  ])("%s", (_name, axes, state, by) => {
    const combined = combine({ ...AXES, ...axes }, SETTINGS);
    expect([combined.state, combined.by]).toEqual([MEANING[state]!, by as typeof combined.by]);
  });

  test.each<[string, AgentAxis["weight"], number]>([
    ["the configured weight", undefined, 100 * WEIGHT_UNIT],
    ["half of it", { percent: 50 }, 50 * WEIGHT_UNIT],
    ["one and a half of it", { percent: 150 }, 150 * WEIGHT_UNIT],
    ["never above 256", { percent: 1000 }, 256 * WEIGHT_UNIT],
    ["an absolute one", { absolute: 7 }, 7 * WEIGHT_UNIT],
    ["never 0 in the scoreboard, which divides by it", { absolute: 0 }, 1],
  ])("the weight is %s", (_name, weight, expected) => {
    expect(combine({ ...AXES, ...agent({ weight }) }, SETTINGS).weight).toBe(expected);
  });

  test("the agent's limit replaces the file's, 0 is none", () => {
    expect(combine(AXES, SETTINGS).limit).toBe(40);
    expect(combine(AXES, { weight: 1, rampMs: 0 }).limit).toBe(0);
    expect(combine({ ...AXES, ...agent({ maxconn: 10 }) }, SETTINGS).limit).toBe(10);
    expect(combine({ ...AXES, ...agent({ maxconn: 0 }) }, SETTINGS).limit).toBe(0);
  });

  const axes = fc.record({
    health: fc.constantFrom(UP, DOWN, UNKNOWN),
    administrative: fc.constantFrom(NO_ADMINISTRATOR, DRAIN, MAINTENANCE),
    agent: fc.record({
      admin: fc.constantFrom("ready" as const, "drain" as const, "maint" as const),
      health: fc.constantFrom("up" as const, "down" as const, "fail" as const, "stopped" as const),
      load: fc.integer({ min: 0, max: 100 }),
      reason: fc.constantFrom("", "disk full"),
      weight: fc.option(fc.record({ percent: fc.integer({ min: 0, max: 300 }) }), { nil: undefined }),
    }),
    outlier: fc.constantFrom(null, OUTLIER),
  });

  test("whoever says no is heard: a new client only where every axis allows it, a known one only where none forbids it", () => {
    fc.assert(
      fc.property(axes, ({ health, administrative, agent, outlier }) => {
        const { state } = combine({ health, administrative, agent, outlier }, SETTINGS);
        const known =
          health.health === "up" &&
          administrative.state !== "maintenance" &&
          agent.admin !== "maint" &&
          agent.health === "up";
        const fresh =
          known &&
          administrative.state === "ready" &&
          agent.admin === "ready" &&
          agent.load < 99 &&
          outlier === null &&
          agent.weight?.percent !== 0;
        expect(state === ServerState.READY).toBe(fresh);
        expect(state === ServerState.READY || state === ServerState.DRAINING || state === ServerState.OVERLOADED).toBe(
          known,
        );
      }),
    );
  });

  test("who decided and why is always told when a server is not simply up", () => {
    fc.assert(
      fc.property(axes, (all) => {
        const { state, by, reason, weight } = combine(all, SETTINGS);
        expect(by === "nobody").toBe(state === ServerState.READY);
        if (by === "agent" || by === "check" || by === "answers") expect(reason).not.toBe("");
        expect(weight).toBeGreaterThan(0);
      }),
    );
  });
});

describe("what the agent said adds up", () => {
  test("an answer changes only what it names", () => {
    const drained = heard(NO_AGENT, { admin: "drain", weightPercent: 50, maxconn: 10 });
    expect(heard(drained, { weightPercent: 75 })).toMatchObject({
      admin: "drain",
      weight: { percent: 75 },
      maxconn: 10,
    });
    expect(heard(drained, {})).toEqual(drained);
    expect(heard(drained, { admin: "ready" })).toMatchObject({ admin: "ready", weight: { percent: 50 } });
    expect(heard(drained, { weight: 3 }).weight).toEqual({ absolute: 3 });
  });

  test("a description belongs to the health it came with", () => {
    const failed = heard(NO_AGENT, { health: "fail", reason: "disk full" });
    expect(failed.reason).toBe("disk full");
    expect(heard(failed, { weightPercent: 10 }).reason).toBe("disk full");
    expect(heard(failed, { health: "up" }).reason).toBe("");
  });
});

/** The words of a ServerView, and what was written to them. */
class Words {
  now = ServerState.FREE as ServerState;
  loadWord = 0;
  weight = 0;
  limit = -1;
  rampSec = -1;
  states: ServerState[] = [];
  state = () => this.now;
  load = () => this.loadWord;
  setState = (state: ServerState) => {
    this.now = state;
    this.states.push(state);
  };
  setWeight = (weight: number, rampSec: number) => {
    this.weight = weight;
    this.rampSec = rampSec;
  };
  setLoad = (load: number) => {
    this.loadWord = load;
  };
  setLimit = (limit: number) => {
    this.limit = limit;
  };
}

describe("one server's condition", () => {
  let now = 1_000_000;
  const clock = () => now;

  test("it starts as starting, takes nobody, and is up with the first good result", () => {
    const words = new Words();
    const condition = new ServerCondition(words, { weight: 100, limit: 7, rampMs: 60_000 }, clock);
    expect([words.now, condition.report().word]).toEqual([ServerState.DOWN, "starting"]);
    expect(condition.setHealth(UP)).toBe(true);
    expect(condition.setHealth(UP)).toBe(false);
    expect(condition.report().word).toBe("up");
    expect(words).toMatchObject({ now: ServerState.READY, weight: 100 * WEIGHT_UNIT, rampSec: 60, limit: 7 });
  });

  test("a server in use stays in use when another process takes over, until that one knows better", () => {
    const words = new Words();
    words.now = ServerState.OVERLOADED;
    words.loadWord = 99;
    const condition = new ServerCondition(words, SETTINGS, clock);
    expect(words.states.every((state) => state === ServerState.OVERLOADED)).toBe(true);
    condition.hear({ load: 10 });
    expect<ServerState>(words.now).toBe(ServerState.READY);
    condition.setHealth(DOWN);
    expect<ServerState>(words.now).toBe(ServerState.DOWN);
  });

  test("maintenance outlives good checks and the agent's ready, and only a person ends it", () => {
    const words = new Words();
    const condition = new ServerCondition(words, SETTINGS, clock, MAINTENANCE);
    condition.setHealth(UP);
    condition.hear({ admin: "ready", health: "up", load: 3 });
    expect<ServerState>(words.now).toBe(ServerState.MAINTENANCE);
    condition.setAdministrative({ state: "ready", by: "anna", sinceMs: now });
    expect<ServerState>(words.now).toBe(ServerState.READY);
  });

  test("a person's ready does not end what the agent set, and neither revives a dead server", () => {
    const words = new Words();
    const condition = new ServerCondition(words, SETTINGS, clock);
    condition.setHealth(UP);
    condition.hear({ admin: "drain" });
    condition.setAdministrative({ state: "ready", by: "anna", sinceMs: now });
    expect<ServerState>(words.now).toBe(ServerState.DRAINING);
    condition.setHealth(DOWN);
    condition.hear({ admin: "ready", health: "up" });
    expect<ServerState>(words.now).toBe(ServerState.DOWN);
    condition.setHealth(UP);
    expect<ServerState>(words.now).toBe(ServerState.READY);
  });

  test("when the pool has no agent any more, what it said is forgotten", () => {
    const words = new Words();
    const condition = new ServerCondition(words, SETTINGS, clock);
    condition.setHealth(UP);
    condition.hear({ admin: "maint", weightPercent: 10, load: 50 });
    condition.forgetAgent();
    expect(words).toMatchObject({ now: ServerState.READY, weight: 100 * WEIGHT_UNIT, loadWord: 0 });
  });

  test("a weight that changed in the file is there at once, with what the agent said of it", () => {
    const words = new Words();
    const condition = new ServerCondition(words, SETTINGS, clock);
    condition.hear({ weightPercent: 50 });
    condition.reconfigure({ weight: 200, rampMs: 0 });
    expect(words).toMatchObject({ weight: 100 * WEIGHT_UNIT, limit: 0 });
  });

  test("the state explains itself: since when, by whom, why", () => {
    const condition = new ServerCondition(new Words(), SETTINGS, clock);
    condition.setHealth(DOWN);
    expect(explain(condition.report(), now)).toBe("down for 0s: connection refused");
    now += 372_000;
    expect(explain(condition.report(), now)).toBe("down for 6m 12s: connection refused");
    condition.setHealth(UP);
    condition.setAdministrative({ state: "drain", by: "anna", sinceMs: now });
    now += 180_000;
    expect(explain(condition.report(), now)).toBe("draining for 3m by anna");
    condition.setAdministrative({ state: "ready", by: "anna", sinceMs: now });
    condition.hear({ health: "stopped", reason: "patch day" });
    expect(explain(condition.report(), now)).toBe("down for 0s: agent: stopped, patch day");
  });

  test("durations are told by their two greatest units", () => {
    const spelled = [0, -5, 999, 59_000, 60_000, 372_000, 3_600_000, 11_400_000, 1_051_200_000].map(spellDuration);
    expect(spelled).toEqual(["0s", "0s", "0s", "59s", "1m", "6m 12s", "1h", "3h 10m", "12d 4h"]);
  });
});
