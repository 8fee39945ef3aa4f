import { beforeEach, describe, expect, test } from "bun:test";
import type { HealthCheck, Target, Verdict } from "../../../../src/balancer/control/health/check.ts";
import { HealthChecks } from "../../../../src/balancer/control/health/checks.ts";
import type { Probe } from "../../../../src/balancer/control/health/probe.ts";
import type { HealthChange, HealthTarget } from "../../../../src/balancer/control/health/runner.ts";
import { systemTiming } from "../../../../src/deadlines/timing.ts";
import { ManualTiming } from "../../../deadlines/manual-timing.ts";
import { refusedPort, serve } from "./servers.ts";

const CHECK: HealthCheck = { check: "tcp", every: 2_000, timeout: 1_000, fall: 3, rise: 2 };
const GOOD: Verdict = { alive: true, reason: "connected" };
const BAD: Verdict = { alive: false, reason: "connection refused" };

/** Connect failures as a ServerView counts them. */
class Traffic {
  inRow = 0;
  failuresInRow = () => this.inRow;
  forgetFailures = () => {
    this.inRow = 0;
  };
}

describe("on a clock that the test moves", () => {
  let timing: ManualTiming;
  let checks: HealthChecks;
  let changes: HealthChange[];
  /** When each probe began. */
  let begun: { at: number; target: Target; check: HealthCheck }[];
  let underWay: number;
  let mostUnderWay: number;
  let answer: Verdict;
  let takesMs: number;

  /** Answers `answer` after `takesMs`, or at its deadline that it is dead. */
  function fakeProbe(check: HealthCheck, target: Target): Probe {
    begun.push({ at: timing.now(), target, check });
    mostUnderWay = Math.max(mostUnderWay, ++underWay);
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    const end = (verdict: Verdict) => {
      stopTimer();
      underWay--;
      resolve(verdict);
    };
    const verdict = answer;
    const stopTimer = timing.after(Math.min(takesMs, check.timeout), () =>
      end(takesMs > check.timeout ? { alive: false, reason: "too late" } : verdict),
    );
    return { done: promise, cancel: () => end({ alive: false, reason: "cancelled" }) };
  }

  function target(changed: Partial<HealthTarget> = {}): HealthTarget {
    const server = { pool: "rds", server: "rds1", host: "10.0.0.1", port: 3389 };
    return { ...server, check: CHECK, observe: 0, traffic: new Traffic(), ...changed };
  }

  beforeEach(() => {
    timing = new ManualTiming();
    changes = [];
    begun = [];
    underWay = 0;
    mostUnderWay = 0;
    answer = GOOD;
    takesMs = 1;
    checks = new HealthChecks({ timing, probe: fakeProbe, onChange: (change) => changes.push(change) });
  });

  const seen = () => changes.map(({ up, reason, by }) => `${up ? "up" : "down"} by ${by}: ${reason}`);

  test("a server is unknown until its first result, which comes within the first moments and decides", async () => {
    checks.apply([target()]);
    expect(checks.report("rds", "rds1")).toMatchObject({ health: "unknown", reason: "not checked yet" });
    await timing.advance(110);
    expect(seen()).toEqual(["up by check: connected"]);
    expect(checks.report("rds", "rds1")).toMatchObject({
      health: "up",
      failed: 0,
      last: { alive: true, durationMs: 1 },
    });
  });

  test("while nothing changes it is checked once in `every`, and nothing is reported", async () => {
    checks.apply([target()]);
    await timing.advance(10_050);
    expect(begun.map(({ at }) => at)).toEqual([0, 2_000, 4_000, 6_000, 8_000, 10_000]);
    expect(changes).toHaveLength(1);
  });

  test("a server that is refused is down after `fall` checks, the later ones at half the interval", async () => {
    checks.apply([target()]);
    await timing.advance(100);
    answer = BAD;
    await timing.advance(4_000);
    expect(begun.map(({ at }) => at)).toEqual([0, 2_000, 3_000, 4_000]);
    expect(seen()).toEqual(["up by check: connected", "down by check: connection refused"]);
    answer = GOOD;
    await timing.advance(10_000);
    expect(seen()[2]).toBe("up by check: connected");
    expect(checks.report("rds", "rds1")).toMatchObject({ health: "up", failed: 3 });
  });

  test("a server that begins to hang the moment after a check is down within `every` x `fall`", async () => {
    checks.apply([target()]);
    await timing.advance(2);
    takesMs = Number.POSITIVE_INFINITY;
    await timing.advance(CHECK.every * CHECK.fall);
    expect(seen()).toEqual(["up by check: connected", "down by check: too late"]);
  });

  test("checks of one server never overlap, and even a slow one is followed by a pause", async () => {
    takesMs = Number.POSITIVE_INFINITY;
    checks.apply([target({ check: { ...CHECK, every: 100, timeout: 1_000 } })]);
    await timing.advance(10_000);
    expect(mostUnderWay).toBe(1);
    expect(begun.map(({ at }) => at).slice(0, 3)).toEqual([0, 1_010, 2_020]);
  });

  test("what begins together drifts apart: a round is up to a tenth early, never late", async () => {
    timing.chance = 0.5;
    checks.apply([target()]);
    await timing.advance(3_900);
    expect(begun.map(({ at }) => at)).toEqual([50, 1_950, 3_850]);
  });

  test("of a thousand servers that hang, 256 are checked at once, and each has its turn", async () => {
    takesMs = Number.POSITIVE_INFINITY;
    checks.apply(Array.from({ length: 1_000 }, (_, i) => target({ server: `s${i}` })));
    await timing.advance(4_100);
    expect(mostUnderWay).toBe(256);
    expect(new Set(begun.map(({ target }) => target.server)).size).toBe(1_000);
  });

  test("a server without a check is up at once and is not checked", async () => {
    checks.apply([target({ check: undefined })]);
    expect(seen()).toEqual(["up by check: not checked"]);
    await timing.advance(60_000);
    expect(begun).toEqual([]);
  });

  test("connects of clients that fail in a row take it down at once, good checks bring it back", async () => {
    const traffic = new Traffic();
    checks.apply([target({ observe: 3, traffic })]);
    await timing.advance(100);
    traffic.inRow = 2;
    await timing.advance(200);
    expect(changes).toHaveLength(1);
    traffic.inRow = 3;
    await timing.advance(100);
    expect(seen()[1]).toBe("down by traffic: 3 connects in a row failed");
    expect(traffic.inRow).toBe(0);
    await timing.advance(4_000);
    expect(seen()[2]).toBe("up by check: connected");
  });

  test("without a check of its own, a server that clients found dead is connected to until it answers", async () => {
    const traffic = new Traffic();
    checks.apply([target({ check: undefined, observe: 1, traffic })]);
    answer = BAD;
    traffic.inRow = 1;
    await timing.advance(10_000);
    expect(seen()[1]).toBe("down by traffic: a connect failed");
    expect(begun.length).toBeGreaterThan(3);
    answer = GOOD;
    await timing.advance(4_000);
    expect(seen()).toHaveLength(3);
    const checksDone = begun.length;
    await timing.advance(60_000);
    expect(begun).toHaveLength(checksDone);
  });

  test("a reload that changes nothing of a server does not disturb its checks", async () => {
    const same = target();
    checks.apply([same]);
    await timing.advance(1_000);
    checks.apply([{ ...same }, target({ server: "rds2" })]);
    await timing.advance(1_500);
    const own = begun.filter(({ target }) => target.server === "rds1");
    expect(own.map(({ at }) => at)).toEqual([0, 2_000]);
  });

  test("with another check it goes on from what is known; with another address it is judged anew", async () => {
    const before = target();
    checks.apply([before]);
    await timing.advance(100);
    answer = BAD;
    checks.apply([{ ...before, check: { ...CHECK, fall: 2 } }]);
    await timing.advance(10);
    expect(checks.report("rds", "rds1")).toMatchObject({ health: "up", last: { alive: false } });
    checks.apply([{ ...before, host: "10.0.0.2" }]);
    expect(checks.report("rds", "rds1")?.health).toBe("unknown");
    await timing.advance(10);
    expect(checks.report("rds", "rds1")?.health).toBe("down");
  });

  test("a server that left is not checked any more, and a check under way is ended without a word", async () => {
    takesMs = 500;
    checks.apply([target()]);
    await timing.advance(10);
    expect(underWay).toBe(1);
    checks.apply([]);
    expect(underWay).toBe(0);
    await timing.advance(10_000);
    expect(changes).toEqual([]);
    expect(begun).toHaveLength(1);
    expect(checks.report("rds", "rds1")).toBeUndefined();
    expect(timing.waiting()).toBe(0);
  });
});

test("over real sockets a server's death and return are seen", async () => {
  const port = await refusedPort();
  const events: ((change: HealthChange) => void)[] = [];
  const next = () => new Promise<HealthChange>((resolve) => events.push(resolve));
  const checks = new HealthChecks({ timing: systemTiming, onChange: (change) => events.shift()?.(change) });
  const check: HealthCheck = { ...CHECK, every: 50, timeout: 2_000, fall: 2, rise: 2 };
  const dead = next();
  checks.apply([{ pool: "p", server: "s", host: "127.0.0.1", port, check, observe: 3, traffic: new Traffic() }]);
  expect(await dead).toMatchObject({ pool: "p", server: "s", up: false, reason: "connection refused", by: "check" });
  const back = next();
  const server = await serve(() => {}, port);
  expect(await back).toMatchObject({ up: true, reason: "connected" });
  const gone = next();
  await server.stop();
  expect(await gone).toMatchObject({ up: false, reason: "connection refused" });
  checks.stop();
});
