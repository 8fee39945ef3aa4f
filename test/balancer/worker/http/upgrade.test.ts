/** WebSocket and other upgrades: a tunnel behind the 101. */
import { afterEach, expect, test } from "bun:test";
import type { Client, Visitor } from "../../service/peers.ts";
import { Stage, type StageSketch, textUntil } from "./stage.ts";

let stage: Stage;
afterEach(() => stage.close());

const HOST = "Host: a.test\r\n";
const UPGRADE =
  `GET /ws HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n` +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const SWITCH =
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/** A tunnel, once the client has its 101. */
async function tunnel(sketch: StageSketch = {}): Promise<{ client: Client; server: Visitor }> {
  stage = await Stage.open(sketch);
  const client = await stage.client(UPGRADE);
  const server = await stage.visitor();
  const request = await textUntil(server, "\r\n\r\n");
  expect(request.toLowerCase()).toContain("connection: upgrade\r\n");
  expect(request).toContain("Upgrade: websocket\r\n");
  expect(request).toContain("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
  server.send(SWITCH);
  expect((await textUntil(client, "\r\n\r\n")).startsWith("HTTP/1.1 101 ")).toBe(true);
  return { client, server };
}

test("bytes go both ways behind an upgrade, as they are", async () => {
  const { client, server } = await tunnel();
  for (const word of ["GET / HTTP/1.1\r\n\r\n", "\0\u0001", "HTTP/1.1 200"]) {
    client.send(word);
    await textUntil(server, word);
    server.send(word);
    await textUntil(client, word);
  }
});

test("what the server sends right behind its 101 arrives", async () => {
  stage = await Stage.open();
  const client = await stage.client(UPGRADE);
  const server = await stage.visitor();
  await textUntil(server, "\r\n\r\n");
  server.send(`${SWITCH}first`);
  await textUntil(client, "\r\n\r\nfirst");
});

test("what the client sends right behind its request waits for the 101", async () => {
  stage = await Stage.open();
  await stage.client(`${UPGRADE}early`);
  const server = await stage.visitor();
  expect((await textUntil(server, "\r\n\r\n")).endsWith("\r\n\r\n")).toBe(true);
  server.send(SWITCH);
  await textUntil(server, "\r\n\r\nearly");
});

test("each side may end its sending and still be sent to", async () => {
  const { client, server } = await tunnel();
  client.finish();
  expect(await server.ended).toBe("closed");
  server.send("last");
  await textUntil(client, "last");
  server.finish();
  expect(await client.ended).toBe("closed");
  expect(await stage.rig.ended("web")).toEqual({ "client-closed": 1 });
});

test("a reset of one side resets the other", async () => {
  const { client, server } = await tunnel();
  server.reset();
  expect(await client.ended).toBe("reset");
  expect(await stage.rig.ended("web")).toEqual({ "server-reset": 1 });
});

test("a tunnel that is silent for too long ends", async () => {
  const { client } = await tunnel({ service: { timeouts: { request: 1_000, idle: 200, halfClose: 1_000 } } });
  await client.ended;
  expect(await stage.rig.ended("web")).toEqual({ "idle-timeout": 1 });
});

test("a tunnel holds its place at the server, and control can end it there", async () => {
  const { client } = await tunnel();
  expect(stage.rig.server("web", "s1").connections()).toBe(1);
  expect(await stage.rig.end({ server: stage.rig.slot("web/s1") }, "drained")).toBe(1);
  await client.ended;
  expect(await stage.rig.ended("web")).toEqual({ drained: 1 });
  expect(stage.rig.server("web", "s1").connections()).toBe(0);
});

test("a server may refuse an upgrade, and the connection goes on", async () => {
  stage = await Stage.open();
  const client = await stage.client(UPGRADE);
  const server = await stage.visitor();
  await textUntil(server, "\r\n\r\n");
  server.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  await textUntil(client, "no");
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  await textUntil(server, `GET / HTTP/1.1\r\n${HOST}\r\n`);
});

test("a 101 that nobody asked for is a bad answer", async () => {
  stage = await Stage.open();
  const client = await stage.client(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  const server = await stage.visitor();
  await textUntil(server, "\r\n\r\n");
  server.send(SWITCH);
  expect(await textUntil(client, "</html>\n")).toContain("502");
});

test("an upgrade goes through even where the connection is the last of this process, and no answer says otherwise", async () => {
  stage = await Stage.open();
  const client = await stage.client(UPGRADE);
  const server = await stage.visitor();
  await textUntil(server, "\r\n\r\n");
  stage.rig.stopListening();
  server.send(SWITCH);
  expect(await textUntil(client, "\r\n\r\n")).not.toContain("Connection: close");
  client.send("word");
  await textUntil(server, "word");
});
