import { expect, test } from "bun:test";
import { Slots } from "../../../src/balancer/control/slots.ts";
import { MAX_SERVERS } from "../../../src/balancer/shared/layout.ts";
import { Scoreboard } from "../../../src/balancer/shared/scoreboard.ts";
import { slotOf } from "../../../src/balancer/shared/server-id.ts";
import { testMemory } from "../shared/shared-memory.ts";

function slots(): Slots {
  const { buffer, layout } = testMemory();
  return new Slots(new Scoreboard(buffer, layout, 1));
}

test("a server that leaves the file keeps its slot from the next one, and gets it again when it comes back", () => {
  const known = slots();
  const a = known.server("p", "a");
  known.want(new Set());
  const b = known.server("p", "b");
  expect(slotOf(b)).not.toBe(slotOf(a));
  expect(known.nameOf(a)).toBe("p/a");
  expect(known.server("p", "a")).toBe(a);
});

test("when all slots are taken, those of servers that left are used again, under another id", () => {
  const known = slots();
  const ids = Array.from({ length: MAX_SERVERS }, (_, n) => known.server("p", `s${n}`));
  known.want(new Set(ids.slice(1).map((id) => known.nameOf(id)!)));
  const next = known.server("p", "new");
  expect(slotOf(next)).toBe(slotOf(ids[0]!));
  expect(next).not.toBe(ids[0]!);
  expect(known.nameOf(ids[0]!)).toBeUndefined();
});

test("more servers than slots are refused in words", () => {
  const known = slots();
  const names = Array.from({ length: MAX_SERVERS }, (_, n) => `s${n}`);
  for (const name of names) known.server("p", name);
  known.want(new Set(names.map((name) => `p/${name}`)));
  expect(() => known.server("p", "one-more")).toThrow("there are more than 2048 servers");
});
