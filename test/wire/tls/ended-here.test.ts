/** TLS that ends at the balancer, and TLS that it speaks with servers, around plain bytes; between real peers. */
import { afterAll, afterEach, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer as createPlainServer, type Server, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from "node:tls";
import type { ServerTlsPlan, TlsPlan } from "../../../src/balancer/plan.ts";
import { ServerCounter } from "../../../src/balancer/shared/server-view.ts";
import { ServiceCounter } from "../../../src/balancer/shared/service-view.ts";
import { HandshakeCode } from "../../../src/balancer/shared/words.ts";
import { parseAddress, parseCidr } from "../../../src/protocols/address.ts";
import { MAX_WRITTEN_V2, writeProxyV2 } from "../../../src/protocols/proxy.ts";
import { Client } from "../../balancer/service/peers.ts";
import { type PlanSketch, WorkerRig } from "../../balancer/worker/worker-rig.ts";
import { Authority, type Certificate } from "../../lab/certificates.ts";

const authority = new Authority();
const other = new Authority();
const front = authority.issue("front.test");
const back = authority.issue("back.test");
const servers: Server[] = [];
let rig: WorkerRig | undefined;

afterEach(async () => {
  await rig?.stop();
  rig = undefined;
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => {
  authority.dispose();
  other.dispose();
});

const pem = ({ cert, key }: Certificate) => ({ cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") });

function endsHere(certificate = front): TlsPlan {
  const { cert: chain, key } = pem(certificate);
  return {
    certificates: [{ chain, key, names: ["front.test"] }],
    minimum: "TLSv1.2",
    ciphers: "",
    cipherSuites: "",
    alpn: [],
    clients: null,
  };
}

const towards = (more: Partial<ServerTlsPlan> = {}): ServerTlsPlan => ({
  ca: authority.pem,
  verify: "full",
  name: "back.test",
  minimum: "TLSv1.2",
  ciphers: "",
  cipherSuites: "",
  certificate: null,
  ...more,
});

async function listening(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const plain = (serve: (socket: Socket) => void) =>
  listening(
    createPlainServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {});
      serve(socket);
    }),
  );

const overTls = (serve: (socket: TLSSocket) => void, certificate = back) =>
  listening(
    createTlsServer({ ...pem(certificate), allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {});
      serve(socket);
    }),
  );

const sketch = (port: number, service: object, pool: object = {}): PlanSketch => ({
  pools: { pool: { servers: { one: port }, ...pool } },
  services: { service: { ...service } },
});

const dial = () =>
  connectTls({
    host: "127.0.0.1",
    port: rig!.port("service"),
    servername: "front.test",
    ca: authority.pem,
    allowHalfOpen: true,
  } as object) as TLSSocket;

/** All that comes until the end. */
async function all(socket: Socket | TLSSocket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  socket.on("data", (piece: Buffer) => pieces.push(piece));
  await once(socket, "end");
  return Buffer.concat(pieces);
}

const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const noise = (bytes: number) => {
  const out = Buffer.alloc(bytes);
  let state = 0x9e3779b9;
  for (let at = 0; at < bytes; at += 4) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x7f4a7c15;
    out.writeInt32LE(state | 0, at);
  }
  return out;
};

test("a server that speaks first is heard through TLS by a client that says nothing", async () => {
  const port = await plain((socket) => socket.end("220 ready\r\n"));
  rig = await WorkerRig.start(sketch(port, { tls: endsHere() }));
  const client = dial();
  expect((await all(client)).toString()).toBe("220 ready\r\n");
  client.end();
  expect(await rig.ended("service")).toEqual({ "server-closed": 1 });
});

test("a client ends its sending through TLS and still gets all of the answer", async () => {
  const answer = noise(3_000_000);
  const port = await plain(async (socket) => {
    const asked = await all(socket);
    socket.end(Buffer.concat([Buffer.from(`${sha(asked)}\n`), answer]));
  });
  rig = await WorkerRig.start(sketch(port, { tls: endsHere() }));
  const question = noise(2_000_000);
  const client = dial();
  client.end(question);
  const heard = await all(client);
  expect(heard.subarray(0, 65).toString()).toBe(`${sha(question)}\n`);
  expect(sha(heard.subarray(65))).toBe(sha(answer));
  expect(await rig.ended("service")).toEqual({ "client-closed": 1 });
});

test("a server ends its sending, and still gets all that the client sends through TLS", async () => {
  const heard = Promise.withResolvers<string>();
  const port = await plain(async (socket) => {
    socket.end("go on\n");
    heard.resolve(sha(await all(socket)));
  });
  rig = await WorkerRig.start(sketch(port, { tls: endsHere() }));
  const client = dial();
  expect((await all(client)).toString()).toBe("go on\n");
  const question = noise(2_000_000);
  client.end(question);
  expect(await heard.promise).toBe(sha(question));
});

