/** PROXY headers: believed only from `trust`, and written for servers that want one. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { PLAIN_CONNECTION_CONFIRM as CONFIRM } from "../../../src/protocols/rdp/connection-confirm.ts";
import { until } from "../../until.ts";
import { Client, Server, startServers, user, visit } from "./peers.ts";
import { Balancer } from "./rig.ts";

setDefaultTimeout(20_000);

let one: Server;
let two: Server;
/** Says nothing, so that all that it got can be looked at. */
let silent: Server;
let balancer: Balancer;

beforeAll(async () => {
  [one, two] = await startServers("one", "two");
  silent = await Server.start("silent", { answers: false });
  const both = `{ one: ${one.address}, two: ${two.address} }`;
  balancer = await Balancer.start(`
services:
  tcp:
    listen: ["127.0.0.1:0", "[::1]:0"]
    protocol: tcp
    pool: sources
    routes: [{ source: [203.0.113.0/24, "2001:db8:2::/48"], pool: twos }]
    trust: [127.0.0.1, "::1"]
    accept-proxy: true
  rdp: { listen: "127.0.0.1:0", protocol: rdp, pool: sources, trust: 127.0.0.1, accept-proxy: true }
  limited:
    listen: "127.0.0.1:0"
    protocol: tcp
    pool: sources
    trust: 127.0.0.1
    accept-proxy: true
    limits: { connections-per-source: 1 }
  v1: { listen: ["127.0.0.1:0", "[::1]:0"], protocol: tcp, pool: v1 }
  v2: { listen: ["127.0.0.1:0", "[::1]:0"], protocol: tcp, pool: v2 }
  rdp-v2: { listen: "127.0.0.1:0", protocol: rdp, pool: v2 }
  through: { listen: "127.0.0.1:0", protocol: rdp, pool: v1, trust: 127.0.0.1, accept-proxy: true }
pools:
  sources: { algorithm: round-robin, persistence: { by: source }, servers: ${both} }
  twos: { servers: { two: ${two.address} } }
  v1: { proxy-protocol: v1, servers: { silent: ${silent.address} } }
  v2: { proxy-protocol: v2, servers: { silent: ${silent.address} } }
`);
});

afterAll(async () => {
  await balancer?.stop();
  await Promise.all([one, two, silent].map((server) => server?.stop()));
});

const SIGNATURE = "0d0a0d0a000d0a515549540a";
const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
const v1 = (from: string, port: number, family = "TCP4") =>
  `PROXY ${family} ${from} ${family === "TCP4" ? "192.0.2.1" : "2001:db8::1"} ${port} 443\r\n`;
/** 198.51.100.7:4711 to 192.0.2.1:443, with a TLV behind. */
const V2_IPV4 = hex(`${SIGNATURE} 21 11 0010 c6336407 c0000201 1267 01bb 04 0001 00`);
/** [2001:db8:2::7]:4711 to [2001:db8::1]:443. */
const V2_IPV6 = hex(
  `${SIGNATURE} 21 21 0024 20010db8000200000000000000000007 20010db8000000000000000000000001 1267 01bb`,
);
/** LOCAL: the proxy itself, a health check. */
const V2_LOCAL = hex(`${SIGNATURE} 20 00 0000`);
const with_ = (header: string | Uint8Array, first: string | Uint8Array = "hello") => ({
  first: Buffer.concat([Buffer.from(header), Buffer.from(first)]),
});

/** The access line of a client that a header named. */
const lineOf = (address: string, from: number) => balancer.accessLine({ address }, from);

test("v1 and v2 headers say who the client is, IPv4 and IPv6, for tcp", async () => {
  for (const [header, address] of [
    [v1("198.51.100.9", 1001), "198.51.100.9:1001"],
    [v1("2001:db8:9::9", 1002, "TCP6"), "[2001:db8:9::9]:1002"],
    [V2_IPV4, "198.51.100.7:4711"],
    [V2_IPV6, "[2001:db8:2::7]:4711"],
  ] as const) {
    const from = balancer.log.events.length;
    const { server } = await visit(balancer.port("tcp"), with_(header));
    expect(await lineOf(address, from)).toMatchObject({ server, end: "client-closed" });
  }
});

