import { describe, expect, test } from "bun:test";
import { cell, type Line, number } from "../../src/cli/line.ts";
import { WatchModel } from "../../src/cli/watch-screen.ts";
import { NOW, report } from "../api/fake-balancer.ts";

const line = (open: number): Line[] => [[cell("rds1"), number(String(open), "rds1 open")]];
const serversOf = (model: WatchModel) =>
  model.select(report()).pools.flatMap((pool) => pool.servers.map(({ name }) => name));

describe("the watching screen", () => {
  test("a cell that changed is bold for three seconds; the first picture has none", () => {
    const model = new WatchModel();
    expect([...model.changed(line(1), NOW)]).toEqual([]);
    expect([...model.changed(line(2), NOW + 1_000)]).toEqual(["rds1 open"]);
    expect([...model.changed(line(2), NOW + 3_999)]).toEqual(["rds1 open"]);
    expect([...model.changed(line(2), NOW + 4_000)]).toEqual([]);
  });

  test("s sorts by open connections, by state, by name, and back to the file's order", () => {
    const model = new WatchModel();
    const orders = ["", "s", "s", "s", "s"].map((key) => {
      model.key(key);
      return serversOf(model).join(" ");
    });
    expect(orders).toEqual(["rds1 rds2 rds3", "rds1 rds2 rds3", "rds3 rds2 rds1", "rds1 rds2 rds3", "rds1 rds2 rds3"]);
  });

  test("/ filters while one types, Enter keeps, Esc clears", () => {
    const model = new WatchModel();
    for (const key of "/q2") model.key(key);
    expect(model.quit).toBe(false);
    expect(serversOf(model)).toEqual([]);
    model.key("\x7f");
    model.key("\x7f");
    model.key("2");
    expect(serversOf(model)).toEqual(["rds2"]);
    expect(model.foot(1_000)).toBe("/ 2_   Enter keep   Esc clear");
    model.key("\r");
    expect(model.foot(1_000)).toContain("/ filter: 2");
    model.key("\x1b");
    expect(serversOf(model)).toEqual(["rds1", "rds2", "rds3"]);
  });

  test("the foot names the keys", () => {
    const model = new WatchModel();
    expect(model.foot(1_000)).toBe("every 1 s   s sort   / filter   space pause   ? help   q quit");
    model.key(" ");
    expect(model.foot(1_000)).toBe("paused   s sort   / filter   space go on   ? help   q quit");
  });

  test("q and Ctrl-C quit", () => {
    for (const key of ["q", "\x03"]) {
      const model = new WatchModel();
      model.key(key);
      expect(model.quit).toBe(true);
    }
  });
});
