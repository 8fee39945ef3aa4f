/** Web logins as their users and administrators meet them: the real process, servers in front of which it stands, and browsers. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type IncomingHttpHeaders, request } from "node:http";
import { until } from "../../until.ts";
import { Balancer, type LogLine } from "./rig.ts";

setDefaultTimeout(30_000);

/** A server that says its name, and which cookies it sees; `broken`: with a 500. */
function server(name: string) {
  const state = { broken: false };
  const http = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ headers }) => {
      const answer = { "cache-control": "public, max-age=600", "x-cookies": headers.get("cookie") ?? "" };
      return new Response(name, { status: state.broken ? 500 : 200, headers: answer });
    },
  });
  return { state, port: http.port, stop: () => http.stop(true) };
}

const [a, b, c] = [server("a"), server("b"), server("c")];
const servers = `servers: { a: "127.0.0.1:${a.port}", b: "127.0.0.1:${b.port}", c: "127.0.0.1:${c.port}" }`;
const yaml = (log: string) => `
log: { access: true, ${log} }
services:
  web:
    listen: 127.0.0.1:0
    protocol: http
    routes:
      - { pool: sticky }
      - { host: "*.example.test", path: /control, pool: sticky, server: b }
      - { path: /api, pool: judged }
      - { path: /gone, respond: { status: 404, body: gone } }
pools:
  sticky: { algorithm: round-robin, persistence: { by: cookie, name: SRV, lifetime: 12h }, ${servers} }
  judged: { algorithm: round-robin, outliers: { failures: 3, penalty: 1h, longest: 1h }, ${servers} }
`;

let balancer: Balancer;
beforeAll(async () => {
  balancer = await Balancer.start(yaml("format: json"));
});
afterAll(async () => {
  await balancer.stop();
  for (const { stop } of [a, b, c]) await stop();
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly client: string;
}

/** A browser that keeps its cookies; a connection for each request. */
class Browser {
  readonly jar = new Map<string, string>();

  get(path: string, headers: Record<string, string> = {}, port = balancer.port("web")): Promise<Answer> {
    const cookie = [...this.jar].map(([name, value]) => `${name}=${value}`).join("; ");
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          host: "127.0.0.1",
          port,
          path,
          agent: false,
          headers: { ...(cookie !== "" && { cookie }), ...headers },
        },
        async (response) => {
          for (const line of response.headers["set-cookie"] ?? []) {
            const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
            this.jar.set(name!, value!);
          }
          const client = `127.0.0.1:${response.socket.localPort}`;
          const body = (await response.toArray()).map(String).join("");
          resolve({ status: response.statusCode!, headers: response.headers, body, client });
        },
      );
      asked.on("error", reject).end();
    });
  }
}

/** The line of the request that was answered so. */
const lineOf = ({ client }: Answer) =>
  balancer.heard("request.end", (line) => line.client === client) as Promise<LogLine & Record<string, unknown>>;