test("the same for rdp, whose request comes behind the header, in however many pieces", async () => {
  const from = balancer.log.events.length;
  await visit(balancer.port("rdp"), with_(V2_IPV4, user("alice")));
  expect(await lineOf("198.51.100.7:4711", from)).toMatchObject({ user: "alice" });
  const again = balancer.log.events.length;
  const client = await Client.connect(balancer.port("rdp"), { first: "PROXY TCP4 198.51.100.8 192" });
  client.send(".0.2.1 2002 443\r\n");
  client.send(user("bob").subarray(0, 9));
  client.send(user("bob").subarray(9));
  await client.server();
  await client.leave();
  expect(await lineOf("198.51.100.8:2002", again)).toMatchObject({ user: "bob" });
});

test("persistence and routes go by the client behind the proxy", async () => {
  const port = balancer.port("tcp");
  const { server } = await visit(port, with_(v1("198.51.100.20", 1)));
  for (let nth = 2; nth < 5; nth++) expect((await visit(port, with_(v1("198.51.100.20", nth)))).server).toBe(server);
  const others = new Set<string>();
  for (let nth = 0; nth < 4; nth++) others.add((await visit(port, with_(v1(`198.51.100.${30 + nth}`, 1)))).server);
  expect(others.size).toBe(2);
  for (let nth = 0; nth < 3; nth++) expect((await visit(port, with_(v1(`203.0.113.${nth}`, 1)))).server).toBe("two");
  expect((await visit(port, with_(V2_IPV6))).server).toBe("two");
});

test("limits of a source are those of the client behind the proxy", async () => {
  const port = balancer.port("limited");
  const first = await Client.connect(port, with_(v1("198.51.100.40", 1)));
  await first.server();
  const second = await Client.connect(port, with_(v1("198.51.100.40", 2)));
  await second.ended;
  expect(second.received.length).toBe(0);
  expect((await visit(port, with_(v1("198.51.100.41", 1)))).server).toBeOneOf(["one", "two"]);
  await Promise.all([first.leave(), second.leave()]);
  expect((await balancer.service("limited")).refused["limit-source"]).toBe(1);
});

test("a proxy that speaks for itself is the client: v1 UNKNOWN, v2 LOCAL", async () => {
  for (const header of ["PROXY UNKNOWN\r\n", V2_LOCAL]) {
    const client = await visit(balancer.port("tcp"), with_(header));
    expect((await balancer.accessLine(client)).end).toBe("client-closed");
  }
});

test("from an address that is not trusted a header is no header: rdp refuses it, tcp passes it on unread", async () => {
  const from = "127.0.30.1";
  const client = await Client.connect(balancer.port("rdp"), { ...with_(V2_IPV4, user("mallory")), from });
  await client.ended;
  expect(await balancer.accessLine(client)).toMatchObject({ end: "bad-protocol", user: null, server: null });
  await client.leave();
  const plain = await visit(balancer.port("tcp"), { ...with_(v1("203.0.113.1", 1)), from });
  expect(await balancer.accessLine(plain)).toMatchObject({ service: "tcp", pool: "sources" });
});

test("from a trusted address a connection without a header, or with a broken one, is refused and counted", async () => {
  const before = [one, two].map(({ visitors }) => visitors.length);
  const bad = [
    "hello",
    "PROXY TCP4 198.51.100.9 192.0.2.1 1001\r\n",
    "PROXY TCP4 198.51.100.999 192.0.2.1 1 2\r\n",
    `PROXY ${"x".repeat(120)}`,
    hex(`${SIGNATURE} 31 11 000c c6336407 c0000201 1267 01bb`),
    hex(`${SIGNATURE} 21 11 ffff c6336407 c0000201 1267 01bb`),
    hex(`${SIGNATURE} 21 11 0004 c6336407`),
  ];
  const counted = (await balancer.service("tcp")).refused["bad-proxy-header"] ?? 0;
  for (const first of bad) {
    const client = await Client.connect(balancer.port("tcp"), { first });
    await client.ended;
    expect(client.received.length).toBe(0);
    expect((await balancer.accessLine(client)).end).toBe("bad-protocol");
    await client.leave();
  }
  expect((await balancer.service("tcp")).refused["bad-proxy-header"]).toBe(counted + bad.length);
  expect([one, two].map(({ visitors }) => visitors.length)).toEqual(before);
});

