import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { connect } from "node:net";
import { type RunningAgent, startAgent } from "../../src/agent/start.ts";
import { TextLines } from "../../src/agent/text.ts";
import { Agents } from "../../src/balancer/control/agents/agents.ts";
import type { AgentReading } from "../../src/balancer/control/agents/reading.ts";
import type { AgentRole } from "../../src/config/schema.ts";
import { Machine } from "./machine.ts";

const ANYWHERE = { host: "127.0.0.1", port: 0 };
const ROLE: AgentRole = {
  number: ANYWHERE,
  text: ANYWHERE,
  path: "/load",
  every: 20,
  weights: { cpu: 0, memory: 1, load: 0, sessions: 0 },
  fullSessions: 2,
};

let machine: Machine;
let agent: RunningAgent | undefined;
beforeEach(() => {
  machine = new Machine();
});
afterEach(async () => {
  await agent?.stop();
  agent = undefined;
  machine.remove();
});

async function start(changed: Partial<AgentRole> = {}): Promise<RunningAgent> {
  agent = await startAgent({ ...ROLE, ...changed }, { root: machine.root });
  return agent;
}

const get = (path = "/load") => fetch(`http://127.0.0.1:${agent?.numberPort}${path}`);

/** What the agent says over TCP; `first` is sent before. */
async function line(first = ""): Promise<string> {
  const socket = connect(agent!.textPort!, "127.0.0.1");
  const pieces: Buffer[] = [];
  socket.on("data", (piece: Buffer) => pieces.push(piece));
  if (first !== "") socket.write(first);
  await once(socket, "close");
  return Buffer.concat(pieces).toString();
}

/** Asks until the answer is right: the agent measures every 20 ms. */
async function eventually<T>(asked: () => Promise<T>, right: (answer: T) => boolean): Promise<T> {
  for (let round = 0; round < 2_000; round++) {
    const answer = await asked();
    if (right(answer)) return answer;
  }
  throw new Error("the answer never came");
}

describe("over HTTP", () => {
  test("the first line is the load, the second what it is made of", async () => {
    await start();
    expect(await (await get()).text()).toBe("60\ncpu 0 %, memory 60 %, load 50 %, 0 sessions\n");
    expect((await get("/other")).status).toBe(404);
  });

  test("a change of the machine is a change of the answer", async () => {
    await start();
    machine.write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 900 kB\n");
    const text = await eventually(
      async () => (await get()).text(),
      (answer) => answer.startsWith("10\n"),
    );
    expect(text).toContain("memory 10 %");
  });

  test("full sessions are a load of 99", async () => {
    machine.process(10, "xrdp-chansrv");
    machine.process(11, "xrdp-chansrv");
    await start({ weights: { ...ROLE.weights, sessions: 1 } });
    expect(await (await get()).text()).toStartWith("99\n");
  });

  test("what cannot be measured is no load: 503, so that balancers keep what they knew", async () => {
    machine.write("proc/meminfo", "");
    await start();
    const answer = await get();
    expect([answer.status, await answer.text()]).toEqual([503, "/proc cannot be read\n"]);
    expect(await line()).toBe("");
  });

  test("CPU is measured over the time between two looks, not since the machine started", async () => {
    await start({ weights: { cpu: 1, memory: 0, load: 0, sessions: 0 } });
    machine.write("proc/stat", "cpu  175 0 0 925 0 0 0 0 0 0\ncpu0 175 0 0 925 0 0 0 0 0 0\n");
    await eventually(
      async () => (await get()).text(),
      (answer) => answer.startsWith("75\n"),
    );
  });
});

describe("a program that prints the load", () => {
  test("stands in for the measures, with 101 for down and 102 for disabled too", async () => {
    await start({ command: ["/bin/echo", "102"] });
    expect(await (await get()).text()).toBe("102\nfrom the program\n");
    expect(await line()).toBe("maint\n");
  });

  test.each([
    [["/bin/sh", "-c", "echo 12; exit 1"], "program: exit code 1\n"],
    [["/bin/echo", "idle"], "program: answer is no load (not-a-number)\n"],
    [["/no/such/program"], "program: program not found\n"],
  ])("%p is no load", async (command, failure) => {
    await start({ command });
    const answer = await get();
    expect([answer.status, await answer.text()]).toEqual([503, failure]);
  });
});

