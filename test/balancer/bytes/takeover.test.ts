/** One process takes over from another: what is shared between the two, and what happens when one of them fails. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { socketIn } from "../../../src/api/client.ts";
import { freePort } from "../../lab/ways.ts";
import { until } from "../../until.ts";
import { Client, Server, startServers, user, visit } from "../service/peers.ts";
import { isRunning, Lineage, type Up } from "./rig.ts";

const SLOW_MS = 60_000;

let one: Server;
let two: Server;
/** Accepts connections and never answers: a check of it takes as long as its timeout. */
let silent: Server;
let ports: { tcp: number; few: number; perSource: number; desktops: number };
let lineage: Lineage;
let first: Up;

beforeAll(async () => {
  [one, two] = await startServers("one", "two");
  silent = await Server.start("silent", { answers: false });
});
afterAll(() => Promise.all([one.stop(), two.stop(), silent.stop()]));

function configuration({ weight = 100, more = "" } = {}): string {
  return `
services:
  tcp: { listen: 127.0.0.1:${ports.tcp}, pool: web }
  few: { listen: 127.0.0.1:${ports.few}, pool: web, limits: { connections: 2 } }
  per-source: { listen: 127.0.0.1:${ports.perSource}, pool: web, limits: { connections-per-source: 1 } }
  desktops: { listen: 127.0.0.1:${ports.desktops}, protocol: rdp, pool: rds }
${more}
pools:
  web:
    algorithm: round-robin
    persistence: { by: [source] }
    servers: { one: { address: "${one.address}", weight: ${weight} }, two: ${two.address} }
  rds:
    persistence: { by: [user] }
    servers: { one: ${one.address}, two: ${two.address} }
`;
}

beforeEach(async () => {
  const [tcp, few, perSource, desktops] = [await freePort(), await freePort(), await freePort(), await freePort()];
  ports = { tcp, few, perSource, desktops };
  lineage = new Lineage();
  lineage.write(configuration());
  first = await lineage.up();
});
afterEach(() => lineage.stop());

const open = async (name: string) => {
  const { services } = await lineage.status();
  return services.find((service) => service.name === name)!.open;
};
const server = async (name: string) => {
  const { pools } = await lineage.status();
  const [pool, own] = name.split("/");
  return pools.find((candidate) => candidate.name === pool)!.servers.find((candidate) => candidate.name === own)!;
};

/** Sends a word and waits until it has come back. */
async function speak(client: Client, word: string): Promise<void> {
  client.send(word);
  await client.receive((bytes) => bytes.includes(word));
}

/** A client who has been answered. */
async function served(port: number, from: string, greeting: string | Uint8Array = "hello"): Promise<Client> {
  const client = await Client.connect(port, { from, first: greeting });
  await client.server();
  return client;
}

