/**
 * The Huffman code of HPACK (RFC 7541 5.2 and Appendix B). The code is canonical, so the lengths are all there is to it:
 * codes of one length are counted up in the order of the symbols, and go on with a zero bit where the next length begins.
 */

/** Bits of the code of each byte, then of EOS. */
// biome-ignore format: sixteen in a line are easier to compare with the specification
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];
const EOS = 256;
const LONGEST = 30;
/** Inner nodes of the tree: one fewer than its leaves. */
const NODES = LENGTHS.length - 1;

/** What `decodeHuffman` says besides a position. */
export const HUFFMAN_INVALID = -1;
export const HUFFMAN_TOO_LONG = -2;

/**
 * For each inner node and the next four bits: the node behind them in bits 0-7, a byte that was completed in bits 8-15 and
 * HAS_BYTE (no code is shorter than five bits, so there is at most one). INVALID: they run into EOS.
 */
const STEPS = new Uint32Array(NODES * 16);
const HAS_BYTE = 1 << 16;
const INVALID = 1 << 17;
/** May the text end at this node? Only behind fewer than eight bits, all of them ones. */
const MAY_END = new Uint8Array(NODES);

{
  // A tree of pairs: at or above NODES a leaf, its symbol added.
  const tree = new Uint16Array(NODES * 2);
  let nodes = 1;
  let code = 0;
  for (let length = 1; length <= LONGEST; length++) {
    for (let symbol = 0; symbol <= EOS; symbol++) {
      if (LENGTHS[symbol] !== length) continue;
      let node = 0;
      for (let bit = length - 1; bit > 0; bit--) {
        const slot = node * 2 + ((code >>> bit) & 1);
        if (tree[slot] === 0) tree[slot] = nodes++;
        node = tree[slot]!;
      }
      tree[node * 2 + (code & 1)] = NODES + symbol;
      code++;
    }
    code *= 2;
  }
  for (let node = 0; node < NODES; node++) {
    for (let bits = 0; bits < 16; bits++) {
      let at = node;
      let step = 0;
      for (let bit = 3; bit >= 0; bit--) {
        at = tree[at * 2 + ((bits >>> bit) & 1)]!;
        if (at < NODES) continue;
        step |= at === NODES + EOS ? INVALID : HAS_BYTE | ((at - NODES) << 8);
        at = 0;
      }
      STEPS[node * 16 + bits] = step | at;
    }
  }
  for (let node = 0, ones = 0; ones < 8; ones++) {
    MAY_END[node] = 1;
    node = tree[node * 2 + 1]!;
  }
}

/**
 * Decodes `bytes[from, to)` to `into[at, most)`. @returns where the text ends in `into`, HUFFMAN_INVALID, or
 * HUFFMAN_TOO_LONG when it does not fit.
 */
export function decodeHuffman(
  bytes: Uint8Array,
  from: number,
  to: number,
  into: Uint8Array,
  at: number,
  most: number,
): number {
  let node = 0;
  let end = at;
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    const high = STEPS[(node << 4) | (byte >>> 4)]!;
    const low = STEPS[((high & 0xff) << 4) | (byte & 0xf)]!;
    if (((high | low) & INVALID) !== 0) return HUFFMAN_INVALID;
    if (((high | low) & HAS_BYTE) !== 0) {
      const count = ((high & HAS_BYTE) >>> 16) + ((low & HAS_BYTE) >>> 16);
      if (most - end < count) return HUFFMAN_TOO_LONG;
      if ((high & HAS_BYTE) !== 0) into[end++] = high >>> 8;
      if ((low & HAS_BYTE) !== 0) into[end++] = low >>> 8;
    }
    node = low & 0xff;
  }
  return MAY_END[node] === 1 ? end : HUFFMAN_INVALID;
}
