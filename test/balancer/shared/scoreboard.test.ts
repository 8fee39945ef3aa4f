import { expect, test } from "bun:test";
import { PoolCounter } from "../../../src/balancer/shared/pool-view.ts";
import { Scoreboard } from "../../../src/balancer/shared/scoreboard.ts";
import { type ServerId, serverId, slotOf } from "../../../src/balancer/shared/server-id.ts";
import { ServerCounter, WEIGHT_UNIT } from "../../../src/balancer/shared/server-view.ts";
import { ServiceCounter } from "../../../src/balancer/shared/service-view.ts";
import { ServerState } from "../../../src/balancer/shared/words.ts";
import type { ScoreboardAnswer, ScoreboardJob } from "./scoreboard-worker.ts";
import { answerOf, startWorker, type TestMemory, testMemory } from "./shared-memory.ts";

const NOW = 1_800_000_000;

function board(memory: TestMemory, column: number): Scoreboard {
  const made = new Scoreboard(memory.buffer, memory.layout, column);
  made.useColumn(column);
  return made;
}

/** Picks `count` times as round-robin does; returns how often each server had its turn. */
function picks(made: Scoreboard, ids: readonly ServerId[], count: number, weights: readonly number[]): number[] {
  const pool = made.pool(0);
  const servers = ids.map((id) => made.server(id));
  const had = ids.map(() => 0);
  for (let left = count; left > 0; left--) {
    const turn = pool.turn();
    const turns = servers.map((server, at) => server.nextTurn(turn, weights[at]! * WEIGHT_UNIT));
    const best = turns.indexOf(Math.min(...turns));
    servers[best]!.takeTurn(turn, turns[best]!);
    pool.setTurn(turn + turns[best]!);
    had[best]!++;
  }
  return had;
}

test("an id is a slot and its generation, and a slot used again gets another", () => {
  const made = board(testMemory(), 1);
  const first = made.claimServer(5);
  expect(slotOf(first)).toBe(5);
  made.server(first).setState(ServerState.READY, NOW);
  made.server(first).count(ServerCounter.TOTAL, 3);
  const second = made.claimServer(5);
  expect(second).not.toBe(first);
  expect(second).toBe(serverId(5, made.generationOf(5)));
  expect(made.server(second).state()).toBe(ServerState.FREE);
  expect(made.server(second).total(ServerCounter.TOTAL)).toBe(0);
});

test("over any 600 turns, weights 100, 200 and 300 get 100, 200 and 300, one more or less", () => {
  const made = board(testMemory(), 1);
  const ids = [0, 1, 2].map((slot) => made.claimServer(slot));
  for (let round = 0; round < 50; round++) {
    const had = picks(made, ids, 600, [100, 200, 300]);
    had.forEach((turns, at) => {
      expect(Math.abs(turns - (at + 1) * 100)).toBeLessThanOrEqual(1);
    });
  }
});

test("turns stay fair when the pool's turn wraps", () => {
  const made = board(testMemory(), 1);
  const ids = [0, 1].map((slot) => made.claimServer(slot));
  made.pool(0).setTurn(0x7ffffff0);
  for (const id of ids) made.server(id).takeTurn(0x7ffffff0, 0);
  const had = picks(made, ids, 10_000, [1, 3]);
  expect(Math.abs(had[0]! - 2500)).toBeLessThanOrEqual(1);
});

test("a server that was away does not claim the turns it missed", () => {
  const made = board(testMemory(), 1);
  const ids = [0, 1].map((slot) => made.claimServer(slot));
  picks(made, ids.slice(0, 1), 1000, [100]);
  const had = picks(made, ids, 10, [100, 100]);
  expect(Math.abs(had[0]! - 5)).toBeLessThanOrEqual(1);
});

test("four threads that reserve and release never exceed a limit, and end at none", async () => {
  const memory = testMemory();
  const made = board(memory, 0);
  const id = made.claimServer(7);
  made.server(id).setLimit(3);
  for (let column = 1; column <= 4; column++) made.useColumn(column);
  const workers = [1, 2, 3, 4].map((column) => {
    const job = { memory: memory.memory, layout: memory.layout, column, server: id, limit: 3 } satisfies ScoreboardJob;
    return startWorker("scoreboard-worker.ts", job);
  });
  const answers = await Promise.all(workers.map((worker) => answerOf<ScoreboardAnswer>(worker)));
  for (const worker of workers) worker.terminate();
  for (const { tooMany, reserved } of answers) {
    expect(tooMany).toBe(0);
    expect(reserved).toBeGreaterThan(100);
  }
  expect(made.server(id).connections()).toBe(0);
}, 20_000);

test("a worker that is gone takes its open connections with it and leaves its totals", () => {
  const memory = testMemory();
  const [control, first, second] = [board(memory, 0), board(memory, 1), board(memory, 2)];
  const id = control.claimServer(9);
  for (const worker of [first, second]) {
    const server = worker.server(id);
    expect([server.reserve(), server.reserve()]).toEqual([true, true]);
    server.count(ServerCounter.TOTAL, 2);
    worker.service(3).reserve(0);
    worker.service(3).count(ServiceCounter.TOTAL, 5);
    worker.pool(4).setQueue(1, worker.column);
    worker.pool(4).observe(PoolCounter.CONNECT_COUNT, 0.5);
  }
  control.retireColumn(1);
  const server = control.server(id);
  expect([server.connections(), server.total(ServerCounter.TOTAL)]).toEqual([2, 4]);
  expect([control.service(3).open(), control.service(3).total(ServiceCounter.TOTAL)]).toEqual([1, 10]);
  expect([control.pool(4).queued(), control.pool(4).longestWaiting()]).toEqual([1, 2]);
  expect(control.pool(4).total(PoolCounter.CONNECT_COUNT)).toBe(2);
  control.retireColumn(1);
  expect(server.total(ServerCounter.TOTAL)).toBe(4);
});

test("a service's limit holds over workers", () => {
  const memory = testMemory();
  const [first, second] = [board(memory, 1), board(memory, 2)];
  expect([first.service(1).reserve(2), second.service(1).reserve(2), second.service(1).reserve(2)]).toEqual([
    true,
    true,
    false,
  ]);
  first.service(1).release();
  expect(second.service(1).reserve(2)).toBe(true);
});

test("slow start lets the weight grow from almost nothing to all of it", () => {
  const made = board(testMemory(), 1);
  const server = made.server(made.claimServer(1));
  server.setWeight(100 * WEIGHT_UNIT, 60);
  server.setState(ServerState.READY, NOW);
  expect(server.weight(NOW)).toBe(100 * WEIGHT_UNIT);
  server.setState(ServerState.DOWN, NOW);
  server.setState(ServerState.READY, NOW);
  expect(server.weight(NOW)).toBe(Math.floor((100 * WEIGHT_UNIT) / 60));
  expect(server.weight(NOW + 30)).toBe(50 * WEIGHT_UNIT);
  expect(server.weight(NOW + 60)).toBe(100 * WEIGHT_UNIT);
});

test("of those who wait in several workers, the one who came first is next", () => {
  const memory = testMemory();
  const [first, second] = [board(memory, 1), board(memory, 2)];
  const early = second.pool(0).takeTicket();
  const late = first.pool(0).takeTicket();
  expect(first.pool(0).longestWaiting()).toBe(-1);
  first.pool(0).setQueue(1, late);
  second.pool(0).setQueue(2, early);
  expect(first.pool(0).longestWaiting()).toBe(2);
  expect(first.pool(0).queued()).toBe(3);
});
