/** Clients who leave somewhere on their way through TLS, and what they leave behind. */
import { afterAll, beforeAll, test } from "bun:test";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { WorkerRig } from "../../balancer/worker/worker-rig.ts";
import { Authority } from "../../lab/certificates.ts";
import { recordClientHello } from "./record-client-hello.ts";

const authority = new Authority();
const certificate = authority.issue("front.test");
const [chain, key] = [readFileSync(certificate.cert, "utf8"), readFileSync(certificate.key, "utf8")];
let plain: Server;
let secure: Server;
let rig: WorkerRig;

beforeAll(async () => {
  plain = createServer((socket) => void socket.on("error", () => {}).pipe(socket));
  secure = createTlsServer({ cert: chain, key }, (socket) => void socket.on("error", () => {}).pipe(socket));
  for (const server of [plain, secure]) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  }
  const portOf = (server: Server) => (server.address() as AddressInfo).port;
  const tls = {
    certificates: [{ chain, key, names: ["front.test"] }],
    minimum: "TLSv1.2" as const,
    ciphers: "",
    cipherSuites: "",
    alpn: [],
    clients: null,
  };
  const towards = {
    ca: authority.pem,
    verify: "full" as const,
    name: "front.test",
    minimum: "TLSv1.2" as const,
    ciphers: "",
    cipherSuites: "",
    certificate: null,
  };
  rig = await WorkerRig.start({
    pools: {
      plain: { servers: { one: portOf(plain) } },
      secure: { servers: { one: portOf(secure) }, tls: towards },
      through: { servers: { one: portOf(secure) } },
    },
    services: {
      here: { tls, routes: [{ pools: ["plain"] }] },
      again: { tls, routes: [{ pools: ["secure"] }] },
      through: { protocol: "tls", routes: [{ pools: ["through"] }] },
    },
  });
});
afterAll(async () => {
  await rig.stop();
  plain.close();
  secure.close();
  authority.dispose();
});

const files = () => readdirSync("/proc/self/fd").length;
const services = ["here", "again", "through"];

/** Leaves after `bytes` of the hello, in order or not. */
async function leaveWithin(port: number, hello: Buffer, bytes: number, withReset: boolean): Promise<void> {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  await once(socket, "connect");
  await new Promise<void>((done) => (bytes > 0 ? socket.write(hello.subarray(0, bytes), () => done()) : done()));
  if (withReset) socket.resetAndDestroy();
  else socket.destroy();
  if (!socket.closed) await once(socket, "close");
}

/** Leaves as soon as `event` has come. */
async function leaveAt(port: number, event: "secureConnect" | "data", withReset: boolean): Promise<void> {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  const client = connectTls({ socket, servername: "front.test", ca: authority.pem }).on("error", () => {});
  if (event === "data") client.once("secureConnect", () => client.write("hello"));
  await once(client, event);
  if (withReset) socket.resetAndDestroy();
  else socket.destroy();
  if (!socket.closed) await once(socket, "close");
}

test("wherever clients leave, nothing of them stays", async () => {
  const hello = await recordClientHello({ servername: "front.test" });
  // What is made once, for the first client.
  for (const service of services) await leaveAt(rig.port(service), "data", false);
  await rig.until("the first to be over", () => services.every((name) => rig.service(name).open() === 0));
  const before = files();
  for (const service of services) {
    const port = rig.port(service);
    for (const withReset of [false, true]) {
      const steps = [0, 1, 5, 6, 50, hello.length - 1, hello.length];
      await Promise.all(steps.flatMap((bytes) => [1, 2, 3].map(() => leaveWithin(port, hello, bytes, withReset))));
      await Promise.all([1, 2, 3].map(() => leaveAt(port, "secureConnect", withReset)));
      await Promise.all([1, 2, 3].map(() => leaveAt(port, "data", withReset)));
    }
  }
  await rig.until("all to be over", () => services.every((name) => rig.service(name).open() === 0));
  await rig.until("the servers to be free", () =>
    ["plain", "secure", "through"].every((pool) => rig.server(pool, "one").connections() === 0),
  );
  await rig.until("descriptors to be given back", () => files() <= before);
  // And everyone else is served as before.
  for (const service of services) await leaveAt(rig.port(service), "data", false);
});

test("noise in place of a handshake ends the connection and nothing else", async () => {
  const hello = await recordClientHello({ servername: "front.test" });
  let state = 7;
  const random = () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x7f4a7c15;
    return (state >>> 8) & 0xff;
  };
  for (let round = 0; round < 60; round++) {
    // Behind a good hello, or a byte of the hello itself is another one.
    const bytes = Buffer.concat([hello, Buffer.from(Array.from({ length: 200 }, random))]);
    if (round % 2 === 0) bytes[(random() * 7) % hello.length]! ^= 1 + (random() & 0x7f);
    const socket = connect(rig.port(services[round % 2]!), "127.0.0.1").on("error", () => {});
    socket.end(bytes);
    socket.resume();
    if (!socket.closed) await once(socket, "close");
  }
  for (const service of services) await leaveAt(rig.port(service), "data", false);
  await rig.until("all to be over", () => services.every((name) => rig.service(name).open() === 0));
});
