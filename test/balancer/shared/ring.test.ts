import { expect, test } from "bun:test";
import { MAX_COLUMNS, RING_BYTES } from "../../../src/balancer/shared/layout.ts";
import { RingReader, RingWriter } from "../../../src/balancer/shared/ring.ts";
import { isRecord, type RingJob } from "./ring-worker.ts";
import { answerOf, randomFrom, startWorker, testMemory } from "./shared-memory.ts";

/** Writes a record of `length` bytes that all are `value`. @returns false when it was dropped. */
function write(writer: RingWriter, length: number, value: number): boolean {
  const at = writer.reserve(length);
  if (at < 0) return false;
  writer.bytes.fill(value, at, at + length);
  writer.commit();
  return true;
}

test("records come out in order and whole, through many turns of the ring", () => {
  const memory = testMemory();
  const writer = new RingWriter(memory.buffer, memory.layout, 3);
  const reader = new RingReader(memory.buffer, memory.layout, 3);
  const random = randomFrom(5);
  const waiting: [length: number, value: number][] = [];
  let bytes = 0;
  for (let value = 0; bytes < 5 * RING_BYTES; value = (value + 1) & 0xff) {
    const length = 1 + random(2000);
    if (write(writer, length, value)) waiting.push([length, value]);
    bytes += length;
    if (random(2) === 0) continue;
    const at = reader.next();
    const [expected, fill] = waiting.shift()!;
    expect(at % 8).toBe(0);
    expect(reader.length).toBe(expected);
    expect(reader.bytes.subarray(at, at + expected).every((byte) => byte === fill)).toBe(true);
    reader.done();
  }
  expect(reader.dropped()).toBeGreaterThan(0);
});

test("a full ring drops and counts, keeps what it has, and takes records again when there is room", () => {
  const memory = testMemory();
  const writer = new RingWriter(memory.buffer, memory.layout, 1);
  const reader = new RingReader(memory.buffer, memory.layout, 1);
  let taken = 0;
  while (write(writer, 100, taken & 0xff)) taken++;
  expect(taken).toBe(Math.floor((RING_BYTES - 128 - 1) / 112));
  expect(write(writer, 100, 0)).toBe(false);
  expect(reader.dropped()).toBe(2);
  const read = () => {
    const value = reader.bytes[reader.next()];
    reader.done();
    return value;
  };
  // Room for exactly one is not enough: the writer would stand where the reader stands, as in an empty ring.
  expect(read()).toBe(0);
  expect(write(writer, 100, 0)).toBe(false);
  expect(read()).toBe(1);
  expect(write(writer, 100, 99)).toBe(true);
  for (let number = 2; number < taken; number++) expect(read()).toBe(number & 0xff);
  expect(read()).toBe(99);
  expect(reader.next()).toBe(-1);
});

test("what was reserved and never committed, because its writer died, is never read", () => {
  const memory = testMemory();
  const dead = new RingWriter(memory.buffer, memory.layout, 1);
  const reader = new RingReader(memory.buffer, memory.layout, 1);
  write(dead, 10, 1);
  dead.reserve(50);
  const next = new RingWriter(memory.buffer, memory.layout, 1);
  write(next, 20, 2);
  expect(reader.bytes[reader.next()]).toBe(1);
  reader.done();
  expect(reader.bytes[reader.next()]).toBe(2);
  expect(reader.length).toBe(20);
  reader.done();
  expect(reader.next()).toBe(-1);
});

test("each column has a ring of its own, up to the last byte of the last", () => {
  const memory = testMemory();
  const last = new RingWriter(memory.buffer, memory.layout, MAX_COLUMNS - 1);
  while (write(last, 1000, 7));
  expect(new RingReader(memory.buffer, memory.layout, MAX_COLUMNS - 2).next()).toBe(-1);
  expect(memory.layout.rings + MAX_COLUMNS * RING_BYTES).toBeLessThanOrEqual(memory.layout.ledgers);
});

test("a thread that writes as fast as it can loses only what is counted as dropped", async () => {
  const memory = testMemory();
  const reader = new RingReader(memory.buffer, memory.layout, 2);
  const records = 300_000;
  const job = { memory: memory.memory, layout: memory.layout, column: 2, records } satisfies RingJob;
  const worker = startWorker("ring-worker.ts", job);
  let answer: { written: number } | undefined;
  const answered = answerOf<{ written: number }>(worker).then((message) => {
    answer = message;
  });
  let read = 0;
  let wrong = 0;
  let before = -1;
  for (let ended = false; !ended; ) {
    ended = answer !== undefined; // one more look after the last word
    for (let at = reader.next(); at >= 0; at = reader.next()) {
      const number = reader.words[at / 4]!;
      if (number <= before || !isRecord(reader, at)) wrong++;
      before = number;
      read++;
      reader.done();
    }
    if (!ended) await new Promise(setImmediate);
  }
  await answered;
  worker.terminate();
  expect(wrong).toBe(0);
  expect(read).toBe(answer!.written);
  expect(read + reader.dropped()).toBe(records);
  expect(read).toBeGreaterThan(5000);
}, 20_000);
