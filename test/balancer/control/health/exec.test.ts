import { expect, test } from "bun:test";
import type { HealthCheck } from "../../../../src/balancer/control/health/check.ts";
import { probe } from "../../../../src/balancer/control/health/probe.ts";
import { systemTiming } from "../../../../src/deadlines/timing.ts";

function check(script: string, timeout = 5_000) {
  const settings: HealthCheck = {
    check: "exec",
    every: 2_000,
    timeout,
    fall: 3,
    rise: 2,
    command: ["/bin/sh", "-c", script],
  };
  const target = { pool: "rds", server: "rds1", host: "fd00::1", port: 3389 };
  return probe(settings, target, systemTiming).done;
}

test("exit code 0 is alive, and the last line is the reason", async () => {
  expect(await check("echo starting; echo 12 sessions")).toEqual({ alive: true, reason: "exit code 0: 12 sessions" });
});

test("another exit code is dead, with what the program said last", async () => {
  expect(await check("echo licence expired >&2; exit 2")).toEqual({
    alive: false,
    reason: "exit code 2: licence expired",
  });
});

test("a program that hangs is dead at the deadline", async () => {
  expect(await check("sleep 600", 100)).toEqual({ alive: false, reason: "still running after 0.1 s, killed" });
});

test("the program learns which server it is to check", async () => {
  const { reason } = await check('echo "$HOLDFAST_POOL $HOLDFAST_SERVER $HOLDFAST_ADDRESS $HOLDFAST_PORT"');
  expect(reason).toBe("exit code 0: rds rds1 fd00::1 3389");
});
