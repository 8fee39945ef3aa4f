/** Requests of HTTP/2 that would be something else as HTTP/1.1, over TLS through the real program: to the byte, or not at all. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect } from "node:tls";
import { FieldList } from "../../../src/protocols/http2/field-list.ts";
import {
  FRAME_HEADER,
  GOAWAY,
  HEADERS,
  newFrameHeader,
  PREFACE,
  RST_STREAM,
  readFrameHeader,
} from "../../../src/protocols/http2/frames.ts";
import { FIELD_SLACK, HpackDecoder } from "../../../src/protocols/http2/hpack-decoder.ts";
import { Balancer } from "../../balancer/service/rig.ts";
import { TestAuthority } from "../../balancer/worker/tls/certificates.ts";
import { data, fieldsOf, headers, settings } from "../http2/raw.ts";
import { type DowngradeCase, downgrades } from "./smuggling/downgrades.ts";
import { Recorder } from "./smuggling/recorder.ts";

setDefaultTimeout(20_000);

let authority: TestAuthority;
let recorder: Recorder;
let balancer: Balancer;

beforeAll(async () => {
  authority = new TestAuthority();
  const { files } = authority.issue(["DNS:a"]);
  recorder = await Recorder.start();
  balancer = await Balancer.start(`
services:
  web:
    listen: 127.0.0.1:0
    protocol: http
    tls: { certificates: [{ cert: ${files.chain}, key: ${files.key} }] }
    forwarded: off
    request-id: false
    pool: web
pools:
  web: { servers: { one: "127.0.0.1:${recorder.port}" } }
`);
});

afterAll(async () => {
  await balancer?.stop();
  recorder?.stop();
  authority?.dispose();
});

/** Sends one request as stream 1. @returns its status, "reset", or "end" where the whole connection was ended. */
function ask({ fields, data: body, trailers }: DowngradeCase): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({
      port: balancer.port("web"),
      host: "127.0.0.1",
      servername: "a",
      ca: authority.pem,
      ALPNProtocols: ["h2"],
    });
    const header = newFrameHeader();
    const list = new FieldList(1 << 16, FIELD_SLACK);
    const decoder = new HpackDecoder();
    let unread: Buffer = Buffer.alloc(0);
    const finish = (outcome: string) => {
      socket.destroy();
      resolve(outcome);
    };
    socket.on("secureConnect", () => {
      const more = body !== undefined || trailers !== undefined;
      const pieces = [PREFACE, settings(), headers(1, fields, !more)];
      if (body !== undefined) pieces.push(data(1, body, trailers === undefined));
      if (trailers !== undefined) pieces.push(headers(1, trailers, true));
      socket.write(Buffer.concat(pieces));
    });
    socket.on("data", (piece: Buffer) => {
      unread = Buffer.concat([unread, piece]);
      while (readFrameHeader(unread, 0, unread.length, 0xffffff, header) > 0) {
        const end = FRAME_HEADER + header.length;
        if (end > unread.length) return;
        if (header.type === RST_STREAM) return finish("reset");
        if (header.type === GOAWAY) return finish("end");
        if (header.type === HEADERS) {
          decoder.read(unread, FRAME_HEADER, end, list);
          return finish(fieldsOf(list)[0]!);
        }
        unread = unread.subarray(end);
      }
    });
    socket.on("error", () => finish("end"));
    socket.on("close", () => finish("end"));
  });
}

describe("one request, or none:", () => {
  for (const one of downgrades) {
    test(one.name, async () => {
      const outcome = await ask(one);
      const arrived = recorder.take();
      if (one.request !== null) expect([outcome, arrived]).toEqual([":status: 200", [one.request]]);
      else expect([outcome, arrived]).toEqual([expect.stringMatching(/^(reset|:status: 4\d\d)$/), []]);
    });
  }
});

test("none of what was refused arrives later", async () => {
  const good = downgrades.find((one) => one.request !== null)!;
  expect(await ask(good)).toBe(":status: 200");
  expect(recorder.take()).toEqual([good.request!]);
});
