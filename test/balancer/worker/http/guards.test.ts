/** What the balancer itself answers: limits, deadlines, routes without a server, and bad input. */
import { afterEach, describe, expect, test } from "bun:test";
import type { AnswerPlan } from "../../../../src/balancer/plan.ts";
import { ServiceCounter } from "../../../../src/balancer/shared/service-view.ts";
import { ServerState } from "../../../../src/balancer/shared/words.ts";
import type { Client } from "../../service/peers.ts";
import { HTTP, Stage, type StageSketch, textUntil } from "./stage.ts";

let stage: Stage;
afterEach(() => stage.close());

async function open(sketch: StageSketch = {}): Promise<void> {
  stage = await Stage.open(sketch);
}

const HOST = "Host: a.test\r\n";
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const LAST = `GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** What a client gets for `bytes` until its connection ends. */
async function answerTo(bytes: string): Promise<string> {
  const client = await stage.client(bytes);
  expect(await client.ended).toBe("closed");
  return client.received.toString();
}

/** A whole answer of our own. */
async function ownAnswer(client: Client): Promise<string> {
  return textUntil(client, "</html>\n");
}

const limits = (some: Partial<typeof HTTP.limits>) => ({ http: { limits: { ...HTTP.limits, ...some } } });
const down = () => stage.rig.server("web", "s1").setState(ServerState.DOWN, 1);

describe("a bad request", () => {
  test.each([
    ["nonsense", "\x16\x03\x01\x02\x00 hello\r\n\r\n", 400],
    ["no host", "GET / HTTP/1.1\r\n\r\n", 400],
    ["two lengths", `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400],
    ["a length and chunks", `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
    ["another version", `GET / HTTP/3.0\r\n${HOST}\r\n`, 505],
    ["CONNECT", "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n", 405],
  ])("with %s is refused, and nothing reaches a server", async (_name, bytes, status) => {
    await open();
    const client = await stage.client(bytes);
    expect(await ownAnswer(client)).toStartWith(`HTTP/1.1 ${status} `);
    expect(stage.servers[0]!.visitors).toHaveLength(0);
    expect(stage.rig.refused("web")).toEqual({ "bad-request": 1 });
  });

  test("with a target that is too long is a 414", async () => {
    await open(limits({ target: 100 }));
    expect(await answerTo(`GET /${"x".repeat(100)} HTTP/1.1\r\n${HOST}\r\n`)).toStartWith("HTTP/1.1 414 ");
  });

  test("with too many fields, or a head that is too long, is a 431", async () => {
    await open(limits({ head: 1000, fields: 10 }));
    expect(await answerTo(`GET / HTTP/1.1\r\n${HOST}${"A: b\r\n".repeat(10)}\r\n`)).toStartWith("HTTP/1.1 431 ");
    expect(await answerTo(`GET / HTTP/1.1\r\n${HOST}A: ${"b".repeat(1000)}`)).toStartWith("HTTP/1.1 431 ");
  });

  test("behind a good one is refused behind its answer", async () => {
    await open();
    const client = await stage.client(`${GET}GET / HTTP/1.1\r\n\r\n`);
    const server = await stage.visitor();
    await textUntil(server, GET);
    server.send(OK);
    expect(await ownAnswer(client)).toStartWith(`${OK}HTTP/1.1 400 `);
    expect(await client.ended).toBe("closed");
  });

  test("with bad chunks is refused, and the server's connection is reset", async () => {
    await open();
    const client = await stage.client(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n`);
    const server = await stage.visitor();
    await textUntil(server, "a\r\n");
    client.send("xx\r\n");
    expect(await ownAnswer(client)).toStartWith("HTTP/1.1 400 ");
    expect(await server.ended).toBe("reset");
  });

  test("with bad chunks at hand reaches no server", async () => {
    await open();
    const client = await stage.client(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nxx\r\n`);
    expect(await ownAnswer(client)).toStartWith("HTTP/1.1 400 ");
    expect(stage.servers[0]!.visitors.every((visitor) => visitor.received.length === 0)).toBe(true);
  });

  test("a large body behind a refusal does not lose the client its answer", async () => {
    await open(limits({ target: 10 }));
    const client = await stage.client(`POST /${"x".repeat(20)} HTTP/1.1\r\n${HOST}Content-Length: 500000\r\n\r\n`);
    client.send("x".repeat(500_000));
    client.finish();
    expect(await client.ended).toBe("closed");
    expect(client.received.toString()).toStartWith("HTTP/1.1 414 ");
  });
});

describe("without a server", () => {
  test("there is a 503 that says when to come back, and the connection goes on", async () => {
    await open();
    down();
    const client = await stage.client(GET);
    const text = await ownAnswer(client);
    expect(text).toStartWith("HTTP/1.1 503 ");
    expect(text).toMatch(/\r\nRetry-After: \d+\r\n/);
    expect(text).not.toContain("Connection: close");
    client.send(GET);
    await client.receive((bytes) => bytes.toString().split("</html>\n").length === 3);
  });

  test("there is the administrator's page, where there is one", async () => {
    const body = new TextEncoder().encode("sorry");
    await open({
      http: { sorry: { kind: "fixed", status: 503, contentType: "text/plain", body, fields: [] } },
    });
    down();
    const client = await stage.client(GET);
    expect(await textUntil(client, "sorry")).toMatch(/^HTTP\/1\.1 503 .*\r\nRetry-After: /s);
  });

  test("HEAD gets the head alone", async () => {
    await open();
    down();
    const client = await stage.client(`HEAD / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
    await client.ended;
    expect(client.received.toString()).toEndWith("\r\n\r\n");
  });

  test("a request that no route fits is a 503", async () => {
    await open({ service: { routes: [{ host: { name: "b.test", wildcard: false }, pools: ["web"] }] } });
    const client = await stage.client(GET);
    expect(await ownAnswer(client)).toStartWith("HTTP/1.1 503 ");
    expect(stage.rig.refused("web")).toEqual({ "no-route": 1 });
  });

  test("a server that waits in vain for its own end of things is no obstacle: connect refused is a 503", async () => {
    await open();
    await stage.servers[0]!.stop();
    const client = await stage.client(GET);
    expect(await ownAnswer(client)).toStartWith("HTTP/1.1 503 ");
  });
});

