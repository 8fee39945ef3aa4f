import { expect, test } from "bun:test";
import {
  ConnectionIds,
  ConnectionRecord,
  columnOfId,
  connectionIdText,
  MAX_USER_BYTES,
  parseConnectionId,
  RecordKind,
  readRecord,
  writeRecord,
} from "../../../src/balancer/shared/record.ts";
import { RingReader, RingWriter } from "../../../src/balancer/shared/ring.ts";
import type { ServerId } from "../../../src/balancer/shared/server-id.ts";
import { EndCode, Reason, Recognised, ReturnCode } from "../../../src/balancer/shared/words.ts";
import { testMemory } from "./shared-memory.ts";

function ends(): { writer: RingWriter; reader: RingReader } {
  const memory = testMemory();
  return {
    writer: new RingWriter(memory.buffer, memory.layout, 1),
    reader: new RingReader(memory.buffer, memory.layout, 1),
  };
}

function filled(): ConnectionRecord {
  const record = new ConnectionRecord();
  Object.assign(record, {
    kind: RecordKind.ENDED,
    idHigh: 0x8f310c2a,
    idLow: 0xfffffffe,
    service: 3,
    pool: 255,
    server: 0x7ffff801 as ServerId,
    recognisedBy: Recognised.USER,
    reason: Reason.SERVER_DOWN,
    end: EndCode["ended-by-admin"],
    returned: ReturnCode.server_down,
    attempts: 2,
    sourcePort: 65535,
    outboundPort: 40000,
    startedMs: 1_800_000_000_123,
    queueMs: 12.5,
    connectMs: 0.25,
    firstByteMs: -1,
    durationMs: 43_200_000,
    bytesIn: 2 ** 45 + 1,
    bytesOut: 7,
  });
  record.source.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 7]);
  record.setUser(Buffer.from("-ANNA-"), 1, 5);
  return record;
}

test("every field of a record reaches control as it was written", () => {
  const { writer, reader } = ends();
  expect(writeRecord(filled(), writer)).toBe(true);
  const read = new ConnectionRecord();
  expect(readRecord(read, reader)).toBe(true);
  const sent = filled();
  expect(read).toEqual(sent);
  expect(read.userText()).toBe("ANNA");
  expect(readRecord(read, reader)).toBe(false);
});

test("a reader's record keeps nothing of the one before", () => {
  const { writer, reader } = ends();
  writeRecord(filled(), writer);
  const second = filled();
  second.reset();
  second.setUser(Buffer.from("bo"), 0, 2);
  writeRecord(second, writer);
  const read = new ConnectionRecord();
  readRecord(read, reader);
  readRecord(read, reader);
  expect(read.userText()).toBe("bo");
  expect([read.server as number, read.service, read.returned, read.queueMs, read.bytesIn]).toEqual([0, -1, -1, -1, 0]);
  expect(read.source.every((byte) => byte === 0)).toBe(true);
  second.reset();
  expect(second.userText()).toBe("");
});

test("a user name that is too long is cut, and one that is no text harms nobody's terminal", () => {
  const record = new ConnectionRecord();
  record.setUser(new Uint8Array(500).fill(0x61), 100, 400);
  expect(record.userText()).toBe("a".repeat(MAX_USER_BYTES));
  record.setUser(Uint8Array.of(0x1b, 0x5b, 0xff, 0x41, 0x0a), 0, 5);
  expect(record.userText()).toBe("\ufffd[\ufffdA\ufffd");
});

test("a full ring refuses a record", () => {
  const { writer, reader } = ends();
  let written = 0;
  while (writeRecord(filled(), writer)) written++;
  expect(written).toBeGreaterThan(6000);
  const read = new ConnectionRecord();
  while (readRecord(read, reader)) written--;
  expect(written).toBe(0);
});

test("an id names its worker's column and is never given twice, not even after the worker was replaced", () => {
  const memory = testMemory();
  const given = new Set<string>();
  for (const [column, startSec] of [
    [1, 1_800_000_000],
    [1, 1_800_000_000],
    [33, 1_800_000_000],
    [1, 1_800_000_001],
  ] as const) {
    const ids = new ConnectionIds(column, startSec, new RingWriter(memory.buffer, memory.layout, column));
    expect(columnOfId(ids.high)).toBe(column);
    for (let count = 0; count < 100; count++) given.add(connectionIdText(ids.high, ids.next()));
  }
  expect(given.size).toBe(400);
});

test("an id's text is read back; other text is no id", () => {
  expect(connectionIdText(0x0f310c2a, 0x17)).toBe("c-0f310c2a17");
  expect(parseConnectionId("c-0f310c2a17")).toEqual({ high: 0x0f310c2a, low: 0x17 });
  expect(parseConnectionId(connectionIdText(0xffffffff, 0xffffffff))).toEqual({ high: 0xffffffff, low: 0xffffffff });
  for (const text of ["", "c-", "c-0f310c2a", "0f310c2a17", "c-0f310c2a1234567890", "c-0F310C2A17", "c-0f310c2a17\n"])
    expect(parseConnectionId(text)).toBeUndefined();
});
