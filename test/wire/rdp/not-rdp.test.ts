/** What scanners and misdirected clients send to port 3389 first. */
import { describe, expect, test } from "bun:test";
import { newConnectionRequest, readConnectionRequest } from "../../../src/protocols/rdp/connection-request.ts";
import { hex, text } from "../../protocols/bytes.ts";

const out = newConnectionRequest();
const strangers: Record<string, Uint8Array> = {
  "a TLS ClientHello (xfreerdp -sec-nego does this too)": hex("16 // handshake", "03 01 // TLS 1.0", "01 2e // length"),
  "an HTTP request": text("GET / HTTP/1.0\r\n\r\n"),
  "an SSH client": text("SSH-2.0-Go\r\n"),
  zeros: new Uint8Array(16),
  "a SOCKS 5 greeting": hex("05 01 00 00"),
  "a VNC client": text("RFB 003.008\n"),
};

describe("refused within four bytes", () => {
  for (const [name, bytes] of Object.entries(strangers)) {
    test(name, () => expect(readConnectionRequest(bytes, 0, 4, out)).toBeLessThan(0));
  }
});

// The data of a data TPDU: a client that believes the exchange is over.
test("RDP that skips the Connection Request is refused with six bytes", () => {
  const bytes = hex("03 00 00 0c // TPKT", "02 f0 80 // LI 2, DT", "04 01 00 01 00 // Erect Domain Request");
  expect(readConnectionRequest(bytes, 0, 6, out)).toBeLessThan(0);
});