describe("a route that the balancer answers itself", () => {
  const route = (answer: AnswerPlan): StageSketch => ({ service: { routes: [{ pools: [], answer }] } });

  test("redirects, with the request's own host, path and query", async () => {
    await open(route({ kind: "redirect", status: 301, scheme: "https", port: 8443 }));
    const client = await stage.client(`GET /a/b?c=d HTTP/1.1\r\nHost: A.test:80\r\n\r\n`);
    const text = await textUntil(client, "\r\n\r\n");
    expect(text).toStartWith("HTTP/1.1 301 ");
    expect(text).toContain("\r\nLocation: https://A.test:8443/a/b?c=d\r\n");
  });

  test("redirects elsewhere", async () => {
    await open(route({ kind: "redirect", status: 308, scheme: "https", host: "b.test", port: 0, path: "/new" }));
    const client = await stage.client(GET);
    expect(await textUntil(client, "\r\n\r\n")).toContain("\r\nLocation: https://b.test/new\r\n");
  });

  test("is a fixed answer", async () => {
    const body = new TextEncoder().encode("here I am");
    await open(
      route({ kind: "fixed", status: 200, contentType: "text/plain", body, fields: [{ name: "X-A", value: "b" }] }),
    );
    const client = await stage.client(GET + GET);
    await client.receive((bytes) => bytes.toString().split("here I am").length === 3);
    expect(client.received.toString()).toContain("\r\nX-A: b\r\n");
  });

  test("does not keep a body that it has not read for the next request", async () => {
    const body = new TextEncoder().encode("x");
    await open(route({ kind: "fixed", status: 200, contentType: "text/plain", body, fields: [] }));
    const smuggled = `POST / HTTP/1.1\r\n${HOST}Content-Length: 1000\r\n\r\n${GET}`;
    const client = await stage.client(smuggled);
    client.finish();
    await client.ended;
    expect(client.received.toString().match(/HTTP\/1\.1 200/g)).toHaveLength(1);
    expect(client.received.toString()).toContain("Connection: close");
  });
});

describe("one source", () => {
  test("that asks too often gets a 429 that says when to come back", async () => {
    await open({
      ...limits({ requestsPerSource: 2, requestsPerSourceMs: 60_000 }),
      service: {
        routes: [
          {
            pools: [],
            answer: { kind: "fixed", status: 200, contentType: "text/plain", body: new Uint8Array([120]), fields: [] },
          },
        ],
      },
    });
    const client = await stage.client(GET + GET + GET);
    const text = await ownAnswer(client);
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    expect(text).toMatch(/HTTP\/1\.1 429 .*\r\nRetry-After: 30\r\n/s);
    expect(stage.rig.refused("web")).toEqual({ "limit-rate": 1 });
  });

  test("may have so many requests in progress, and a place is free again behind the answer", async () => {
    await open(limits({ concurrentPerSource: 1 }));
    const first = await stage.client(GET);
    const server = await stage.visitor();
    await textUntil(server, GET);
    const second = await stage.client(GET);
    expect(await ownAnswer(second)).toStartWith("HTTP/1.1 429 ");
    server.send(OK);
    await textUntil(first, "ok");
    second.send(GET);
    await textUntil(server, GET + GET);
    server.send(OK);
    await textUntil(second, OK);
  });
});

