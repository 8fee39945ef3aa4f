import { expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import type { RunningBalancer } from "../../src/balancer/control/running.ts";
import { createLog } from "../../src/observe/log.ts";
import { UpProcess } from "../../src/process/up.ts";

/** A process whose balancer shuts down as `shutdown` says. */
function running(shutdown: () => Promise<void>) {
  const lines: string[] = [];
  const sink = {
    write: (line: string) => lines.push(line),
    dropped: () => 0,
    reopen() {},
    flush: async () => {
      lines.push("flushed");
    },
  };
  const log = createLog({ sink, level: "info", node: "test", role: "balancer" });
  const balancer = { shutdown, stop: async () => {} } as unknown as RunningBalancer;
  const signals = new EventEmitter();
  const end = new UpProcess(balancer, log, sink.flush).untilEnd(30_000, signals);
  return { signals, end, lines };
}

test("a signal ends the process when the shutdown is done, with 0", async () => {
  const { signals, end, lines } = running(async () => {});
  signals.emit("SIGTERM");
  expect(await end).toBe(0);
  expect(lines).toEqual(["flushed"]);
});

test("a shutdown that fails is logged, and ends the process with 1", async () => {
  const { signals, end, lines } = running(() => Promise.reject(new Error("the disk is gone")));
  signals.emit("SIGINT");
  expect(await end).toBe(1);
  expect(JSON.parse(lines[0]!)).toMatchObject({
    level: "error",
    event: "balancer.failed",
    msg: "it did not end in order: the disk is gone",
  });
  expect(lines[1]).toBe("flushed");
});

test("a second signal ends the process while the shutdown still goes on", async () => {
  const { signals, end } = running(() => new Promise(() => {}));
  signals.emit("SIGTERM");
  signals.emit("SIGINT");
  expect(await end).toBe(130);
});
