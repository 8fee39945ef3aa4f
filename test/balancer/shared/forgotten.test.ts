import { expect, test } from "bun:test";
import { FORGOTTEN_PARTS, FORGOTTEN_WORDS, ForgottenView } from "../../../src/balancer/shared/forgotten.ts";

const NOW = 1_800_000_000;

function views(): [ForgottenView, ForgottenView] {
  const words = new Int32Array(FORGOTTEN_WORDS * 2);
  return [new ForgottenView(words, 0), new ForgottenView(words, 1)];
}

test("what was kept over a restart counts as before, and goes on where it stopped", () => {
  const [before, after] = views();
  before.forgetParts(64, NOW);
  before.forgetSome(NOW + 60);
  after.restore(JSON.parse(JSON.stringify(before.save())));
  expect(after.has(0x3fffffff, NOW)).toBeTrue();
  expect(after.has(0x40000000, NOW)).toBeFalse();
  expect(after.nextPart()).toBe(64);
  expect(after.mayHaveSome(NOW + 59)).toBeTrue();
});

test("a pool that never had anybody forgotten has nothing to keep, and a broken file does no harm", () => {
  const [view, other] = views();
  expect(view.save()).toBeNull();
  view.restore(["x", null, {}, ...new Array<number>(5_000).fill(1)]);
  expect(view.nextPart()).toBeLessThan(FORGOTTEN_PARTS);
  expect(other.save()).toBeNull();
});

test("who comes back in the second in which they were forgotten counts from the next one on", () => {
  const [view] = views();
  view.forgetParts(FORGOTTEN_PARTS, NOW);
  expect(view.countsFrom(7)).toBe(NOW + 1);
  expect(view.has(7, NOW)).toBeTrue();
  expect(view.has(7, NOW + 1)).toBeFalse();
});
