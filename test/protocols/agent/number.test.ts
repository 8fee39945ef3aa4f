import { expect, test } from "bun:test";
import {
  LOAD_NOT_A_NUMBER,
  LOAD_OUT_OF_RANGE,
  LOAD_TOO_LONG,
  newLoadNumber,
  readLoadNumber,
} from "../../../src/protocols/agent/number.ts";
import { NEED_MORE } from "../../../src/protocols/result.ts";
import { text } from "../bytes.ts";

const out = newLoadNumber();
const read = (body: string, ended = true) => readLoadNumber(text(body), 0, body.length, ended, out);

test("only the first line counts", () => {
  expect(read("42\r\n99\r\n")).toBe(3);
  expect(out.load).toBe(42);
});

test("a body without a line end is whole when it has ended, and not before", () => {
  expect(read("101", false)).toBe(NEED_MORE);
  expect(read("101")).toBe(3);
  expect(out.load).toBe(101);
});

test("all of 0 to 102 is a load, nothing else is", () => {
  for (let load = 0; load <= 102; load++) {
    expect(read(`${load}\n`)).toBeGreaterThan(0);
    expect(out.load).toBe(load);
  }
  expect(read("103")).toBe(LOAD_OUT_OF_RANGE);
  expect(read("99999999999999999999")).toBe(LOAD_OUT_OF_RANGE);
  for (const body of ["", " ", "\n5", "-1", "+1", "5.0", "5%", "5 6", "0x10", "five"])
    expect([body, read(body)]).toEqual([body, LOAD_NOT_A_NUMBER]);
});

test("a line without end is refused", () => expect(read(" ".repeat(64), false)).toBe(LOAD_TOO_LONG));
