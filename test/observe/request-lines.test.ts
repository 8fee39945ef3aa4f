import { describe, expect, test } from "bun:test";
import { RequestRecord, RequestText } from "../../src/balancer/shared/request-record.ts";
import type { ServerId } from "../../src/balancer/shared/server-id.ts";
import { EndCode, Reason, Recognised } from "../../src/balancer/shared/words.ts";
import { CombinedRequestLog, JsonRequestLog } from "../../src/observe/request-lines.ts";
import { parseAddress } from "../../src/protocols/address.ts";

const names = {
  service: (slot: number) => (slot === 0 ? "web" : undefined),
  pool: (slot: number) => (slot === 3 ? 'r"ds' : undefined),
  server: (id: ServerId) => (id === 4097 ? "web1" : undefined),
  route: (slot: number, index: number) => (slot === 0 && index === 2 ? "*.example.test/app" : undefined),
};
const json = new JsonRequestLog(names, "lb1");
const combined = new CombinedRequestLog();

function put(record: RequestRecord, text: number, value: Uint8Array | string): RequestRecord {
  const bytes = Buffer.from(value as string);
  record.setText(text, bytes, 0, bytes.length);
  return record;
}

function ended(change: Partial<RequestRecord> = {}): RequestRecord {
  const record = new RequestRecord();
  Object.assign(record, {
    idHigh: 0x08000010,
    idLow: 0x2f,
    number: 7,
    service: 0,
    pool: 3,
    server: 4097 as ServerId,
    route: 2,
    recognisedBy: Recognised.COOKIE,
    reason: Reason.SERVER_DOWN,
    end: EndCode["server-closed"],
    attempts: 2,
    status: 200,
    version: 20,
    tlsVersion: 13,
    reused: true,
    sourcePort: 51_234,
    startedMs: Date.parse("2026-11-21T11:25:03.000Z"),
    connectMs: 1.26,
    firstByteMs: 12.04,
    durationMs: 250.5,
    bytesIn: 123_456,
    bytesOut: 9_876_543_210,
    ...change,
  });
  record.source.set(parseAddress("10.1.4.22")!);
  put(record, RequestText.METHOD, "GET");
  put(record, RequestText.HOST, "a.example.test:8443");
  put(record, RequestText.TARGET, "/app/x?y=1");
  return put(record, RequestText.REQUEST_ID, "0123456789abcdef");
}

/** Every byte that there is, those of a line's end among them. */
const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);

describe("a request's line in JSON", () => {
  test("has one fixed set of keys, in one order", () => {
    const line = json.line(ended());
    expect(line).toEndWith("}\n");
    const entry = JSON.parse(line);
    expect(entry).toEqual({
      time: "2026-11-21T11:25:03.250Z",
      level: "info",
      event: "request.end",
      msg: "a request ended",
      node: "lb1",
      role: "balancer",
      connection: "c-080000102f",
      request: 7,
      requestId: "0123456789abcdef",
      service: "web",
      route: "*.example.test/app",
      pool: 'r"ds',
      server: "web1",
      client: "10.1.4.22:51234",
      method: "GET",
      host: "a.example.test:8443",
      target: "/app/x?y=1",
      version: "2",
      tls: "TLSv1.3",
      status: 200,
      recognisedBy: "cookie",
      attempts: 2,
      reused: true,
      queueMs: null,
      connectMs: 1.3,
      firstByteMs: 12,
      durationMs: 250.5,
      bytesIn: 123_456,
      bytesOut: 9_876_543_210,
      end: "server-closed",
      endDetail: "known server is down",
    });
    const refused = new RequestRecord();
    refused.source.set(parseAddress("10.1.4.22")!);
    expect(Object.keys(JSON.parse(json.line(refused)))).toEqual(Object.keys(entry));
  });

  test("has no port of a client whose proxy has not said it", () => {
    const record = ended();
    record.sourcePort = 0;
    record.source.set(parseAddress("192.0.2.1")!);
    expect(JSON.parse(json.line(record)).client).toBe("192.0.2.1");
  });

  test("says null for what a request that was refused never had", () => {
    const refused = new RequestRecord();
    refused.source.set(parseAddress("2001:db8::1")!);
    refused.sourcePort = 4711;
    expect(JSON.parse(json.line(refused))).toMatchObject({
      requestId: null,
      service: null,
      route: null,
      server: null,
      client: "[2001:db8::1]:4711",
      method: null,
      status: null,
      tls: null,
      version: "1.1",
      connectMs: null,
    });
  });

  test("is one line of JSON without control characters, whatever a client has sent", () => {
    for (const text of Object.values(RequestText)) {
      const line = json.line(put(ended(), text, ALL_BYTES));
      expect(line.indexOf("\n")).toBe(line.length - 1);
      expect(line.slice(0, -1)).not.toMatch(/\p{Cc}/u);
      JSON.parse(line);
    }
    const quoted = JSON.parse(json.line(put(ended(), RequestText.TARGET, '/"\\ü')));
    expect(quoted.target).toBe('/"\\ü');
  });

  test("a target that was cut ends in an ellipsis", () => {
    const { target } = JSON.parse(json.line(put(ended(), RequestText.TARGET, `/${"x".repeat(999)}`)));
    expect(target).toBe(`/${"x".repeat(511)}…`);
  });
});

describe("a request's line in the combined format", () => {
  test("is what tools for web servers read", () => {
    const record = put(ended(), RequestText.REFERER, "https://a.test/");
    put(record, RequestText.USER_AGENT, "curl/8.5");
    expect(combined.line(record)).toBe(
      '10.1.4.22 - - [21/Nov/2026:11:25:03 +0000] "GET /app/x?y=1 HTTP/2.0" 200 9876543210 "https://a.test/" "curl/8.5"\n',
    );
  });

  test("a request that was refused before it was read has a hyphen for itself", () => {
    const refused = new RequestRecord();
    refused.source.set(parseAddress("10.1.4.22")!);
    refused.startedMs = Date.parse("2026-01-02T00:00:59Z");
    refused.status = 400;
    expect(combined.line(refused)).toBe('10.1.4.22 - - [02/Jan/2026:00:00:59 +0000] "-" 400 0 "-" "-"\n');
  });

  test("every byte of a client is escaped as Apache httpd does it", () => {
    const line = combined.line(put(ended(), RequestText.USER_AGENT, 'a"b\\c\r\n\x7fé'));
    expect(line).toEndWith('"a\\"b\\\\c\\x0d\\x0a\\x7f\\xc3\\xa9"\n');
    for (const text of [RequestText.TARGET, RequestText.REFERER, RequestText.USER_AGENT]) {
      expect(combined.line(put(ended(), text, ALL_BYTES)).slice(0, -1)).toMatch(/^[ -~]*$/);
    }
  });
});
