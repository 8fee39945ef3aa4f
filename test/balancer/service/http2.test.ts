/** Requests over HTTP/2 as an administrator meets them: in the access log, and by the ids that stand there. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from "node:http2";
import { Authority } from "../../lab/certificates.ts";
import { Balancer, type LogLine } from "./rig.ts";

setDefaultTimeout(30_000);

const authority = new Authority();
const site = authority.issue("a.test");
const origin = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: ({ headers }) => new Response(headers.get("x-request-id")),
});

let balancer: Balancer;
let session: ClientHttp2Session;

beforeAll(async () => {
  balancer = await Balancer.start(`
log: { access: true }
services:
  web:
    listen: 127.0.0.1:0
    protocol: http
    tls: { certificates: [{ cert: ${site.cert}, key: ${site.key} }] }
    request-id: true
    pool: web
pools:
  web: { servers: { a: "127.0.0.1:${origin.port}" } }
`);
  session = connect(`https://127.0.0.1:${balancer.port("web")}`, { ca: authority.pem, servername: "a.test" });
  session.on("error", () => {});
});
afterAll(async () => {
  session.destroy();
  await balancer.stop();
  await origin.stop(true);
  authority.dispose();
});

/** What a request over the one connection was answered: status, and body or the stream's error. */
function ask(path: string, headers: OutgoingHttpHeaders = {}): Promise<{ status: number; body: string }> {
  const asked = session.request({ ":path": path, ":authority": "a.test", ...headers });
  return new Promise((resolve) => {
    const answer = { status: 0, body: "" };
    asked.on("response", (fields) => {
      answer.status = Number(fields[":status"]);
    });
    asked.on("data", (bytes: Buffer) => {
      answer.body += bytes;
    });
    asked.on("error", () => {});
    asked.on("close", () => resolve(answer));
  });
}

type Line = LogLine & Record<string, unknown>;
const lineOf = (target: string) =>
  balancer.heard("request.end", (line) => (line as Line).target === target) as Promise<Line>;

test("each request names its connection and is called after its stream, and by that name its server knows it", async () => {
  const bodies = [(await ask("/one")).body, (await ask("/two")).body];
  const lines = [await lineOf("/one"), await lineOf("/two")];
  expect(lines.map(({ version, request }) => [version, request])).toEqual([
    ["2", 1],
    ["2", 3],
  ]);
  expect(lines[0]!.connection).toBe(lines[1]!.connection);
  expect(lines.map(({ requestId }) => requestId)).toEqual(bodies);
  expect(bodies[0]).not.toBe(bodies[1]);
});

test("what is too long to be served is in the log and in the figures too", async () => {
  expect((await ask("/long", { "x-long": "y".repeat(20_000) })).status).toBe(431);
  expect(await lineOf("/long")).toMatchObject({
    service: "web",
    version: "2",
    method: "GET",
    host: "a.test",
    status: 431,
    end: "bad-protocol",
    server: null,
    attempts: 0,
  });
  expect((await balancer.service("web")).http!.responses["4xx"]).toBe(1);
});

test("the line of the connection itself has the id that its requests name", async () => {
  const { connection } = await lineOf("/one");
  session.close();
  const ended = (await balancer.heard("connection.end")) as Line;
  expect(ended).toMatchObject({ connection, end: "client-closed" });
});