test("bytes are encrypted again for a server whose certificate is right, both ways and with half-closes", async () => {
  const names = Promise.withResolvers<string | false>();
  const port = await overTls(async (socket) => {
    names.resolve(socket.servername as string);
    const asked = await all(socket);
    socket.end(`${sha(asked)}\n`);
  });
  rig = await WorkerRig.start(sketch(port, { tls: endsHere() }, { tls: towards() }));
  const question = noise(1_000_000);
  const client = dial();
  client.end(question);
  expect((await all(client)).toString()).toBe(`${sha(question)}\n`);
  expect(await names.promise).toBe("back.test");
});

test("plain clients get servers that want TLS", async () => {
  const port = await overTls((socket) => socket.write("hello\n"));
  rig = await WorkerRig.start(sketch(port, {}, { tls: towards() }));
  const client = await Client.connect(rig.port("service"), { first: "" });
  expect(await client.server()).toBe("hello");
  await client.leave();
});

test.each([
  ["whose certificate is for another name", { name: "front.test" }],
  ["whose certificate nobody has signed that we trust", { ca: other.pem }],
])("a server %s is as one that cannot be reached, and the next one is taken", async (_, tls) => {
  const wrong = await overTls(() => {});
  const right = await overTls((socket) => socket.write("right\n"), authority.issue("front.test"));
  rig = await WorkerRig.start({
    pools: {
      wrong: { servers: { one: wrong }, tls: towards(tls) },
      both: { servers: { one: wrong, two: right }, tls: towards({ name: "front.test" }) },
    },
    services: { wrong: { routes: [{ pools: ["wrong"] }] }, both: { routes: [{ pools: ["both"] }] } },
  });
  const refused = await Client.connect(rig.port("wrong"));
  await refused.ended;
  expect(await rig.ended("wrong")).toEqual({ "connect-failed": 1 });
  expect(rig.server("wrong", "one").total(ServerCounter.FAILURES)).toBe(1);
  const client = await Client.connect(rig.port("both"));
  expect(await client.server()).toBe("right");
  await client.leave();
});

test("a server that never answers the handshake is given up after the pool's timeouts.connect", async () => {
  const port = await plain(() => {});
  rig = await WorkerRig.start(sketch(port, {}, { tls: towards(), connectTimeoutMs: 200, retries: 0 }));
  const client = await Client.connect(rig.port("service"));
  await client.ended;
  expect(await rig.ended("service")).toEqual({ "connect-failed": 1 });
});

test("a PROXY header comes in front of the TLS of a client, and goes out in front of the TLS to a server", async () => {
  const first = Promise.withResolvers<string>();
  const inner = await overTls((socket) => socket.end("inside\n"));
  // Takes off the header, then is a pipe to the TLS server.
  const port = await plain((socket) => {
    socket.once("data", (bytes: Buffer) => {
      const end = bytes.indexOf("\r\n") + 2;
      first.resolve(bytes.subarray(0, end).toString());
      const rest = connect(inner, "127.0.0.1");
      rest.write(bytes.subarray(end));
      socket.pipe(rest).pipe(socket);
    });
  });
  const service = { tls: endsHere(), acceptProxy: true, trust: [parseCidr("127.0.0.0/8")!] };
  rig = await WorkerRig.start(sketch(port, service, { tls: towards(), sendProxy: "v1" }));
  const socket = connect(rig.port("service"), "127.0.0.1");
  socket.write("PROXY TCP4 192.0.2.7 127.0.0.1 5555 443\r\n");
  const client = connectTls({ socket, servername: "front.test", ca: authority.pem });
  expect((await all(client)).toString()).toBe("inside\n");
  expect(await first.promise).toBe(`PROXY TCP4 192.0.2.7 127.0.0.1 5555 ${rig.port("service")}\r\n`);
});

test("a client who does not trust the certificate says so, and it is counted as a handshake that failed", async () => {
  const port = await plain(() => {});
  rig = await WorkerRig.start(sketch(port, { tls: endsHere() }));
  const address = `127.0.0.1:${rig.port("service")}`;
  const client = Bun.spawn(
    ["openssl", "s_client", "-verify_return_error", "-CAfile", other.file, "-connect", address],
    {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    },
  );
  expect(await client.exited).not.toBe(0);
  expect(await rig.ended("service")).toEqual({ "tls-failed": 1 });
  expect(rig.refused("service")).toEqual({ "tls-failed": 1 });
  expect(rig.service("service").total(ServiceCounter.HANDSHAKES + HandshakeCode.FAILED)).toBe(1);
});

