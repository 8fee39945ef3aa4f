/** HTTP inside TLS, with clients and with servers: nothing is different, and servers are told. */
import { afterAll, afterEach, expect, test } from "bun:test";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer } from "node:net";
import { connect, createServer, type Server, type TLSSocket } from "node:tls";
import type { TlsPlan } from "../../../../src/balancer/plan.ts";
import { Authority } from "../../../lab/certificates.ts";
import { Client, Peer } from "../../service/peers.ts";
import { WorkerRig } from "../worker-rig.ts";
import { HTTP, Stage, type StageSketch } from "./stage.ts";

const authority = new Authority();
const front = authority.issue("front.test");
const person = authority.issue("person.test");
afterAll(() => authority.dispose());

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

const tls = (more: Partial<TlsPlan> = {}): TlsPlan => ({
  certificates: [
    { chain: readFileSync(front.cert, "utf8"), key: readFileSync(front.key, "utf8"), names: ["front.test"] },
  ],
  minimum: "TLSv1.2",
  ciphers: "",
  cipherSuites: "",
  alpn: [],
  clients: null,
  ...more,
});

async function open(sketch: StageSketch): Promise<number> {
  stage = await Stage.open(sketch);
  return stage.rig.port("web");
}

/** A client over TLS. */
async function secure(port: number, shown?: { cert: string; key: string }): Promise<Peer> {
  const socket: TLSSocket = connect({
    port,
    servername: "front.test",
    ca: authority.pem,
    ...(shown && { cert: readFileSync(shown.cert), key: readFileSync(shown.key) }),
  });
  await once(socket, "secureConnect");
  return new Peer(socket);
}

const REQUEST = "GET / HTTP/1.1\r\nHost: front.test\r\nX-Client-Cert: forged\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const whole = (bytes: Buffer) => bytes.toString().endsWith("\r\n\r\n");

test("requests go through one after the other, and the server learns that the client speaks TLS", async () => {
  const port = await open({
    service: { tls: tls() },
    http: { forwarded: { mode: "replace", standard: false } },
  });
  const client = await secure(port);
  const requests = (nth: number) => (bytes: Buffer) => bytes.toString().split("\r\n\r\n").length === nth + 1;
  for (let nth = 1; nth <= 3; nth++) {
    client.send(REQUEST);
    const server = await stage!.visitor();
    expect((await server.receive(requests(nth))).toString()).toContain("X-Forwarded-Proto: https\r\n");
    server.send(OK);
    await client.receive((bytes) => bytes.length === OK.length * nth);
  }
  await client.leave();
});

test("a megabyte both ways", async () => {
  const port = await open({ service: { tls: tls() } });
  const client = await secure(port);
  const body = Buffer.alloc(1 << 20, "0123456789abcdef-");
  client.send(`POST / HTTP/1.1\r\nHost: front.test\r\nContent-Length: ${body.length}\r\n\r\n`);
  client.send(body);
  const server = await stage!.visitor();
  const got = await server.receive((bytes) => bytes.length > body.length);
  expect(got.subarray(-body.length).equals(body)).toBe(true);
  server.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
  server.send(body);
  const back = await client.receive((bytes) => bytes.length > body.length);
  expect(back.subarray(-body.length).equals(body)).toBe(true);
  await client.leave();
});

test("the server is told which certificate the client has shown, and nobody else can say so", async () => {
  const clients = { ca: authority.pem, required: false, header: "X-Client-Cert" };
  const port = await open({ service: { tls: tls({ clients }) } });
  const known = await secure(port, person);
  known.send(REQUEST);
  const server = await stage!.visitor();
  const text = (await server.receive(whole)).toString();
  const base64 = readFileSync(person.cert, "utf8").replace(/-----[^-]+-----|\n/g, "");
  expect(text.match(/X-Client-Cert: .*/g)).toEqual([`X-Client-Cert: :${base64}:`]);
  const unknown = await secure(port);
  unknown.send(REQUEST);
  expect((await (await stage!.visitor(1)).receive(whole)).toString()).not.toContain("X-Client-Cert");
  await known.leave();
  await unknown.leave();
});

