import { expect, test } from "bun:test";
import { MAX_FILES, memoryLayout } from "../../../src/balancer/shared/layout.ts";
import { Ledger } from "../../../src/balancer/shared/ledger.ts";
import { testMemory } from "./shared-memory.ts";

/** What a column owns, as [fd, source] pairs. */
function owned(ledger: Ledger, column: number): [number, number][] {
  const found: [number, number][] = [];
  ledger.forEachOwned(column, (fd, source) => found.push([fd, source]));
  return found;
}

test("control finds what a worker owns, with the source each counts against", () => {
  const memory = testMemory();
  const worker = new Ledger(memory.buffer, memory.layout, 0);
  for (const fd of [0, 7, 8, 1023]) expect(worker.own(fd, 3)).toBe(true);
  worker.own(9, 4);
  worker.setSource(7, 0);
  worker.setSource(8, 5000);
  worker.disown(0);
  const control = new Ledger(memory.buffer, memory.layout, 0);
  expect(owned(control, 3)).toEqual([
    [7, 0],
    [8, 5000],
    [1023, -1],
  ]);
  expect(owned(control, 4)).toEqual([[9, -1]]);
});

test("a descriptor that is used again does not keep the source of the one before", () => {
  const memory = testMemory();
  const ledger = new Ledger(memory.buffer, memory.layout, 0);
  ledger.own(5, 1);
  ledger.setSource(5, 12);
  ledger.own(5, 2);
  expect(owned(ledger, 1)).toEqual([]);
  expect(owned(ledger, 2)).toEqual([[5, -1]]);
});

test("two processes have ledgers of their own; clearing one leaves the other", () => {
  const memory = testMemory();
  const [first, second] = [new Ledger(memory.buffer, memory.layout, 0), new Ledger(memory.buffer, memory.layout, 1)];
  for (let fd = 0; fd < 1024; fd++) second.own(fd, 1);
  first.own(1023, 1);
  first.clear();
  expect(owned(first, 1)).toEqual([]);
  expect(owned(second, 1)).toHaveLength(1024);
});

test("a descriptor beyond the ledger is refused, and control may disown while it visits", () => {
  const memory = testMemory();
  const ledger = new Ledger(memory.buffer, memory.layout, 0);
  expect(ledger.own(1024, 1)).toBe(false);
  ledger.disown(1024);
  for (let fd = 10; fd < 20; fd++) ledger.own(fd, 1);
  ledger.forEachOwned(1, (fd) => ledger.disown(fd));
  expect(owned(ledger, 1)).toEqual([]);
  expect(() => new Ledger(memory.buffer, memory.layout, 2)).toThrow(RangeError);
});

test("a limit of a billion descriptors, as in some containers, does not make a ledger of gigabytes", () => {
  const layout = memoryLayout({ stickyEntries: 1024, sourceEntries: 1024, files: 1_073_741_816 });
  expect(layout.files).toBe(MAX_FILES);
  expect(layout.bytes - layout.ledgers).toBeLessThan(32 << 20);
});
