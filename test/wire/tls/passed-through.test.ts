/** TLS passed through, by the name that the client asks for, between real TLS peers. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { connect as connectTls, createServer, type TLSSocket, type Server as TlsServer } from "node:tls";
import { parseCidr } from "../../../src/protocols/address.ts";
import { Client, startServers } from "../../balancer/service/peers.ts";
import { type PlanSketch, WorkerRig } from "../../balancer/worker/worker-rig.ts";
import { Authority } from "../../lab/certificates.ts";
import { recordClientHello } from "./record-client-hello.ts";

const authority = new Authority();
const servers: TlsServer[] = [];
let rig: WorkerRig | undefined;

beforeAll(async () => {
  await Promise.all(["a.test", "b.test"].map(startTls));
});
afterEach(async () => {
  await rig?.stop();
  rig = undefined;
});
afterAll(() => {
  for (const server of servers) server.close();
  authority.dispose();
});

/** A TLS server that says its name, then what it hears. */
async function startTls(name: string): Promise<void> {
  const { cert, key } = authority.issue(name);
  const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (socket) => {
    socket.write(`${name}\n`);
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  servers.push(server);
}

const portOf = (nth: number) => (servers[nth]!.address() as AddressInfo).port;

/** a.test and everything below b.test, each with a pool of its own. */
function byName(more: Partial<PlanSketch["services"][string]> = {}): PlanSketch {
  return {
    pools: { a: { servers: { one: portOf(0) } }, b: { servers: { one: portOf(1) } } },
    services: {
      web: {
        protocol: "tls",
        routes: [
          { host: { name: "a.test", wildcard: false }, pools: ["a"] },
          { host: { name: "b.test", wildcard: true }, pools: ["b"] },
        ],
        ...more,
      },
    },
  };
}

/** What a client of `servername` hears first, until the line's end. */
async function ask(socket: TLSSocket): Promise<string> {
  let heard = "";
  for await (const piece of socket) {
    heard += piece;
    if (heard.endsWith("\n")) return heard.trim();
  }
  return heard;
}

function dial(port: number, servername: string): TLSSocket {
  return connectTls({ host: "127.0.0.1", port, servername, ca: authority.pem, checkServerIdentity: () => undefined });
}

test("a client gets the server of the name it asks for, whatever its case, and both ends are its own", async () => {
  rig = await WorkerRig.start(byName());
  expect(await ask(dial(rig.port("web"), "a.test"))).toBe("a.test");
  expect(await ask(dial(rig.port("web"), "A.Test"))).toBe("a.test");
  expect(await ask(dial(rig.port("web"), "www.b.test"))).toBe("b.test");
});

test.each([
  ["a name that no route has", "c.test"],
  ["no name at all", ""],
])("%s is told so by an alert", async (_, name) => {
  rig = await WorkerRig.start(byName());
  const socket = dial(rig.port("web"), name);
  const [error] = (await once(socket, "error")) as [Error & { code?: string }];
  expect(`${error.code} ${error.message}`).toMatch(/unrecognized.name/i);
  expect(rig.refused("web")).toEqual({ "no-route": 1 });
  expect(await rig.ended("web")).toEqual({ "not-allowed": 1 });
});

test("no name at all goes where a route has none", async () => {
  const sketch = byName();
  rig = await WorkerRig.start({ ...sketch, services: { web: { protocol: "tls", routes: [{ pools: ["b"] }] } } });
  expect(await ask(dial(rig.port("web"), ""))).toBe("b.test");
});

test("who finds no server is told so by an alert", async () => {
  const [gone] = await startServers("gone");
  await gone.stop();
  rig = await WorkerRig.start({
    pools: { a: { servers: { one: gone.port } } },
    services: { web: { protocol: "tls" } },
  });
  const [error] = (await once(dial(rig.port("web"), "a.test"), "error")) as [Error];
  expect(error.message).toMatch(/internal.error/i);
});

/** The first flight of a real client, as bytes. */
const helloOf = (servername: string) => recordClientHello({ servername, ALPNProtocols: ["h2", "http/1.1"] });

test("a ClientHello in packets of one byte finds its server, which gets it unchanged", async () => {
  const [server] = await startServers("one");
  rig = await WorkerRig.start({
    pools: { a: { servers: { one: server.port } } },
    services: { web: { protocol: "tls", routes: [{ host: { name: "a.test", wildcard: false }, pools: ["a"] }] } },
  });
  const hello = await helloOf("a.test");
  const client = await Client.connect(rig.port("web"), { first: "" });
  for (const byte of hello) {
    client.send(Uint8Array.of(byte));
    await Promise.resolve();
  }
  const visitor = await server.visitor(0);
  expect(Buffer.compare(await visitor.receive((bytes) => bytes.length >= hello.length), hello)).toBe(0);
  await client.leave();
  await server.stop();
});

test.each([1, 7, 100])(
  "a ClientHello in records of %d bytes finds its server, which gets it unchanged",
  async (size) => {
    const [server] = await startServers("one");
    rig = await WorkerRig.start({
      pools: { a: { servers: { one: server.port } } },
      services: { web: { protocol: "tls", routes: [{ host: { name: "a.test", wildcard: false }, pools: ["a"] }] } },
    });
    const message = (await helloOf("a.test")).subarray(5);
    const records: number[] = [];
    for (let at = 0; at < message.length; at += size) {
      const piece = message.subarray(at, at + size);
      records.push(22, 3, 1, 0, piece.length, ...piece);
    }
    const client = await Client.connect(rig.port("web"), { first: Uint8Array.from(records) });
    const visitor = await server.visitor(0);
    const came = await visitor.receive((bytes) => bytes.length >= records.length);
    expect(Buffer.compare(came, Uint8Array.from(records))).toBe(0);
    await client.leave();
    await server.stop();
  },
);

test("TLS that is passed through is not put into TLS once more where its pool has `tls` for others", async () => {
  const tls = {
    ca: authority.pem,
    verify: "full" as const,
    name: "a.test",
    minimum: "TLSv1.2" as const,
    ciphers: "",
    cipherSuites: "",
    certificate: null,
  };
  rig = await WorkerRig.start({
    pools: { a: { servers: { one: portOf(0) }, tls } },
    services: { through: { protocol: "tls" }, plain: { protocol: "tcp" } },
  });
  expect(await ask(dial(rig.port("through"), "a.test"))).toBe("a.test");
  const client = await Client.connect(rig.port("plain"));
  expect(await client.server()).toBe("a.test");
  await client.leave();
});

test("what is no ClientHello gets no server", async () => {
  rig = await WorkerRig.start(byName());
  const client = await Client.connect(rig.port("web"), { first: "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n" });
  await client.ended;
  expect(rig.refused("web")).toEqual({ "bad-client-hello": 1 });
  expect(await rig.ended("web")).toEqual({ "bad-protocol": 1 });
});

test("a ClientHello that is never finished is not waited for longer than timeouts.request", async () => {
  rig = await WorkerRig.start(byName({ timeouts: { request: 200, idle: 60_000, halfClose: 1_000 } }));
  const hello = await helloOf("a.test");
  const client = await Client.connect(rig.port("web"), { first: hello.subarray(0, hello.length - 1) });
  await client.ended;
  expect(rig.refused("web")).toEqual({ "first-bytes-timeout": 1 });
});

test("a PROXY header in front of TLS is taken off, and another goes to the server in front of it", async () => {
  const [server] = await startServers("one");
  rig = await WorkerRig.start({
    pools: { a: { servers: { one: server.port }, sendProxy: "v1" } },
    services: { web: { protocol: "tls", acceptProxy: true, trust: [parseCidr("127.0.0.0/8")!] } },
  });
  const hello = await helloOf("a.test");
  const header = "PROXY TCP4 192.0.2.7 127.0.0.1 5555 443\r\n";
  const client = await Client.connect(rig.port("web"), { first: Buffer.concat([Buffer.from(header), hello]) });
  const visitor = await server.visitor(0);
  const expected = Buffer.concat([Buffer.from(`PROXY TCP4 192.0.2.7 127.0.0.1 5555 ${rig.port("web")}\r\n`), hello]);
  const came = await visitor.receive((bytes) => bytes.length >= expected.length);
  expect(Buffer.compare(came, expected)).toBe(0);
  await client.leave();
  await server.stop();
});
