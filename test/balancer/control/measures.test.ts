import { expect, test } from "bun:test";
import { readHistogram } from "../../../src/balancer/control/measures.ts";
import { memoryLayout } from "../../../src/balancer/shared/layout.ts";
import { PoolCounter } from "../../../src/balancer/shared/pool-view.ts";
import { Scoreboard } from "../../../src/balancer/shared/scoreboard.ts";
import { HISTOGRAM_SECONDS } from "../../../src/balancer/shared/words.ts";

test("a histogram has what all workers observed", () => {
  const layout = memoryLayout({ stickyEntries: 1, sourceEntries: 1, files: 16 });
  const memory = new ArrayBuffer(layout.bytes);
  const boards = [1, 2].map((column) => new Scoreboard(memory, layout, column));
  boards[0]!.useColumn(2);
  boards[0]!.pool(5).observe(PoolCounter.CONNECT_COUNT, 0.0005);
  boards[1]!.pool(5).observe(PoolCounter.CONNECT_COUNT, 0.02);
  boards[1]!.pool(5).observe(PoolCounter.CONNECT_COUNT, 60);
  const { buckets, count, sum } = readHistogram(boards[0]!.pool(5), PoolCounter.CONNECT_COUNT);
  expect(count).toBe(3);
  expect(sum).toBeCloseTo(60.0205);
  expect(buckets).toHaveLength(HISTOGRAM_SECONDS.length + 1);
  expect([buckets[0], buckets[4], buckets.at(-1)]).toEqual([1, 1, 1]);
  expect(readHistogram(boards[0]!.pool(5), PoolCounter.QUEUE_COUNT).count).toBe(0);
});