describe("who is slow", () => {
  const timeouts = (some: { request?: number; idle?: number }) => ({
    service: { timeouts: { request: 60_000, idle: 60_000, halfClose: 1_000, ...some } },
  });

  test("with a request's head gets a 408", async () => {
    await open(timeouts({ request: 200 }));
    const client = await stage.client("GET / HTTP/1.1\r\nHo");
    expect(await ownAnswer(client)).toStartWith("HTTP/1.1 408 ");
    expect(stage.rig.refused("web")).toEqual({ "first-bytes-timeout": 1 });
  });

  test("with the head of a later request gets a 408 too", async () => {
    await open(timeouts({ request: 200 }));
    const client = await stage.client(GET);
    const server = await stage.visitor();
    await textUntil(server, GET);
    server.send(OK);
    await textUntil(client, "ok");
    client.send("GET");
    expect(await ownAnswer(client)).toStartWith(`${OK}HTTP/1.1 408 `);
  });

  test("and sends nothing at all is left without a word", async () => {
    await open(timeouts({ request: 200 }));
    const client = await stage.client("");
    expect(await client.ended).toBe("closed");
    expect(client.received).toHaveLength(0);
    expect(await stage.rig.ended("web")).toEqual({ "first-bytes-timeout": 1 });
  });

  test("with the next request is left without a word", async () => {
    await open({ http: { timeouts: { ...HTTP.timeouts, keepAlive: 200 } } });
    const client = await stage.client(GET);
    const server = await stage.visitor();
    await textUntil(server, GET);
    server.send(OK);
    expect(await client.ended).toBe("closed");
    expect(client.received.toString()).toBe(OK);
    expect(await stage.rig.ended("web")).toEqual({ "idle-timeout": 1 });
  });

  test("with a request's body gets a 408, and the server is left", async () => {
    await open({ http: { timeouts: { ...HTTP.timeouts, body: 200 } } });
    const client = await stage.client(`POST / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nhalf`);
    const server = await stage.visitor();
    await textUntil(server, "half");
    expect(await ownAnswer(client)).toStartWith("HTTP/1.1 408 ");
    expect(await server.ended).toBe("reset");
    await client.leave();
    expect(await stage.rig.ended("web")).toEqual({ "body-timeout": 1 });
  });

  test("a server that does not answer is a 504", async () => {
    await open({ pool: { responseTimeoutMs: 200 } });
    const client = await stage.client(LAST);
    const server = await stage.visitor();
    await textUntil(server, "\r\n\r\n");
    expect(await ownAnswer(client)).toStartWith("HTTP/1.1 504 ");
    expect(await server.ended).toBe("reset");
    expect(await stage.rig.ended("web")).toEqual({ "response-timeout": 1 });
    expect(stage.rig.server("web", "s1").badAnswers()).toBe(1);
    await stage.rig.until("the place to be free", () => stage.rig.server("web", "s1").connections() === 0);
  });

  test("a server that stops within its answer ends it, and it does not look whole", async () => {
    await open(timeouts({ idle: 200 }));
    const client = await stage.client(GET);
    const server = await stage.visitor();
    await textUntil(server, GET);
    server.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    expect(await client.ended).toBe("reset");
  });
});

describe("a server that is full", () => {
  const full = { pool: { queue: { length: 10, timeoutMs: 200 } } };

  /** A request that has taken the only place, and one that waits behind it. */
  async function queue(sketch: StageSketch): Promise<{ first: Client; waiting: Client }> {
    await open(sketch);
    stage.rig.server("web", "s1").setLimit(1);
    const first = await stage.client(GET);
    await textUntil(await stage.visitor(), GET);
    const waiting = await stage.client(GET);
    await stage.rig.until("somebody to wait", () => stage.rig.queued("web") === 1);
    return { first, waiting };
  }

  test("has its next request wait, over whichever connection", async () => {
    const { first, waiting } = await queue({ pool: { queue: { length: 10, timeoutMs: 60_000 } } });
    const server = await stage.visitor();
    server.send(OK);
    await textUntil(first, "ok");
    await textUntil(server, GET + GET);
    server.send(OK);
    expect(await textUntil(waiting, "ok")).toBe(OK);
  });

  test("is a 503 for who has waited for too long", async () => {
    const { waiting } = await queue(full);
    expect(await ownAnswer(waiting)).toStartWith("HTTP/1.1 503 ");
    expect(stage.rig.refused("web")).toEqual({ "queue-timeout": 1 });
  });

  test("is not kept waiting for who has left the queue", async () => {
    const { waiting } = await queue({ pool: { queue: { length: 10, timeoutMs: 60_000 } } });
    waiting.finish();
    await waiting.ended;
    await stage.rig.until("nobody to wait", () => stage.rig.queued("web") === 0);
  });
});

