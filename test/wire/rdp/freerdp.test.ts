/** What xfreerdp 2.11.7 (Debian 12) sent to a listener, byte for byte. */
import { describe, expect, test } from "bun:test";
import {
  COLLECTION_TOKEN,
  MSTS_TOKEN,
  NO_NEGOTIATION,
  newConnectionRequest,
  PRECONNECTION_BLOB,
  RESTRICTED_ADMIN,
  readConnectionRequest,
  TOO_LONG,
  USER_COOKIE,
} from "../../../src/protocols/rdp/connection-request.ts";
import { newPreconnectionBlob, readPreconnectionBlob } from "../../../src/protocols/rdp/preconnection-blob.ts";
import { hex, show } from "../../protocols/bytes.ts";

const out = newConnectionRequest();
const ALICE = "436f6f6b69653a20 6d737473686173683d 616c696365 0d0a // Cookie: mstshash=alice";

function read(bytes: Uint8Array): string {
  expect(readConnectionRequest(bytes, 0, bytes.length, out)).toBe(bytes.length);
  return show(bytes, out.cookieAt, out.cookieEnd);
}

describe("xfreerdp", () => {
  // Also with /u:CORP\alice and with /d:CORP: the domain is never in the cookie.
  test("/u:alice asks for TLS and CredSSP", () => {
    const bytes = hex("03 00 002b", "26 e0 0000 0000 00", ALICE, "01 00 0800 03000000");
    expect(read(bytes)).toBe("alice");
    expect(out).toMatchObject({ cookie: USER_COOKIE, negotiation: 0, protocols: 3 });
  });

  test("/u:alice /sec:rdp leaves RDP_NEG_REQ out", () => {
    expect(read(hex("03 00 0023", "1e e0 0000 0000 00", ALICE))).toBe("alice");
    expect(out).toMatchObject({ negotiation: NO_NEGOTIATION, protocols: 0 });
  });

  test("/u:alice /restricted-admin sets its flag", () => {
    read(hex("03 00 002b", "26 e0 0000 0000 00", ALICE, "01 01 0800 03000000"));
    expect(out.negotiation).toBe(RESTRICTED_ADMIN);
  });

  test("/u:jürgen sends UTF-8", () => {
    const cookie = "436f6f6b69653a20 6d737473686173683d 6ac3bc7267656e 0d0a";
    const bytes = hex("03 00 002d", "28 e0 0000 0000 00", cookie, "01 00 0800 03000000");
    expect(read(bytes)).toBe("j\u00c3\u00bcrgen");
  });

  test("/load-balance-info with an msts token sends it instead of the login", () => {
    const cookie = "436f6f6b69653a20 6d7374733d 31363737373334332e31353838352e30303030 0d0a";
    const bytes = hex("03 00 0035", "30 e0 0000 0000 00", cookie, "01 00 0800 03000000");
    expect(read(bytes)).toBe("16777343.15885.0000");
    expect(out.cookie).toBe(MSTS_TOKEN);
  });

  test("/load-balance-info with a collection", () => {
    const cookie = "7473763a2f2f 4d53205465726d696e616c20536572766963657320506c7567696e 2e312e 53616c6573 0d0a";
    const bytes = hex("03 00 003e", "39 e0 0000 0000 00", cookie, "01 00 0800 03000000");
    expect(read(bytes)).toBe("Sales");
    expect(out.cookie).toBe(COLLECTION_TOKEN);
  });

  // 288 bytes, and the length indicator wrapped round to 1b: no server could know where the request ends.
  test("/u: with 250 characters is refused as too long", () => {
    const cookie = `436f6f6b69653a20 6d737473686173683d ${"61".repeat(250)} 0d0a`;
    const bytes = hex("03 00 0120", "1b e0 0000 0000 00", cookie, "01 00 0800 03000000");
    expect(readConnectionRequest(bytes, 0, bytes.length, out)).toBe(TOO_LONG);
  });

  // The request follows in the same segment.
  test("/pcb:vm-7 puts a preconnection blob in front, which has a reason of its own", () => {
    const blob = hex(
      "1e000000 // cbSize, 30",
      "00000000 // Flags",
      "02000000 // Version 2",
      "00000000 // Id",
      "0600 // cchPCB",
      "7600 6d00 2d00 3700 0000 0000 // vm-7, ended by zeros",
    );
    const request = hex("03 00 002b", "26 e0 0000 0000 00", ALICE, "01 00 0800 03000000");
    const bytes = new Uint8Array([...blob, ...request]);
    expect(readConnectionRequest(bytes, 0, bytes.length, out)).toBe(PRECONNECTION_BLOB);
    const read = newPreconnectionBlob();
    expect(readPreconnectionBlob(bytes, 0, bytes.length, read)).toBe(blob.length);
    expect(show(bytes, read.textAt, read.textAt + 8)).toBe("v\0m\0-\x007\0");
  });
});
