import { expect, test } from "bun:test";
import { kindAt, RecordKind } from "../../../src/balancer/shared/record.ts";
import {
  MAX_TEXT_BYTES,
  RequestRecord,
  RequestText,
  readRequestRecord,
  writeRequestRecord,
} from "../../../src/balancer/shared/request-record.ts";
import { RingReader, RingWriter } from "../../../src/balancer/shared/ring.ts";
import type { ServerId } from "../../../src/balancer/shared/server-id.ts";
import { EndCode, Reason, Recognised } from "../../../src/balancer/shared/words.ts";
import { testMemory } from "./shared-memory.ts";

const FIELDS = {
  idHigh: 0x8f310c2a,
  idLow: 0xfffffffe,
  number: 17,
  service: 3,
  pool: 255,
  server: 0x7ffff801 as ServerId,
  route: 999,
  recognisedBy: Recognised.COOKIE,
  reason: Reason.SERVER_DOWN,
  end: EndCode["client-closed"],
  attempts: 2,
  status: 502,
  version: 20,
  tlsVersion: 13,
  reused: true,
  sourcePort: 65535,
  startedMs: 1_800_000_000_123,
  queueMs: 12.5,
  connectMs: 0.25,
  firstByteMs: -1,
  durationMs: 43_200_000,
  bytesIn: 2 ** 45 + 1,
  bytesOut: 7,
};

function ends(): { writer: RingWriter; reader: RingReader } {
  const { buffer, layout } = testMemory();
  return { writer: new RingWriter(buffer, layout, 1), reader: new RingReader(buffer, layout, 1) };
}

function filled(request = "GET /a?b=c HTTP/1.1"): RequestRecord {
  const record = new RequestRecord();
  Object.assign(record, FIELDS);
  record.source.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 7]);
  const bytes = Buffer.from(request);
  record.setText(RequestText.METHOD, bytes, 0, 3);
  record.setText(RequestText.TARGET, bytes, 4, bytes.length - " HTTP/1.1".length);
  return record;
}

function textOf(record: RequestRecord, text: number): string {
  const at = record.textAt[text]!;
  return Buffer.from(record.textBytes[text]!).toString("latin1", at, at + record.lengthOf(text));
}

function readOne(reader: RingReader): RequestRecord {
  const at = reader.next();
  expect(kindAt(reader, at)).toBe(RecordKind.REQUEST);
  const read = new RequestRecord();
  readRequestRecord(read, reader, at);
  return read;
}

test("every field of a request's record reaches control as it was written", () => {
  const { writer, reader } = ends();
  expect(writeRequestRecord(filled(), writer)).toBe(true);
  const read = readOne(reader);
  expect(read).toMatchObject(FIELDS);
  expect(read.source).toEqual(filled().source);
  expect(textOf(read, RequestText.METHOD)).toBe("GET");
  expect(textOf(read, RequestText.TARGET)).toBe("/a?b=c");
  expect(textOf(read, RequestText.HOST)).toBe("");
  expect(reader.next()).toBe(-1);
});

test("a target of 10 kB is cut, and its length is told", () => {
  const { writer, reader } = ends();
  writeRequestRecord(filled(`GET /${"x".repeat(9_999)} HTTP/1.1`), writer);
  const read = readOne(reader);
  expect(read.textLength[RequestText.TARGET]).toBe(10_000);
  expect(textOf(read, RequestText.TARGET)).toHaveLength(MAX_TEXT_BYTES[RequestText.TARGET]!);
});

test("a record that is used again has no text of the request before", () => {
  const { writer, reader } = ends();
  const record = filled();
  record.clearTexts();
  writeRequestRecord(record, writer);
  const read = readOne(reader);
  for (let text = 0; text < MAX_TEXT_BYTES.length; text++) expect(textOf(read, text)).toBe("");
});

test("with no room in the ring a request is dropped and counted, and the next one is whole", () => {
  const { writer, reader } = ends();
  let written = 0;
  while (writeRequestRecord(filled(`GET /${"x".repeat(written % 600)} HTTP/1.1`), writer)) written++;
  expect(reader.dropped()).toBe(1);
  for (let n = 0; n < written; n++) {
    expect(readOne(reader).textLength[RequestText.TARGET]).toBe((n % 600) + 1);
  }
  expect(reader.next()).toBe(-1);
});
