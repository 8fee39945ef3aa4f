/**
 * Fuzzes every parser: `npm run fuzz [-- --inputs 1000000 --seed 1 --only readProxyHeader]`. Inputs are messages named by
 * meaning (test/protocols/parsers.ts) with a few mutations, and random bytes. It fails on an exception and on any broken
 * promise of the contract, and prints the input.
 */
import { parseArgs } from "node:util";
import { NEED_MORE } from "../src/protocols/result.ts";
import { type ParserUnderTest, Workbench } from "./protocols/contract.ts";
import { parsers } from "./protocols/parsers.ts";
import { seeded } from "./seeded.ts";

export interface FuzzResult {
  readonly parser: string;
  inputs: number;
  found: number;
  invalid: number;
  needMore: number;
  seconds: number;
  /** What broke, with the input in hexadecimal; undefined if nothing did. */
  failure: string | undefined;
}

/** Bytes that parsers stumble over: ends, signs, lengths, separators. */
const INTERESTING = [
  0x00, 0x01, 0x03, 0x06, 0x08, 0x09, 0x0a, 0x0d, 0x20, 0x23, 0x25, 0x2e, 0x30, 0x39, 0x3a, 0x7f, 0x80, 0xff,
];

/** Runs `inputs` inputs through one parser; stops at the first failure. `now` in milliseconds. */
export function fuzz(parser: ParserUnderTest, inputs: number, seed: number, now: () => number): FuzzResult {
  const random = seeded(seed);
  const seeds = [...Object.values(parser.good), ...Object.values(parser.bad)];
  const longest = parser.bound + 64;
  const bench = new Workbench(longest);
  const buffer = new Uint8Array(longest);
  const result: FuzzResult = {
    parser: parser.name,
    inputs: 0,
    found: 0,
    invalid: 0,
    needMore: 0,
    seconds: 0,
    failure: undefined,
  };
  const began = now();
  while (result.inputs < inputs && result.failure === undefined) {
    const input = buffer.subarray(0, makeInput(buffer, seeds, random));
    result.inputs++;
    try {
      const read = bench.check(parser, input, random());
      if (typeof read === "string") result.failure = `${read}: ${Buffer.from(input).toString("hex")}`;
      else if (read > 0) result.found++;
      else if (read === NEED_MORE) result.needMore++;
      else result.invalid++;
    } catch (error) {
      result.failure = `threw ${error}: ${Buffer.from(input).toString("hex")}`;
    }
  }
  result.seconds = (now() - began) / 1000;
  return result;
}

/** Puts one input into `buffer`; returns its length. */
function makeInput(buffer: Uint8Array, seeds: readonly Uint8Array[], random: () => number): number {
  const below = (limit: number) => Math.floor(random() * limit);
  const kind = random();
  if (kind < 0.05) {
    // Random bytes; one in a hundred of them fills the buffer, beyond the parser's bound.
    const length = random() < 0.01 ? buffer.length : below(Math.min(buffer.length, 300));
    for (let i = 0; i < length; i++) buffer[i] = below(256);
    return length;
  }
  const seed = seeds[below(seeds.length)]!;
  buffer.set(seed.subarray(0, buffer.length));
  let length = Math.min(seed.length, buffer.length);
  for (let mutations = kind < 0.1 ? 0 : 1 + below(4); mutations > 0; mutations--) {
    length = mutate(buffer, length, seeds, below);
  }
  return length;
}

/** Changes `buffer[0, length)` in one way; returns the new length. */
function mutate(
  buffer: Uint8Array,
  length: number,
  seeds: readonly Uint8Array[],
  below: (limit: number) => number,
): number {
  const at = below(length + 1);
  switch (below(8)) {
    case 0: // one bit
      if (at < length) buffer[at]! ^= 1 << below(8);
      return length;
    case 1: // one byte
      if (at < length) buffer[at] = below(256);
      return length;
    case 2: // one interesting byte
      if (at < length) buffer[at] = INTERESTING[below(INTERESTING.length)]!;
      return length;
    case 3: // cut
      return at;
    case 4: // one byte less
      buffer.copyWithin(at, at + 1, length);
      return Math.max(0, at < length ? length - 1 : length);
    case 5: // one byte more
      if (length === buffer.length) return length;
      buffer.copyWithin(at + 1, at, length);
      buffer[at] = INTERESTING[below(INTERESTING.length)]!;
      return length + 1;
    case 6: {
      // a piece twice
      const piece = Math.min(below(32), length - at, buffer.length - length);
      buffer.copyWithin(at + piece, at, length);
      return length + piece;
    }
    default: {
      // the rest of another message
      const other = seeds[below(seeds.length)]!;
      const rest = other.subarray(below(other.length + 1)).subarray(0, buffer.length - at);
      buffer.set(rest, at);
      return at + rest.length;
    }
  }
}

function main(): void {
  const { values } = parseArgs({
    options: { inputs: { type: "string" }, seed: { type: "string" }, only: { type: "string" } },
  });
  const inputs = Number(values.inputs ?? 1_000_000);
  const seed = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  const chosen = parsers.filter((parser) => values.only === undefined || parser.name === values.only);
  if (!Number.isInteger(inputs) || !Number.isInteger(seed) || chosen.length === 0) {
    console.error("usage: npm run fuzz [-- --inputs NUMBER --seed NUMBER --only PARSER]");
    process.exit(2);
  }
  console.log(`seed ${seed}`);
  const row = (cells: (string | number)[]) =>
    console.log(cells.map((cell, i) => (i === 0 ? `${cell}`.padEnd(24) : `${cell}`.padStart(11))).join(""));
  row(["parser", "inputs", "found", "invalid", "need more", "inputs/s"]);
  let failed = false;
  for (const parser of chosen) {
    const result = fuzz(parser, inputs, seed, () => performance.now());
    const rate = Math.round(result.inputs / result.seconds);
    row([result.parser, result.inputs, result.found, result.invalid, result.needMore, rate]);
    if (result.failure !== undefined) {
      failed = true;
      console.error(`  broken: ${result.failure}`);
    }
  }
  if (failed) process.exit(1);
}

if (import.meta.main) main();
