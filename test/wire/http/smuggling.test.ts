/**
 * The corpus through the real program. First to a server that keeps every byte, then to nginx and to Node: each must see the
 * requests that the case names, and no other.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Balancer } from "../../balancer/service/rig.ts";
import type { SmugglingCase } from "./smuggling/case.ts";
import { AFTER, drive, fits } from "./smuggling/drive.ts";
import { corpus } from "./smuggling/index.ts";
import { NginxServer, NodeServer, type SeenRequest, seenOf } from "./smuggling/real-servers.ts";
import { Recorder } from "./smuggling/recorder.ts";

setDefaultTimeout(60_000);

/** Nothing is added to requests, so that the bytes are those of the case. */
const file = (port: number) => `
services:
  web: { listen: "127.0.0.1:0", protocol: http, forwarded: off, request-id: false, pool: web }
pools:
  web: { servers: { one: "127.0.0.1:${port}" } }
`;
/** What a server gets of a case. */
const expected = ({ requests, end }: SmugglingCase) => (end === "open" ? [...requests, AFTER] : [...requests]);

describe("to a server that keeps every byte", () => {
  let recorder: Recorder;
  let balancer: Balancer;

  beforeAll(async () => {
    recorder = await Recorder.start();
    balancer = await Balancer.start(file(recorder.port));
  });

  afterAll(async () => {
    await balancer?.stop();
    recorder?.stop();
  });

  for (const one of corpus) {
    test(one.name, async () => {
      const answers = await drive(balancer.port("web"), one);
      expect([answers, recorder.take()]).toEqual([fits(one, answers) ? answers : [one.end as "end"], expected(one)]);
    });
  }

  test("the same, byte by byte", async () => {
    for (const one of corpus.filter(({ sent }) => sent.length < 1500)) {
      const answers = await drive(balancer.port("web"), one, true);
      expect([one.name, fits(one, answers), recorder.take()]).toEqual([one.name, true, expected(one)]);
    }
  });
});

for (const [name, Peer] of [
  ["nginx", NginxServer],
  ["Node", NodeServer],
] as const) {
  test(`${name} sees the requests of every case, and no other`, async () => {
    const peer = await Peer.start();
    const balancer = await Balancer.start(file(peer.port));
    try {
      for (const [index, one] of corpus.entries()) {
        const mark = `GET /case-${index} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
        await drive(balancer.port("web"), { name: "", sent: mark, requests: [""], end: "closed" });
        await drive(balancer.port("web"), one);
      }
      const seen = await peer.seen();
      const cases: SeenRequest[][] = [];
      for (const request of seen) {
        if (request.target.startsWith("/case-")) cases.push([]);
        else cases.at(-1)!.push(request);
      }
      expect(cases.length).toBe(corpus.length);
      for (const [index, one] of corpus.entries()) {
        expect([one.name, cases[index]]).toEqual([one.name, expected(one).map(seenOf).filter(Peer.takes)]);
      }
    } finally {
      await balancer.stop();
      await peer.stop();
    }
  });
}
