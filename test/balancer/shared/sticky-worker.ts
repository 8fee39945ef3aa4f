/** A thread of sticky-threads.test.ts: hammers the table, or dies in the middle of a write. */
import type { ServerId } from "../../../src/balancer/shared/server-id.ts";
import { MISS, StickyTable, stickyHit } from "../../../src/balancer/shared/sticky.ts";
import { keyOf, mapped, randomFrom, type Share } from "./shared-memory.ts";
import { isWhole, KEYS, secOf, serverOf } from "./sticky-values.ts";

declare const self: Worker;

export interface Job extends Share {
  readonly column: number;
  /** What to do: this many operations; for ever; or one remember of client KEYS that never ends. */
  readonly operations: number | "for ever" | "hang in a write";
}

self.onmessage = (event: MessageEvent<Job>) => {
  const { layout, column, operations } = event.data;
  const memory = mapped(event.data);
  const table = new StickyTable(memory, layout, column);
  if (operations === "hang in a write") {
    const key = keyOf(KEYS);
    table.remember(key, serverOf(key, 0), secOf(0), hangingFlags(new Int32Array(memory, layout.header, 64)));
    return;
  }
  const random = randomFrom(column * 7919);
  const key = new Int32Array(4);
  const hit = stickyHit();
  let torn = 0;
  for (let left = operations === "for ever" ? Number.POSITIVE_INFINITY : operations; left > 0; left--) {
    keyOf(random(KEYS), key);
    const variant = random(4);
    const action = random(10);
    if (action < 5) {
      if (table.find(key, secOf(3), 0, 0, hit) !== MISS && !isWhole(key, hit)) torn++;
    } else if (action < 9) table.remember(key, serverOf(key, variant) as ServerId, secOf(variant), variant + 1);
    else table.forget(key);
  }
  self.postMessage({ torn });
};

/** A number that is never given: the table asks for it when it has written half of the entry. Says when in word 63. */
function hangingFlags(header: Int32Array): number {
  const flags = {
    valueOf: () => {
      Atomics.store(header, 63, 1);
      for (;;);
    },
  };
  return flags as unknown as number;
}