describe("when this process takes nothing new any more", () => {
  async function rested() {
    await open();
    const resting = await stage.client(GET);
    const server = await stage.visitor();
    await textUntil(server, GET);
    server.send(OK);
    await textUntil(resting, "ok");
    return { resting, server };
  }

  test("a connection between two requests ends, and one with a request in progress behind its answer", async () => {
    const { resting, server } = await rested();
    const busy = await stage.client(GET);
    await textUntil(server, GET + GET);
    stage.rig.stopListening();
    expect(await resting.ended).toBe("closed");
    server.send(OK);
    expect(await textUntil(busy, "ok")).toContain("Connection: close\r\n");
    expect(await busy.ended).toBe("closed");
  });

  test("a request that was on its way is answered, and told that it was the last", async () => {
    const { resting, server } = await rested();
    const silent = await stage.client("");
    await stage.rig.until("both to be there", () => stage.rig.service("web").open() === 2);
    stage.rig.stopListening();
    // It does one after the other: what comes now comes behind it.
    await stage.rig.end({ most: 0 }, "shutdown");
    for (const [earlier, client] of [resting, silent].entries()) {
      client.send(GET);
      await textUntil(server, GET.repeat(2 + earlier));
      server.send(OK);
      expect(await textUntil(client, "Connection: close\r\n\r\nok")).toContain("200 OK");
      expect(await client.ended).toBe("closed");
    }
  });
});

test("a service that a new plan has no longer ends its connections between two requests", async () => {
  await open();
  const client = await stage.client(GET);
  const server = await stage.visitor();
  await textUntil(server, GET);
  server.send(OK);
  await textUntil(client, "ok");
  await stage.rig.adopt({ ...stage.sketch, services: {} });
  expect(await client.ended).toBe("closed");
});

describe("a server whose answer is none", () => {
  test.each([
    ["is no HTTP", "hello\r\n\r\n"],
    ["has a length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok"],
    ["has two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"],
    ["splits its fields", "HTTP/1.1 200 OK\r\nA: b\nC: d\r\nContent-Length: 2\r\n\r\nok"],
    ["has bad chunks at once", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
  ])("because it %s is a 502", async (_name, answer) => {
    await open();
    const client = await stage.client(LAST);
    const server = await stage.visitor();
    await textUntil(server, "\r\n\r\n");
    server.send(answer);
    const text = await ownAnswer(client);
    expect(text).toStartWith("HTTP/1.1 502 ");
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    await server.ended;
    expect(await stage.rig.ended("web")).toEqual({ "bad-answer": 1 });
    expect(stage.rig.server("web", "s1").badAnswers()).toBe(1);
  });
});

test("bad answers in a row are counted against their server, until a good one", async () => {
  await open();
  const client = await stage.client(GET);
  const server = await stage.visitor();
  const view = stage.rig.server("web", "s1");
  for (const [nth, status] of [500, 503, 404].entries()) {
    if (nth > 0) client.send(GET);
    await server.receive((bytes) => bytes.length === GET.length * (nth + 1));
    server.send(`HTTP/1.1 ${status} X\r\nContent-Length: 3\r\n\r\n${status}`);
    await textUntil(client, `\r\n\r\n${status}`);
    await stage.rig.until("it to be counted", () => view.badAnswers() === (status < 500 ? 0 : nth + 1));
  }
});

test("figures of requests are kept, by class and by new and kept connections", async () => {
  await open();
  const client = await stage.client(GET);
  const server = await stage.visitor();
  await textUntil(server, GET);
  server.send(OK);
  await textUntil(client, "ok");
  client.send(GET);
  await textUntil(server, GET + GET);
  server.send("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
  await textUntil(client, "no");
  const view = stage.rig.service("web");
  await stage.rig.until("both to be counted", () => view.total(ServiceCounter.REQUEST_COUNT) === 2);
  expect(view.total(ServiceCounter.RESPONSES + 2)).toBe(1);
  expect(view.total(ServiceCounter.RESPONSES + 4)).toBe(1);
  expect(view.total(ServiceCounter.DIALLED)).toBe(1);
  expect(view.total(ServiceCounter.REUSED)).toBe(1);
  expect(view.total(ServiceCounter.BYTES_IN)).toBe(GET.length * 2);
});
