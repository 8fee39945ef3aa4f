import { describe, expect, test } from "bun:test";
import { Agents } from "../../../../src/balancer/control/agents/agents.ts";
import { number } from "../../../../src/balancer/control/agents/number.ts";
import type { AgentReading } from "../../../../src/balancer/control/agents/reading.ts";
import { text } from "../../../../src/balancer/control/agents/text.ts";
import { type Answer, ask } from "../../../../src/deadlines/ask.ts";
import { systemTiming } from "../../../../src/deadlines/timing.ts";
import { ManualTiming } from "../../../deadlines/manual-timing.ts";
import { answering, serve } from "../health/servers.ts";

const timing = { every: 2_000, timeout: 1_000 };

describe("a number over HTTP", () => {
  const http = (body: string, status = "200 OK") => `HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n${body}`;

  test.each<[string, Answer<AgentReading>]>([
    [http("0\n"), { value: { load: 0, admin: "ready", health: "up" } }],
    [http("42"), { value: { load: 42, admin: "ready", health: "up" } }],
    [http("99\r\nmore words\r\n"), { value: { load: 99, admin: "ready", health: "up" } }],
    [http("101\n"), { value: { admin: "ready", health: "down" } }],
    [http("102\n"), { value: { admin: "maint", health: "up" } }],
    [http("103\n"), { failure: "answer is no load (out-of-range)" }],
    [http("busy\n"), { failure: "answer is no load (not-a-number)" }],
    [http(""), { failure: "answer is no load (not-a-number)" }],
    [http("10\n", "404 Not Found"), { failure: "HTTP 404" }],
    ["10\n", { failure: "answer is not HTTP (not-http)" }],
  ])("%p", async (answer, meaning) => {
    const server = await answering([answer]);
    const question = number.ask({ kind: "number", port: server.port, path: "/load", ...timing }, "127.0.0.1");
    const answered = await ask("127.0.0.1", server.port, question, 1_000, systemTiming).done;
    expect("value" in answered ? answered.value : answered).toEqual(meaning);
    expect(server.received().toString()).toStartWith("GET /load HTTP/1.1\r\n");
    await server.stop();
  });
});

describe("a line over TCP", () => {
  test.each<[string, Answer<AgentReading>]>([
    ["75%\n", { value: { weightPercent: 75 } }],
    ["up ready 75%\n", { value: { weightPercent: 75, admin: "ready", health: "up" } }],
    ["DRAIN,maxconn:30", { value: { admin: "drain", maxconn: 30 } }],
    ["down#disk full\n", { value: { health: "down", reason: "disk full" } }],
    ["weight:0 happy\r\n", { value: { weight: 0, unknown: ["happy"] } }],
    ["\n", { failure: "answer is empty" }],
    ["", { failure: "closed without an answer" }],
    ["x".repeat(5_000), { failure: "answer is too-long" }],
  ])("%p", async (line, meaning) => {
    const server = await serve((socket) => socket.end(line));
    const question = text.ask({ kind: "text", port: server.port, ...timing }, "127.0.0.1");
    const answered = await ask("127.0.0.1", server.port, question, 1_000, systemTiming).done;
    expect("value" in answered ? answered.value : answered).toEqual(meaning);
    await server.stop();
  });

  test("what the file says is sent first", async () => {
    const server = await answering(["10%\n"]);
    const question = text.ask({ kind: "text", port: server.port, send: "rds1\n", ...timing }, "127.0.0.1");
    await ask("127.0.0.1", server.port, question, 1_000, systemTiming).done;
    expect(server.received().toString()).toBe("rds1\n");
    await server.stop();
  });
});

test("an agent that fails changes nothing, is reported once, and once more when it answers again", async () => {
  const clock = new ManualTiming();
  const events: unknown[] = [];
  let answer: Answer<unknown> = { value: { value: { load: 7 } } };
  const agents = new Agents({
    timing: clock,
    ask: (() => ({ done: Promise.resolve(answer), cancel: () => {} })) as unknown as typeof ask,
    onReading: (pool, server, reading) => events.push([`${pool}/${server}`, reading]),
    onFailing: (_pool, _server, reason) => events.push(reason ?? "answers again"),
  });
  const target = { pool: "rds", server: "rds1", host: "10.0.0.1" };
  agents.apply([{ ...target, agent: { kind: "text", port: 3333, ...timing } }]);
  await clock.advance(10);
  answer = { failure: "connection refused" };
  await clock.advance(6_000);
  expect(agents.report("rds", "rds1")).toEqual({
    reading: { load: 7 },
    readAtMs: 1_800_000_000_000,
    failing: { reason: "connection refused", sinceMs: 1_800_000_002_000 },
  });
  answer = { value: { value: { load: 8 } } };
  await clock.advance(2_000);
  expect(events).toEqual([["rds/rds1", { load: 7 }], "connection refused", "answers again", ["rds/rds1", { load: 8 }]]);
  expect(agents.report("rds", "rds1")?.failing).toBeUndefined();
  agents.stop();
  expect(clock.waiting()).toBe(0);
});

test("a reload keeps the agents that stay, and what was read from them", async () => {
  const clock = new ManualTiming();
  let asked = 0;
  const agents = new Agents({
    timing: clock,
    ask: (() => ({
      done: Promise.resolve({ value: { value: { load: ++asked } } }),
      cancel: () => {},
    })) as unknown as typeof ask,
    onReading: () => {},
  });
  const target = {
    pool: "rds",
    server: "rds1",
    host: "10.0.0.1",
    agent: { kind: "text", port: 3333, ...timing },
  } as const;
  agents.apply([target]);
  await clock.advance(1_000);
  agents.apply([{ ...target }]);
  expect(agents.report("rds", "rds1")?.reading).toEqual({ load: 1 });
  await clock.advance(1_500);
  expect(asked).toBe(2);
  agents.apply([{ ...target, agent: { ...target.agent, port: 3334 } }]);
  expect(agents.report("rds", "rds1")?.reading).toBeUndefined();
  agents.stop();
});
