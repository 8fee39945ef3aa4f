import { describe, expect, test } from "bun:test";
import { ConnectionRecord } from "../../src/balancer/shared/record.ts";
import type { ServerId } from "../../src/balancer/shared/server-id.ts";
import { ENDS, EndCode, Reason, Recognised } from "../../src/balancer/shared/words.ts";
import { AccessLog } from "../../src/observe/access.ts";
import { parseAddress } from "../../src/protocols/address.ts";

const names = {
  service: (slot: number) => (slot === 0 ? "desktops" : undefined),
  pool: (slot: number) => (slot === 3 ? 'r"ds' : undefined),
  server: (id: ServerId) => (id === 4097 ? "rds1" : undefined),
};
const key = new Uint8Array(16).fill(7);
const plain = new AccessLog({ node: "lb1", names, users: "plain", fingerprintKey: key });
const hidden = new AccessLog({ node: "lb1", names, users: "fingerprint", fingerprintKey: key });

function ended(user: Uint8Array | string = "alice"): ConnectionRecord {
  const record = new ConnectionRecord();
  record.idHigh = 0x08000010;
  record.idLow = 0x2f;
  record.service = 0;
  record.pool = 3;
  record.server = 4097 as ServerId;
  record.recognisedBy = Recognised.USER;
  record.reason = Reason.SERVER_DOWN;
  record.end = EndCode["client-closed"];
  record.attempts = 2;
  record.outboundPort = 41_870;
  record.source.set(parseAddress("10.1.4.22")!);
  record.sourcePort = 51_234;
  record.startedMs = Date.parse("2026-11-21T11:25:00.000Z");
  record.connectMs = 1.26;
  record.firstByteMs = 12.04;
  record.durationMs = 11_400_250.5;
  record.bytesIn = 123_456;
  record.bytesOut = 9_876_543_210;
  const bytes = typeof user === "string" ? new TextEncoder().encode(user) : user;
  record.setUser(bytes, 0, bytes.length);
  return record;
}

describe("an access line", () => {
  test("has one fixed set of keys, in one order", () => {
    const line = plain.line(ended());
    expect(line).toEndWith("}\n");
    const entry = JSON.parse(line);
    expect(entry).toEqual({
      time: "2026-11-21T14:35:00.250Z",
      level: "info",
      event: "connection.end",
      msg: "a connection ended: client-closed",
      node: "lb1",
      role: "balancer",
      connection: "c-080000102f",
      service: "desktops",
      pool: 'r"ds',
      server: "rds1",
      client: "10.1.4.22:51234",
      user: "alice",
      recognisedBy: "user",
      outboundPort: 41_870,
      attempts: 2,
      queueMs: null,
      connectMs: 1.3,
      firstByteMs: 12,
      durationMs: 11_400_250.5,
      bytesIn: 123_456,
      bytesOut: 9_876_543_210,
      end: "client-closed",
      endDetail: "known server is down",
    });
    expect(Object.keys(entry).slice(0, 6)).toEqual(["time", "level", "event", "msg", "node", "role"]);
  });

  test("of a client who was refused has null where nothing was", () => {
    const record = new ConnectionRecord();
    record.service = 0;
    record.end = EndCode["bad-protocol"];
    const entry = JSON.parse(plain.line(record));
    expect(entry).toMatchObject({ pool: null, server: null, user: null, connectMs: null, end: "bad-protocol" });
  });

  test("survives a configuration that no longer has the service", () => {
    const record = ended();
    record.service = 9;
    expect(JSON.parse(plain.line(record)).service).toBeNull();
  });

  test("has a word for every ending", () => {
    const record = ended();
    const words = ENDS.map((_, end) => {
      record.end = end;
      return JSON.parse(plain.line(record)).end;
    });
    expect(words).toEqual([...ENDS]);
  });

  const hostile: [name: string, user: Uint8Array | string][] = [
    ["quotes and backslashes", 'a"},"x":"\\'],
    ["line ends and NUL", "a\r\nb\0c"],
    ["an escape sequence", "\x1b[2J\x9b1m"],
    ["bytes that are no UTF-8", Uint8Array.of(0xff, 0xfe, 0x80, 0x22, 0xc3)],
    ["line separators of JavaScript", "a\u2028b\u2029c"],
    ["64 bytes of the largest characters", "😀".repeat(16)],
    ["a character cut in the middle", Uint8Array.of(0x61, 0xf0, 0x9f)],
  ];
  for (const [name, user] of hostile) {
    test(`stays one line of JSON with a user name of ${name}`, () => {
      const line = plain.line(ended(user));
      expect(line.indexOf("\n")).toBe(line.length - 1);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be in the line
      expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      const entry = JSON.parse(line);
      expect(entry.end).toBe("client-closed");
      expect(entry.x).toBeUndefined();
    });
  }

  test("every byte of a name can come", () => {
    for (let byte = 0; byte < 256; byte++) {
      const line = plain.line(ended(Uint8Array.of(0x61, byte, 0x62)));
      expect(JSON.parse(line).user).toHaveLength(3);
    }
  });

  test("fingerprints are the same for the same user, and say nothing else", () => {
    const user = (name: string) => JSON.parse(hidden.line(ended(name))).user;
    expect(user("alice")).toMatch(/^[0-9a-f]{16}$/);
    expect(user("alice")).toBe(user("alice"));
    expect(user("alice")).not.toBe(user("bob"));
    const other = new AccessLog({ node: "lb1", names, users: "fingerprint", fingerprintKey: new Uint8Array(16) });
    expect(JSON.parse(other.line(ended("alice"))).user).not.toBe(user("alice"));
    expect(JSON.parse(hidden.line(ended(""))).user).toBeNull();
  });
});
