/** A thread of scoreboard.test.ts: reserves and releases, and watches how many hold a place at once. */
import { Scoreboard } from "../../../src/balancer/shared/scoreboard.ts";
import type { ServerId } from "../../../src/balancer/shared/server-id.ts";
import { mapped, randomFrom, type Share } from "./shared-memory.ts";

declare const self: Worker;

export interface ScoreboardJob extends Share {
  readonly column: number;
  readonly server: ServerId;
  readonly limit: number;
}

export interface ScoreboardAnswer {
  readonly tooMany: number;
  readonly reserved: number;
}

self.onmessage = (event: MessageEvent<ScoreboardJob>) => {
  const { layout, column, limit } = event.data;
  const board = new Scoreboard(mapped(event.data), layout, column);
  const server = board.server(event.data.server);
  const random = randomFrom(column * 7919);
  // Word 63 of the header counts the holders independently of the scoreboard.
  let held = 0;
  let tooMany = 0;
  let reserved = 0;
  for (let left = 200_000; left > 0; left--) {
    if (random(2) === 0 && server.reserve()) {
      held++;
      reserved++;
      if (Atomics.add(board.header, 63, 1) + 1 > limit) tooMany++;
    } else if (held > 0) {
      held--;
      Atomics.sub(board.header, 63, 1);
      server.release();
    }
  }
  for (; held > 0; held--) {
    Atomics.sub(board.header, 63, 1);
    server.release();
  }
  self.postMessage({ tooMany, reserved } satisfies ScoreboardAnswer);
};
