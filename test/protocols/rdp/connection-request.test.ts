import { describe, expect, test } from "bun:test";
import {
  BAD_LENGTH,
  BAD_NEGOTIATION,
  BAD_TEXT,
  buildConnectionRequest,
  COLLECTION_TOKEN,
  MAX_REQUEST,
  MSTS_TOKEN,
  NO_COOKIE,
  NO_LINE_END,
  NO_NEGOTIATION,
  NOT_CONNECTION_REQUEST,
  NOT_TPKT,
  newConnectionRequest,
  OTHER_TOKEN,
  PRECONNECTION_BLOB,
  readConnectionRequest,
  SIGNED_TOKEN,
  TOO_LONG,
  TOO_SHORT,
  USER_COOKIE,
} from "../../../src/protocols/rdp/connection-request.ts";
import { NEED_MORE } from "../../../src/protocols/result.ts";
import { hex, show, text } from "../bytes.ts";

const out = newConnectionRequest();
const read = (bytes: Uint8Array) => readConnectionRequest(bytes, 0, bytes.length, out);

/** Reads a request whose text is `line`; returns the kind and the value found. */
function cookie(line: string): [number, string] {
  const bytes = buildConnectionRequest({ line, protocols: 3 });
  expect(read(bytes)).toBe(bytes.length);
  return [out.cookie, show(bytes, out.cookieAt, out.cookieEnd)];
}

describe("the text of a Connection Request", () => {
  test("a login is the value of mstshash", () =>
    expect(cookie("Cookie: mstshash=eltons")).toEqual([USER_COOKIE, "eltons"]));
  test("an msts token is known", () =>
    expect(cookie("Cookie: msts=3640205228.15629.0000")).toEqual([MSTS_TOKEN, "3640205228.15629.0000"]));
  test("our signed token is known", () => expect(cookie("Cookie: holdfast=abc_-9")).toEqual([SIGNED_TOKEN, "abc_-9"]));
  test("a collection is known without Cookie:", () =>
    expect(cookie("tsv://MS Terminal Services Plugin.1.Sales Desks")).toEqual([COLLECTION_TOKEN, "Sales Desks"]));
  test("another tsv token is kept whole", () =>
    expect(cookie("tsv://Other.1.x")).toEqual([OTHER_TOKEN, "tsv://Other.1.x"]));
  test("other tokens are kept whole", () =>
    expect(cookie("anything at all")).toEqual([OTHER_TOKEN, "anything at all"]));
  test("the case and spacing of Cookie: do not matter", () => {
    expect(cookie("COOKIE:   MSTSHash=Alice")).toEqual([USER_COOKIE, "Alice"]);
    expect(cookie("cookie:msts=1.2.")).toEqual([MSTS_TOKEN, "1.2."]);
  });
  test("spaces behind a token are padding, spaces in a login are not", () => {
    expect(cookie("Cookie: msts=1.2.0000 ")).toEqual([MSTS_TOKEN, "1.2.0000"]);
    expect(cookie("Cookie: mstshash=john doe ")).toEqual([USER_COOKIE, "john doe "]);
  });
  test("an empty login is a cookie without a value", () =>
    expect(cookie("Cookie: mstshash=")).toEqual([USER_COOKIE, ""]));
  test("of several lines the first counts", () =>
    expect(cookie("Cookie: msts=1.2.\r\nCookie: mstshash=bob")).toEqual([MSTS_TOKEN, "1.2."]));
  test("a login in another alphabet is text", () => {
    const bytes = buildConnectionRequest({ line: "Cookie: mstshash=jürgen", protocols: 1 });
    expect(read(bytes)).toBe(bytes.length);
  });
});