describe("over TCP", () => {
  test("the first line begins with up ready, the others are the idle share alone", async () => {
    await start();
    expect([await line(), await line(), await line()]).toEqual(["up ready 40%\n", "40%\n", "40%\n"]);
  });

  test("what a balancer sends first does not cost it the answer", async () => {
    await start();
    expect(await line(`rds1\n${"x".repeat(20_000)}`)).toBe("up ready 40%\n");
  });

  test("each balancer hears up ready once, and again after down or maint", () => {
    const lines = new TextLines();
    const say = (address: string, load: number) => lines.lineFor(address, { load, detail: "" });
    expect([say("10.0.0.1", 30), say("10.0.0.2", 30), say("10.0.0.1", 30)]).toEqual([
      "up ready 70%\n",
      "up ready 70%\n",
      "70%\n",
    ]);
    expect([say("10.0.0.1", 101), say("10.0.0.1", 102), say("10.0.0.1", 30)]).toEqual([
      "down\n",
      "maint\n",
      "up ready 70%\n",
    ]);
    expect([say("10.0.0.1", 98), say("10.0.0.1", 99), say("10.0.0.1", 100)]).toEqual(["2%\n", "0%\n", "0%\n"]);
    expect(lines.lineFor("10.0.0.1", { failure: "not measured yet" })).toBeUndefined();
  });
});

test("an address that is taken is an error, and nothing is left listening", async () => {
  const first = await start();
  const taken = { host: "127.0.0.1", port: first.textPort! };
  await expect(startAgent({ ...ROLE, text: taken }, { root: machine.root })).rejects.toThrow();
});

test("our agent read by our balancer, both protocols, from start to overload to stop", async () => {
  const running = await start();
  const timing = { every: 20, timeout: 1_000 };
  const readings: [string, AgentReading][] = [];
  const failures: [string, string | undefined][] = [];
  const waiting = new Set<() => void>();
  const until = async (met: () => boolean) => {
    while (!met()) await new Promise<void>((resolve) => waiting.add(resolve));
  };
  const wake = () => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  const agents = new Agents({
    onReading: (_pool, server, reading) => {
      readings.push([server, reading]);
      wake();
    },
    onFailing: (_pool, server, reason) => {
      failures.push([server, reason]);
      wake();
    },
  });
  const server = { pool: "rds", host: "127.0.0.1" };
  agents.apply([
    { ...server, server: "number", agent: { kind: "number", port: running.numberPort!, path: "/load", ...timing } },
    { ...server, server: "text", agent: { kind: "text", port: running.textPort!, send: "number", ...timing } },
  ]);
  const of = (name: string) => readings.filter(([server]) => server === name).map(([, reading]) => reading);
  await until(() => of("number").length > 1 && of("text").length > 1);
  expect(of("number")[0]).toEqual({ load: 60, admin: "ready", health: "up" });
  expect(of("text").slice(0, 2)).toEqual([{ weightPercent: 40, admin: "ready", health: "up" }, { weightPercent: 40 }]);

  machine.write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 5 kB\n");
  await until(() => of("number").at(-1)?.load === 99 && of("text").at(-1)?.weightPercent === 0);

  await running.stop();
  agent = undefined;
  await until(() => failures.length === 2);
  expect(failures.toSorted()).toEqual([
    ["number", "connection refused"],
    ["text", "connection refused"],
  ]);
  expect(agents.report("rds", "number")).toMatchObject({
    reading: { load: 99 },
    failing: { reason: "connection refused" },
  });
  agents.stop();
  expect(agents.report("rds", "number")).toBeUndefined();
});
