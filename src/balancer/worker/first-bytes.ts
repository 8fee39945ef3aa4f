/** A client's first bytes, which may come in pieces. */

/**
 * `before` with `bytes[0, length)` behind it; `before` is not to be used any more. The first bytes mostly arrive in one
 * piece, which gets a buffer of its size. For who sends byte by byte it grows by doubling, or they would cost the square.
 */
export function append(before: Uint8Array, bytes: Uint8Array, length: number): Uint8Array {
  if (before.length === 0) return bytes.slice(0, length);
  const { buffer, byteOffset } = before;
  const end = before.length + length;
  let joined = before;
  if (byteOffset + end <= buffer.byteLength) {
    joined = new Uint8Array(buffer, byteOffset, end);
  } else {
    joined = new Uint8Array(2 * end).subarray(0, end);
    joined.set(before);
  }
  joined.set(bytes.subarray(0, length), before.length);
  return joined;
}
