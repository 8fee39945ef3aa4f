import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Administrative } from "../../../src/balancer/control/administrative.ts";
import { Servers } from "../../../src/balancer/control/servers.ts";
import { Slots } from "../../../src/balancer/control/slots.ts";
import { Scoreboard } from "../../../src/balancer/shared/scoreboard.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { testMemory } from "../shared/shared-memory.ts";

/** Servers a, b, c of one pool without checks, so that only real traffic speaks; time moves by hand. */
function pool() {
  const { buffer, layout } = testMemory();
  const board = new Scoreboard(buffer, layout, 1);
  board.useColumn(1);
  let now = 1_000_000;
  let due: { at: number; what: () => void }[] = [];
  const timing = {
    now: () => now,
    wallClock: () => now,
    random: () => 0.5,
    after: (ms: number, what: () => void) => {
      const entry = { at: now + ms, what };
      due.push(entry);
      return () => {
        due = due.filter((one) => one !== entry);
      };
    },
  };
  const folder = mkdtempSync(join(tmpdir(), "holdfast-servers-"));
  const servers = new Servers({
    board,
    timing,
    slots: new Slots(board),
    administrative: new Administrative(folder, () => {}),
    onEvent: () => {},
  });
  const text = `services: { s: { listen: "127.0.0.1:0", pool: p } }
pools:
  p:
    observe: { failures: 1 }
    servers: { a: 127.0.0.1:1, b: 127.0.0.1:2, c: 127.0.0.1:3 }
`;
  const { config } = loadConfig({ text, name: "holdfast.yaml" });
  servers.declare(config!);
  servers.watch(config!);
  /** Only what is looked at often: the checks that would dial are due later. */
  const pass = (ms: number) => {
    now += ms;
    const ready = due.filter(({ at }) => at <= now && at - (now - ms) <= 100);
    due = due.filter((one) => !ready.includes(one));
    for (const { what } of ready) what();
  };
  const kill = (...names: string[]) => {
    for (const name of names) servers.view(`p/${name}`)!.failed();
    pass(100);
  };
  const end = () => {
    servers.stop();
    rmSync(folder, { recursive: true });
  };
  const wasUsable = (name: string) => servers.view(`p/${name}`)!.wasUsable();
  const later = (ms: number) => {
    now += ms;
    servers.forgetLongDead(now);
  };
  return { kill, wasUsable, end, later };
}

test("a server that has been dead for long while others answered is not one of the last known good", () => {
  const { kill, later, wasUsable, end } = pool();
  kill("c");
  later(30_000);
  expect(wasUsable("c")).toBe(true);
  later(60_000);
  expect(wasUsable("c")).toBe(false);
  expect(wasUsable("a")).toBe(true);
  end();
});

test("servers that go down together stay the last known good, for as long as it takes", () => {
  const { kill, later, wasUsable, end } = pool();
  kill("a", "b", "c");
  later(3_600_000);
  expect(["a", "b", "c"].map(wasUsable)).toEqual([true, true, true]);
  end();
});
