import { describe, expect, test } from "bun:test";
import { fuzz } from "../fuzz.ts";
import type { ParserUnderTest } from "./contract.ts";
import { parsers } from "./parsers.ts";

const INPUTS = 20_000;
const SEED = 20261121;

describe("20,000 fuzzed inputs break no promise of", () => {
  for (const parser of parsers) {
    test(parser.name, () => {
      const result = fuzz(parser, INPUTS, SEED, () => performance.now());
      expect(result.failure).toBeUndefined();
      expect(result.found).toBeGreaterThan(INPUTS / 100);
      expect(result.invalid).toBeGreaterThan(INPUTS / 100);
    });
  }
});

describe("the fuzzer notices a parser that", () => {
  const honest = parsers.find((parser) => parser.name === "readConnectionConfirm")!;
  const broken: Record<string, Partial<ParserUnderTest>> = {
    throws: {
      read: () => {
        throw new Error("at an untrusted byte");
      },
    },
    "reads past the end": { read: (bytes, _from, to) => (bytes[to] === 0 ? 0 : -1) },
    "waits for ever": { read: () => 0 },
    "takes more than there is": { read: (_bytes, from, to) => to - from + 1 },
    "refuses a beginning": { read: (bytes, from, to) => (to - from === 1 ? -1 : honest.read(bytes, from, to)) },
    "makes up a reason": { read: () => -99 },
  };
  for (const [fault, change] of Object.entries(broken)) {
    test(fault, () => {
      expect(fuzz({ ...honest, ...change }, INPUTS, SEED, () => 0).failure).toBeDefined();
    });
  }
});
