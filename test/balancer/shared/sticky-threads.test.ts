import { expect, test } from "bun:test";
import { BUCKET_WORDS } from "../../../src/balancer/shared/buckets.ts";
import { FOUND, MISS, StickyTable, stickyHit } from "../../../src/balancer/shared/sticky.ts";
import { answerOf, keyOf, startWorker, type TestMemory, testMemory } from "./shared-memory.ts";
import { isWhole, KEYS, secOf, serverOf } from "./sticky-values.ts";
import type { Job } from "./sticky-worker.ts";

function start(memory: TestMemory, column: number, operations: Job["operations"]): Worker {
  const { layout } = memory;
  return startWorker("sticky-worker.ts", { memory: memory.memory, layout, column, operations } satisfies Job);
}

/** Every entry is whole, no key is there twice, and the count is right. @returns the entries. */
function checkWhole(table: StickyTable): number {
  const keys = new Set<string>();
  let torn = 0;
  let entries = 0;
  table.forEach((key, known) => {
    keys.add(key.join());
    entries++;
    if (!isWhole(key, known)) torn++;
  });
  expect(torn).toBe(0);
  expect(keys.size).toBe(entries);
  return entries;
}

test("four threads that hammer one table leave no torn entry and no key twice", async () => {
  const memory = testMemory();
  const workers = [1, 2, 3, 4].map((column) => start(memory, column, 400_000));
  const answers = await Promise.all(workers.map((worker) => answerOf<{ torn: number }>(worker)));
  for (const worker of workers) worker.terminate();
  expect(answers).toEqual(Array(4).fill({ torn: 0 }));
  const table = new StickyTable(memory.buffer, memory.layout, 0);
  expect(checkWhole(table)).toBe(table.entries());
  expect(table.evictions().full).toBeGreaterThan(1000);
}, 20_000);

test("a thread that dies in the middle of a write harms nobody else, and control frees what it held", async () => {
  const memory = testMemory();
  const table = new StickyTable(memory.buffer, memory.layout, 0);
  const lost = keyOf(KEYS);
  // A client of the same bucket, who must not notice.
  const neighbour = Int32Array.of(9, lost[1]!, 8, 7);
  table.remember(neighbour, serverOf(neighbour, 2), secOf(2), 3);
  table.remember(lost, serverOf(lost, 1), secOf(1), 2);
  const header = new Int32Array(memory.buffer, memory.layout.header, 64);
  const victim = start(memory, 2, "hang in a write");
  while (Atomics.load(header, 63) === 0) await new Promise(setImmediate);
  const others = [3, 4].map((column) => start(memory, column, 100_000));
  const answers = await Promise.all(others.map((worker) => answerOf<{ torn: number }>(worker)));
  expect(answers).toEqual(Array(2).fill({ torn: 0 }));
  for (const worker of [victim, ...others]) worker.terminate();

  const hit = stickyHit();
  expect(table.find(neighbour, secOf(3), 0, 0, hit)).toBe(FOUND);
  expect(isWhole(neighbour, hit)).toBe(true);
  table.touch(neighbour, secOf(3));
  expect(table.find(lost, secOf(3), 0, 0, hit)).toBe(MISS);
  const before = table.contended();
  expect(table.remember(lost, serverOf(lost, 0), secOf(0), 1)).toBe(false);
  expect(table.contended()).toBe(before + 1);
  checkWhole(table);

  expect(table.clearOwned(5)).toBe(0);
  expect(table.clearOwned(2)).toBe(1);
  expect(table.clearOwned(2)).toBe(0);
  expect(table.find(lost, secOf(3), 0, 0, hit)).toBe(MISS);
  expect(checkWhole(table)).toBe(table.entries());
  expect(table.remember(lost, serverOf(lost, 0), secOf(0), 1)).toBe(true);
  expect(table.find(lost, secOf(3), 0, 0, hit)).toBe(FOUND);
  expect(table.find(neighbour, secOf(3), 0, 0, hit)).toBe(FOUND);
  expect(checkWhole(table)).toBe(table.entries());
}, 20_000);

test("threads that are ended at any moment leave a table that is whole once control has cleared up", async () => {
  const memory = testMemory();
  const table = new StickyTable(memory.buffer, memory.layout, 0);
  const states = new Int32Array(memory.buffer, memory.layout.sticky + 4096, memory.layout.stickyEntries * 16);
  let held = 0;
  for (let round = 0; round < 12; round++) {
    const column = 1 + (round % 4);
    const started = table.evictions().full;
    const worker = start(memory, column, "for ever");
    const closed = new Promise((resolve) => worker.addEventListener("close", resolve));
    while (table.evictions().full < started + 500 * (round + 1)) await new Promise(setImmediate);
    worker.terminate();
    await closed;
    held += table.clearOwned(column);
    for (let at = 0; at < states.length; at += BUCKET_WORDS) expect(states[at]! & 0x3ff).toBe(0);
    checkWhole(table);
  }
  // How many were ended inside a write is chance; each may put the count out by one.
  expect(Math.abs(checkWhole(table) - table.entries())).toBeLessThanOrEqual(held);
}, 20_000);
