/** Nothing waits for ever, and nobody takes everything. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { sys } from "../../../src/os/libc.ts";
import { localPort, socketAddress } from "../../../src/os/socket.ts";
import { parseAddress } from "../../../src/protocols/address.ts";
import { until } from "../../until.ts";
import { Client, Server, user, visit } from "./peers.ts";
import { Balancer, stayAway } from "./rig.ts";

setDefaultTimeout(20_000);

const AF_INET = 2;
const SOCK_STREAM = 1;

/** A port whose queue is full: the kernel drops whoever connects, as a firewall does or a machine that is gone. */
class BlackHole {
  readonly #fd = sys.socket(AF_INET, SOCK_STREAM, 0);
  readonly port: number;
  readonly #fillers: Client[] = [];

  private constructor() {
    const where = socketAddress(parseAddress("127.0.0.1")!, 0);
    expect(sys.bind(this.#fd, where, where.length)).toBe(0);
    expect(sys.listen(this.#fd, 0)).toBe(0);
    this.port = localPort(this.#fd);
  }

  static async open(): Promise<BlackHole> {
    const hole = new BlackHole();
    hole.#fillers.push(await Client.connect(hole.port, { first: "" }));
    return hole;
  }

  async close(): Promise<void> {
    await Promise.all(this.#fillers.map((client) => client.leave()));
    sys.close(this.#fd);
  }
}

let server: Server;
let silent: Server;
let hole: BlackHole;
let balancer: Balancer;

beforeAll(async () => {
  server = await Server.start("server");
  silent = await Server.start("silent", { answers: false });
  hole = await BlackHole.open();
  balancer = await Balancer.start(`
services:
  request: { listen: "127.0.0.1:0", protocol: rdp, pool: one, timeouts: { request: 600ms } }
  proxied: { listen: "127.0.0.1:0", protocol: tcp, pool: one, timeouts: { request: 600ms }, trust: 127.0.0.1, accept-proxy: true }
  connect: { listen: "127.0.0.1:0", protocol: tcp, pool: holes }
  lost: { listen: "127.0.0.1:0", protocol: rdp, pool: hole }
  idle: { listen: "127.0.0.1:0", protocol: tcp, pool: silent, timeouts: { idle: 700ms } }
  half: { listen: "127.0.0.1:0", protocol: tcp, pool: silent, timeouts: { half-close: 700ms } }
  few: { listen: "127.0.0.1:0", protocol: tcp, pool: one, limits: { connections: 2 } }
  sources: { listen: "127.0.0.1:0", protocol: tcp, pool: one, limits: { connections-per-source: 2 } }
  networks: { listen: "127.0.0.1:0", protocol: tcp, pool: one, trust: 127.0.0.1, accept-proxy: true, limits: { connections-per-source: 1 } }
  rate: { listen: "127.0.0.1:0", protocol: tcp, pool: one, limits: { new-per-source: 4/s } }
pools:
  one: { servers: { server: ${server.address} } }
  silent: { servers: { silent: ${silent.address} } }
  hole: { servers: { hole: "127.0.0.1:${hole.port}" }, timeouts: { connect: 300ms }, observe: { failures: 0 } }
  holes:
    algorithm: first
    timeouts: { connect: 300ms }
    observe: { failures: 0 }
    servers: { hole: "127.0.0.1:${hole.port}", server: ${server.address} }
`);
});

afterAll(async () => {
  await balancer?.stop();
  await hole?.close();
  await Promise.all([server, silent].map((one) => one?.stop()));
});

const refused = async (service: string) => (await balancer.service(service)).refused;

/** Takes `task`'s time, ms. */
async function timed(task: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await task();
  return performance.now() - began;
}

describe("timeouts", () => {
  test("who says nothing, or one byte now and then, is not waited for", async () => {
    const seen = server.visitors.length;
    for (const service of ["request", "proxied"]) {
      const quiet = await Client.connect(balancer.port(service), { first: "" });
      const slow = await Client.connect(balancer.port(service), { first: "" });
      const bytes = service === "request" ? user("alice") : Buffer.from("PROXY TCP4 198.51.100.1 192.0.2.1 1 2\r\n");
      let at = 0;
      const dripping = setInterval(() => slow.send(bytes.subarray(at, ++at)), 100);
      const took = await timed(() => Promise.all([quiet.ended, slow.ended]));
      clearInterval(dripping);
      expect(took).toBeWithin(400, 2_000);
      expect(at).toBeGreaterThan(2);
      for (const client of [quiet, slow]) {
        expect(client.received.length).toBe(0);
        expect(await balancer.accessLine(client)).toMatchObject({ end: "first-bytes-timeout", server: null });
      }
      await Promise.all([quiet.leave(), slow.leave()]);
      expect((await refused(service))["first-bytes-timeout"]).toBe(2);
    }
    expect(server.visitors.length).toBe(seen);
  });

  test("a server that does not take the connection in time is passed over for the next", async () => {
    const client = await Client.connect(balancer.port("connect"));
    const took = await timed(() => client.server());
    expect(took).toBeWithin(250, 2_000);
    await client.leave();
    expect(await balancer.accessLine(client)).toMatchObject({ server: "server", attempts: 2 });
    expect((await balancer.server("holes/hole")).failures.connect).toBe(1);
  });

  test("without a next one the client is refused as the protocol says", async () => {
    const client = await Client.connect(balancer.port("lost"), { first: user("alice") });
    expect(await client.ended).toBe("closed");
    expect(client.received.toString("hex")).toBe("0300000b06800000000001");
    await client.leave();
    expect((await balancer.accessLine(client)).end).toBe("connect-failed");
    expect((await refused("lost"))["connect-failed"]).toBe(1);
  });

  test("a connection that is silent both ways is ended, one that is not goes on", async () => {
    const nth = silent.visitors.length;
    const client = await Client.connect(balancer.port("idle"));
    const visitor = await silent.visitor(nth);
    for (let i = 0; i < 4; i++) {
      await stayAway(300);
      if (i % 2) client.send("still here");
      else visitor.send("so am I");
    }
    const took = await timed(() => Promise.all([client.ended, visitor.ended]));
    expect(took).toBeWithin(500, 2_000);
    expect((await balancer.accessLine(client)).end).toBe("idle-timeout");
    visitor.finish();
    await client.leave();
  });

  test("after one side has finished, the other may go on as long as it says something", async () => {
    const nth = silent.visitors.length;
    const client = await Client.connect(balancer.port("half"), { first: "a question" });
    client.finish();
    const visitor = await silent.visitor(nth);
    expect(await visitor.ended).toBe("closed");
    expect(visitor.received.toString()).toBe("a question");
    for (let i = 1; i <= 4; i++) {
      await stayAway(300);
      visitor.send("more ");
      await client.receive((bytes) => bytes.length === i * 5);
    }
    const took = await timed(() => client.ended);
    expect(took).toBeWithin(500, 2_000);
    expect((await balancer.accessLine(client)).end).toBe("idle-timeout");
    visitor.finish();
    await client.leave();
  });
});

describe("limits", () => {
  test("connections of a service: one too many is refused, and there is room again when one has left", async () => {
    const port = balancer.port("few");
    const clients = [await Client.connect(port), await Client.connect(port)];
    for (const client of clients) await client.server();
    const third = await Client.connect(port);
    expect(await third.ended).toBe("reset");
    expect((await refused("few"))["limit-service"]).toBe(1);
    expect((await balancer.service("few")).open).toBe(2);
    await clients[0]!.leave();
    await balancer.accessLine(clients[0]!);
    expect((await visit(port)).server).toBe("server");
    await clients[1]!.leave();
  });

  test("connections of a source: others are not concerned, and every end gives one back", async () => {
    const port = balancer.port("sources");
    const mine = [await Client.connect(port), await Client.connect(port)];
    for (const client of mine) await client.server();
    const third = await Client.connect(port);
    await third.ended;
    expect((await balancer.accessLine(third)).end).toBe("limit");
    expect((await refused("sources"))["limit-source"]).toBe(1);
    expect((await visit(port, { from: "127.0.40.1" })).server).toBe("server");
    for (const [nth, client] of mine.entries()) {
      if (nth === 0) client.reset();
      else await client.leave();
      await balancer.accessLine(client);
    }
    const again = [await Client.connect(port), await Client.connect(port)];
    for (const client of again) expect(await client.server()).toBe("server");
    await Promise.all([...again, third].map((client) => client.leave()));
  });

  test("all addresses of one IPv6 network are one source: a host there may call itself anything", async () => {
    const port = balancer.port("networks");
    const from = (address: string) => Client.connect(port, { first: `PROXY TCP6 ${address} ::1 1 2\r\nhello` });
    const first = await from("2001:db8:1:1::1");
    await first.server();
    const second = await from("2001:db8:1:1:ffff::2");
    await second.ended;
    expect((await refused("networks"))["limit-source"]).toBe(1);
    const neighbour = await from("2001:db8:1:2::1");
    expect(await neighbour.server()).toBe("server");
    await Promise.all([first, second, neighbour].map((client) => client.leave()));
  });

  test("new connections of a source in a second: what is too much is refused, later ones are taken", async () => {
    const port = balancer.port("rate");
    const clients = await Promise.all(Array.from({ length: 60 }, () => Client.connect(port, { from: "127.0.41.1" })));
    const answers = await Promise.allSettled(clients.map((client) => client.server()));
    const taken = answers.filter(({ status }) => status === "fulfilled").length;
    // How many exactly depends on how long the machine takes for sixty: a dozen seconds would be needed for all.
    expect(taken).toBeGreaterThanOrEqual(4);
    expect(taken).toBeLessThan(60);
    expect((await refused("rate"))["limit-rate"]).toBe(60 - taken);
    expect((await visit(port, { from: "127.0.41.2" })).server).toBe("server");
    await Promise.all(clients.map((client) => client.leave()));
    await until("the source to be welcome again", () =>
      visit(port, { from: "127.0.41.1" }).then(
        () => true,
        () => false,
      ),
    );
  });
});
