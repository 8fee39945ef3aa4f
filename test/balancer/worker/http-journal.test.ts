/** What is told of an HTTP request that is over: counters, and a record where one is wanted. */
import { expect, test } from "bun:test";
import { NONE_TRIED } from "../../../src/balancer/candidate.ts";
import { Decision, decide } from "../../../src/balancer/decide.ts";
import { RequestRecord, RequestText, readRequestRecord } from "../../../src/balancer/shared/request-record.ts";
import { RingReader, RingWriter } from "../../../src/balancer/shared/ring.ts";
import { ServiceCounter } from "../../../src/balancer/shared/service-view.ts";
import { EndCode } from "../../../src/balancer/shared/words.ts";
import { HttpJournal, type JournaledRequest } from "../../../src/balancer/worker/http-journal.ts";
import { asks, NOW, Rig } from "../rig.ts";
import { testMemory } from "../shared/shared-memory.ts";

function rig() {
  const { board, ...rest } = new Rig();
  const pool = new Rig().pool({ servers: { a: {} } });
  const { buffer, layout } = testMemory();
  const journal = new HttpJournal(new RingWriter(buffer, layout, 1), 77);
  const reader = new RingReader(buffer, layout, 1);
  const view = board.service(3);
  const tell = (change: Partial<JournaledRequest> = {}, attempts = 1) => {
    const client = asks(["GET /a?b HTTP/1.1", "User-Agent: curl", "Referer: https://x.test/"]);
    const decision = new Decision();
    if (attempts > 0) decide(client, [pool], 0, NONE_TRIED, NOW, decision);
    const request: JournaledRequest = {
      connection: { number: 5 },
      requestNumber: 2,
      service: { plan: { id: 3 }, view },
      client,
      placement: { decision, attempts, queueMs: -1, connectMs: 0.5, reused: false },
      route: { index: 4 },
      status: 200,
      version: 11,
      tlsVersion: 0,
      requestId: new Uint8Array(0),
      requestIdLength: 0,
      begunMs: 1_000,
      startedMs: NOW * 1_000,
      firstByteMs: 1,
      bytesIn: 10,
      bytesOut: 20,
      ...change,
    };
    journal.ended(request, EndCode["server-closed"], 1_040);
  };
  /** The text of a record that was written; null: none was. */
  const read = (text: number) => {
    const at = reader.next();
    if (at < 0) return null;
    const record = new RequestRecord();
    readRequestRecord(record, reader, at);
    const from = record.textAt[text]!;
    return Buffer.from(record.room).toString("latin1", from, from + record.lengthOf(text));
  };
  return { ...rest, journal, view, tell, read };
}

test("a request is counted by its class, its duration, and by whether its connection was new", () => {
  const { view, tell } = rig();
  tell();
  tell({ status: 404 }, 0);
  tell({ status: 0 });
  const of = (position: number) => view.total(ServiceCounter.RESPONSES + position);
  expect([of(0), of(1), of(2), of(3), of(4), of(5)]).toEqual([1, 0, 1, 0, 1, 0]);
  expect(view.total(ServiceCounter.REQUEST_COUNT)).toBe(3);
  expect(view.total(ServiceCounter.REQUEST_SECONDS)).toBeCloseTo(0.12);
  expect(view.total(ServiceCounter.REQUEST_BUCKET + 5)).toBe(3);
  expect(view.total(ServiceCounter.DIALLED)).toBe(2);
  expect(view.total(ServiceCounter.REUSED)).toBe(0);
});

test("how long a WebSocket was open is no duration of a request", () => {
  const { view, tell } = rig();
  tell({ status: 101 });
  expect(view.requests()).toBe(1);
  expect(view.total(ServiceCounter.REQUEST_COUNT)).toBe(0);
});

test("the record has the request's texts, the agent only where the log's format wants it, and nothing where there is no log", () => {
  const { journal, tell, read } = rig();
  tell();
  expect(read(RequestText.TARGET)).toBe("/a?b");
  tell();
  expect(read(RequestText.USER_AGENT)).toBe("");
  journal.withAgent = true;
  tell();
  expect(read(RequestText.USER_AGENT)).toBe("curl");
  tell();
  expect(read(RequestText.REFERER)).toBe("https://x.test/");
  journal.everyRequest = false;
  tell();
  expect(read(RequestText.TARGET)).toBeNull();
});

test("a head that was refused has a record without texts", () => {
  const { tell, read } = rig();
  tell({ client: { ...asks([]), request: null }, status: 400, route: null }, 0);
  expect(read(RequestText.METHOD)).toBe("");
});
