/** TLS that the balancer speaks with servers, as its users meet it: what they are told when it fails. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server as TlsServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { Authority } from "../../lab/certificates.ts";
import { until } from "../../until.ts";
import { Client } from "./peers.ts";
import { Balancer } from "./rig.ts";

setDefaultTimeout(40_000);

const authority = new Authority();
const servers: TlsServer[] = [];
let balancer: Balancer;

async function listening(server: TlsServer): Promise<number> {
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

beforeAll(async () => {
  const { cert, key } = authority.issue("other.test");
  const other = await listening(
    createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) }, (socket) => socket.on("error", () => {})),
  );
  const plain = await listening(createServer((socket) => void socket.on("error", () => {}).end("not TLS at all")));
  balancer = await Balancer.start(`
services:
  one: { listen: "127.0.0.1:0", pool: named }
  two: { listen: "127.0.0.1:0", pool: plain }
pools:
  named: { tls: { ca: ${authority.file}, name: named.test }, servers: { server: "127.0.0.1:${other}" } }
  plain: { tls: { ca: ${authority.file}, name: named.test }, servers: { server: "127.0.0.1:${plain}" } }
`);
});
afterAll(async () => {
  await balancer?.stop();
  for (const server of servers) server.close();
  authority.dispose();
});

test.each([
  ["one", "named", "name-mismatch"],
  ["two", "plain", "not-tls"],
])("service %s: the log says which server failed and why, once for many clients", async (service, pool, reason) => {
  for (let nth = 0; nth < 3; nth++) {
    const client = await Client.connect(balancer.port(service));
    await client.ended;
  }
  const line = await balancer.heard("server.tls-failed", (said) => said.pool === pool);
  expect(line).toMatchObject({ level: "warn", pool, server: "server", reason });
  const told = balancer.log.events.filter((said) => said.event === "server.tls-failed" && said.pool === pool);
  // Each worker may have met the server.
  expect(told.length).toBeLessThanOrEqual(2);
  const { refused } = await until("all to be counted", async () => {
    const counted = (await balancer.status()).services.find(({ name }) => name === service)!;
    return counted.ended["connect-failed"] === 3 && counted;
  });
  expect(refused).toMatchObject({ "connect-failed": 3 });
});
