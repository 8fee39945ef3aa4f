/** Messages that Microsoft's documents show. */
import { expect, test } from "bun:test";
import {
  newConnectionRequest,
  readConnectionRequest,
  USER_COOKIE,
} from "../../../src/protocols/rdp/connection-request.ts";
import { hex, show } from "../../protocols/bytes.ts";

// MS-RDPBCGR 4.1.1.
test("the annotated Connection Request of eltons is read", () => {
  const bytes = hex(
    "03 00 00 2c                // TPKT: version, reserved, 44 bytes",
    "27 e0 00 00 00 00 00       // X.224: LI 39, CR, references, class 0",
    "43 6f 6f 6b 69 65 3a 20    // Cookie:",
    "6d 73 74 73 68 61 73 68 3d // mstshash=",
    "65 6c 74 6f 6e 73          // eltons",
    "0d 0a",
    "01 00 08 00 00 00 00 00    // RDP_NEG_REQ: plain RDP security",
  );
  const out = newConnectionRequest();
  expect(readConnectionRequest(bytes, 0, bytes.length, out)).toBe(44);
  expect(out).toMatchObject({ length: 44, cookie: USER_COOKIE, negotiation: 0, protocols: 0 });
  expect(show(bytes, out.cookieAt, out.cookieEnd)).toBe("eltons");
});
