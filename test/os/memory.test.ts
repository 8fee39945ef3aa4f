import { expect, test } from "bun:test";
import { sys } from "../../src/os/libc.ts";
import { createMemory, mapMemory, memoryBuffer } from "../../src/os/memory.ts";

test("two mappings of one descriptor are the same memory", () => {
  const one = createMemory("holdfast-test", 4096);
  const other = mapMemory(one.fd, one.bytes);
  new Uint8Array(memoryBuffer(one))[100] = 7;
  expect(new Uint8Array(memoryBuffer(other))[100]).toBe(7);
  sys.close(one.fd);
});

test("memory that the kernel refuses is an error, not an address", () => {
  expect(() => mapMemory(-1, 4096)).toThrow("shared memory cannot be mapped: EBADF");
});
