/** Memory as control makes it, small, for tests; `share` is what a worker thread needs to map it too. */
import { type MemoryLayout, memoryLayout } from "../../../src/balancer/shared/layout.ts";
import { createMemory, type MappedMemory, memoryBuffer } from "../../../src/os/memory.ts";

export interface Share {
  readonly memory: MappedMemory;
  readonly layout: MemoryLayout;
}

export interface TestMemory extends Share {
  readonly buffer: ArrayBuffer;
}

export function testMemory(sizes: { stickyEntries?: number; sourceEntries?: number; files?: number } = {}): TestMemory {
  const layout = memoryLayout({ stickyEntries: 1024, sourceEntries: 1024, files: 1024, ...sizes });
  const memory = createMemory("holdfast-test", layout.bytes);
  return { memory, layout, buffer: memoryBuffer(memory) };
}

/** The same memory in another thread. */
export function mapped(share: Share): ArrayBuffer {
  return memoryBuffer(share.memory);
}

/** A key as a fingerprint would be: 128 bits without a pattern, the same for the same number. */
export function keyOf(number: number, out = new Int32Array(4)): Int32Array {
  for (let word = 0; word < 4; word++) {
    let hash = Math.imul(number ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(word + 1, 0xc2b2ae35);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
    out[word] = hash ^ (hash >>> 15);
  }
  return out;
}

/** Pseudo-random whole numbers below `bound`, the same for the same seed (xorshift32). */
export function randomFrom(seed: number): (bound: number) => number {
  let state = seed | 0 || 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

/** Starts a worker thread of this folder and resolves with its first message; rejects when it throws. */
export function answerOf<T>(worker: Worker): Promise<T> {
  return new Promise((resolve, reject) => {
    worker.onmessage = (event) => resolve(event.data as T);
    worker.onerror = (event) => reject(new Error(event.message));
  });
}

/** A worker thread of this folder, told `message`. */
export function startWorker(file: string, message: unknown): Worker {
  const worker = new Worker(new URL(file, import.meta.url));
  worker.postMessage(message);
  return worker;
}