describe("a successor and the process before it", () => {
  test(
    "share connections, limits, stickiness, sessions, drains and the access log",
    async () => {
      const old = await served(ports.tcp, "127.0.0.11");
      const was = await old.server();
      const few = [await served(ports.few, "127.0.0.12"), await served(ports.few, "127.0.0.13")] as const;
      const anna = await served(ports.desktops, "127.0.0.14", user("anna"));
      const annas = await anna.server();
      const drained = annas === "one" ? "two" : "one";
      expect((await lineage.command("drain", `rds/${drained}`)).code).toBe(0);

      const second = await lineage.takeOver();

      // Connections: those of the process before live on, and are counted with its successor's.
      const status = await lineage.status();
      expect(status.pid).toBe(second.pid);
      expect(status.predecessor).toEqual({ pid: first.pid, connections: 4 });
      await speak(old, "still here");
      const fresh = await served(ports.tcp, "127.0.0.11");
      expect(await open("tcp")).toBe(2);

      // Stickiness: who comes back is known.
      expect(await fresh.server()).toBe(was);
      await fresh.leave();
      const line = await second.heard("connection.end", ({ client }) => client === fresh.address);
      expect(line).toMatchObject({ recognisedBy: "source", server: was });

      // Limits: both places are taken, until one of the old ones goes.
      expect(await (await Client.connect(ports.few, { from: "127.0.0.15" })).ended).toBe("reset");
      await few[0].leave();
      // The access line of a connection of the process before is the successor's to write.
      await second.heard("connection.end", ({ client }) => client === few[0].address);
      await visit(ports.few, { from: "127.0.0.15" });

      // What people set stays, and another takeover has to wait.
      expect(await server(`rds/${drained}`)).toMatchObject({ state: "draining" });
      const third = lineage.begin("--takeover");
      expect(await third.exited).toBe(1);
      expect(third.said).toContain(`process ${first.pid} still has connections of an earlier takeover`);
      await visit(ports.tcp);

      // Sessions of the process before are listed, and can be ended.
      const sessions = await lineage.command("sessions", "list", "--json");
      expect(sessions.out).toContain('"anna"');
      const ended = await lineage.command("sessions", "end", "--user", "anna", "--yes");
      expect(ended.out).toContain("1 session ended");
      await anna.ended;
      const annasLine = await second.heard("connection.end", ({ client }) => client === anna.address);
      expect(annasLine).toMatchObject({ end: "ended-by-admin", server: annas });

      // A drain is over only when the connections of both have ended.
      const waiting = lineage.command("drain", `web/${was}`, "--wait");
      await until("the drain", async () => (await server(`web/${was}`)).state === "draining");
      const left = [old, few[1]];
      expect((await server(`web/${was}`)).open).toBeGreaterThan(0);
      for (const client of left) {
        expect(await Promise.race([waiting.then(() => "over"), speak(client, "before the end")])).toBeUndefined();
        await client.leave();
      }
      expect(await waiting).toMatchObject({ code: 0 });

      expect(await first.exited).toBe(0);
      await second.heard("takeover.finished");
      expect((await lineage.status()).predecessor).toBeUndefined();
      await lineage.takeOver();
      expect(await second.exited).toBe(0);
      expect(readdirSync(lineage.data).filter((name) => name.endsWith(".sock"))).toEqual(["holdfast.sock"]);
    },
    SLOW_MS,
  );

  test(
    "that is killed leaves no counts behind, and its supervisor does not start it again beside its successor",
    async () => {
      const old = await served(ports.perSource, "127.0.0.21");
      const anna = await served(ports.desktops, "127.0.0.22", user("anna"));
      const second = await lineage.takeOver();
      expect(await (await Client.connect(ports.perSource, { from: "127.0.0.21" })).ended).not.toBeUndefined();
      expect((await server("web/one")).open + (await server("web/two")).open).toBe(1);

      process.kill(first.pid, "SIGKILL");
      await Promise.all([old.ended, anna.ended, second.heard("takeover.finished")]);
      expect(await first.exited).toBe(1);

      const status = await lineage.status();
      expect(status.pid).toBe(second.pid);
      expect(status.predecessor).toBeUndefined();
      expect(status.services.map((service) => service.open)).toEqual([0, 0, 0, 0]);
      expect(status.pools.flatMap((pool) => pool.servers.map((entry) => entry.open))).toEqual([0, 0, 0, 0]);
      const sessions = (await lineage.api.sessions({ limit: 10 })).items;
      expect(sessions).toMatchObject([{ user: "anna", state: "disconnected" }]);
      await visit(ports.perSource, { from: "127.0.0.21" });
      await lineage.takeOver();
    },
    SLOW_MS,
  );
});

test(
  "a successor that crashes is started again while the connections of the process before live on",
  async () => {
    const old = await served(ports.tcp, "127.0.0.51");
    const second = await lineage.takeOver();
    const lost = await served(ports.tcp, "127.0.0.52");
    const crashed = second.pid;
    process.kill(crashed, "SIGKILL");
    await lost.ended;
    await until("another process to serve", () => second.pid !== crashed);
    await visit(ports.tcp, { from: "127.0.0.53" });
    await speak(old, "still here");
    await old.leave();
    expect(await first.exited).toBe(0);
  },
  SLOW_MS,
);