/** What the silent server gets of a client that is still connected. */
async function passedOn(service: string, address: number, options: Parameters<typeof Client.connect>[1]) {
  const nth = silent.visitors.length;
  const client = await Client.connect(balancer.port(service, address), options);
  const text = Buffer.from(options?.first ?? "hello");
  const seen = await silent.visitor(nth);
  const bytes = await seen.receive((received) => received.includes(text));
  await client.leave();
  return { bytes, client, header: bytes.subarray(0, bytes.length - text.length) };
}

const portBytes = (port: number) => port.toString(16).padStart(4, "0");

test("servers that want it are told who the client is: v1", async () => {
  const four = await passedOn("v1", 0, { from: "127.0.31.1" });
  const [, port] = four.client.address.split(":");
  expect(four.header.toString()).toBe(`PROXY TCP4 127.0.31.1 127.0.0.1 ${port} ${balancer.port("v1", 0)}\r\n`);
  const six = await passedOn("v1", 1, { host: "::1" });
  const sixPort = six.client.address.split(":").at(-1);
  expect(six.header.toString()).toBe(`PROXY TCP6 ::1 ::1 ${sixPort} ${balancer.port("v1", 1)}\r\n`);
});

test("the same in v2, for tcp and in front of an RDP client's request", async () => {
  for (const [service, first] of [
    ["v2", "hello"],
    ["rdp-v2", user("alice")],
  ] as const) {
    const { header, client } = await passedOn(service, 0, { from: "127.0.31.2", first });
    const ports = `${portBytes(Number(client.address.split(":")[1]))}${portBytes(balancer.port(service))}`;
    expect(header.toString("hex")).toBe(`${SIGNATURE}2111000c7f001f027f000001${ports}`);
  }
  const { header } = await passedOn("v2", 1, { host: "::1" });
  expect(header.subarray(0, 48).toString("hex")).toBe(`${SIGNATURE}21210024${`${"0".repeat(31)}1`.repeat(2)}`);
  expect(header.length).toBe(52);
});

test("a header that came in goes out as ours, and is not passed on itself", async () => {
  const request = user("alice");
  const nth = silent.visitors.length;
  const client = await Client.connect(balancer.port("through"), with_(V2_IPV4, request));
  const bytes = await (await silent.visitor(nth)).receive((received) => received.includes(request));
  const line = bytes.subarray(0, bytes.length - request.length).toString();
  expect(line).toBe(`PROXY TCP4 198.51.100.7 127.0.0.1 4711 ${balancer.port("through")}\r\n`);
  await client.leave();
});

test("health checks of servers that want a header come behind one that names nobody", async () => {
  const headers: Readonly<Record<string, Buffer>> = { v1: Buffer.from("PROXY UNKNOWN\r\n"), v2: V2_LOCAL };
  for (const [version, header] of Object.entries(headers)) {
    const strict = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (bytes: Buffer) => {
        if (header.equals(bytes.subarray(0, header.length)) && bytes[header.length] === 3) socket.end(CONFIRM);
        else socket.destroy();
      });
    }).listen(0, "127.0.0.1");
    await once(strict, "listening");
    const checked = await Balancer.start(`
services: { a: { listen: "127.0.0.1:0", protocol: rdp, pool: p } }
pools:
  p:
    proxy-protocol: ${version}
    health: { check: rdp, every: 200ms, timeout: 100ms, rise: 1, fall: 1 }
    servers: { strict: "127.0.0.1:${(strict.address() as AddressInfo).port}" }
`);
    try {
      await until("the server to be up", async () => (await checked.server("p/strict")).state === "up");
    } finally {
      await checked.stop();
      strict.close();
    }
  }
});
