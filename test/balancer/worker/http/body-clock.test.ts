import { expect, test } from "bun:test";
import { BodyClock } from "../../../../src/balancer/worker/http/body-clock.ts";
import { HTTP } from "./stage.ts";

const plan = { ...HTTP, timeouts: { ...HTTP.timeouts, body: 10_000 }, limits: { ...HTTP.limits, bodyRate: 100 } };

/** Looks once a second at a body of which `bytesAt` says how much has come; when it was found too slow, or -1. */
function tooSlowAt(bytesAt: (second: number) => number, ours: (second: number) => boolean = () => false): number {
  const clock = new BodyClock();
  clock.begin(0);
  for (let second = 1; second < 120; second++) {
    expect(clock.nextMs(plan)).toBe(second * 1_000);
    if (clock.isTooSlow(second * 1_000, bytesAt(second), ours(second), plan)) return second;
  }
  return -1;
}

test("a body that comes fast enough may take as long as it likes", () => {
  expect(tooSlowAt((second) => second * 101)).toBe(-1);
});

test("silence is too long after its time", () => {
  expect(tooSlowAt(() => 1_000_000)).toBe(11);
});

test("a byte now and then does not help: the rate is too low", () => {
  expect(tooSlowAt((second) => second)).toBe(6);
});

test("a body may begin slowly", () => {
  expect(tooSlowAt((second) => (second < 5 ? 1 : second * 200))).toBe(-1);
});

test("time in which the server takes nothing is not the client's", () => {
  expect(
    tooSlowAt(
      () => 10,
      () => true,
    ),
  ).toBe(-1);
  expect(
    tooSlowAt(
      () => 1_000,
      (second) => second < 60,
    ),
  ).toBe(69);
});
