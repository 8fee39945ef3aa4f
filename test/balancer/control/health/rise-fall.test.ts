import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { RiseFall } from "../../../../src/balancer/control/health/rise-fall.ts";

/** What the health is after each result; `+` is a good one. */
function run(rise: number, fall: number, results: string, before?: "up" | "down"): string {
  const machine = new RiseFall(rise, fall, before);
  const signs = [...results].map((result) => {
    machine.result(result === "+");
    return machine.health() === "up" ? "U" : "d";
  });
  return signs.join("");
}

describe("health", () => {
  test("the first result decides at once", () => {
    expect(run(5, 5, "+")).toBe("U");
    expect(run(5, 5, "-")).toBe("d");
  });

  test("so many bad results in a row take it down, so many good ones bring it back", () => {
    expect(run(2, 3, "+---++")).toBe("UUUddU");
  });

  test("a good result in between begins the count anew, and so does a bad one on the way up", () => {
    expect(run(2, 3, "+--+--+---")).toBe("UUUUUUUUUd");
    expect(run(2, 3, "-+-+-++")).toBe("ddddddU");
  });

  test("it is wavering from the first result that speaks against it", () => {
    const machine = new RiseFall(2, 3, "up");
    machine.result(true);
    expect(machine.wavering()).toBe(false);
    machine.result(false);
    expect(machine.wavering()).toBe(true);
    machine.force("down");
    expect(machine.wavering()).toBe(false);
  });

  test("for any results it is up exactly if the last run of `rise` or `fall` equal ones was good", () => {
    const sizes = fc.integer({ min: 1, max: 4 });
    fc.assert(
      fc.property(sizes, sizes, fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }), (rise, fall, results) => {
        const machine = new RiseFall(rise, fall);
        let up = results[0]!;
        for (let i = 0; i < results.length; i++) {
          machine.result(results[i]!);
          const goodRun = i + 1 >= rise && results.slice(i + 1 - rise, i + 1).every((good) => good);
          const badRun = i + 1 >= fall && results.slice(i + 1 - fall, i + 1).every((good) => !good);
          if (i > 0) up = goodRun ? true : badRun ? false : up;
          expect(machine.health()).toBe(up ? "up" : "down");
        }
      }),
    );
  });
});
