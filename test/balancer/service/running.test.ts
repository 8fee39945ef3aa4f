/** Ending, reloading, draining, and a machine that has no room or nobody who listens. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../until.ts";
import { Client, type Server, startServers, user, visit } from "./peers.ts";
import { Balancer, type BalancerOptions, holdfast } from "./rig.ts";

setDefaultTimeout(30_000);

let one: Server;
let two: Server;
let balancer: Balancer | undefined;

beforeAll(async () => {
  [one, two] = await startServers("one", "two");
});

afterAll(async () => {
  await Promise.all([one, two].map((server) => server.stop()));
});

afterEach(async () => {
  await balancer?.stop();
  balancer = undefined;
});

async function start(yaml: string, options?: BalancerOptions): Promise<Balancer> {
  balancer = await Balancer.start(yaml, options);
  return balancer;
}

const both = () => `{ one: ${one.address}, two: ${two.address} }`;
const plain = () => `
services: { a: { listen: "127.0.0.1:0", pool: p } }
pools: { p: { servers: ${both()} } }
`;

/** A pipe that is held open and not read: 64 KiB go into it, and no more. */
function stuckPipe() {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-pipe-"));
  const pipe = join(folder, "pipe");
  expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0);
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  let isOpen = true;
  return {
    pipe,
    reader,
    close() {
      if (isOpen) closeSync(reader);
      isOpen = false;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Is the connection still there, both ways? */
async function answers(client: Client): Promise<boolean> {
  const length = client.received.length;
  client.send("x");
  await client.receive((bytes) => bytes.length > length);
  return true;
}

test("SIGTERM takes no new clients, lets those there finish within `shutdown.within`, then ends the rest", async () => {
  const running = await start(`shutdown: { within: 1500ms }\n${plain()}`);
  const port = running.port("a");
  const polite = await Client.connect(port);
  const endless = await Client.connect(port);
  for (const client of [polite, endless]) await client.server();
  const began = performance.now();
  running.signal("SIGTERM");
  await running.heard("balancer.stopping");
  await until("new clients to be refused", () =>
    Client.connect(port).then(
      async (client) => void (await client.leave()),
      () => true,
    ),
  );
  expect(await answers(polite)).toBe(true);
  polite.finish();
  expect(await polite.ended).toBe("closed");
  expect(await answers(endless)).toBe(true);
  await endless.ended;
  expect(performance.now() - began).toBeWithin(1_300, 4_000);
  expect(await running.ended()).toBe(0);
  expect((await running.accessLine(polite)).end).toBe("client-closed");
  expect((await running.accessLine(endless)).end).toBe("shutdown");
  await Promise.all([polite.leave(), endless.leave()]);
});

test("a second signal does not wait for anybody", async () => {
  const running = await start(plain());
  const client = await Client.connect(running.port("a"));
  await client.server();
  running.signal("SIGTERM");
  await running.heard("balancer.stopping");
  const began = performance.now();
  running.signal("SIGTERM");
  expect(await running.ended()).toBe(143);
  expect(performance.now() - began).toBeLessThan(2_500);
  await client.ended;
  await client.leave();
});

describe("reload", () => {
  test("a bad file changes nothing and says every mistake with its place", async () => {
    const running = await start(plain());
    const client = await Client.connect(running.port("a"));
    await client.server();
    running.write(`services: { a: { listen: "127.0.0.1:0", pool: q } }\npools: { p: { servres: {} } }\n`);
    const { code, out, err } = await holdfast("reload", "--data", running.data);
    expect(code).toBe(1);
    expect(out + err).toContain("holdfast.yaml:1:");
    expect(out + err).toContain("holdfast.yaml:2:");
    expect(out + err).toContain("a pool has no key `servres`");
    const from = running.log.events.length;
    running.signal("SIGHUP");
    await running.heard("config.refused", () => true, from);
    expect((await running.status()).generation.number).toBe(1);
    expect(await running.metrics()).toContain(`holdfast_config_reloads_total{result="failure"} 2`);
    expect(await answers(client)).toBe(true);
    expect((await visit(running.port("a"))).server).toBeOneOf(["one", "two"]);
    await client.leave();
  });

  test("an address that cannot be had changes nothing either", async () => {
    const running = await start(plain());
    running.write(`
services:
  a: { listen: "127.0.0.1:0", pool: p }
  b: { listen: ["127.0.0.1:0", "127.0.0.1:${one.port}"], pool: p }
pools: { p: { servers: { two: ${two.address} } } }
`);
    const report = await running.api.reload();
    expect(report.ok).toBe(false);
    expect(report.summary).toContain(`127.0.0.1:${one.port}`);
    expect((await running.status()).services.map(({ name }) => name)).toEqual(["a"]);
    expect(await running.server("p/one")).toMatchObject({ state: "up" });
    const got = new Set<string>();
    for (let i = 0; i < 4; i++) got.add((await visit(running.port("a"))).server);
    expect(got).toEqual(new Set(["one", "two"]));
  });

  test("connections and unchanged listeners stay, what is new begins, what is gone ends only for new clients", async () => {
    const running = await start(`
services:
  kept: { listen: "127.0.0.1:0", pool: p }
  gone: { listen: "127.0.0.1:0", pool: p }
pools: { p: { servers: { one: ${one.address} } } }
`);
    const [kept, gone] = [running.port("kept"), running.port("gone")];
    const clients = [await Client.connect(kept), await Client.connect(gone)];
    for (const client of clients) expect(await client.server()).toBe("one");
    running.write(`
services:
  kept: { listen: "127.0.0.1:0", pool: p }
  fresh: { listen: "127.0.0.1:0", pool: p }
pools: { p: { servers: { two: ${two.address} } } }
`);
    expect((await running.api.reload()).ok).toBe(true);
    await running.status();
    expect(running.port("kept")).toBe(kept);
    for (const client of clients) expect(await answers(client)).toBe(true);
    expect((await visit(kept)).server).toBe("two");
    expect((await visit(running.port("fresh"))).server).toBe("two");
    await expect(Client.connect(gone)).rejects.toThrow("ECONNREFUSED");
    for (const client of clients) await client.leave();
    const lines = await Promise.all(clients.map((client) => running.accessLine(client)));
    expect(lines.map(({ service, server, end }) => ({ service, server, end }))).toEqual([
      { service: "kept", server: "one", end: "client-closed" },
      { service: "gone", server: "one", end: "client-closed" },
    ]);
  });

  test("all servers are replaced while the first check of the new ones takes its time, and no client is refused", async () => {
    const slow = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => Bun.sleep(700).then(() => new Response("ok")),
    });
    const file = (server: Server) => `
services: { a: { listen: "127.0.0.1:0", pool: p } }
pools: { p: { health: { check: http, port: ${slow.port} }, servers: { ${server.name}: ${server.address} } } }
`;
    try {
      const running = await start(file(one));
      const port = running.port("a");
      let isOver = false;
      const seen: string[] = [];
      const clients = (async () => {
        while (!isOver) seen.push((await visit(port)).server);
      })();
      await until("clients to come", () => seen.length > 0);
      running.write(file(two));
      expect((await running.api.reload()).ok).toBe(true);
      await until("the new server to be reached", () => seen.includes("two"));
      isOver = true;
      await clients;
      expect(seen[0]).toBe("one");
    } finally {
      await slow.stop();
    }
  });

  test("a hundred reloads under load lose no client", async () => {
    const running = await start(plain());
    const port = running.port("a");
    let isOver = false;
    let served = 0;
    const clients = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        await visit(port);
        served++;
      }
    });
    for (let i = 0; i < 100; i++) expect((await running.api.reload()).ok).toBe(true);
    isOver = true;
    await Promise.all(clients);
    expect(served).toBeGreaterThan(100);
    expect((await running.status()).generation.number).toBe(101);
  });
});

