/** What is not RDP, or not right, never reaches a server, is counted by reason, and costs nothing that stays. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import { hex } from "../../protocols/bytes.ts";
import { until } from "../../until.ts";
import { Client, rdp, Server, user, visit } from "./peers.ts";
import { Balancer } from "./rig.ts";

setDefaultTimeout(40_000);

let server: Server;
let balancer: Balancer;

beforeAll(async () => {
  server = await Server.start("server");
  balancer = await Balancer.start(`
services: { desktops: { listen: "127.0.0.1:0", protocol: rdp, pool: rds, timeouts: { request: 1s } } }
pools: { rds: { persistence: { by: [token, user] }, servers: { server: ${server.address} } } }
log: { access: true }
`);
});

afterAll(async () => {
  await balancer?.stop();
  await server?.stop();
});

const text = (words: string) => Buffer.from(words);
/** A Connection Request with this after its fixed part. */
const request = (variable: Uint8Array) => {
  const bytes = Buffer.concat([hex("03 00 00 00 00 e0 00 00 00 00 00"), variable]);
  bytes.writeUInt16BE(bytes.length, 2);
  bytes[4] = bytes.length - 5;
  return bytes;
};
const seeded = (length: number) => {
  const bytes = Buffer.alloc(length);
  for (let i = 0, x = 12_345; i < length; i++) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = x >>> 16;
  }
  bytes[0] = 0x5a;
  return bytes;
};
const changed = (bytes: Uint8Array, at: number, to: number) => {
  const copy = Buffer.from(bytes);
  copy[at] = to;
  return copy;
};

const bad: Readonly<Record<string, readonly [reason: string, bytes: Uint8Array]>> = {
  "random bytes": ["not-tpkt", seeded(2_000)],
  "a web browser": ["not-tpkt", text("GET / HTTP/1.1\r\nHost: desktops\r\n\r\n")],
  "a TLS client": ["not-tpkt", hex("16 03 01 02 00 01 00 01 fc 03 03")],
  "a preconnection blob": ["preconnection-blob", hex("10 00 00 00 00 00 00 00 01 00 00 00 2a 00 00 00")],
  "a request of 300 bytes": [
    "too-long",
    Buffer.concat([hex("03 00 01 2c fe e0 00 00 00 00 00"), Buffer.alloc(289, 0x41)]),
  ],
  "a length of 4": ["too-short", hex("03 00 00 04")],
  "lengths that contradict each other": ["bad-length", changed(user("alice"), 4, 7)],
  "data before any connection": ["not-connection-request", hex("03 00 00 0c 07 f0 80 04 01 00 01 00")],
  "a line with a zero in it": ["bad-text", request(text("Cookie: mstshash=a\0b\r\n"))],
  "a line without an end": ["no-line-end", request(text("Cookie: mstshash=alice"))],
  "half a negotiation": ["bad-negotiation", request(hex("01 00 08 00"))],
};

const refused = async () => (await balancer.service("desktops")).refused as Record<string, number | undefined>;

for (const [name, [reason, bytes]] of Object.entries(bad)) {
  test(`${name}: ended without a word, counted as ${reason}, never passed on`, async () => {
    const visitors = server.visitors.length;
    const before = (await refused())[reason] ?? 0;
    const client = await Client.connect(balancer.port("desktops"), { first: bytes });
    await client.ended;
    expect(client.received.length).toBe(0);
    expect(await balancer.accessLine(client)).toMatchObject({ end: "bad-protocol", server: null, attempts: 0 });
    expect((await refused())[reason]).toBe(before + 1);
    expect(await balancer.metrics()).toContain(
      `holdfast_service_refused_total{service="desktops",reason="${reason}"} ${before + 1}\n`,
    );
    await client.leave();
    expect(server.visitors.length).toBe(visitors);
  });
}

test("a request that stops in the middle is waited for no longer than `request`", async () => {
  const half = await Client.connect(balancer.port("desktops"), { first: user("alice").subarray(0, 20) });
  await half.ended;
  expect((await balancer.accessLine(half)).end).toBe("first-bytes-timeout");
  expect((await refused())["first-bytes-timeout"]).toBe(1);
  await half.leave();
});

test("who leaves, in order or not, before the request is whole is counted as closed-early", async () => {
  const before = (await refused())["closed-early"] ?? 0;
  const polite = await Client.connect(balancer.port("desktops"), { first: user("alice").subarray(0, 20) });
  polite.finish();
  await polite.ended;
  const rude = await Client.connect(balancer.port("desktops"), { first: "" });
  rude.reset();
  expect((await balancer.accessLine(polite)).end).toBe("client-closed");
  expect((await balancer.accessLine(rude)).end).toBe("client-reset");
  expect((await refused())["closed-early"]).toBe(before + 2);
  await polite.leave();
});

test("what looks odd but is allowed is passed on byte for byte", async () => {
  const requests = [
    rdp(),
    rdp("Cookie: mstshash="),
    rdp("anything at all"),
    rdp("cookie:msts=1.2"),
    rdp("Cookie: holdfast=x"),
  ];
  for (const first of requests) {
    const nth = server.visitors.length;
    await visit(balancer.port("desktops"), { first });
    expect(Buffer.compare(server.visitors[nth]!.received, first)).toBe(0);
  }
});

/** What the process has open and in memory. */
async function costs() {
  const { pid } = await balancer.status();
  const rss = /^process_resident_memory_bytes (\S+)$/m.exec(await balancer.metrics());
  return { files: readdirSync(`/proc/${pid}/fd`).length, bytes: Number(rss?.[1]) };
}

test("thousands of bad clients leave no descriptor and no memory behind, and a good one is served among them", async () => {
  const port = balancer.port("desktops");
  const kinds = Object.values(bad).map(([, bytes]) => bytes);
  const flood = async (count: number) => {
    let next = 0;
    const one = async () => {
      while (next < count) {
        const client = await Client.connect(port, { first: kinds[next++ % kinds.length]! });
        await client.ended;
        await client.leave();
      }
    };
    await Promise.all(Array.from({ length: 20 }, one));
    await until("all to be gone", async () => (await balancer.service("desktops")).open === 0);
  };
  await flood(2_000);
  const before = await costs();
  const visitors = server.visitors.length;
  const [, good] = await Promise.all([flood(6_000), visit(port, { first: user("alice") })]);
  expect(good.server).toBe("server");
  expect(server.visitors.length).toBe(visitors + 1);
  expect((await costs()).files).toBeLessThanOrEqual(before.files + 4);
  // Garbage is collected when it has become much: memory rises and falls. 4 KiB kept of each client would show.
  const most = before.bytes + 24 * 1024 * 1024;
  await until(
    "memory to be what it was",
    async () => {
      await flood(1_000);
      return (await costs()).bytes < most;
    },
    20_000,
  );
});
