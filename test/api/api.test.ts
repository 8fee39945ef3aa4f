import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApi } from "../../src/api/app.ts";
import { ApiClient } from "../../src/api/client.ts";
import { type Served, serveApi, serveMetrics } from "../../src/api/serve.ts";
import type { Problem } from "../../src/config/problem.ts";
import { ERRORS, HoldfastError } from "../../src/errors.ts";
import type { Log } from "../../src/observe/log.ts";
import { readPrometheus } from "../observe/prometheus-check.ts";
import { FakeBalancer, report, session } from "./fake-balancer.ts";

const logged: string[] = [];
const log: Log = {
  debug() {},
  info() {},
  warn() {},
  error: (event, _msg, details) => logged.push(`${event} ${JSON.stringify(details)}`),
  setLevel() {},
};

const folder = mkdtempSync(join(tmpdir(), "holdfast-api-"));
const socket = join(folder, "holdfast.sock");
const balancer = new FakeBalancer();
const app = createApi({ balancer, log, requestId: () => "r-7" });
let served: Served;
beforeAll(async () => {
  served = await serveApi(app, socket);
});
beforeEach(() => {
  balancer.state = report;
  balancer.sessionList = [];
  balancer.calls.length = 0;
  logged.length = 0;
});
afterAll(async () => {
  await served.stop();
  rmSync(folder, { recursive: true, force: true });
});

