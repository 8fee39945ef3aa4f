/** Who gets which server: limits and waiting, backups, servers that are all down, slow start, agents. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createServer } from "node:net";
import { freePort } from "../../lab/ways.ts";
import { until } from "../../until.ts";
import { Client, Server, startServers, user, visit } from "./peers.ts";
import { Balancer } from "./rig.ts";

setDefaultTimeout(20_000);

/** How many of `count` new clients, one after the other, each server got. */
async function shares(port: number, count: number): Promise<Record<string, number>> {
  const got: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const { server } = await visit(port);
    got[server] = (got[server] ?? 0) + 1;
  }
  return got;
}

describe("limits and waiting", () => {
  let server: Server;
  let balancer: Balancer;

  beforeAll(async () => {
    server = await Server.start("small");
    const small = `{ small: { address: ${server.address}, limit: 1 } }`;
    balancer = await Balancer.start(`
workers: 2
services:
  patient: { listen: "127.0.0.1:0", protocol: tcp, pool: patients }
  hasty: { listen: "127.0.0.1:0", protocol: rdp, pool: hasties }
  full: { listen: "127.0.0.1:0", protocol: rdp, pool: fulls }
pools:
  patients: { servers: ${small}, queue: { length: 8, timeout: 20s } }
  hasties: { servers: ${small}, queue: { length: 8, timeout: 300ms } }
  fulls: { servers: ${small}, queue: { length: 1, timeout: 20s } }
`);
  });

  afterAll(async () => {
    await balancer?.stop();
    await server?.stop();
  });

  test("who waits for a full server gets it in the order they came, whichever worker they are at", async () => {
    const port = balancer.port("patient");
    const first = await Client.connect(port);
    expect(await first.server()).toBe("small");
    const waiting: Client[] = [];
    for (let length = 1; length <= 8; length++) {
      waiting.push(await Client.connect(port));
      await until(`${length} to wait`, async () => (await balancer.pool("patients")).queued === length);
    }
    const { workers } = await balancer.status();
    expect(workers.map(({ connections }) => connections > 0)).toEqual([true, true]);
    const served: number[] = [];
    for (const [index, client] of waiting.entries()) void client.server().then(() => served.push(index));
    let last = first;
    for (const [index, client] of waiting.entries()) {
      await last.leave();
      await client.server();
      expect(served).toEqual(Array.from({ length: index + 1 }, (_, at) => at));
      expect((await balancer.server("patients/small")).open).toBe(1);
      last = client;
    }
    await last.leave();
    const line = await balancer.accessLine(waiting[0]!);
    expect(line.queueMs).toBeGreaterThan(0);
  });

  test("who has waited for too long is refused as the protocol says", async () => {
    const port = balancer.port("hasty");
    const first = await Client.connect(port, { first: user("alice") });
    await first.server();
    const second = await Client.connect(port, { first: user("bob") });
    expect(await second.ended).toBe("closed");
    expect(second.received[5]).toBe(0x80); // X.224 Disconnect Request
    const line = await balancer.accessLine(second);
    expect(line).toMatchObject({ end: "queue-timeout", server: null });
    expect(line.queueMs).toBeGreaterThan(250);
    expect(line.queueMs).toBeLessThan(1_500);
    expect((await balancer.service("hasty")).refused["queue-timeout"]).toBe(1);
    await Promise.all([first.leave(), second.leave()]);
  });

  test("who finds the queue full is refused at once", async () => {
    const port = balancer.port("full");
    const first = await Client.connect(port, { first: user("alice") });
    await first.server();
    const second = await Client.connect(port, { first: user("bob") });
    await until("one to wait", async () => (await balancer.pool("fulls")).queued === 1);
    const third = await Client.connect(port, { first: user("carol") });
    expect(await third.ended).toBe("closed");
    expect(third.received[5]).toBe(0x80);
    expect((await balancer.accessLine(third)).end).toBe("queue-full");
    expect((await balancer.service("full")).refused["queue-full"]).toBe(1);
    await first.leave();
    expect(await second.server()).toBe("small");
    await Promise.all([second.leave(), third.leave()]);
  });

  test("who leaves while waiting frees the place in the queue and never reaches the server", async () => {
    const port = balancer.port("full");
    const first = await Client.connect(port, { first: user("alice") });
    await first.server();
    const seen = server.visitors.length;
    const second = await Client.connect(port, { first: user("bob") });
    await until("one to wait", async () => (await balancer.pool("fulls")).queued === 1);
    await second.leave();
    expect((await balancer.accessLine(second)).end).toBeOneOf(["client-closed", "client-reset"]);
    expect((await balancer.pool("fulls")).queued).toBe(0);
    await first.leave();
    await balancer.accessLine(first);
    expect(server.visitors.length).toBe(seen);
  });
});

