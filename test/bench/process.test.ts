import { afterEach, expect, test } from "bun:test";
import { cpuBetween, family, readCpu, readMemory } from "../../bench/process.ts";

const started: Bun.Subprocess[] = [];
afterEach(async () => {
  for (const child of started.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
});

/** A child that runs `script` in Bun, and is ready once it has printed a line. */
async function child(script: string): Promise<Bun.Subprocess<"ignore", "pipe", "inherit">> {
  const made = Bun.spawn([process.execPath, "-e", script], { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  started.push(made);
  await made.stdout.getReader().read();
  return made;
}

test("a process's children and theirs are its family", async () => {
  const sleeper = await child("Bun.spawn(['sleep', '60']); console.log(); setInterval(() => {}, 1000)");
  const pids = family(process.pid);
  expect(pids[0]).toBe(process.pid);
  expect(pids).toContain(sleeper.pid);
  const grandchild = family(sleeper.pid)[1]!;
  expect(pids).toContain(grandchild);
  process.kill(grandchild);
});

test("the CPU that a child burns is counted, and its sleep is not", async () => {
  const burner = await child(
    "for (let n = 0; n < 1e9 && process.cpuUsage().user + process.cpuUsage().system < 3e5; n++); console.log(); setInterval(() => {}, 1e6)",
  );
  const burnt = readCpu([burner.pid]);
  expect(burnt.threads).toBeGreaterThan(300e6);
  expect(burnt.processes).toBeGreaterThan(250e6);
  expect(cpuBetween(burnt, readCpu([burner.pid]))).toBeLessThan(200e6);
});

test("what a process that is gone has used is not guessed", async () => {
  const gone = await child("console.log()");
  await gone.exited;
  expect(() => readCpu([gone.pid])).toThrow("is gone");
});

test("when threads have ended between two readings, the process's own count is taken", () => {
  expect(cpuBetween({ threads: 500e6, processes: 500e6 }, { threads: 100e6, processes: 900e6 })).toBe(400e6);
  expect(cpuBetween({ threads: 500e6, processes: 500e6 }, { threads: 700e6, processes: 720e6 })).toBe(200e6);
});

test("memory that a process touches is counted", () => {
  const before = readMemory([process.pid]);
  const touched = new Uint8Array(64 * 2 ** 20).fill(1);
  expect(readMemory([process.pid]) - before).toBeGreaterThan(0.9 * touched.length);
});