describe("a takeover that fails before it is complete", () => {
  test(
    "because a port is taken says so and leaves the running process as it was",
    async () => {
      const old = await served(ports.tcp, "127.0.0.31");
      const more = `  taken: { listen: 127.0.0.1:${one.port}, pool: web }`;
      lineage.write(configuration({ weight: 7, more }));
      for (let attempt = 0; attempt < 3; attempt++) {
        const failing = lineage.begin("--takeover");
        expect(await failing.exited).toBe(1);
        expect(failing.said).toContain("another program has this port");
      }
      await until("the weight to be what it was", async () => (await server("web/one")).weight === 100);
      expect(await lineage.status()).toMatchObject({ pid: first.pid });
      expect(isRunning(first.pid)).toBe(true);
      await speak(old, "still here");
      await visit(ports.tcp, { from: "127.0.0.32" });

      lineage.write(configuration());
      const second = await lineage.takeOver();
      expect((await lineage.status()).predecessor).toEqual({ pid: first.pid, connections: 1 });
      await old.leave();
      await second.heard("takeover.finished");
    },
    SLOW_MS,
  );

  test(
    "because the new process is killed costs nobody a connection",
    async () => {
      const old = await served(ports.tcp, "127.0.0.41");
      // The new process waits for the first check of a server that does not answer.
      const more = `  other: { listen: 127.0.0.1:${await freePort()}, pool: other }`;
      const pool = `
  other:
    health: { check: http, timeout: 30s, every: 60s }
    servers: { silent: ${silent.address} }
`;
      lineage.write(configuration({ more }) + pool);
      const failing = lineage.begin("--takeover");
      await silent.visitor(0); // it checks: what comes before that is done
      const pid = failing.child();
      const meanwhile = await Promise.all(Array.from({ length: 20 }, () => served(ports.tcp, "127.0.0.42")));
      const rival = lineage.begin("--takeover");
      expect(await rival.exited).toBe(1);
      expect(rival.said).toContain(`process ${pid} is just taking over`);

      const reload = await lineage.command("reload");
      expect(reload.code).toBe(1);
      expect(reload.out).toContain(`process ${pid} is just taking over`);

      process.kill(pid, "SIGKILL");
      // Its supervisor tries again, as after any crash, and finds that somebody serves.
      expect(await failing.exited).toBe(1);
      await first.heard("takeover.failed");
      for (const client of [old, ...meanwhile]) await speak(client, "still here");
      expect(await lineage.status()).toMatchObject({ pid: first.pid });
      expect(await open("tcp")).toBe(21);
      await Promise.all([old, ...meanwhile].map((client) => client.leave()));
      await until("all to be counted out", async () => (await open("tcp")) === 0);

      lineage.write(configuration());
      await lineage.takeOver();
      await visit(ports.tcp, { from: "127.0.0.43" });
    },
    SLOW_MS,
  );
});

test(
  "a second holdfast up on the same data folder, or on the same port, takes no connection",
  async () => {
    const same = lineage.begin();
    expect(await same.exited).toBe(1);
    expect(same.said).toContain("a running Holdfast answers");
    const elsewhere = new Lineage();
    elsewhere.write(configuration());
    const other = elsewhere.begin();
    expect(await other.exited).toBe(1);
    expect(other.said).toContain("another program has this port");
    await elsewhere.stop();
    await visit(ports.tcp);
  },
  SLOW_MS,
);

test(
  "a commit that nobody has begun changes nothing",
  async () => {
    const unix = socketIn(lineage.data);
    const commit = await fetch("http://holdfast/takeover/commit", { unix, method: "POST", body: "{}" });
    expect(commit.status).toBe(409);
    expect(await commit.json()).toMatchObject({ detail: "nobody has begun to take over" });
    expect(readdirSync(lineage.data).filter((name) => /^holdfast-\d+\.sock$/.test(name))).toEqual([]);
    await visit(ports.tcp);
  },
  SLOW_MS,
);

test(
  "people's words during a takeover are heard by the one who takes over",
  async () => {
    let isOver = false;
    const ready = lineage.takeOver().finally(() => {
      isOver = true;
    });
    let heard = 0;
    for (let words = 1; !isOver; words++) {
      const wanted = { state: "drain", by: `tests ${words}`, confirm: true };
      // Between the two nobody takes them, and says so.
      const isHeard = await lineage.api.setAdministrative("web", "two", wanted).then(
        () => true,
        () => false,
      );
      if (isHeard) heard = words;
    }
    await ready;
    expect(heard).toBeGreaterThan(10);
    expect(await server("web/two")).toMatchObject({ state: "draining", by: `tests ${heard}` });
  },
  SLOW_MS,
);
