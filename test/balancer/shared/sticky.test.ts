import { expect, test } from "bun:test";
import fc from "fast-check";
import { WAYS } from "../../../src/balancer/shared/buckets.ts";
import type { ServerId } from "../../../src/balancer/shared/server-id.ts";
import { EXPIRED, FOUND, MISS, StickyFlag, StickyTable, stickyHit } from "../../../src/balancer/shared/sticky.ts";
import { keyOf, randomFrom, type TestMemory, testMemory } from "./shared-memory.ts";

const A = 4097 as ServerId;
const B = 4098 as ServerId;
const NOW = 1_800_000_000;

function newTable(memory: TestMemory = testMemory()): StickyTable {
  return new StickyTable(memory.buffer, memory.layout, 1);
}

/** Keys that all have the same bucket. */
function neighbours(count: number): Int32Array[] {
  return Array.from({ length: count }, (_, at) => Int32Array.of(at + 1, 77, at, -at));
}

test("a client who was remembered is found on their server, by any thread's view of the memory", () => {
  const memory = testMemory();
  const hit = stickyHit();
  expect(newTable(memory).remember(keyOf(1), A, NOW, StickyFlag.CONFIRMED)).toBe(true);
  expect(newTable(memory).find(keyOf(1), NOW + 5, 60, 600, hit)).toBe(FOUND);
  expect(hit).toEqual({ server: A, seenSec: NOW, firstSec: NOW, flags: StickyFlag.CONFIRMED });
  expect(newTable(memory).find(keyOf(2), NOW, 60, 600, hit)).toBe(MISS);
});

test("a client who stays away for the idle time is reported expired once, then unknown", () => {
  const table = newTable();
  const hit = stickyHit();
  table.remember(keyOf(1), A, NOW);
  expect(table.find(keyOf(1), NOW + 59, 60, 0, hit)).toBe(FOUND);
  expect(table.find(keyOf(1), NOW + 60, 60, 0, hit)).toBe(EXPIRED);
  expect(hit.server).toBe(A);
  expect(table.find(keyOf(1), NOW + 60, 60, 0, hit)).toBe(MISS);
  expect(table.entries()).toBe(0);
});

test("a lifetime is absolute: coming back does not prolong it, and after it the same server begins a new one", () => {
  const table = newTable();
  const hit = stickyHit();
  table.remember(keyOf(1), A, NOW);
  for (let sec = 10; sec < 100; sec += 10) {
    table.remember(keyOf(1), A, NOW + sec);
    table.touch(keyOf(1), NOW + sec + 1);
    expect(table.find(keyOf(1), NOW + sec + 1, 30, 100, hit)).toBe(FOUND);
    expect(hit.firstSec).toBe(NOW);
  }
  expect(table.find(keyOf(1), NOW + 100, 30, 100, hit)).toBe(EXPIRED);
  table.remember(keyOf(1), A, NOW + 100);
  expect(table.find(keyOf(1), NOW + 120, 30, 100, hit)).toBe(FOUND);
  expect(hit.firstSec).toBe(NOW + 100);
});

test("another server begins a new lifetime and loses what a directory had confirmed", () => {
  const table = newTable();
  const hit = stickyHit();
  table.remember(keyOf(1), A, NOW, StickyFlag.CONFIRMED);
  table.remember(keyOf(1), B, NOW + 7);
  table.find(keyOf(1), NOW + 7, 60, 600, hit);
  expect(hit).toEqual({ server: B, seenSec: NOW + 7, firstSec: NOW + 7, flags: 0 });
  expect(table.entries()).toBe(1);
});

test("a confirmation is added to a known client and stays when they come back without one", () => {
  const table = newTable();
  const hit = stickyHit();
  table.remember(keyOf(1), A, NOW);
  table.remember(keyOf(1), A, NOW + 1, StickyFlag.CONFIRMED);
  table.remember(keyOf(1), A, NOW + 2);
  table.find(keyOf(1), NOW + 2, 60, 600, hit);
  expect(hit).toEqual({ server: A, seenSec: NOW + 2, firstSec: NOW, flags: StickyFlag.CONFIRMED });
});

test("a clock that is set back expires nobody", () => {
  const table = newTable();
  table.remember(keyOf(1), A, NOW);
  expect(table.find(keyOf(1), NOW - 3600, 60, 60, stickyHit())).toBe(FOUND);
});

test("a key whose first word is zero is a key like any other", () => {
  const table = newTable();
  const key = Int32Array.of(0, 5, 6, 7);
  table.remember(key, A, NOW);
  expect(table.find(key, NOW, 60, 600, stickyHit())).toBe(FOUND);
  expect(table.forget(key)).toBe(true);
  expect(table.forget(key)).toBe(false);
});