describe("a sticky cookie", () => {
  test("keeps a browser on its server, and the log says how each request found it", async () => {
    const browser = new Browser();
    const first = await browser.get("/login?next=%2F");
    const second = await browser.get("/app", { "user-agent": 'x"y' });
    expect(second.body).toBe(first.body);
    expect(await lineOf(first)).toMatchObject({
      service: "web",
      route: "*",
      pool: "sticky",
      server: first.body,
      method: "GET",
      target: "/login?next=%2F",
      status: 200,
      version: "1.1",
      recognisedBy: "new",
    });
    expect(await lineOf(second)).toMatchObject({ recognisedBy: "cookie", server: first.body, end: "complete" });
  });

  test("a route that pins a server, and an answer of the balancer's own, are told as well", async () => {
    const pinned = await new Browser().get("/control/x", { host: "node.example.test" });
    expect(pinned.body).toBe("b");
    expect(await lineOf(pinned)).toMatchObject({ recognisedBy: "route", route: "*.example.test/control" });
    const gone = await new Browser().get("/gone");
    expect(await lineOf(gone)).toMatchObject({ status: 404, route: "/gone", pool: null, server: null, attempts: 0 });
  });

  test("is for the browser and us: its server does not see it, and shared caches do not keep it", async () => {
    const browser = new Browser();
    const first = await browser.get("/", { cookie: "theme=dark" });
    expect(first.headers["cache-control"]).toBe("public, max-age=600, private");
    expect(first.headers["x-cookies"]).toBe("theme=dark");
    const again = await browser.get("/", { cookie: `SRV=${browser.jar.get("SRV")}; theme=dark` });
    expect(again.body).toBe(first.body);
    expect(again.headers["cache-control"]).toBe("public, max-age=600");
    expect(again.headers["x-cookies"]).toBe("theme=dark");
  });

  test("a browser stays while its server drains; nobody new gets there", async () => {
    const browser = new Browser();
    const home = (await browser.get("/")).body;
    await balancer.set(`sticky/${home}`, "drain");
    for (let n = 0; n < 4; n++) expect((await browser.get("/")).body).toBe(home);
    for (let n = 0; n < 4; n++) expect((await new Browser().get("/")).body).not.toBe(home);
    await balancer.set(`sticky/${home}`, "ready");
  });

  test("it outlives a restart, and so does that somebody was forgotten", async () => {
    const [kept, forgotten] = [new Browser(), new Browser()];
    const home = await kept.get("/");
    await forgotten.get("/");
    const cookie = forgotten.jar.get("SRV")!;
    expect(await balancer.api.forget("sticky", { cookie }, { by: "tests", dryRun: false })).toMatchObject({
      forgotten: 1,
    });
    await balancer.down();
    await balancer.up();
    expect(await lineOf(await kept.get("/"))).toMatchObject({ recognisedBy: "cookie", server: home.body });
    expect(await lineOf(await forgotten.get("/"))).toMatchObject({
      recognisedBy: "new",
      endDetail: "forgotten after idle or lifetime",
    });
    expect(await lineOf(await forgotten.get("/"))).toMatchObject({ recognisedBy: "cookie" });
  });

  test("a forged one is counted, and its bearer is served as somebody new", async () => {
    const browser = new Browser();
    browser.jar.set("SRV", "A".repeat(56));
    const answer = await browser.get("/");
    expect(answer.status).toBe(200);
    expect(await lineOf(answer)).toMatchObject({ recognisedBy: "new", endDetail: "cookie is not valid" });
    expect((await balancer.service("web")).refused["cookie-invalid"]).toBe(1);
  });
});

test("a server that answers badly in a row gets nobody new, and status and metrics say so", async () => {
  a.state.broken = true;
  const get = () => new Browser().get("/api");
  for (let n = 0; n < 12; n++) await get();
  const ejected = await until("a to be left out", async () => {
    const found = await balancer.server("judged/a");
    return found.state === "ejected" && found;
  });
  expect(ejected.reason).toMatch(/^\d+ bad answers in a row, left out for 1h$/);
  const bodies = await Promise.all(Array.from({ length: 6 }, get));
  expect(bodies.map(({ body }) => body).sort()).toEqual(["b", "b", "b", "c", "c", "c"]);
  expect(await balancer.metrics()).toContain('holdfast_server_ejected{pool="judged",server="a"} 1');
  a.state.broken = false;
});

test("the figures of a service say what was answered", async () => {
  const before = (await balancer.service("web")).http!.responses;
  await new Browser().get("/gone");
  const after = await until("the request to be counted", async () => {
    const { http } = await balancer.service("web");
    return http!.responses["4xx"] !== before["4xx"] && http!.responses;
  });
  expect(after["4xx"]! - before["4xx"]!).toBe(1);
  expect(await balancer.metrics()).toContain('holdfast_service_request_duration_seconds_count{service="web"}');
});

test("in the combined format, the log has a line for each request that tools for web servers read", async () => {
  const other = await Balancer.start(yaml("format: combined, file: access.log"), { isSilent: true });
  try {
    const fields = { "user-agent": 'curl "8"', referer: "https://a.test/" };
    await new Browser().get("/gone?x", fields, other.port("web"));
    const line = await until("the line", async () => {
      const text = await Bun.file(`${other.folder}/access.log`).text();
      return text.split("\n").find((one) => one.includes("/gone"));
    });
    expect(line).toMatch(
      /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:[\d:]{8} \+0000\] "GET \/gone\?x HTTP\/1\.1" 404 \d+ "https:\/\/a\.test\/" "curl \\"8\\""$/,
    );
  } finally {
    await other.stop();
  }
});
