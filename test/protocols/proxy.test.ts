import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatEndpoint, parseAddress } from "../../src/protocols/address.ts";
import {
  IPV4_FAMILY,
  IPV6_FAMILY,
  MAX_PROXY_V1,
  MAX_WRITTEN_V2,
  NOT_PROXY,
  newProxyHeader,
  PROXY_BAD_ADDRESS,
  PROXY_BAD_LENGTH,
  PROXY_TOO_LONG,
  PROXY_V1_UNKNOWN,
  PROXY_V2_LOCAL,
  readProxyHeader,
  UNKNOWN_FAMILY,
  writeProxyV1,
  writeProxyV2,
} from "../../src/protocols/proxy.ts";
import { hex, show, text } from "./bytes.ts";

const out = newProxyHeader();
const read = (bytes: Uint8Array) => readProxyHeader(bytes, 0, bytes.length, out);
const source = () => formatEndpoint(out.source, 0, out.sourcePort);
const destination = () => formatEndpoint(out.destination, 0, out.destinationPort);

describe("version 1", () => {
  test("names an IPv4 client and where it connected", () => {
    expect(read(text("PROXY TCP4 192.0.2.1 198.51.100.7 56324 3389\r\n"))).toBe(46);
    expect([out.family, source(), destination()]).toEqual([IPV4_FAMILY, "192.0.2.1:56324", "198.51.100.7:3389"]);
  });
  test("names an IPv6 client", () => {
    expect(read(text("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n"))).toBeGreaterThan(0);
    expect([out.family, source(), destination()]).toEqual([IPV6_FAMILY, "[2001:db8::1]:65535", "[::1]:0"]);
  });
  test("UNKNOWN says nothing, whatever follows it", () => {
    expect(read(PROXY_V1_UNKNOWN)).toBe(15);
    expect(out).toMatchObject({ version: 1, local: false, family: UNKNOWN_FAMILY });
    expect(read(text("PROXY UNKNOWN 1.2.3.4 x y z\r\n"))).toBe(29);
  });
  test("a line of 107 bytes is the longest", () => {
    expect(read(text(`PROXY UNKNOWN ${"x".repeat(91)}\r\n`))).toBe(MAX_PROXY_V1);
    expect(read(text(`PROXY UNKNOWN ${"x".repeat(92)}\r\n`))).toBe(PROXY_TOO_LONG);
  });
  test("an octet above 255 is no address", () =>
    expect(read(text("PROXY TCP4 192.0.2.256 198.51.100.7 1 2\r\n"))).toBe(PROXY_BAD_ADDRESS));
});

describe("version 2", () => {
  const signature = "0d0a0d0a000d0a515549540a";
  test("names an IPv4 client", () => {
    const bytes = hex(signature, "21 // PROXY", "11 // TCP over IPv4", "000c", "c0000201 c6336407", "dc04 0d3d");
    expect(read(bytes)).toBe(28);
    expect([out.family, source(), destination()]).toEqual([IPV4_FAMILY, "192.0.2.1:56324", "198.51.100.7:3389"]);
  });
  test("LOCAL is the proxy's own connection", () => {
    expect(read(PROXY_V2_LOCAL)).toBe(16);
    expect(out).toMatchObject({ version: 2, local: true, family: UNKNOWN_FAMILY });
  });
  test("datagrams are well formed and name nobody", () => {
    expect(read(hex(signature, "21 12 000c", "c0000201 c6336407", "dc04 0d3d"))).toBe(28);
    expect(out.family).toBe(UNKNOWN_FAMILY);
  });
  test("TLVs are counted and passed over", () => {
    expect(read(hex(signature, "21 11 000f", "c0000201 c6336407", "dc04 0d3d", "ea 0000"))).toBe(31);
    expect(source()).toBe("192.0.2.1:56324");
  });
  test("an address block that is too short is refused before it has come", () =>
    expect(read(hex(signature, "21 11 000b"))).toBe(PROXY_BAD_LENGTH));
  test("4,096 bytes are the bound", () => {
    expect(read(hex(signature, "21 11 0ff0", "00".repeat(4080)))).toBe(4096);
    expect(read(hex(signature, "21 11 0ff1"))).toBe(PROXY_TOO_LONG);
  });
});

test("a client that speaks its own protocol is refused at its first byte", () =>
  expect(read(hex("03"))).toBe(NOT_PROXY));

describe("written", () => {
  const ports = fc.integer({ min: 0, max: 0xffff });
  const ipv4 = fc.ipV4().map((address) => parseAddress(address)!);
  const ipv6 = fc.uint8Array({ minLength: 16, maxLength: 16 });
  const write = { v1: writeProxyV1, v2: writeProxyV2 };
  for (const version of ["v1", "v2"] as const) {
    test(`${version} says what it was given, for any mix of families`, () => {
      fc.assert(
        fc.property(fc.oneof(ipv4, ipv6), ports, fc.oneof(ipv4, ipv6), ports, (from, fromPort, to, toPort) => {
          const into = new Uint8Array(200);
          const length = write[version](into, 3, from, fromPort, to, toPort);
          expect(length).toBeLessThanOrEqual(version === "v1" ? MAX_PROXY_V1 : MAX_WRITTEN_V2);
          expect(readProxyHeader(into, 3, 3 + length, out)).toBe(length);
          expect([source(), destination()]).toEqual([formatEndpoint(from, 0, fromPort), formatEndpoint(to, 0, toPort)]);
        }),
      );
    });
  }
  test("v1 is the line that the specification shows", () => {
    const into = new Uint8Array(MAX_PROXY_V1);
    const length = writeProxyV1(into, 0, parseAddress("255.255.255.255")!, 65535, parseAddress("10.0.0.1")!, 443);
    expect(show(into, 0, length)).toBe("PROXY TCP4 255.255.255.255 10.0.0.1 65535 443\r\n");
  });
});
