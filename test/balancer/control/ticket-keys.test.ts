import { expect, test } from "bun:test";
import { TicketKeys } from "../../../src/balancer/control/ticket-keys.ts";

const counting = () => {
  let made = 0;
  return (bytes: number) => new Uint8Array(bytes).fill(++made);
};
const names = (keys: TicketKeys) => keys.keys.map(([first]) => first);

test("a new key is used, and the one before still opens tickets", () => {
  const keys = new TicketKeys(counting());
  expect(names(keys)).toEqual([1]);
  keys.rotate();
  expect(names(keys)).toEqual([2, 1]);
  keys.rotate();
  expect(names(keys)).toEqual([3, 2]);
});

test("a process that takes over opens the tickets of the one before", () => {
  const before = new TicketKeys(counting());
  before.rotate();
  const after = new TicketKeys(() => new Uint8Array(80).fill(9), JSON.parse(JSON.stringify(before.handOver())));
  expect(after.keys).toEqual(before.keys);
  after.rotate();
  expect(names(after)).toEqual([9, 2]);
});

test("nothing usable is inherited from a version that has no such keys", () => {
  expect(names(new TicketKeys(counting(), []))).toEqual([1]);
  expect(names(new TicketKeys(counting(), ["AAAA"]))).toEqual([1]);
});
