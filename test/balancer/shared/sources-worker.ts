/** A thread of sources.test.ts: opens and closes connections of a few sources, or dies in the middle of a write. */
import { SourceTable } from "../../../src/balancer/shared/sources.ts";
import { keyOf, mapped, randomFrom, type Share } from "./shared-memory.ts";

declare const self: Worker;

export interface SourcesJob extends Share {
  readonly column: number;
  readonly most: number;
  readonly hang?: boolean;
}

export interface SourcesAnswer {
  readonly tooMany: number;
  readonly admitted: number;
}

self.onmessage = (event: MessageEvent<SourcesJob>) => {
  const { layout, column, most, hang } = event.data;
  const memory = mapped(event.data);
  const table = new SourceTable(memory, layout, column);
  if (hang) {
    const header = new Int32Array(memory, layout.header, 64);
    table.admit(hangingKey(keyOf(99), header), most, 0, 0, 0);
    return;
  }
  const random = randomFrom(column * 7919);
  const open: number[] = [];
  let tooMany = 0;
  let admitted = 0;
  for (let left = 200_000; left > 0; left--) {
    const slot = random(2) === 0 ? table.admit(keyOf(random(20)), most, 0, 0, 0) : -1;
    if (slot >= 0) {
      admitted++;
      open.push(slot);
      if (table.open(slot) > most) tooMany++;
    } else if (open.length > 0) table.release(open.splice(random(open.length), 1)[0]!);
  }
  for (const slot of open) table.release(slot);
  self.postMessage({ tooMany, admitted } satisfies SourcesAnswer);
};

/** A new key whose last word is never given: the table reads it first when it writes the entry. Says when in word 63. */
function hangingKey(key: Int32Array, header: Int32Array): Int32Array {
  return new Proxy(key, {
    get: (_, name) => {
      if (name !== "3") return key[name as unknown as number];
      Atomics.store(header, 63, 1);
      for (;;);
    },
  });
}
