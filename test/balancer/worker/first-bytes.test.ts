import { expect, test } from "bun:test";
import { append } from "../../../src/balancer/worker/first-bytes.ts";

const NOTHING = new Uint8Array(0);

test("first bytes are put together from pieces of any size, also behind a PROXY header that was taken off", () => {
  const whole = Uint8Array.from({ length: 5_000 }, (_, at) => at * 7);
  const scratch = new Uint8Array(64);
  for (const size of [1, 3, 64]) {
    let bytes: Uint8Array = NOTHING;
    let taken = 0;
    for (let at = 0; at < whole.length; at += size) {
      const piece = whole.subarray(at, at + size);
      scratch.set(piece);
      bytes = append(bytes, scratch, piece.length);
      if (taken === 0 && bytes.length > 100) {
        taken = 77;
        bytes = bytes.subarray(taken);
      }
    }
    expect(Buffer.compare(bytes, whole.subarray(taken))).toBe(0);
  }
});

test("byte by byte costs few buffers", () => {
  const byte = Uint8Array.of(1);
  const buffers = new Set<ArrayBufferLike>();
  let bytes: Uint8Array = NOTHING;
  for (let nth = 0; nth < 17_000; nth++) {
    bytes = append(bytes, byte, 1);
    buffers.add(bytes.buffer);
  }
  expect(bytes).toHaveLength(17_000);
  expect(buffers.size).toBeLessThan(20);
});
