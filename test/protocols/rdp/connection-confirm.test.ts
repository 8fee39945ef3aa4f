import { expect, test } from "bun:test";
import {
  buildConnectionConfirm,
  buildNegotiationFailure,
  CONFIRM_FAILED,
  CONFIRM_SELECTED,
  NO_SERVER_REFUSAL,
  NOT_CONNECTION_CONFIRM,
  newConnectionConfirm,
  PLAIN_CONFIRM,
  PLAIN_CONNECTION_CONFIRM,
  readConnectionConfirm,
} from "../../../src/protocols/rdp/connection-confirm.ts";
import { hex } from "../bytes.ts";

const out = newConnectionConfirm();
const read = (bytes: Uint8Array) => readConnectionConfirm(bytes, 0, bytes.length, out);

test("a server that selects CredSSP (Microsoft's sample, MS-RDPBCGR 4.1.2)", () => {
  const bytes = hex(
    "03 00 00 13    // TPKT, 19 bytes",
    "0e d0 0000 1234 00 // LI 14, CC, references, class 0",
    "02 00 0800 02000000 // RDP_NEG_RSP, PROTOCOL_HYBRID",
  );
  expect(read(bytes)).toBe(19);
  expect(out).toEqual({ length: 19, kind: CONFIRM_SELECTED, flags: 0, value: 2 });
  expect(buildConnectionConfirm(2)).toEqual(bytes);
});

test("a server that refuses the security is alive and says why", () => {
  expect(read(buildNegotiationFailure(5))).toBe(19);
  expect(out).toEqual({ length: 19, kind: CONFIRM_FAILED, flags: 0, value: 5 });
});

test("a server that does not negotiate answers eleven bytes", () => {
  expect(read(PLAIN_CONNECTION_CONFIRM)).toBe(11);
  expect(out).toEqual({ length: 11, kind: PLAIN_CONFIRM, flags: 0, value: 0 });
});

test("bytes behind a confirm without negotiation are not taken for one", () => {
  const bytes = new Uint8Array([...PLAIN_CONNECTION_CONFIRM, 2, 0, 8, 0, 1, 0, 0, 0]);
  expect(read(bytes)).toBe(11);
  expect(out.kind).toBe(PLAIN_CONFIRM);
});

test("a client without a server is answered with an X.224 Disconnect Request, congestion", () => {
  const expected = hex(
    "03 00 00 0b // TPKT",
    "06 80 0000 0000 // LI 6, DR, references",
    "01 // reason: congestion at TSAP",
  );
  expect(NO_SERVER_REFUSAL).toEqual(expected);
  expect(read(NO_SERVER_REFUSAL)).toBe(NOT_CONNECTION_CONFIRM);
});