describe("servers that are not there", () => {
  const check = `{ check: tcp, every: 200ms, timeout: 100ms, fall: 2, rise: 1 }`;
  let main: Server;
  let spare: Server;
  let probes: Server;
  let balancer: Balancer;

  beforeAll(async () => {
    [main, spare, probes] = await startServers("main", "spare", "probes");
    const probe = `{ check: tcp, every: 200ms, timeout: 100ms, fall: 2, rise: 1, port: ${probes.port} }`;
    const both = `{ main: ${main.address}, spare: ${spare.address} }`;
    const by = "by: user, idle: 1h";
    balancer = await Balancer.start(`
services:
  backups: { listen: "127.0.0.1:0", protocol: tcp, pool: backups }
  strict: { listen: "127.0.0.1:0", protocol: rdp, pool: strict }
  lenient: { listen: "127.0.0.1:0", protocol: rdp, pool: lenient }
  forgetting: { listen: "127.0.0.1:0", protocol: rdp, pool: forgetting }
  keeping: { listen: "127.0.0.1:0", protocol: rdp, pool: keeping }
  slow: { listen: "127.0.0.1:0", protocol: tcp, pool: slow }
pools:
  backups: { health: ${check}, servers: { main: ${main.address}, spare: { address: ${spare.address}, backup: true } } }
  strict: { health: ${probe}, servers: ${both} }
  lenient: { health: ${probe}, all-down: last-known, persistence: { ${by} }, servers: ${both} }
  forgetting: { algorithm: first, health: ${check}, persistence: { ${by}, on-down: forget }, servers: ${both} }
  keeping: { algorithm: first, health: ${check}, persistence: { ${by}, on-down: keep }, servers: ${both} }
  slow: { algorithm: round-robin, health: ${check}, ramp: 5s, servers: ${both} }
`);
    for (const pool of ["backups", "strict", "lenient", "forgetting", "keeping", "slow"]) {
      for (const server of ["main", "spare"]) await becomes(`${pool}/${server}`, "up");
    }
  });

  afterAll(async () => {
    await balancer?.stop();
    await Promise.all([main, spare, probes].map((server) => server?.stop()));
  });

  const becomes = (name: string, state: string) =>
    until(`${name} to be ${state}`, async () => (await balancer.server(name)).state === state);
  const as = (name: string) => ({ first: user(name) });

  test("a backup gets nobody while a primary server is there, and everybody while there is none", async () => {
    const port = balancer.port("backups");
    expect(await shares(port, 6)).toEqual({ main: 6 });
    await main.stop();
    await becomes("backups/main", "down");
    expect(await shares(port, 6)).toEqual({ spare: 6 });
    await main.start();
    await becomes("backups/main", "up");
    expect(await shares(port, 6)).toEqual({ main: 6 });
  });

  test("after its server came back, a user who had to move stays (`forget`) or goes back (`keep`)", async () => {
    const [forgetting, keeping] = [balancer.port("forgetting"), balancer.port("keeping")];
    for (const port of [forgetting, keeping]) expect((await visit(port, as("alice"))).server).toBe("main");
    await main.stop();
    for (const pool of ["forgetting", "keeping"]) await becomes(`${pool}/main`, "down");
    for (const port of [forgetting, keeping]) {
      const moved = await visit(port, as("alice"));
      expect(moved.server).toBe("spare");
      expect((await balancer.accessLine(moved)).endDetail).toBe("known server is down");
    }
    await main.start();
    for (const pool of ["forgetting", "keeping"]) await becomes(`${pool}/main`, "up");
    expect((await visit(forgetting, as("alice"))).server).toBe("spare");
    expect((await visit(keeping, as("alice"))).server).toBe("main");
    const { returns } = await balancer.pool("keeping");
    expect(returns).toMatchObject({ own: 1, server_down: 1 });
  });

  test("when every check fails, clients are refused, or go on with the servers that were last known", async () => {
    const [strict, lenient] = [balancer.port("strict"), balancer.port("lenient")];
    const mine = (await visit(lenient, as("alice"))).server;
    await probes.stop();
    for (const pool of ["strict", "lenient"]) {
      for (const server of ["main", "spare"]) await becomes(`${pool}/${server}`, "down");
    }
    const refused = await Client.connect(strict, as("alice"));
    expect(await refused.ended).toBe("closed");
    expect(refused.received.toString("hex")).toBe("0300000b06800000000001");
    expect((await balancer.accessLine(refused)).end).toBe("no-server");
    expect((await balancer.service("strict")).refused["no-server"]).toBe(1);
    await refused.leave();

    for (let i = 0; i < 3; i++) {
      const known = await visit(lenient, as("alice"));
      expect(known.server).toBe(mine);
      expect(await balancer.accessLine(known)).toMatchObject({
        recognisedBy: "user",
        endDetail: "every check failed: last known state used",
      });
    }
    expect((await visit(lenient, as("bob"))).server).toBeOneOf(["main", "spare"]);
    await probes.start();
    await becomes("strict/main", "up");
    expect((await visit(strict, as("alice"))).server).toBeOneOf(["main", "spare"]);
  });

  test("a server that came up gets few clients at first", async () => {
    await main.stop();
    await becomes("slow/main", "down");
    // The other one has its full share by now.
    await until("spare to have warmed up", async () => {
      const { at, pools } = await balancer.status();
      const spare = pools.find(({ name }) => name === "slow")!.servers.find(({ name }) => name === "spare")!;
      return Date.parse(at) - Date.parse(spare.since) > 5_000;
    });
    await main.start();
    await becomes("slow/main", "up");
    const { main: fresh = 0, spare: warm = 0 } = await shares(balancer.port("slow"), 40);
    expect(warm).toBeGreaterThan(fresh * 1.5);
  });

  test("clients whose connects fail take a server out before any check did", async () => {
    const dead = await Server.start("dead");
    await dead.stop();
    const other = await Balancer.start(`
services: { a: { listen: "127.0.0.1:0", pool: p } }
pools: { p: { algorithm: first, observe: { failures: 2 }, servers: { dead: ${dead.address}, main: ${main.address} } } }
`);
    try {
      for (let i = 0; i < 2; i++) expect((await visit(other.port("a"))).server).toBe("main");
      const down = await other.heard("server.down", ({ server }) => server === "dead");
      expect(down.msg).toBe("p/dead is down: 2 connects in a row failed");
      expect(await other.accessLine(await visit(other.port("a")))).toMatchObject({ attempts: 1, server: "main" });
    } finally {
      await other.stop();
    }
  });
});

