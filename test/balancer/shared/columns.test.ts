import { expect, test } from "bun:test";
import { Columns } from "../../../src/balancer/shared/columns.ts";
import { testMemory } from "./shared-memory.ts";

function newColumns(): Columns {
  const { buffer, layout } = testMemory();
  return new Columns(buffer, layout);
}

test("a worker that was ended and wakes up late knows it, though the next one is there already", () => {
  const columns = newColumns();
  const column = columns.claim(100);
  const born = columns.epoch(column);
  columns.evict(column);
  const next = columns.epoch(column);
  expect(next).not.toBe(born);
  expect(columns.epoch(column)).toBe(next);
});

test("nor does it take the column for its own once another process has it", () => {
  const columns = newColumns();
  const column = columns.claim(100);
  const born = columns.epoch(column);
  columns.evict(column);
  columns.free(column);
  expect(columns.claim(200)).toBe(column);
  expect(columns.epoch(column)).not.toBe(born);
  expect(columns.pid(column)).toBe(200);
  expect(columns.connections(column)).toBe(0);
});
