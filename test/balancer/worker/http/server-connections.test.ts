/** Connections to servers that are kept for the next request, and what happens when one turns out to be closed. */
import { afterEach, describe, expect, test } from "bun:test";
import type { Visitor } from "../../service/peers.ts";
import { Stage, type StageSketch, textUntil } from "./stage.ts";

let stage: Stage;
afterEach(() => stage.close());

async function open(sketch: StageSketch = {}): Promise<void> {
  stage = await Stage.open(sketch);
}

const HOST = "Host: a.test\r\n";
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const POST = `POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\nbody`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** One request that is answered; the connection to the server is kept. */
async function warm(): Promise<Visitor> {
  const client = await stage.client(GET);
  const server = await stage.visitor();
  await textUntil(server, GET);
  server.send(OK);
  await textUntil(client, "ok");
  return server;
}

const visitors = () => stage.servers[0]!.visitors.length;

describe("a kept connection", () => {
  test("serves the next client", async () => {
    await open();
    const server = await warm();
    const other = await stage.client(GET);
    await textUntil(server, GET + GET);
    server.send(OK);
    expect(await textUntil(other, "ok")).toBe(OK);
    expect(visitors()).toBe(1);
  });

  test("is not kept where the pool keeps none", async () => {
    await open({ pool: { keepAlive: { connections: 0, idleMs: 0 } } });
    const client = await stage.client(GET);
    const server = await stage.visitor();
    expect(await textUntil(server, "\r\n\r\n")).toContain("Connection: close\r\n");
    server.send(OK);
    await textUntil(client, "ok");
    await server.ended;
  });

  test("ends when it has been idle for its time", async () => {
    await open({ pool: { keepAlive: { connections: 8, idleMs: 100 } } });
    const server = await warm();
    expect(await server.ended).toBe("closed");
  });

  test("is dropped when the server says something that nobody asked for", async () => {
    await open();
    const server = await warm();
    server.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
    await server.ended;
    const client = await stage.client(GET);
    const second = await stage.visitor(1);
    await textUntil(second, GET);
    second.send(OK);
    expect(await textUntil(client, "ok")).toBe(OK);
  });

  test("is dropped when an answer has bytes behind it", async () => {
    await open();
    const client = await stage.client(GET);
    const server = await stage.visitor();
    await textUntil(server, GET);
    server.send(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`);
    expect(await textUntil(client, "ok")).toBe(OK);
    await server.ended;
    client.send(GET);
    const second = await stage.visitor(1);
    await textUntil(second, GET);
    second.send(OK);
    expect(await textUntil(client, OK + OK)).toBe(OK + OK);
  });

  test("stays the client's own once the server has begun a login that belongs to connections", async () => {
    await open();
    const client = await stage.client(GET);
    const first = await stage.visitor();
    await textUntil(first, GET);
    first.send("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nContent-Length: 2\r\n\r\nno");
    await textUntil(client, "no");
    const other = await stage.client(GET);
    const second = await stage.visitor(1);
    await textUntil(second, GET);
    second.send(OK);
    await textUntil(other, "ok");
    client.send(GET);
    await textUntil(first, GET + GET);
    first.send(OK);
    await textUntil(client, "ok");
    await client.leave();
    await first.ended;
  });
});

describe("a kept connection that its server closes as the next request is on its way", () => {
  test("is no loss where the request may be sent again", async () => {
    await open();
    const server = await warm();
    const client = await stage.client("");
    client.send(GET);
    await textUntil(server, GET + GET);
    server.reset();
    const second = await stage.visitor(1);
    expect(await textUntil(second, GET)).toBe(GET);
    second.send(OK);
    expect(await textUntil(client, "ok")).toBe(OK);
    expect(stage.rig.server("web", "s1").failuresInRow()).toBe(0);
  });

  test("is a 502 where something was answered", async () => {
    await open();
    const server = await warm();
    const client = await stage.client(GET);
    await textUntil(server, GET + GET);
    server.send("HTTP/1.1 2");
    server.reset();
    expect(await textUntil(client, "</html>\n")).toContain("502");
    expect(visitors()).toBe(1);
  });

  test("is a 502 where the request may not be sent twice", async () => {
    await open();
    const server = await warm();
    const client = await stage.client(POST);
    await textUntil(server, "body");
    server.reset();
    expect(await textUntil(client, "</html>\n")).toContain("502");
    expect(visitors()).toBe(1);
  });
});

describe("a connection that is new", () => {
  test("is not followed by another when the server ends it without an answer", async () => {
    await open({ servers: 2 });
    const client = await stage.client(GET);
    const server = await stage.visitor();
    await textUntil(server, GET);
    server.finish();
    expect(await textUntil(client, "</html>\n")).toContain("502");
    expect(stage.servers[1]!.visitors).toHaveLength(0);
  });

  test("is followed by one to another server when the server resets it without an answer", async () => {
    await open({ servers: 2 });
    const client = await stage.client(GET);
    const first = await stage.visitor();
    await textUntil(first, GET);
    first.reset();
    const second = await stage.visitor(0, 1);
    expect(await textUntil(second, GET)).toBe(GET);
    second.send(OK);
    expect(await textUntil(client, "ok")).toBe(OK);
    expect(stage.rig.server("web", "s1").failuresInRow()).toBe(1);
  });

  test("is not followed by another when it is reset with a request that may not be sent twice", async () => {
    await open({ servers: 2 });
    const client = await stage.client(POST);
    const server = await stage.visitor();
    await textUntil(server, "body");
    server.reset();
    expect(await textUntil(client, "</html>\n")).toContain("502");
    expect(stage.servers[1]!.visitors).toHaveLength(0);
  });

  test("goes to another server when it cannot be made", async () => {
    await open({ servers: 2 });
    await stage.servers[0]!.stop();
    const client = await stage.client(POST);
    const server = await stage.visitor(0, 1);
    expect(await textUntil(server, "body")).toBe(POST);
    server.send(OK);
    expect(await textUntil(client, "ok")).toBe(OK);
  });

  test("is what a request gets that may not be sent twice, when the kept one has rested for a while", async () => {
    await open();
    const first = await warm();
    await Bun.sleep(600);
    const client = await stage.client(POST);
    const second = await stage.visitor(1);
    expect(await textUntil(second, "body")).toBe(POST);
    second.send(OK);
    expect(await textUntil(client, "ok")).toBe(OK);
    expect(first.received.toString()).toBe(GET);
  });
});

test("a reload that takes a server out of its pool ends what is kept to it", async () => {
  await open({ servers: 2 });
  const server = await warm();
  const { rig, servers, sketch } = stage;
  await rig.adopt({
    ...sketch,
    pools: { web: { ...sketch.pools.web!, servers: { s2: servers[1]!.port } } },
  });
  await server.ended;
});

test("a client's next request goes where the newest plan says", async () => {
  await open({ servers: 2 });
  const client = await stage.client(GET);
  const first = await stage.visitor();
  await textUntil(first, GET);
  const { rig, servers, sketch } = stage;
  await rig.adopt({
    ...sketch,
    pools: { web: { ...sketch.pools.web!, servers: { s2: servers[1]!.port } } },
  });
  first.send(OK);
  await textUntil(client, "ok");
  client.send(GET);
  const second = await stage.visitor(0, 1);
  await textUntil(second, GET);
  second.send(OK);
  expect(await textUntil(client, OK + OK)).toBe(OK + OK);
});

test("more than a pool's bound are kept only as long as they are needed", async () => {
  await open({ pool: { keepAlive: { connections: 2, idleMs: 60_000 } } });
  const clients = await Promise.all(Array.from({ length: 6 }, () => stage.client(GET)));
  const servers = await Promise.all(Array.from({ length: 6 }, (_, nth) => stage.visitor(nth)));
  await Promise.all(servers.map((server) => textUntil(server, GET)));
  for (const server of servers) server.send(OK);
  await Promise.all(clients.map((client) => textUntil(client, "ok")));
  const open6 = servers.filter(({ socket }) => !socket.readableEnded);
  expect(open6).toHaveLength(6);
  await stage.rig.until("four to be closed", () => servers.filter(({ socket }) => socket.readableEnded).length === 4);
});