describe("agents", () => {
  const HOSTS = { first: "127.0.12.1", second: "127.0.12.2" };
  type Name = keyof typeof HOSTS;
  const says: Record<"number" | "text", Record<Name, string>> = {
    number: { first: "0\n", second: "0\n" },
    text: { first: "up ready 100%\n", second: "up ready 100%\n" },
  };
  const servers: Server[] = [];
  const agents: { stop(): unknown }[] = [];
  let balancer: Balancer;

  beforeAll(async () => {
    const [numbers, texts] = [await freePort(), await freePort()];
    for (const [name, host] of Object.entries(HOSTS) as [Name, string][]) {
      servers.push(await Server.start(name, { host }));
      agents.push(Bun.serve({ hostname: host, port: numbers, fetch: () => new Response(says.number[name]) }));
      const texting = createServer((socket) => socket.end(says.text[name])).listen(texts, host);
      agents.push({ stop: () => texting.close() });
    }
    const both = servers.map((server) => `${server.name}: ${server.address}`).join(", ");
    balancer = await Balancer.start(`
services:
  number: { listen: "127.0.0.1:0", protocol: rdp, pool: number }
  text: { listen: "127.0.0.1:0", protocol: tcp, pool: text }
pools:
  number:
    algorithm: least-load
    persistence: { by: user }
    agent: { kind: number, port: ${numbers}, every: 100ms, timeout: 90ms }
    servers: { ${both} }
  text:
    algorithm: round-robin
    agent: { kind: text, port: ${texts}, every: 100ms, timeout: 90ms }
    servers: { ${both} }
`);
  });

  afterAll(async () => {
    await balancer?.stop();
    await Promise.all(servers.map((server) => server.stop()));
    for (const agent of agents) await agent.stop();
  });

  const agentSays = async (kind: "number" | "text", name: Name, answer: string, state: string) => {
    says[kind][name] = `${answer}\n`;
    await until(
      `${kind}/${name} to be ${state}`,
      async () => (await balancer.server(`${kind}/${name}`)).state === state,
    );
  };

  /** Servers that 12 new users get. */
  const users = async (from: string) => {
    const got = new Set<string>();
    for (let i = 0; i < 12; i++) {
      got.add((await visit(balancer.port("number"), { first: user(`${from}${i}`) })).server);
    }
    return got;
  };

  test("a number of 99 keeps the users that are known there, and no new one comes", async () => {
    await users("a");
    const page = await balancer.api.sessions({ pool: "number", server: "first", limit: 1 });
    const [known] = page.items;
    await agentSays("number", "first", "99", "overloaded");
    expect(await users("b")).toEqual(new Set(["second"]));
    expect((await visit(balancer.port("number"), { first: user(known!.user) })).server).toBe("first");
  });

  test("101 is down, 102 is out of service, and a small number brings a server back", async () => {
    await agentSays("number", "first", "101", "down");
    expect(await users("c")).toEqual(new Set(["second"]));
    await agentSays("number", "first", "102", "maintenance");
    expect(await users("d")).toEqual(new Set(["second"]));
    await agentSays("number", "first", "3", "up");
    expect((await users("e")).has("first")).toBe(true);
  });

  test("the less loaded server gets more of the new users", async () => {
    says.number.first = "10\n";
    says.number.second = "90\n";
    await until("both loads to be known", async () => {
      const loads = ["first", "second"].map(async (name) => (await balancer.server(`number/${name}`)).load);
      return `${await Promise.all(loads)}` === "10,90";
    });
    const got: Record<string, number> = { first: 0, second: 0 };
    for (let i = 0; i < 40; i++) got[(await visit(balancer.port("number"), { first: user(`f${i}`) })).server]!++;
    expect(got.first).toBeGreaterThan(got.second! * 3);
  });

  test("an agent that goes away changes nothing, and is said to be away", async () => {
    const { stop } = agents[0]!;
    await stop.call(agents[0]);
    const failing = await balancer.heard(
      "agent.failing",
      ({ pool, server }) => pool === "number" && server === "first",
    );
    expect(failing.msg).toStartWith("the agent of number/first does not answer");
    expect(await balancer.server("number/first")).toMatchObject({ state: "up", load: 10 });
  });

  test("words: drain, maint and down take a server away, ready and up bring it back", async () => {
    const port = balancer.port("text");
    for (const [words, state] of [
      ["drain", "draining"],
      ["ready", "up"],
      ["maint # patch day", "maintenance"],
      ["ready", "up"],
      ["down # no licence", "down"],
    ] as const) {
      await agentSays("text", "first", words, state);
      expect(Object.keys(await shares(port, 6)).sort()).toEqual(state === "up" ? ["first", "second"] : ["second"]);
    }
    expect((await balancer.server("text/first")).reason).toBe("agent: down, no licence");
    await agentSays("text", "first", "up", "up");
    // Whoever comes back has its turn first: from then on they take turns.
    await visit(port);
    expect(await shares(port, 6)).toEqual({ first: 3, second: 3 });
  });

  test("words: a percentage is a share of the weight", async () => {
    says.text.first = "50%\n";
    const port = balancer.port("text");
    await until("the weight to count", async () => (await shares(port, 30)).first === 10);
  });
});