const get = (path: string) => fetch(`http://holdfast${path}`, { unix: socket });
const post = (path: string, body: unknown) =>
  fetch(`http://holdfast${path}`, {
    unix: socket,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

async function problem(response: Response | Promise<Response>) {
  const answer = await response;
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  const details = (await answer.json()) as {
    status: number;
    code: string;
    detail: string;
    hint?: string;
    instance: string;
  };
  expect(details.status).toBe(answer.status);
  expect(details.instance).toBe("r-7");
  expect(details.code in ERRORS).toBe(true);
  return details;
}

const STATE = "/api/v1/pools/rds/servers/rds2/state";

describe("the admin API", () => {
  test("can be made before the balancer has a state", () => {
    const early = new FakeBalancer();
    early.state = () => {
      throw new Error("not yet");
    };
    expect(() => createApi({ balancer: early, log, requestId: () => "r-7" })).not.toThrow();
  });

  test("answers status", async () => {
    expect(await (await get("/api/v1/status")).json()).toEqual(report());
  });

  test("changes a server's state and says whom it touches", async () => {
    const response = await post(STATE, { state: "drain", by: "anna", withinMs: 600_000 });
    expect(await response.json()).toMatchObject({
      state: "drain",
      ends: "2026-11-21T14:45:12.000Z",
      affected: { newUsersGoTo: ["rds1"], lastUsable: false, open: 49, connected: 49, disconnected: 3 },
    });
    expect(balancer.calls).toEqual(["drain rds/rds2 by anna within 600000"]);
  });

  test("a dry run answers whom it would touch and does nothing", async () => {
    const response = await post(`${STATE}?dryRun=true`, { state: "maintenance", by: "anna" });
    expect(await response.json()).toMatchObject({ dryRun: true, affected: { open: 49 } });
    balancer.sessionList = [session("alice"), session("bob"), session("carol", { state: "disconnected" })];
    const ended = await post("/api/v1/sessions/end?dryRun=true", { pool: "rds" });
    expect(await ended.json()).toEqual({ ended: 2, dryRun: true });
    expect(balancer.calls).toEqual([]);
  });

  test("new users go to a backup only where no other server is left", async () => {
    const goTo = async () => {
      const answer = await (await post(`${STATE}?dryRun=true`, { state: "drain", by: "anna" })).json();
      return (answer as { affected: { newUsersGoTo: string[] } }).affected.newUsersGoTo;
    };
    balancer.state = (now) => {
      const status = report(now);
      status.pools[0]!.servers[2] = { ...status.pools[0]!.servers[2]!, state: "up", backup: true };
      return status;
    };
    expect(await goTo()).toEqual(["rds1"]);
    balancer.state = (now) => {
      const status = report(now);
      status.pools[0]!.servers[0]!.state = "down";
      status.pools[0]!.servers[2] = { ...status.pools[0]!.servers[2]!, state: "up", backup: true };
      return status;
    };
    expect(await goTo()).toEqual(["rds3"]);
  });

  test("the last usable server wants a confirmation", async () => {
    const path = "/api/v1/pools/rds/servers/rds1/state";
    const details = await problem(post(path, { state: "drain", by: "anna" }));
    expect(details).toMatchObject({ status: 409, code: "api/last-usable-server" });
    expect(balancer.calls).toEqual([]);
    expect((await post(path, { state: "drain", by: "anna", confirm: true })).status).toBe(200);
  });

  test("ends a session by its id, however long its names are, and by its connection's", async () => {
    const id = `${"ä".repeat(64)}@@2001:db8::7/${"p".repeat(63)}/${"s".repeat(63)}`;
    balancer.sessionList = [session("alice", { id, connection: "c-0f310c2a17" }), session("bob")];
    for (const one of [id, "c-0f310c2a17"]) {
      const ended = await post("/api/v1/sessions/end?dryRun=true", { id: one });
      expect(await ended.json()).toEqual({ ended: 1, dryRun: true });
    }
  });

  test("lists sessions a page at a time", async () => {
    balancer.sessionList = Array.from({ length: 3 }, (_, i) => session(`user${i}`));
    const first = (await (await get("/api/v1/sessions?limit=2")).json()) as { items: object[]; next: string };
    expect(first.items).toHaveLength(2);
    const second = await (await get(`/api/v1/sessions?limit=2&cursor=${first.next}`)).json();
    expect(second).toMatchObject({ items: [{ user: "user2" }], next: null });
  });

  test("a cursor that means nothing any more is 410", async () => {
    const old = new FakeBalancer();
    old.sessions = () => {
      throw new HoldfastError("api/old-cursor", "the list has changed");
    };
    const response = await createApi({ balancer: old, log, requestId: () => "r-7" }).request(
      "/api/v1/sessions?cursor=9",
    );
    expect(await problem(response)).toMatchObject({ status: 410, code: "api/old-cursor" });
  });

  test("a reload that failed is 422 with every mistake", async () => {
    const fine = balancer.reloadReport;
    const mistake: Problem = {
      code: "config/unknown-key",
      severity: "error",
      file: "/etc/lb.yaml",
      line: 1,
      column: 1,
      endColumn: 5,
      pointer: "/pols",
      message: "the file has no key `pols`",
    };
    balancer.reloadReport = { ...fine, ok: false, summary: "1 error", problems: [mistake] };
    const details = await problem(post("/api/v1/reload", {}));
    balancer.reloadReport = fine;
    expect(details).toMatchObject({ status: 422, code: "api/reload-refused", errors: [mistake] });
  });

  test("streams events as they happen, and forgets a reader who leaves", async () => {
    const leave = new AbortController();
    const response = await fetch("http://holdfast/api/v1/events", { unix: socket, signal: leave.signal });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const reader = response.body!.getReader();
    await reader.read(); // the comment that says it is connected
    balancer.emit("server.down", "rds/rds3 is down\n\nid: forged");
    const text = new TextDecoder().decode((await reader.read()).value);
    expect(text).toMatch(/^event: server\.down\ndata: \{[^\n]+\}\n\n$/);
    expect(JSON.parse(text.split("data: ")[1]!)).toMatchObject({ event: "server.down" });
    leave.abort();
    while (balancer.listeners.size > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  test("a reader who does not read is told to read the state anew, and costs no memory", async () => {
    const response = await app.request("/api/v1/events");
    for (let i = 0; i < 10_000; i++) balancer.emit("server.up", `event ${i}`);
    const reader = response.body!.getReader();
    let events = 0;
    let text = "";
    for (; !text.includes("resync"); events++) {
      balancer.emit("server.up", "one more");
      text = new TextDecoder().decode((await reader.read()).value);
    }
    expect(events).toBeLessThan(300);
    await reader.cancel();
    expect(balancer.listeners.size).toBe(0);
  });

  test("serves metrics, whole and in part", async () => {
    expect(readPrometheus(await (await get("/api/v1/metrics")).text()).has("holdfast_server_up")).toBe(true);
    const some = await (await get("/api/v1/metrics?scope=service")).text();
    expect(readPrometheus(some).has("holdfast_server_up")).toBe(false);
    expect(await problem(get("/api/v1/metrics?scope=galaxy"))).toMatchObject({ status: 400 });
  });

  test("describes itself as OpenAPI 3.1, every path of it", async () => {
    const document = (await (await get("/api/v1/openapi.json")).json()) as { openapi: string; paths: object };
    expect(document.openapi).toBe("3.1.0");
    expect(Object.keys(document.paths).sort()).toEqual([
      "/api/v1/events",
      "/api/v1/metrics",
      "/api/v1/pools/{pool}/forget",
      "/api/v1/pools/{pool}/servers/{server}/state",
      "/api/v1/reload",
      "/api/v1/sessions",
      "/api/v1/sessions/end",
      "/api/v1/status",
      "/api/v1/tokens",
    ]);
  });
});

describe("wrong requests are answered as problems", () => {
  const cases: [name: string, path: string, body: unknown, status: number, code: string][] = [
    ["a body that is no JSON", STATE, "{", 400, "api/bad-request"],
    ["a state that does not exist", STATE, { state: "gone", by: "anna" }, 400, "api/bad-request"],
    ["a key that does not exist", STATE, { state: "drain", by: "anna", force: 1 }, 400, "api/bad-request"],
    ["a deadline for ready", STATE, { state: "ready", by: "anna", withinMs: 5_000 }, 400, "api/bad-request"],
    ["an unknown pool", "/api/v1/pools/x/servers/rds1/state", { state: "drain", by: "a" }, 404, "api/not-found"],
    ["an unknown server", "/api/v1/pools/rds/servers/x/state", { state: "drain", by: "a" }, 404, "api/not-found"],
    ["no selector for ending", "/api/v1/sessions/end", {}, 400, "api/bad-request"],
    ["a server without its pool", "/api/v1/sessions/end", { server: "rds1" }, 400, "api/bad-request"],
    ["a token for nobody", "/api/v1/tokens", { pool: "rds", server: "x" }, 404, "api/not-found"],
    ["nobody to forget", "/api/v1/pools/rds/forget", { by: "anna" }, 400, "api/bad-request"],
    ["two at once", "/api/v1/pools/rds/forget", { by: "anna", user: "a", share: 0.5 }, 400, "api/bad-request"],
    ["more than all", "/api/v1/pools/rds/forget", { by: "anna", share: 1.5 }, 400, "api/bad-request"],
    ["a pool that forgets and is not there", "/api/v1/pools/x/forget", { by: "a", user: "a" }, 404, "api/not-found"],
    ["an address that does not exist", "/api/v1/nothing", {}, 404, "api/not-found"],
  ];
  for (const [name, path, body, status, code] of cases) {
    test(name, async () => {
      expect(await problem(post(path, body))).toMatchObject({ status, code });
      expect(balancer.calls).toEqual([]);
    });
  }

  test("a page larger than 1,000", async () => {
    expect(await problem(get("/api/v1/sessions?limit=1001"))).toMatchObject({ status: 400 });
  });

  test("a fault of ours is 500 without its stack, which is in the log with the same instance", async () => {
    balancer.state = () => {
      throw new TypeError("secret detail");
    };
    const details = await problem(get("/api/v1/status"));
    expect(details).toMatchObject({ status: 500, code: "api/internal" });
    expect(JSON.stringify(details)).not.toContain("secret");
    expect(logged[0]).toContain('"instance":"r-7"');
    expect(logged[0]).toContain("secret detail");
  });
});

describe("the socket", () => {
  test("is for its owner and group only, and nothing else is left in the folder", () => {
    expect(statSync(socket).mode & 0o777).toBe(0o660);
    expect(readdirSync(folder)).toEqual(["holdfast.sock"]);
  });

  test("of a running process is not replaced", async () => {
    await expect(serveApi(app, socket)).rejects.toMatchObject({ code: "api/socket" });
    expect(await new ApiClient(socket).status()).toEqual(report());
  });

  test("left over from a crash is replaced", async () => {
    const path = join(folder, "stale.sock");
    const crashed = Bun.spawn([
      process.execPath,
      "-e",
      `Bun.listen({ unix: "${path}", socket: { data() {} } }); process.kill(process.pid, "SIGKILL")`,
    ]);
    await crashed.exited;
    expect(statSync(path).isSocket()).toBe(true);
    const second = await serveApi(app, path);
    expect(await new ApiClient(path).status()).toEqual(report());
    await second.stop();
    expect(readdirSync(folder)).toEqual(["holdfast.sock"]);
  });

  test("changes hands at a takeover without a moment in between, and the old one leaves it alone", async () => {
    const path = join(folder, "shared.sock");
    const old = await serveApi(app, path);
    const next = new FakeBalancer();
    next.state = (now) => ({ ...report(now), node: "next" });
    const taken = await serveApi(createApi({ balancer: next, log, requestId: () => "r-8" }), path, { replace: true });
    expect((await new ApiClient(path).status()).node).toBe("next");
    await old.stop();
    expect((await new ApiClient(path).status()).node).toBe("next");
    await taken.stop();
    await expect(new ApiClient(path).status()).rejects.toMatchObject({ code: "cli/not-running" });
  });

  test("with too long a name is refused in words", async () => {
    await expect(serveApi(app, `/tmp/${"x".repeat(100)}`)).rejects.toThrow("too long for a socket: at most 96 bytes");
  });
});

describe("the metrics page over TCP", () => {
  test("answers GET /metrics and nothing else", async () => {
    const page = serveMetrics(balancer, { host: "127.0.0.1", port: 0 });
    const url = `http://127.0.0.1:${page.port}`;
    const response = await fetch(`${url}/metrics?scope=pool`);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(readPrometheus(await response.text()).has("holdfast_pool_queue_length")).toBe(true);
    expect((await fetch(`${url}/metrics?scope=x`)).status).toBe(400);
    expect((await fetch(`${url}/api/v1/status`)).status).toBe(404);
    expect((await fetch(`${url}/metrics`, { method: "DELETE" })).status).toBe(404);
    await page.stop();
    expect(() => serveMetrics(balancer, { host: "192.0.2.1", port: 1 })).toThrow("cannot listen on 192.0.2.1:1");
  });

  test("is there without a moment in between when another process takes over", async () => {
    const old = serveMetrics(balancer, { host: "127.0.0.1", port: 0 });
    const next = serveMetrics(balancer, { host: "127.0.0.1", port: old.port });
    await old.stop();
    expect((await fetch(`http://127.0.0.1:${next.port}/metrics`)).status).toBe(200);
    await next.stop();
  });
});
