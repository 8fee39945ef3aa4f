import { describe, expect, test } from "bun:test";
import { isIP } from "node:net";
import fc from "fast-check";
import {
  formatAddress,
  formatCidr,
  formatEndpoint,
  inCidr,
  ipv4Number,
  isIPv4,
  maskSource,
  parseAddress,
  parseCidr,
  readIPv6Text,
  writeAddressText,
  writeIPv4,
} from "../../src/protocols/address.ts";
import { show, text } from "./bytes.ts";

const canonical = (address: string) => {
  const bytes = parseAddress(address);
  return bytes === undefined ? undefined : formatAddress(bytes);
};

describe("an address in text", () => {
  const forms: [string, string][] = [
    ["10.0.0.1", "10.0.0.1"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["2001:0DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["::0.0.0.0", "::"],
    ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["fe80::0:1:0", "fe80::1:0"],
  ];
  for (const [given, expected] of forms) test(`${given} is ${expected}`, () => expect(canonical(given)).toBe(expected));

  const none = [
    ..."|1|1.2.3|1.2.3.4.5|1.2.3.256|01.2.3.4|1.2.3.4 |1..3.4|:|:::|1:|:1|1::2::3|::1::2|12345::|g::|1:2:3:4:5:6:7:8:9".split(
      "|",
    ),
    ..."1:2:3:4:5:6:7:8::|::1:2:3:4:5:6:7:8|1.2.3.4::|::1.2.3|fe80::1%eth0|[::1]|\u0131.2.3.4|\u00b9.2.3.4".split("|"),
  ];
  for (const given of none) test(`"${given}" is none`, () => expect(parseAddress(given)).toBeUndefined());
});

test("every IPv6 address comes back from its text, and Node agrees that it is one", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0, 0, 0, 1, 0xff, 0xa0), { minLength: 16, maxLength: 16 }), (array) => {
      const bytes = new Uint8Array(array);
      const shown = formatAddress(bytes);
      expect(isIP(shown)).toBe(isIPv4(bytes) ? 4 : 6);
      expect(parseAddress(shown)).toEqual(bytes);
    }),
  );
});

test("texts that look like addresses are read as Node reads them", () => {
  const pieces = fc.constantFrom(":", "::", ".", "0", "1", "ffff", "255", "256", "a", "G", "1.2.3.4");
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const given = parts.join("");
      expect(parseAddress(given) !== undefined).toBe(isIP(given) !== 0);
    }),
    { numRuns: 2000 },
  );
});

test("what is left of a refused address stays inside its 16 bytes", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9a-f:.]{0,45}$/), (given) => {
      const out = new Uint8Array(48).fill(0xee);
      readIPv6Text(text(given), 0, given.length, out, 16);
      expect([...out.subarray(0, 16), ...out.subarray(32)].every((byte) => byte === 0xee)).toBe(true);
    }),
  );
});

test("an IPv4 address as a number comes back", () => {
  const bytes = new Uint8Array(20).fill(9);
  writeIPv4(bytes, 2, 0xfffefdfc);
  expect(ipv4Number(bytes, 2)).toBe(0xfffefdfc);
  expect(formatEndpoint(bytes, 2, 80)).toBe("255.254.253.252:80");
});

describe("a block", () => {
  const inside = (block: string, address: string) => inCidr(parseCidr(block)!, parseAddress(address)!);
  test("holds its addresses and no others", () => {
    expect(inside("10.0.0.0/8", "10.255.0.1")).toBe(true);
    expect(inside("10.0.0.0/8", "11.0.0.1")).toBe(false);
    expect(inside("10.0.0.0/13", "10.7.255.255")).toBe(true);
    expect(inside("10.0.0.0/13", "10.8.0.0")).toBe(false);
    expect(inside("2001:db8::/33", "2001:db8:7fff::1")).toBe(true);
    expect(inside("2001:db8::/33", "2001:db8:8000::1")).toBe(false);
    expect(inside("192.0.2.1", "192.0.2.1")).toBe(true);
    expect(inside("192.0.2.1", "192.0.2.2")).toBe(false);
  });
  test("of all IPv4 addresses holds no IPv6 address", () => {
    expect(inside("0.0.0.0/0", "1.2.3.4")).toBe(true);
    expect(inside("0.0.0.0/0", "::1")).toBe(false);
  });
  test("is shown without the bits behind its prefix", () => {
    expect(formatCidr(parseCidr("10.1.2.3/8")!)).toBe("10.0.0.0/8");
    expect(formatCidr(parseCidr("2001:db8::1/32")!)).toBe("2001:db8::/32");
    expect(formatCidr(parseCidr("0.0.0.0/0")!)).toBe("0.0.0.0/0");
    expect(formatCidr(parseCidr("::1")!)).toBe("::1/128");
  });
  for (const none of ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129", "10.0.0/8", "10.0.0.0/8/8"]) {
    test(`"${none}" is none`, () => expect(parseCidr(none)).toBeUndefined());
  }
});

test("a source is masked by its family", () => {
  const masked = (address: string) => {
    const bytes = parseAddress(address)!;
    maskSource(bytes, 0, { ipv4: 24, ipv6: 64 });
    return formatAddress(bytes);
  };
  expect(masked("192.0.2.77")).toBe("192.0.2.0");
  expect(masked("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::");
});

test("bytes of an address's text are those of its string", () => {
  const group = fc.constantFrom(0, 0, 0, 1, 0xf, 0x10, 0xabc, 0xffff);
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), fc.boolean(), (groups, mapped) => {
      const address = Uint8Array.from(groups.flatMap((value) => [value >> 8, value & 0xff]));
      if (mapped) writeIPv4(address, 0, 0x0a00_0001);
      const into = new Uint8Array(48);
      expect(show(into, 3, 3 + writeAddressText(into, 3, address, 0))).toBe(formatAddress(address));
    }),
    { numRuns: 2000 },
  );
});