describe("negotiation", () => {
  test("flags and protocols are read", () => {
    const bytes = hex(
      "03 00 00 13 0e e0 0000 0000 00",
      "01 03 0800 1b000000 // restricted admin + redirected, all but RDSTLS",
    );
    expect(read(bytes)).toBe(19);
    expect(out).toMatchObject({ length: 19, cookie: NO_COOKIE, negotiation: 3, protocols: 0x1b });
  });
  test("a client without RDP_NEG_REQ has none", () => {
    expect(read(buildConnectionRequest({ line: "Cookie: mstshash=a" }))).toBeGreaterThan(0);
    expect(out).toMatchObject({ cookie: USER_COOKIE, negotiation: NO_NEGOTIATION, protocols: 0 });
  });
  test("a protocol mask above 31 bits stays positive", () => {
    expect(read(buildConnectionRequest({ protocols: 0xffffffff }))).toBe(19);
    expect(out.protocols).toBe(0xffffffff);
    expect(read(buildConnectionRequest({ protocols: 0xf4030201 }))).toBe(19);
    expect(out.protocols).toBe(0xf4030201);
  });
});

describe("refused", () => {
  const refused: [string, Uint8Array, number][] = [
    ["at its first byte: an odd one that is not 03", hex("17"), NOT_TPKT],
    ["by its length alone: ten bytes", hex("03 00 00 0a"), TOO_SHORT],
    ["by its length alone: 260 bytes", hex("03 00 01 04"), TOO_LONG],
    ["by its length alone: 300 bytes", hex("03 00 01 2c"), TOO_LONG],
    ["with five bytes: LI is not the length less five", hex("03 00 00 13 0f"), BAD_LENGTH],
    ["with six bytes: a data TPDU", hex("03 00 00 13 0e f0"), NOT_CONNECTION_REQUEST],
    ["text without a line end", hex("03 00 00 0d 08 e0 0000 0000 00 4142"), NO_LINE_END],
    ["a carriage return without a line feed", hex("03 00 00 0d 08 e0 0000 0000 00 410d"), NO_LINE_END],
    ["a line feed alone", hex("03 00 00 0d 08 e0 0000 0000 00 410a"), BAD_TEXT],
    ["a zero in the text", hex("03 00 00 0f 0a e0 0000 0000 00 4100 0d0a"), BAD_TEXT],
    ["half an RDP_NEG_REQ", hex("03 00 00 0f 0a e0 0000 0000 00 01 00 0800"), BAD_NEGOTIATION],
    ["bytes behind RDP_NEG_REQ", hex("03 00 00 14 0f e0 0000 0000 00 01 00 0800 03000000 00"), BAD_NEGOTIATION],
    [
      "correlation info announced, not sent",
      hex("03 00 00 13 0e e0 0000 0000 00 01 08 0800 03000000"),
      BAD_NEGOTIATION,
    ],
  ];
  for (const [name, bytes, reason] of refused) test(name, () => expect(read(bytes)).toBe(reason));

  test("a preconnection blob is told apart as soon as its version is there", () => {
    const blob = hex("10000000 // cbSize", "00000000 // Flags", "01000000 // Version 1", "01000000 // Id");
    for (let length = 0; length < 12; length++) expect(read(blob.subarray(0, length))).toBe(NEED_MORE);
    expect(read(blob.subarray(0, 12))).toBe(PRECONNECTION_BLOB);
    expect(read(blob)).toBe(PRECONNECTION_BLOB);
  });
  test("an HTTP request is not taken for a blob", () => expect(read(text("PUT "))).toBe(NOT_TPKT));
});

describe("built", () => {
  test("the health check is the request that the field sends", () => {
    expect(Buffer.from(buildConnectionRequest({ protocols: 3 })).toString("hex")).toBe(
      "030000130ee000000000000100080003000000",
    );
  });
  test("a text that does not fit throws: it is our own mistake", () => {
    const room = MAX_REQUEST - 11 - 2;
    expect(buildConnectionRequest({ line: "x".repeat(room) })).toHaveLength(MAX_REQUEST);
    expect(() => buildConnectionRequest({ line: "x".repeat(room + 1) })).toThrow(RangeError);
  });
});