describe("what people set", () => {
  const sticky = () => `
services: { a: { listen: "127.0.0.1:0", protocol: rdp, pool: p } }
pools: { p: { algorithm: first, persistence: { by: user }, servers: ${both()} } }
`;

  test("a drained server keeps the users it knows, and `--within` ends what is left", async () => {
    const running = await start(sticky());
    const port = running.port("a");
    const clients = [
      await Client.connect(port, { first: user("alice") }),
      await Client.connect(port, { first: user("bob") }),
    ];
    for (const client of clients) expect(await client.server()).toBe("one");
    await running.set("p/one", "drain");
    expect((await visit(port, { first: user("alice") })).server).toBe("one");
    expect((await visit(port, { first: user("carol") })).server).toBe("two");
    const began = performance.now();
    const drained = await holdfast("drain", "p/one", "--within", "2s", "--wait", "--data", running.data);
    expect(drained.code).toBe(0);
    expect(performance.now() - began).toBeWithin(1_000, 6_000);
    // Their sessions on the server may live on: that no connection is open says nothing of them.
    expect(drained.out).toContain("nothing says that the sessions of 2 users who were there are over");
    for (const client of clients) {
      await client.ended;
      expect((await running.accessLine(client)).end).toBe("drained");
      await client.leave();
    }
    expect((await running.service("a")).ended.drained).toBe(2);
    // Once the time is up nobody gets back to it.
    await until("the time to be up", async () => (await visit(port, { first: user("alice") })).server === "two");
    expect(await running.server("p/one")).toMatchObject({ state: "maintenance" });
  });

  test("maintenance sends known users elsewhere and outlives a restart; `ready` takes them back", async () => {
    const running = await start(sticky());
    expect((await visit(running.port("a"), { first: user("alice") })).server).toBe("one");
    expect((await holdfast("maintenance", "p/one", "--data", running.data)).code).toBe(0);
    const moved = await visit(running.port("a"), { first: user("alice") });
    expect(moved.server).toBe("two");
    expect((await running.accessLine(moved)).endDetail).toBe("known server is in maintenance");
    expect(await running.down()).toBe(0);
    await running.up();
    expect(await running.server("p/one")).toMatchObject({ state: "maintenance" });
    expect((await visit(running.port("a"), { first: user("dave") })).server).toBe("two");
    expect((await holdfast("ready", "p/one", "--data", running.data)).code).toBe(0);
    expect((await visit(running.port("a"), { first: user("erin") })).server).toBe("one");
  });

  test("the last server for new users is not taken away without `--yes`", async () => {
    const running = await start(sticky());
    expect((await holdfast("maintenance", "p/one", "--data", running.data)).code).toBe(0);
    const refused = await holdfast("drain", "p/two", "--data", running.data);
    expect(refused.code).not.toBe(0);
    expect(refused.err).toContain("last server");
    expect((await visit(running.port("a"), { first: user("alice") })).server).toBe("two");
  });
});

