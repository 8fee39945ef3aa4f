import { describe, expect, test } from "bun:test";
import { median, ROWS, ratioOf, Samples, verdict } from "../../bench/figures.ts";
import { haproxy } from "../../bench/peers/haproxy.ts";
import { holdfast } from "../../bench/peers/holdfast.ts";
import { nginx } from "../../bench/peers/nginx.ts";
import { report } from "../../bench/report.ts";

describe("ratios of a measurement", () => {
  test("a round is compared with the same round of the other, so a slow machine does not count twice", () => {
    const ratio = ratioOf([50, 100, 200], [100, 200, 400], "lower");
    expect(ratio).toEqual({ median: 0.5, least: 0.5, most: 0.5 });
  });

  test("more connections a second than the other is a ratio below one", () => {
    expect(ratioOf([200], [100], "higher")?.median).toBe(0.5);
  });

  test("there is no ratio when most rounds are lost in the noise", () => {
    expect(ratioOf([10, 10, 10], [-1, 0, 5], "lower")).toBeUndefined();
  });

  test("the median of an even number of rounds lies between the two in the middle", () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  test("1.004 meets the target, 1.01 misses it, 1.26 is a defect", () => {
    expect([1.004, 1.01, 1.25, 1.26].map(verdict)).toEqual(["met", "missed", "missed", "defect"]);
  });
});

describe("the page of a run", () => {
  const peers = [holdfast("Holdfast", "holdfast"), haproxy("HAProxy", "haproxy"), nginx("nginx", "nginx")];
  const facts = {
    date: "2026-11-21",
    command: "",
    commit: "",
    rounds: 2,
    threads: 1,
    pinned: true,
    versions: new Map(),
    work: [],
  };

  test("a row above 1.25 of HAProxy is marked as a defect, beside nginx it is not", () => {
    const samples = new Samples();
    for (const { name } of peers) samples.add("tcp", ROWS[0].key, name, name === "Holdfast" ? 130 : 100);
    const row = report(facts, peers, ["tcp"], samples)
      .split("\n")
      .find((line) => line.includes(ROWS[0].title));
    expect(row).toBe(
      `| ${ROWS[0].title} (us) | 130.0 | 100.0 | 100.0 |  | 1.30 (1.30-1.30) **defect** | 1.30 (1.30-1.30) |`,
    );
  });

  test("a row that is only told is not marked, however bad it is", () => {
    const samples = new Samples();
    for (const { name } of peers) samples.add("tls", "h2", name, name === "Holdfast" ? 200 : 100);
    expect(report(facts, peers, ["tls"], samples)).toContain(
      "| CPU for each HTTP/2 request (us) | 200.0 | 100.0 | 100.0 |  | 2.00 (2.00-2.00) | 2.00 (2.00-2.00) |",
    );
  });

  test("a balancer that does not speak the protocol has no column in its table", () => {
    const samples = new Samples();
    for (const { name } of peers) samples.add("rdp", "connection", name, 100);
    const page = report(facts, peers, ["rdp"], samples);
    expect(page).toContain("|  | Holdfast | HAProxy | direct | of HAProxy |");
  });
});
