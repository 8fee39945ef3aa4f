import { expect, test } from "bun:test";
import { WAYS } from "../../../src/balancer/shared/buckets.ts";
import { REFUSED_CONNECTIONS, REFUSED_RATE, SourceTable, UNTRACKED } from "../../../src/balancer/shared/sources.ts";
import { answerOf, keyOf, startWorker, testMemory } from "./shared-memory.ts";
import type { SourcesAnswer, SourcesJob } from "./sources-worker.ts";

const NOW = 1_800_000_000_000;

function newTable(): SourceTable {
  const memory = testMemory();
  return new SourceTable(memory.buffer, memory.layout, 1);
}

/** Keys that all have the same bucket. */
function neighbours(count: number): Int32Array[] {
  return Array.from({ length: count }, (_, at) => Int32Array.of(at + 1, 77, at, -at));
}

test("a source may have so many connections open and no more; each end makes room for one", () => {
  const table = newTable();
  const slot = table.admit(keyOf(1), 2, 0, 0, NOW);
  expect(slot).toBeGreaterThanOrEqual(0);
  expect(table.admit(keyOf(1), 2, 0, 0, NOW)).toBe(slot);
  expect(table.open(slot)).toBe(2);
  expect(table.admit(keyOf(1), 2, 0, 0, NOW)).toBe(REFUSED_CONNECTIONS);
  expect(table.admit(keyOf(2), 2, 0, 0, NOW)).toBeGreaterThanOrEqual(0);
  table.release(slot);
  expect(table.admit(keyOf(1), 2, 0, 0, NOW)).toBe(slot);
});

test("fifty new connections a second means fifty at once, then one each 20 ms", () => {
  const table = newTable();
  const admit = (ms: number) => table.admit(keyOf(1), 0, 50, 1000, NOW + ms);
  for (let count = 0; count < 50; count++) expect(admit(0)).toBeGreaterThanOrEqual(0);
  expect(admit(0)).toBe(REFUSED_RATE);
  expect(admit(10)).toBe(REFUSED_RATE);
  expect(admit(20)).toBeGreaterThanOrEqual(0);
  expect(admit(20)).toBe(REFUSED_RATE);
  for (let count = 0; count < 50; count++) expect(admit(5000)).toBeGreaterThanOrEqual(0);
  expect(admit(5000)).toBe(REFUSED_RATE);
});

test("who keeps knocking at twice the rate gets the rate, not nothing", () => {
  const table = newTable();
  let admitted = 0;
  for (let ms = 0; ms < 10_000; ms += 10) if (table.admit(keyOf(1), 0, 50, 1000, NOW + ms) >= 0) admitted++;
  expect(admitted).toBeGreaterThanOrEqual(549);
  expect(admitted).toBeLessThanOrEqual(551);
});

test("a connection refused for its number costs nothing of the rate", () => {
  const table = newTable();
  const slot = table.admit(keyOf(1), 1, 2, 1000, NOW);
  for (let count = 0; count < 10; count++) expect(table.admit(keyOf(1), 1, 2, 1000, NOW)).toBe(REFUSED_CONNECTIONS);
  table.release(slot);
  expect(table.admit(keyOf(1), 1, 2, 1000, NOW)).toBe(slot);
});

test("a clock that is set back holds nobody up for longer than one interval", () => {
  const table = newTable();
  for (let count = 0; count < 5; count++) table.admit(keyOf(1), 0, 5, 1000, NOW);
  const earlier = NOW - 3_600_000;
  expect(table.admit(keyOf(1), 0, 5, 1000, earlier)).toBe(REFUSED_RATE);
  expect(table.admit(keyOf(1), 0, 5, 1000, earlier + 200)).toBe(REFUSED_RATE);
  for (let ms = 0; ms < 1000; ms += 100) table.admit(keyOf(1), 0, 5, 1000, NOW + ms);
  expect(table.admit(keyOf(1), 0, 5, 1000, NOW + 2000)).toBeGreaterThanOrEqual(0);
});

test("a source with open connections is never evicted: the next is admitted untracked and counted", () => {
  const table = newTable();
  const keys = neighbours(WAYS + 1);
  const slots = keys.slice(0, WAYS).map((key) => table.admit(key, 1, 0, 0, NOW));
  expect(new Set(slots).size).toBe(WAYS);
  expect(table.admit(keys[WAYS]!, 1, 0, 0, NOW)).toBe(UNTRACKED);
  expect(table.untracked()).toBe(1);
  table.release(UNTRACKED);
  for (const slot of slots) expect(table.open(slot)).toBe(1);
  table.release(slots[4]!);
  expect(table.admit(keys[WAYS]!, 1, 0, 0, NOW)).toBe(slots[4]!);
  expect(table.admit(keys[0]!, 1, 0, 0, NOW)).toBe(REFUSED_CONNECTIONS);
  expect(table.entries()).toBe(WAYS);
});

test("of the sources with nothing open, the one whose rate has recovered most makes room", () => {
  const table = newTable();
  const keys = neighbours(WAYS + 1);
  keys.slice(0, WAYS).forEach((key, at) => {
    table.release(table.admit(key, 0, 1, 1000, NOW + (at === 3 ? 0 : 500)));
  });
  table.admit(keys[WAYS]!, 0, 1, 1000, NOW + 600);
  expect(table.admit(keys[5]!, 0, 1, 1000, NOW + 600)).toBe(REFUSED_RATE);
  expect(table.admit(keys[3]!, 0, 1, 1000, NOW + 600)).toBeGreaterThanOrEqual(0);
});

test("four threads never have more open for a source than it may, and give everything back", async () => {
  const memory = testMemory();
  const most = 3;
  const workers = [1, 2, 3, 4].map((column) =>
    startWorker("sources-worker.ts", {
      memory: memory.memory,
      layout: memory.layout,
      column,
      most,
    } satisfies SourcesJob),
  );
  const answers = await Promise.all(workers.map((worker) => answerOf<SourcesAnswer>(worker)));
  for (const worker of workers) worker.terminate();
  const table = new SourceTable(memory.buffer, memory.layout, 0);
  for (const { tooMany, admitted } of answers) {
    expect(tooMany).toBe(0);
    expect(admitted).toBeGreaterThan(1000);
  }
  for (let source = 0; source < 20; source++) {
    const slot = table.admit(keyOf(source), 0, 0, 0, NOW);
    expect(table.open(slot)).toBe(1);
  }
}, 20_000);

test("a bucket that a dead thread left locked admits untracked until control frees it", async () => {
  const memory = testMemory();
  const table = new SourceTable(memory.buffer, memory.layout, 0);
  const header = new Int32Array(memory.buffer, memory.layout.header, 64);
  const { layout } = memory;
  const job = { memory: memory.memory, layout, column: 2, most: 3, hang: true } satisfies SourcesJob;
  const victim = startWorker("sources-worker.ts", job);
  while (Atomics.load(header, 63) === 0) await new Promise(setImmediate);
  victim.terminate();
  expect(table.admit(keyOf(99), 3, 0, 0, NOW)).toBe(UNTRACKED);
  expect(table.clearOwned(2)).toBe(1);
  expect(table.open(table.admit(keyOf(99), 3, 0, 0, NOW))).toBe(1);
  expect(table.entries()).toBe(1);
});
