import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../src/deadlines/run.ts";
import { systemTiming } from "../../src/deadlines/timing.ts";

const sh = (script: string, timeoutMs = 5_000, env: Record<string, string> = {}) =>
  run(["/bin/sh", "-c", script], env, timeoutMs, systemTiming).done;

test("the exit code, the first line of the output and the last line of everything are told", async () => {
  expect(await sh("echo one; echo two; sleep 0; echo why >&2; echo; exit 3")).toEqual({
    value: { code: 3, signal: undefined, firstLine: "one", lastLine: "why" },
  });
});

test("a program that ends by a signal says which", async () => {
  expect(await sh("kill -TERM $$")).toEqual({ value: { code: -1, signal: "SIGTERM", firstLine: "", lastLine: "" } });
});

test("a program that does not exist is a failure, not an exception", async () => {
  expect(await run(["/no/such/program"], {}, 1_000, systemTiming).done).toEqual({ failure: "program not found" });
});

test("at the deadline a program is killed, and its children with it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-run-"));
  const answer = await sh(`sleep 600 & echo $! > ${folder}/child; sleep 600`, 300);
  expect(answer).toEqual({ failure: "still running after 0.3 s, killed" });
  const child = readFileSync(join(folder, "child"), "utf8").trim();
  await gone(child);
  rmSync(folder, { recursive: true });
});

test("what a program leaves behind is killed, and holds nothing up", async () => {
  const answer = await sh("sleep 600 & echo $!");
  const child = "value" in answer ? answer.value.firstLine : "";
  expect(child).toMatch(/^\d+$/);
  await gone(child);
});

test("a program that never stops writing is not read for ever", async () => {
  const answer = await sh("yes; exit 0", 5_000);
  expect(answer).toMatchObject({ value: { firstLine: "y" } });
});

test("control characters in the output do not reach a log", async () => {
  expect(await sh("printf 'a\\033[31mb\\r\\n'; exit 1")).toMatchObject({ value: { lastLine: "a [31mb" } });
});

test("of this process's environment a program sees PATH, HOME and LANG, and nothing that may be secret", async () => {
  process.env.HOLDFAST_TEST_SECRET = "secret";
  const answer = await sh("env | cut -d= -f1 | sort | tr '\\n' ' '", 5_000, { HOLDFAST_SERVER: "rds1" });
  delete process.env.HOLDFAST_TEST_SECRET;
  const names = "value" in answer ? answer.value.firstLine.split(" ") : [];
  expect(names.filter((name) => name !== "PWD" && name !== "_" && name !== "SHLVL")).toEqual([
    "HOLDFAST_SERVER",
    "HOME",
    "LANG",
    "PATH",
  ]);
});

test("cancelling ends the program and the wait", async () => {
  const pending = run(["/bin/sleep", "600"], {}, 60_000, systemTiming);
  pending.cancel();
  expect(await pending.done).toEqual({ failure: "cancelled" });
});

/** Waits until a process is gone: killed and taken by whoever inherits it, or at least dead. */
async function gone(pid: string): Promise<void> {
  const dead = () => !existsSync(`/proc/${pid}`) || / Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  const giveUp = performance.now() + 4_000;
  while (!dead() && performance.now() < giveUp) await new Promise((resolve) => setImmediate(resolve));
  expect(dead()).toBe(true);
}
