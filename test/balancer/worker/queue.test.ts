import { expect, test } from "bun:test";
import { Scoreboard } from "../../../src/balancer/shared/scoreboard.ts";
import { PoolQueue, type Waiting } from "../../../src/balancer/worker/queue.ts";
import { testMemory } from "../shared/shared-memory.ts";

function newQueue(): PoolQueue {
  const { buffer, layout } = testMemory();
  const board = new Scoreboard(buffer, layout, 1);
  board.useColumn(1);
  return new PoolQueue(board.pool(0));
}

/** Waits in `queue` for what `isFree` says, and writes down each time it is asked. */
function waiting(name: string, queue: PoolQueue, asked: string[], isFree: () => boolean): Waiting {
  const client: Waiting = {
    ticket: 0,
    tryAgain() {
      asked.push(name);
      if (isFree()) queue.remove(client);
      return isFree();
    },
  };
  queue.add(client);
  return client;
}

test("who has waited longest is asked first, and who cannot have the place leaves it to the next", () => {
  const queue = newQueue();
  const asked: string[] = [];
  waiting("for a", queue, asked, () => false);
  waiting("for b", queue, asked, () => true);
  waiting("for b, later", queue, asked, () => true);
  queue.serve(2);
  expect(asked).toEqual(["for a", "for b"]);
  expect(queue.length).toBe(2);
});

test("one free place does not cost asking everyone of a long queue", () => {
  const queue = newQueue();
  const asked: string[] = [];
  for (let count = 0; count < 1000; count++) waiting("somebody", queue, asked, () => false);
  queue.serve(32);
  expect(asked.length).toBe(32);
  expect(queue.length).toBe(1000);
});