test("forgetting a server forgets its clients and nobody else's", () => {
  const table = newTable();
  for (let number = 0; number < 300; number++) table.remember(keyOf(number), number % 3 === 0 ? A : B, NOW);
  expect(table.forgetServer(A)).toBe(100);
  let left = 0;
  table.forEach((_, known) => {
    expect(known.server).toBe(B);
    left++;
  });
  expect(left).toBe(200);
  expect(table.entries()).toBe(200);
});

test("a full bucket evicts who was not seen for longest, and says whether they were past every pool's idle time", () => {
  const table = newTable();
  const keys = neighbours(WAYS + 2);
  keys.slice(0, WAYS).forEach((key, at) => {
    table.remember(key, A, NOW + at);
  });
  table.touch(keys[0]!, NOW + 50);
  table.remember(keys[WAYS]!, A, NOW + 51);
  expect(table.find(keys[0]!, NOW + 51, 0, 0, stickyHit())).toBe(FOUND);
  expect(table.find(keys[1]!, NOW + 51, 0, 0, stickyHit())).toBe(MISS);
  expect(table.evictions()).toEqual({ full: 1, expired: 0 });
  table.setLongestIdle(100);
  table.remember(keys[WAYS + 1]!, A, NOW + 102);
  expect(table.find(keys[2]!, NOW + 102, 0, 0, stickyHit())).toBe(MISS);
  expect(table.evictions()).toEqual({ full: 1, expired: 1 });
  expect(table.entries()).toBe(WAYS);
});

test("as many clients as the file asks for fit, all but one in 250", () => {
  const memory = testMemory({ stickyEntries: 65536 });
  const table = newTable(memory);
  for (let number = 0; number < 65536; number++) table.remember(keyOf(number), A, NOW);
  expect(table.evictions().full).toBeLessThan(65536 / 250);
  expect(table.capacity).toBeGreaterThanOrEqual(65536);
});

test("a million operations do what a map with buckets does, evictions included", () => {
  interface Known {
    server: number;
    seen: number;
    first: number;
    flags: number;
  }
  const OPERATIONS = 50_000;
  const CLIENTS = 3000; // the table has room for 1920: buckets overflow all the time
  const run = (seed: number) => {
    const table = newTable();
    const random = randomFrom(seed);
    const model = Array.from({ length: table.buckets }, () => new Map<number, Known>());
    const hit = stickyHit();
    const key = new Int32Array(4);
    const forgetOldest = (bucket: Map<number, Known>) => {
      const [oldest] = [...bucket].reduce((a, b) => (b[1].seen < a[1].seen ? b : a));
      bucket.delete(oldest);
    };
    for (let now = NOW; now < NOW + OPERATIONS; now++) {
      const client = random(CLIENTS);
      keyOf(client, key);
      const bucket = model[key[1]! & (table.buckets - 1)]!;
      const known = bucket.get(client);
      const action = random(100);
      if (action < 45) {
        const idle = random(3) * 2000;
        const lifetime = random(3) * 5000;
        const expired =
          known !== undefined &&
          ((idle !== 0 && now - known.seen >= idle) || (lifetime !== 0 && now - known.first >= lifetime));
        const found = table.find(key, now, idle, lifetime, hit);
        expect(found).toBe(known === undefined ? MISS : expired ? EXPIRED : FOUND);
        if (known && (hit.server !== known.server || hit.seenSec !== known.seen || hit.firstSec !== known.first))
          throw new Error(`client ${client} at ${now}: ${JSON.stringify([hit, known])}`);
        if (known && hit.flags !== known.flags) throw new Error(`client ${client} at ${now}: flags`);
        if (expired) bucket.delete(client);
      } else if (action < 85) {
        const server = 4096 + random(6);
        const flags = random(2);
        table.remember(key, server as ServerId, now, flags);
        if (known?.server === server) {
          known.seen = now;
          known.flags |= flags;
        } else {
          if (!known && bucket.size === WAYS) forgetOldest(bucket);
          bucket.set(client, { server, seen: now, first: now, flags });
        }
      } else if (action < 93) {
        table.touch(key, now);
        if (known) known.seen = now;
      } else if (action < 99 || random(50) > 0) {
        expect(table.forget(key)).toBe(bucket.delete(client));
      } else {
        const server = 4096 + random(6);
        let forgotten = 0;
        for (const each of model)
          for (const [other, its] of each) if (its.server === server && each.delete(other)) forgotten++;
        expect(table.forgetServer(server as ServerId)).toBe(forgotten);
      }
    }
    expect(table.entries()).toBe(model.reduce((total, each) => total + each.size, 0));
  };
  fc.assert(fc.property(fc.integer({ min: 1, max: 0x7fffffff }), run), { numRuns: 1_000_000 / OPERATIONS });
}, 30_000);
