/** Who is left out for what they answer, how long, and who never is. */
import { expect, test } from "bun:test";
import { type OutlierSettings, Outliers } from "../../../src/balancer/control/outliers.ts";

const SETTINGS: OutlierSettings = { failures: 5, penalty: 30_000, longest: 300_000, share: 0.5 };
const SECOND = 1_000;

/** A pool as control and workers see it, and what was done about it. */
function rig(names: readonly string[]) {
  const outliers = new Outliers();
  const bad = new Map<string, number>();
  const out = new Map<string, number>();
  const down = new Set<string>();
  const servers = names.map((name) => ({
    name,
    view: {
      badAnswers: () => bad.get(name) ?? 0,
      forgetBadAnswers: () => void bad.delete(name),
      takesNew: () => !out.has(name) && !down.has(name),
    },
  }));
  const look = (nowMs: number, settings: OutlierSettings | undefined = SETTINGS) => {
    outliers.look(
      settings,
      servers,
      nowMs,
      (name, penaltyMs) => out.set(name, penaltyMs),
      (name) => out.delete(name),
    );
    return [...out.keys()];
  };
  return {
    bad,
    out,
    down,
    look,
    stop: (nowMs: number) =>
      outliers.look(
        undefined,
        servers,
        nowMs,
        () => {},
        (name) => out.delete(name),
      ),
  };
}

test("so many bad answers in a row leave a server out, one fewer does not", () => {
  const { bad, look } = rig(["a", "b", "c"]);
  bad.set("a", 4);
  expect(look(0)).toEqual([]);
  bad.set("a", 5);
  expect(look(SECOND)).toEqual(["a"]);
});

test("it comes back when its time is over, and is judged from none again", () => {
  const { bad, look } = rig(["a", "b", "c"]);
  bad.set("a", 7);
  look(0);
  expect(look(29_999)).toEqual(["a"]);
  expect(look(30_000)).toEqual([]);
  expect(bad.has("a")).toBeFalse();
});

test("whoever is bad again is left out for twice as long, up to the longest time", () => {
  const { bad, out, look } = rig(["a", "b", "c"]);
  const penalties: number[] = [];
  let now = 0;
  for (let round = 0; round < 6; round++) {
    bad.set("a", 5);
    look(now);
    penalties.push(out.get("a")! / SECOND);
    now += out.get("a")!;
    look(now);
    now += 10 * SECOND;
  }
  expect(penalties).toEqual([30, 60, 120, 240, 300, 300]);
});

test("whoever was well for as long as the longest time begins anew", () => {
  const { bad, out, look } = rig(["a", "b", "c"]);
  bad.set("a", 5);
  look(0);
  look(30 * SECOND);
  bad.set("a", 5);
  look(331 * SECOND);
  expect(out.get("a")).toBe(30_000);
});

test("no more than the share is left out at once; the next one goes when another is back", () => {
  const { bad, look } = rig(["a", "b", "c", "d"]);
  for (const name of ["a", "b", "c"]) bad.set(name, 9);
  expect(look(0)).toEqual(["a", "b"]);
  expect(look(29 * SECOND)).toEqual(["a", "b"]);
  expect(look(30 * SECOND)).toEqual(["c"]);
});

test("the last server that takes anybody stays, and so does the only one of a pool", () => {
  const two = rig(["a", "b"]);
  two.down.add("b");
  two.bad.set("a", 50);
  expect(two.look(0)).toEqual([]);
  two.down.delete("b");
  expect(two.look(SECOND)).toEqual(["a"]);
  const one = rig(["only"]);
  one.bad.set("only", 50);
  expect(one.look(0, { ...SETTINGS, share: 1 })).toEqual([]);
});

test("a file that judges no answers any more takes everybody back at once", () => {
  const { bad, out, look, stop } = rig(["a", "b"]);
  bad.set("a", 5);
  look(0);
  stop(SECOND);
  expect(out.size).toBe(0);
});