test("what the server says before the client has sent all of it gets through", async () => {
  const port = await open({ service: { tls: tls() } });
  const client = await secure(port);
  client.send("POST / HTTP/1.1\r\nHost: front.test\r\nContent-Length: 1000000\r\n\r\nbegin");
  const server = await stage!.visitor();
  await server.receive((bytes) => bytes.toString().endsWith("begin"));
  server.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
  expect((await client.receive((bytes) => bytes.toString().endsWith("big"))).toString()).toContain("413 Too Large");
  await client.leave();
});

/** A server of TLS at `port`, and one client's way to it. */
async function towards(port: number): Promise<WorkerRig> {
  const trusted = { ca: authority.pem, verify: "full", name: "back.test", minimum: "TLSv1.2" } as const;
  return WorkerRig.start({
    pools: {
      web: {
        keepAlive: { connections: 4, idleMs: 60_000 },
        servers: { one: port },
        tls: { ...trusted, ciphers: "", cipherSuites: "", certificate: null },
      },
    },
    services: { web: { protocol: "http", http: HTTP } },
  });
}

/** It answers whatever comes with `answer`. */
async function serving(answer: string, sockets = new Set<TLSSocket>()): Promise<Server> {
  const back = authority.issue("back.test");
  const server = createServer({ cert: readFileSync(back.cert), key: readFileSync(back.key) }, (socket) => {
    sockets.add(socket);
    socket.on("data", () => socket.write(answer));
    socket.on("error", () => {});
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;

test("servers that speak TLS are kept for the next request", async () => {
  const sockets = new Set<TLSSocket>();
  const server = await serving(OK, sockets);
  const rig = await towards(portOf(server));
  try {
    for (let nth = 0; nth < 3; nth++) {
      const answer = await fetch(`http://127.0.0.1:${rig.port("web")}/`, { headers: { connection: "close" } });
      expect(await answer.text()).toBe("ok");
    }
    expect(sockets.size).toBe(1);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    await rig.stop();
  }
});

// Without a length, an answer is whole when the connection has ended: anybody on the way can end a socket, but not the TLS
// in it (RFC 9112 9.8).
test("an answer that somebody on the way to the server has cut off does not look whole", async () => {
  const sockets = new Set<TLSSocket>();
  const server = await serving("HTTP/1.1 200 OK\r\n\r\nhalf of the ", sockets);
  const onTheWay = createTcpServer((front) => {
    const back = connectTcp(portOf(server), "127.0.0.1");
    front.pipe(back);
    back.pipe(front, { end: false });
    cuts.push(() => front.end());
    front.on("error", () => {});
  }).listen(0, "127.0.0.1");
  const cuts: (() => void)[] = [];
  await once(onTheWay, "listening");
  const rig = await towards(portOf(onTheWay));
  try {
    const client = await Client.connect(rig.port("web"), { first: REQUEST });
    await client.receive((bytes) => bytes.toString().endsWith("half of the "));
    for (const cut of cuts) cut();
    expect(await client.ended).toBe("reset");
    expect(await rig.ended("web")).toEqual({ "server-closed": 1 });
    expect(rig.server("web", "one").badAnswers()).toBe(1);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    onTheWay.close();
    await rig.stop();
  }
});

test("an answer without a length that the server has ended itself is whole", async () => {
  const sockets = new Set<TLSSocket>();
  const server = await serving("HTTP/1.1 200 OK\r\n\r\nall of it", sockets);
  const rig = await towards(portOf(server));
  try {
    const client = await Client.connect(rig.port("web"), { first: REQUEST });
    await client.receive((bytes) => bytes.toString().endsWith("all of it"));
    for (const socket of sockets) socket.end();
    expect(await client.ended).toBe("closed");
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    await rig.stop();
  }
});
