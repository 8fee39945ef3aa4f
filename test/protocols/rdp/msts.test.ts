import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatAddress, writeIPv4 } from "../../../src/protocols/address.ts";
import {
  formatMstsToken,
  MAX_MSTS_VALUE,
  MSTS_BAD_ADDRESS,
  MSTS_BAD_END,
  MSTS_BAD_PORT,
  newMstsToken,
  readMstsToken,
} from "../../../src/protocols/rdp/msts.ts";
import { text } from "../bytes.ts";

const out = newMstsToken();
const read = (value: string) => readMstsToken(text(value), 0, value.length, out);

function endpoint(value: string): string {
  expect(read(value)).toBe(value.length);
  const address = new Uint8Array(16);
  writeIPv4(address, 0, out.ipv4);
  return `${formatAddress(address)}:${out.port}`;
}

test("Microsoft's samples name the addresses they should", () => {
  expect(endpoint("3640205228.15629.0000")).toBe("172.31.249.216:3389");
  expect(endpoint("16777343.15885.0000")).toBe("127.0.0.1:3390");
  expect(formatMstsToken(0xac1ff9d8, 3389)).toBe("3640205228.15629.0000");
  expect(formatMstsToken(0x7f000001, 3390)).toBe("16777343.15885.0000");
});

test("the last zeros may be left out, the last dot may not", () => {
  expect(endpoint("16777343.15885.")).toBe("127.0.0.1:3390");
  expect(read("16777343.15885")).toBe(MSTS_BAD_END);
});

test("numbers that would wrap round are refused", () => {
  expect(read("4294967296.15885.0000")).toBe(MSTS_BAD_ADDRESS);
  expect(read("99999999999.15885.0000")).toBe(MSTS_BAD_ADDRESS);
  expect(read("16777343.65536.0000")).toBe(MSTS_BAD_PORT);
  expect(read("16777343.000001.0000")).toBe(MSTS_BAD_PORT);
  expect(read("16777343.15885.00000")).toBe(MSTS_BAD_END);
});

test("every address and port comes back", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 1, max: 0xffff }), (ipv4, port) => {
      const value = formatMstsToken(ipv4, port);
      expect(value.length).toBeLessThanOrEqual(MAX_MSTS_VALUE);
      expect(read(value)).toBe(value.length);
      expect(out).toEqual({ ipv4, port });
    }),
  );
});
