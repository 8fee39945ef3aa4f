/**
 * What every parser of src/protocols promises (src/protocols/result.ts), as one suite and as one check that the fuzzer runs
 * on each input.
 */
import { describe, expect, test } from "bun:test";
import { NEED_MORE, type Reasons } from "../../src/protocols/result.ts";

/** A parser with its output behind one shape, and messages named by what they are. */
export interface ParserUnderTest {
  readonly name: string;
  /** With this many bytes or more, NEED_MORE never comes back. */
  readonly bound: number;
  /** False for a value that is already whole: it never needs more, and a prefix is another value. */
  readonly stream: boolean;
  readonly reasons: Reasons;
  read(bytes: Uint8Array, from: number, to: number): number;
  /** What the last successful read put into its output, with offsets relative to `from`. */
  found(from: number): unknown;
  readonly good: Readonly<Record<string, Uint8Array>>;
  readonly bad: Readonly<Record<string, Uint8Array>>;
}

const MARGIN = 64;
/** Odd, so that nothing may rely on alignment. */
const OFFSET = 7;

/** Holds the same input twice, among different bytes; used again for each input. */
export class Workbench {
  readonly #plain: Uint8Array;
  readonly #shifted: Uint8Array;

  constructor(longest: number) {
    this.#plain = new Uint8Array(longest + MARGIN);
    this.#shifted = new Uint8Array(OFFSET + longest + MARGIN);
  }

  /**
   * Reads `input` in both places and compares. `prefix` (0-1) chooses a shorter beginning to try too.
   * @returns the result, or a sentence about the promise that was broken.
   */
  check(parser: ParserUnderTest, input: Uint8Array, prefix: number): number | string {
    const length = input.length;
    this.#plain.fill(0, length, length + MARGIN).set(input);
    this.#shifted.fill(0x31, 0, OFFSET).fill(0x0a, OFFSET + length, OFFSET + length + MARGIN);
    this.#shifted.set(input, OFFSET);

    const result = parser.read(this.#plain, 0, length);
    const found = result > 0 ? JSON.stringify(parser.found(0)) : "";
    if (!Number.isInteger(result)) return `${result} is not a whole number`;
    if (result > length) return `took ${result} of ${length} bytes`;
    if (result < 0 && parser.reasons[result] === undefined) return `${result} is not one of its reasons`;
    if (result === NEED_MORE && !parser.stream) return "wants more of a value that is whole";
    if (result === NEED_MORE && length >= parser.bound) return `wants more than its bound with ${length} bytes`;

    const shifted = parser.read(this.#shifted, OFFSET, OFFSET + length);
    if (shifted !== result) return `${result} at 0, ${shifted} at an odd offset among other bytes`;
    if (shifted > 0 && JSON.stringify(parser.found(OFFSET)) !== found) return "finds something else at an odd offset";
    return parser.stream ? this.#checkPrefix(parser, result, length, prefix) : result;
  }

  /** A beginning of a message needs more; a beginning of what may still become one is not refused. */
  #checkPrefix(parser: ParserUnderTest, result: number, length: number, share: number): number | string {
    const whole = result > 0 ? result : length;
    const shorter = Math.floor(whole * share);
    if (shorter >= whole) return result;
    const early = parser.read(this.#plain, 0, shorter);
    if (result > 0 && early !== NEED_MORE) return `its first ${shorter} of ${result} bytes give ${early}`;
    if (result === NEED_MORE && early !== NEED_MORE) return `${shorter} bytes give ${early}, more bytes ask for more`;
    if (result < 0 && early > 0) return `${shorter} bytes are a message, more bytes are none`;
    return result;
  }
}

/** The suite. */
export function describeContract(parser: ParserUnderTest): void {
  describe(parser.name, () => {
    const bench = new Workbench(parser.bound + 64);

    for (const [name, bytes] of Object.entries(parser.good)) {
      test(`${name}: found, whatever surrounds it`, () => {
        expect(bench.check(parser, bytes, 1)).toBe(bytes.length);
      });
      if (!parser.stream) continue;
      test(`${name}: each shorter prefix needs more`, () => {
        // From the workbench, not from `bytes`: what lies behind the prefix must not help.
        for (let length = 0; length < bytes.length; length++)
          expect([length, bench.check(parser, bytes.subarray(0, length), 0.5)]).toEqual([length, NEED_MORE]);
      });
      test(`${name}: bytes that follow are left alone`, () => {
        expect(parser.read(new Uint8Array([...bytes, 0xff, 0x03]), 0, bytes.length + 2)).toBe(bytes.length);
      });
    }

    for (const [name, bytes] of Object.entries(parser.bad)) {
      test(`${name}: refused with a reason that has a name`, () => {
        const result = bench.check(parser, bytes, 0.5);
        expect(result).toBeLessThan(0);
        expect(parser.reasons[result as number]).toMatch(/^[a-z]+(-[a-z]+)*$/);
      });
    }

    test("never asks for more at its bound, whatever byte repeats", () => {
      for (let byte = 0; byte < 256; byte++)
        expect(bench.check(parser, new Uint8Array(parser.bound).fill(byte), 0.5)).not.toBe(NEED_MORE);
    });

    test("a good message with one byte changed keeps every promise", () => {
      for (const bytes of Object.values(parser.good))
        for (let at = 0; at < Math.min(bytes.length, 300); at++)
          for (const flip of [0x01, 0x80, 0xff]) {
            const changed = bytes.slice();
            changed[at]! ^= flip;
            expect(typeof bench.check(parser, changed, 0.7)).toBe("number");
          }
    });

    test("its reasons have different names", () => {
      const names = Object.values(parser.reasons);
      expect(new Set(names).size).toBe(names.length);
    });
  });
}
