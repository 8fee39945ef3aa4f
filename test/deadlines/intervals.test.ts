import { expect, test } from "bun:test";
import { Intervals } from "../../src/deadlines/intervals.ts";
import { ManualTiming } from "./manual-timing.ts";

test("each is done at its own interval, the first time after one", async () => {
  const timing = new ManualTiming();
  const intervals = new Intervals(timing);
  const done: string[] = [];
  intervals.every(100, () => done.push("often"));
  intervals.every(250, () => done.push("seldom"));
  await timing.advance(99);
  expect(done).toEqual([]);
  await timing.advance(201);
  expect(done).toEqual(["often", "often", "seldom", "often"]);
});

test("nothing is done after a stop, not even by what stops it", async () => {
  const timing = new ManualTiming();
  const intervals = new Intervals(timing);
  let rounds = 0;
  intervals.every(100, () => {
    if (++rounds === 2) intervals.stop();
  });
  intervals.every(1_000, () => rounds++);
  await timing.advance(10_000);
  expect(rounds).toBe(2);
  expect(timing.waiting()).toBe(0);
});
