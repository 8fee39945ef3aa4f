/** Where clients may connect, and which pool or server each way in leads to. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { Client, rdp, Server, startServers, user, visit } from "./peers.ts";
import { Balancer } from "./rig.ts";

setDefaultTimeout(20_000);

let one: Server;
let two: Server;
let otherPort: Server;
let dead: Server;
let balancer: Balancer;

beforeAll(async () => {
  [one, two, otherPort, dead] = await startServers("one", "two", "other-port", "dead");
  await dead.stop();
  balancer = await Balancer.start(`
services:
  everywhere: { listen: ["127.0.0.1:0", "[::1]:0", ":0"], protocol: tcp, pool: ones }
  networks:
    listen: "127.0.0.1:0"
    protocol: tcp
    pool: ones
    routes:
      - { source: 127.0.0.0/16, pool: ones }
      - { source: [127.9.0.0/16, 127.0.7.0/24], pool: twos }
  desktops:
    listen: "127.0.0.1:0"
    protocol: rdp
    pool: ones
    routes: [{ collection: Sales, pool: twos }]
  only-sales:
    listen: "127.0.0.1:0"
    protocol: rdp
    routes: [{ collection: Sales, pool: twos }]
  pinned: { listen: "127.0.0.1:0", protocol: tcp, routes: [{ pool: both, server: two }] }
  sites: { listen: "127.0.0.1:0", protocol: tcp, pool: [deads, twos] }
  elsewhere: { listen: "127.0.0.1:0", protocol: tcp, pool: ones, server-port: ${otherPort.port} }
pools:
  ones: { servers: { one: ${one.address} } }
  twos: { servers: { two: ${two.address} } }
  both: { servers: { one: ${one.address}, two: ${two.address} } }
  deads: { servers: { dead: ${dead.address} }, observe: { failures: 0 } }
`);
});

afterAll(async () => {
  await balancer?.stop();
  await Promise.all([one, two, otherPort].map((server) => server.stop()));
});

test("a service listens on each of its addresses, IPv4 and IPv6", async () => {
  expect((await visit(balancer.port("everywhere", 0))).server).toBe("one");
  expect((await visit(balancer.port("everywhere", 1), { host: "::1" })).server).toBe("one");
});

test("a port without an address takes both families, and IPv4 clients are logged as such", async () => {
  const port = balancer.port("everywhere", 2);
  expect((await visit(port, { host: "::1" })).server).toBe("one");
  const client = await visit(port, { from: "127.0.0.5" });
  expect(client.server).toBe("one");
  expect(client.address).toStartWith("127.0.0.5:");
  expect((await balancer.accessLine(client)).end).toBe("client-closed");
});

test("the route with the longest network that a client is in wins, whatever the order", async () => {
  const port = balancer.port("networks");
  expect((await visit(port, { from: "127.0.0.2" })).server).toBe("one");
  expect((await visit(port, { from: "127.0.7.2" })).server).toBe("two");
  expect((await visit(port, { from: "127.9.0.1" })).server).toBe("two");
  expect((await visit(port, { from: "127.8.0.1" })).server).toBe("one");
});

test("a client who asks for a collection is sent to its pool, in whatever case it is written", async () => {
  const port = balancer.port("desktops");
  expect((await visit(port, { first: rdp("tsv://MS Terminal Services Plugin.1.Sales") })).server).toBe("two");
  expect((await visit(port, { first: rdp("tsv://MS Terminal Services Plugin.1.SALES") })).server).toBe("two");
  expect((await visit(port, { first: rdp("tsv://MS Terminal Services Plugin.1.Lab") })).server).toBe("one");
  expect((await visit(port, { first: user("alice") })).server).toBe("one");
});

test("a client for whom there is no route is refused as the protocol says, and counted", async () => {
  const client = await Client.connect(balancer.port("only-sales"), { first: user("alice") });
  expect(await client.ended).toBe("closed");
  expect(client.received.toString("hex")).toBe("0300000b06800000000001");
  expect((await balancer.accessLine(client)).end).toBe("not-allowed");
  expect((await balancer.service("only-sales")).refused["no-route"]).toBe(1);
  await client.leave();
});

test("a route that names a server always leads there, also while it drains, and not in maintenance", async () => {
  const port = balancer.port("pinned");
  for (let i = 0; i < 4; i++) expect((await visit(port)).server).toBe("two");
  await balancer.set("both/two", "drain");
  const client = await visit(port);
  expect(client.server).toBe("two");
  expect((await balancer.accessLine(client)).recognisedBy).toBe("route");
  await balancer.set("both/two", "maintenance");
  await expect(visit(port)).rejects.toThrow("it was over");
  await balancer.set("both/two", "ready");
  expect((await visit(port)).server).toBe("two");
});

test("of a list of pools the first with a usable server takes the client", async () => {
  const client = await visit(balancer.port("sites"));
  expect(client.server).toBe("two");
  expect(await balancer.accessLine(client)).toMatchObject({ pool: "twos", attempts: 2 });
});

test("`server-port` leads to another port of the same server", async () => {
  expect((await visit(balancer.port("elsewhere"))).server).toBe("other-port");
});

test("examples/by-address.yaml runs as it is: the address that was dialled decides", async () => {
  const names = [
    ["create1", "127.0.11.1", 9444],
    ["create2", "127.0.11.2", 9444],
    ["control1", "127.0.11.1", 9443],
    ["control2", "127.0.11.2", 9443],
    ["ours1", "127.0.11.1", 9446],
    ["ours2", "127.0.11.2", 9446],
  ] as const;
  const servers = await Promise.all(names.map(([name, host, port]) => Server.start(name, { host, port })));
  const example = await Balancer.start(
    await Bun.file(join(import.meta.dir, "../../../examples/by-address.yaml")).text(),
  );
  try {
    const to = async (host: string, from: string) => (await visit(8443, { host, from })).server;
    expect(await to("127.0.10.1", "127.0.0.1")).toBe("control1");
    expect(await to("127.0.10.2", "127.0.0.1")).toBe("control2");
    const first = await to("127.0.10.10", "127.0.0.1");
    expect(first).toStartWith("create");
    for (let i = 0; i < 3; i++) expect(await to("127.0.10.10", "127.0.0.1")).toBe(first);
    // The pool is shared: whoever is known at one domain is known at the other.
    expect(await to("127.0.10.20", "127.0.0.1")).toBe(first.replace("create", "ours"));
  } finally {
    await example.stop();
    await Promise.all(servers.map((server) => server.stop()));
  }
});