test("SIGTERM ends it also when nobody reads what it writes", async () => {
  const { pipe, reader, close } = stuckPipe();
  try {
    const running = await start(plain(), { isSilent: true, wrap: ["sh", "-c", `exec "$@" > ${pipe}`, "sh"] });
    const port = running.port("a");
    for (let i = 0; i < 250; i++) await visit(port);
    expect(await running.down()).toBe(0);
    expect(readSync(reader, Buffer.alloc(1 << 20))).toBeGreaterThan(50_000);
  } finally {
    close();
  }
});

describe("a machine that is short of something", () => {
  test("a full disk under the data folder and the log stops nobody, and the log goes on when there is room", async () => {
    const running = await start(`log: { file: log/holdfast.log }\ndata: data\n${plain()}`, {
      isSilent: true,
      // A disk of its own, in a mount namespace of its own.
      wrap: [
        "unshare",
        "-m",
        "sh",
        "-c",
        'cd "$FOLDER" && mkdir -p data log && for at in data log; do mount -t tmpfs -o size=256k none $at || exit; done; exec "$@"',
        "sh",
      ],
    });
    const inside = (path: string) => join(`/proc/${running.pid}/root`, running.folder, path);
    const port = running.port("a");
    for (const disk of ["data", "log"]) {
      const file = openSync(inside(`${disk}/filler`), "w");
      try {
        // Bounded: should the small disk not be there, a real one is not filled.
        for (let kib = 0; kib < 1024; kib += 4) writeSync(file, Buffer.alloc(4096));
        throw new Error("the disk did not get full");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
      } finally {
        closeSync(file);
      }
    }
    for (let i = 0; i < 50; i++) expect((await visit(port)).server).toBeOneOf(["one", "two"]);
    await running.set("p/one", "drain");
    expect(await running.server("p/one")).toMatchObject({ state: "draining" });
    expect((await visit(port)).server).toBe("two");
    for (const disk of ["data", "log"]) rmSync(inside(`${disk}/filler`));
    await running.set("p/one", "ready");
    const last = await visit(port);
    await until("the log to go on", async () =>
      (await Bun.file(inside("log/holdfast.log")).text()).includes(last.address),
    );
    expect(await running.down()).toBe(0);
  });

  test("a reader of standard output that does not read, or has gone, stops nobody", async () => {
    const { pipe, reader, close } = stuckPipe();
    try {
      const running = await start(plain(), { isSilent: true, wrap: ["sh", "-c", `exec "$@" > ${pipe}`, "sh"] });
      const port = running.port("a");
      const many = async () => {
        for (let i = 0; i < 100; i++) {
          const visits = await Promise.all(Array.from({ length: 4 }, () => visit(port)));
          for (const { server } of visits) expect(server).toBeOneOf(["one", "two"]);
        }
      };
      await many();
      expect((await running.service("a")).total).toBe(400);
      const bytes = readSync(reader, Buffer.alloc(1 << 20));
      expect(bytes).toBeGreaterThan(50_000);
      close();
      await many();
      expect((await running.service("a")).total).toBe(800);
      // Nor does it keep the supervisor from its work.
      const { pid } = await running.status();
      process.kill(pid, "SIGKILL");
      await until("another process to serve", () =>
        running.status().then(
          (status) => status.pid !== pid,
          () => false,
        ),
      );
      expect((await visit(running.port("a"))).server).toBeOneOf(["one", "two"]);
      expect(await running.down()).toBe(0);
    } finally {
      close();
    }
  });

  test("without descriptors clients are refused or wait, those there go on, and all is well once some are free", async () => {
    const running = await start(plain(), { wrap: ["prlimit", "--nofile=300"] });
    const port = running.port("a");
    const clients = await Promise.all(Array.from({ length: 200 }, () => Client.connect(port)));
    const served = await until("the first to be served", () => {
      const list = clients.filter((client) => client.received.includes("\n"));
      return list.length > 50 && list;
    });
    const [first] = served;
    expect(await answers(first!)).toBe(true);
    await Promise.all(clients.map((client) => client.leave()));
    await until("it to serve again", () =>
      visit(port).then(
        () => true,
        () => false,
      ),
    );
    const { refused, open } = await until("all to have left", async () => {
      const service = await running.service("a");
      return service.open === 0 && service;
    });
    expect(open).toBe(0);
    expect(refused["no-files"]).toBeGreaterThan(0);
    // Our own lack of descriptors is no server's fault.
    for (const name of ["p/one", "p/two"])
      expect(await running.server(name)).toMatchObject({ state: "up", failures: { connect: 0 } });
    for (let i = 0; i < 20; i++) expect((await visit(port)).server).toBeOneOf(["one", "two"]);
  });
});

test("without a port to dial a server from, clients get another one, and the first is not to blame", async () => {
  const ports = "ip link set lo up && echo 40000 40003 > /proc/sys/net/ipv4/ip_local_port_range";
  const scenario = join(import.meta.dir, "few-ports.ts");
  const run = Bun.spawn(["unshare", "-n", "sh", "-c", `${ports} && exec "$@"`, "sh", process.execPath, scenario]);
  const out = await new Response(run.stdout).text();
  expect(await run.exited).toBe(0);
  const { landed, downs, failures } = JSON.parse(out);
  expect(landed.join(" ")).toMatch(/^one (one |two ){4}two$/);
  expect({ downs, failures }).toEqual({ downs: 0, failures: [0, 0] });
});

test("a second process with the same data folder is refused and harms nothing", async () => {
  const running = await start(plain());
  const { code, out, err } = await holdfast("up", "-c", running.file, "--data", running.data);
  expect(code).toBe(1);
  expect(out + err).toContain("a running Holdfast answers");
  expect((await visit(running.port("a"))).server).toBeOneOf(["one", "two"]);
  expect((await running.status()).generation.number).toBe(1);
});