test("plain bytes where TLS is wanted are refused", async () => {
  const port = await plain(() => {});
  rig = await WorkerRig.start(sketch(port, { tls: endsHere() }));
  const client = await Client.connect(rig.port("service"), { first: "GET / HTTP/1.0\r\n\r\n" });
  await client.ended;
  expect(await rig.ended("service")).toEqual({ "bad-protocol": 1 });
  expect(rig.refused("service")).toEqual({ "bad-client-hello": 1 });
});

test("a handshake that is never finished is not waited for longer than timeouts.request", async () => {
  const port = await plain(() => {});
  const timeouts = { request: 200, idle: 60_000, halfClose: 1_000 };
  rig = await WorkerRig.start(sketch(port, { tls: endsHere(), timeouts }));
  const { recordClientHello } = await import("./record-client-hello.ts");
  const client = await Client.connect(rig.port("service"), { first: await recordClientHello({}) });
  await client.receive((bytes) => bytes.length > 100);
  await client.ended;
  expect(rig.refused("service")).toEqual({ "first-bytes-timeout": 1 });
});

test("a PROXY header of version 2 and a ClientHello may come byte by byte", async () => {
  const port = await plain((socket) => socket.end("inside\n"));
  const trust = [parseCidr("127.0.0.0/8")!];
  rig = await WorkerRig.start(sketch(port, { tls: endsHere(), acceptProxy: true, trust }, { sendProxy: "off" }));
  const header = new Uint8Array(MAX_WRITTEN_V2);
  const [source, destination] = [parseAddress("192.0.2.7")!, parseAddress("127.0.0.1")!];
  const length = writeProxyV2(header, 0, source, 5555, destination, 443);
  const socket = connect({ port: rig.port("service"), host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  // What the TLS client writes goes out in single bytes.
  const inPieces = new Duplex({
    read() {},
    write(bytes: Buffer, _encoding, done) {
      for (const byte of bytes) socket.write(Uint8Array.of(byte));
      done();
    },
    final: (done) => void socket.end(done),
  });
  socket.on("data", (bytes) => inPieces.push(bytes));
  socket.on("end", () => inPieces.push(null));
  for (const byte of header.subarray(0, length)) socket.write(Uint8Array.of(byte));
  const client = connectTls({ socket: inPieces, servername: "front.test", ca: authority.pem });
  expect((await all(client)).toString()).toBe("inside\n");
  client.destroy();
  socket.destroy();
});

test("a server that resets is a reset for a client of TLS, who does not take a part for the whole", async () => {
  const port = await plain((socket) => {
    socket.write("half of");
    socket.once("data", () => socket.resetAndDestroy());
  });
  rig = await WorkerRig.start(sketch(port, { tls: endsHere() }));
  const client = dial();
  const failed = once(client, "error") as Promise<[NodeJS.ErrnoException]>;
  await once(client, "data");
  client.write("?");
  expect((await failed)[0].code).toBe("ECONNRESET");
  expect(await rig.ended("service")).toEqual({ "server-reset": 1 });
});

test("a client of TLS that resets is a reset for the server", async () => {
  const reset = Promise.withResolvers<string | undefined>();
  const port = await plain((socket) => {
    socket.write("here\n");
    socket.on("error", (error: NodeJS.ErrnoException) => reset.resolve(error.code));
  });
  rig = await WorkerRig.start(sketch(port, { tls: endsHere() }));
  const socket = connect(rig.port("service"), "127.0.0.1");
  const client = connectTls({ socket, servername: "front.test", ca: authority.pem });
  client.on("error", () => {});
  await once(client, "data");
  socket.resetAndDestroy();
  expect(await reset.promise).toBe("ECONNRESET");
  expect(await rig.ended("service")).toEqual({ "client-reset": 1 });
});

test("a source gets back the place of its connection through TLS", async () => {
  const port = await plain((socket) => {
    socket.write("here\n");
    socket.on("end", () => socket.end());
  });
  const limits = { connections: 0, connectionsPerSource: 1, newPerSource: 0, newPerSourceMs: 0 };
  rig = await WorkerRig.start(sketch(port, { tls: endsHere(), limits }));
  for (let nth = 1; nth <= 3; nth++) {
    const client = dial();
    await once(client, "data");
    client.end();
    expect(await rig.ended("service")).toEqual({ "client-closed": nth });
  }
  const first = dial();
  await once(first, "data");
  const second = await Client.connect(rig.port("service"));
  await second.ended;
  expect(rig.refused("service")).toEqual({ "limit-source": 1 });
  first.destroy();
});

test("connections through TLS are ended by server, as others are", async () => {
  const port = await plain((socket) => socket.write("here\n"));
  rig = await WorkerRig.start(sketch(port, { tls: endsHere() }));
  const client = dial();
  client.on("error", () => {});
  const ended = once(client, "end");
  await once(client, "data");
  expect(await rig.end({ server: rig.slot("pool/one") }, "drained")).toBe(1);
  await ended;
  expect(await rig.ended("service")).toEqual({ drained: 1 });
});
