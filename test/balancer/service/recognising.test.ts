/** Who is recognised, by what, for how long, and what a restart remembers. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { formatMstsToken } from "../../../src/protocols/rdp/msts.ts";
import { fingerprintServer, sealToken, type TokenKey, tokenLine } from "../../../src/protocols/rdp/token.ts";
import { until } from "../../until.ts";
import { Client, type ClientOptions, rdp, Server, startServers, user, visit } from "./peers.ts";
import { Balancer, holdfast, stayAway } from "./rig.ts";

setDefaultTimeout(20_000);

let one: Server;
let two: Server;
let six: Server;
/** No server of any pool. */
let stranger: Server;
let balancer: Balancer;

beforeAll(async () => {
  [one, two, stranger] = await startServers("one", "two", "stranger");
  six = await Server.start("six", { host: "::1" });
  balancer = await Balancer.start(`
services:
  desktops: { listen: "127.0.0.1:0", protocol: rdp, pool: rds }
  others: { listen: "127.0.0.1:0", protocol: rdp, pool: rds }
  masked: { listen: "127.0.0.1:0", protocol: tcp, pool: masked }
  idle: { listen: "127.0.0.1:0", protocol: rdp, pool: idle }
  lifetime: { listen: "127.0.0.1:0", protocol: rdp, pool: lifetime }
  signed: { listen: "127.0.0.1:0", protocol: rdp, pool: six }
pools:
  rds: { algorithm: round-robin, persistence: { by: [token, user, source] }, servers: { one: ${one.address}, two: ${two.address} } }
  masked: { algorithm: round-robin, persistence: { by: source, mask: { ipv4: 24 } }, servers: { one: ${one.address}, two: ${two.address} } }
  idle: { algorithm: round-robin, persistence: { by: user, idle: 3s }, servers: { one: ${one.address}, two: ${two.address} } }
  lifetime: { algorithm: round-robin, persistence: { by: user, lifetime: 3s }, servers: { one: ${one.address}, two: ${two.address} } }
  six: { algorithm: round-robin, persistence: { by: token, lifetime: 48h }, servers: { one: ${one.address}, six: ${six.address} } }
`);
});

afterAll(async () => {
  await balancer?.stop();
  await Promise.all([one, two, six, stranger].map((server) => server?.stop()));
});

/** Visits a service. @returns who answered, and the access line */
async function come(service: string, options: ClientOptions) {
  const from = balancer.log.events.length;
  const client = await visit(balancer.port(service), options);
  return { ...(await balancer.accessLine(client, from)), server: client.server };
}

const refusals = async (service: string) => (await balancer.service(service)).refused;

/** Microsoft's routing token for a port of 127.0.0.1. */
const msts = (port: number) => rdp(`Cookie: msts=${formatMstsToken(0x7f000001, port)}`);

test("Microsoft's token leads to the server that it names, from any address", async () => {
  for (const [nth, server] of [one, two, two, one].entries()) {
    const seen = await come("desktops", { first: msts(server.port), from: `127.0.20.${nth + 1}` });
    expect(seen).toMatchObject({ server: server.name, recognisedBy: "token" });
  }
});

test("a token that names a stranger is never followed: its client gets a server of the pool, and it is counted", async () => {
  const before = (await refusals("desktops"))["token-unknown-server"] ?? 0;
  for (const port of [stranger.port, 22, 65_535]) {
    const seen = await come("desktops", { first: msts(port), from: "127.0.21.1" });
    expect(seen.server).toBeOneOf(["one", "two"]);
    expect(seen.endDetail).toBe("token names no server of this pool");
  }
  expect((await refusals("desktops"))["token-unknown-server"]).toBe(before + 3);
  expect(await balancer.metrics()).toContain(
    `holdfast_service_refused_total{service="desktops",reason="token-unknown-server"} ${before + 3}`,
  );
  expect(stranger.visitors).toEqual([]);
});

test("a token for a server of another pool is a stranger's", async () => {
  const seen = await come("signed", { first: msts(two.port) });
  expect(seen.server).toBeOneOf(["one", "six"]);
  expect(seen.recognisedBy).toBe("new");
});

test("`holdfast token` signs a line that leads to its server, an IPv6 one too", async () => {
  for (const name of ["six", "one", "six"]) {
    const { code, out } = await holdfast("token", `six/${name}`, "--data", balancer.data);
    expect(code).toBe(0);
    const seen = await come("signed", { first: rdp(out.trim()), from: "127.0.22.1" });
    expect(seen).toMatchObject({ server: name, recognisedBy: "token" });
  }
});

test("a signed token is good for as long as its pool remembers anybody", async () => {
  const { token } = await balancer.api.signToken({ pool: "six", server: "six" });
  const bytes = Buffer.from(token.slice(token.indexOf("=") + 1), "base64url");
  expect(bytes.readUInt32BE(6) - bytes.readUInt32BE(2)).toBe(48 * 3_600);
});

test("a token that was changed, has expired or is signed by another key leads nowhere, and is counted", async () => {
  const before = (await refusals("signed"))["token-invalid"] ?? 0;
  const key: TokenKey = { id: 1, secret: readFileSync(join(balancer.data, "token.key")) };
  const now = Math.floor(Date.now() / 1000);
  const print = fingerprintServer(key, "six", "six");
  const good = { issuedSec: now - 60, expiresSec: now + 60, serverHigh: print.high, serverLow: print.low };
  const sealed = (with_: TokenKey, change: object) =>
    tokenLine(sealToken(with_, { ...good, userHigh: 0, userLow: 0, ...change }));
  expect(await come("signed", { first: rdp(sealed(key, {})) })).toMatchObject({ server: "six", recognisedBy: "token" });
  const value = sealed(key, {});
  const at = value.length - 30;
  const bad = {
    changed: `${value.slice(0, at)}${value[at] === "A" ? "B" : "A"}${value.slice(at + 1)}`,
    cut: value.slice(0, -1),
    expired: sealed(key, { expiresSec: now - 1 }),
    forged: sealed({ id: 1, secret: new Uint8Array(32) }, {}),
    "another key": sealed({ id: 2, secret: key.secret }, {}),
  };
  for (const line of Object.values(bad)) {
    const seen = await come("signed", { first: rdp(line) });
    expect(seen).toMatchObject({ recognisedBy: "new", endDetail: "token is not valid" });
  }
  expect((await refusals("signed"))["token-invalid"]).toBe(before + Object.keys(bad).length);
});

test("a user is recognised from anywhere, at every service of the pool, however the name is written", async () => {
  const { server } = await come("desktops", { first: user("Alice"), from: "127.0.23.1" });
  for (const [nth, name] of ["alice", "ALICE", ".\\alice", " alice"].entries()) {
    const seen = await come(nth % 2 ? "others" : "desktops", { first: user(name), from: `127.0.24.${nth + 1}` });
    expect(seen).toMatchObject({ server, recognisedBy: "user" });
  }
  expect((await come("desktops", { first: user("CORP\\alice"), from: "127.0.24.9" })).recognisedBy).toBe("new");
});

test("two users whose names are cut to the same nine characters are never taken for one another", async () => {
  const first = await come("desktops", { first: user("christoph"), from: "127.0.25.1" });
  const other = await come("desktops", { first: user("christoph"), from: "127.0.25.2" });
  expect(first).toMatchObject({ recognisedBy: "new", endDetail: "user name may be cut" });
  expect(other).toMatchObject({ recognisedBy: "new", endDetail: "user name may be cut" });
  // Each from where they were is known by that.
  for (const [seen, from] of [
    [first, "127.0.25.1"],
    [other, "127.0.25.2"],
  ] as const) {
    const again = await come("desktops", { first: user("christoph"), from });
    expect(again).toMatchObject({ server: seen.server, recognisedBy: "source" });
  }
});

test("a token is worth more than a name, and a name more than an address", async () => {
  const from = "127.0.26.1";
  const { server } = await come("desktops", { first: user("walter"), from });
  const other = server === "one" ? two : one;
  expect(await come("desktops", { first: msts(other.port), from })).toMatchObject({ server: other.name });
  expect(await come("desktops", { first: user("walter"), from })).toMatchObject({ server, recognisedBy: "user" });
});

test("with a mask of 24 bits a whole network is one client", async () => {
  const { server } = await come("masked", { from: "127.1.5.1" });
  for (const last of [7, 99, 254]) {
    expect(await come("masked", { from: `127.1.5.${last}` })).toMatchObject({ server, recognisedBy: "source" });
  }
  expect((await come("masked", { from: "127.1.6.1" })).recognisedBy).toBe("new");
});

test("who stays away longer than `idle`, or comes for longer than `lifetime`, is forgotten; a silent connection is no absence", async () => {
  const idles = async () => {
    await come("idle", { first: user("ida") });
    await stayAway(1_000);
    expect((await come("idle", { first: user("ida") })).recognisedBy).toBe("user");
    await stayAway(1_000);
    expect((await come("idle", { first: user("ida") })).recognisedBy).toBe("user");
    await stayAway(3_100);
    const last = await come("idle", { first: user("ida") });
    expect(last).toMatchObject({ recognisedBy: "new", endDetail: "forgotten after idle or lifetime" });
  };
  const stays = async () => {
    const silent = await Client.connect(balancer.port("idle"), { first: user("sally") });
    const server = await silent.server();
    await stayAway(4_100);
    expect(await come("idle", { first: user("sally") })).toMatchObject({ server, recognisedBy: "user" });
    await silent.leave();
  };
  const lives = async () => {
    await come("lifetime", { first: user("leo") });
    const began = performance.now();
    const forgotten = await until("leo to be forgotten", async () => {
      const seen = await come("lifetime", { first: user("leo") });
      return seen.recognisedBy === "new" && seen;
    });
    expect(performance.now() - began).toBeWithin(1_900, 4_500);
    expect(forgotten.endDetail).toBe("forgotten after idle or lifetime");
  };
  await Promise.all([idles(), stays(), lives()]);
});

test("after a restart, and after a crash, everybody who was saved is still known", async () => {
  const names = Array.from({ length: 20 }, (_, nth) => `user${nth}`);
  const home = new Map<string, string>();
  await Promise.all(names.map(async (name) => home.set(name, (await come("desktops", { first: user(name) })).server)));
  const token = (await holdfast("token", "six/six", "--data", balancer.data)).out.trim();

  expect(await balancer.down()).toBe(0);
  await balancer.up();
  const allKnown = async () => {
    const all = names.map((name) => come("desktops", { first: user(name), from: "127.0.27.1" }));
    for (const [nth, seen] of (await Promise.all(all)).entries()) {
      expect(seen).toMatchObject({ server: home.get(names[nth]!), recognisedBy: "user" });
    }
    expect(await come("signed", { first: rdp(token) })).toMatchObject({ server: "six", recognisedBy: "token" });
  };
  await allKnown();

  const from = balancer.log.events.length;
  const { pid } = await balancer.status();
  process.kill(pid, "SIGKILL");
  await balancer.heard("process.restarted", () => true, from);
  await balancer.heard("balancer.ready", () => true, from);
  expect((await balancer.status()).pid).not.toBe(pid);
  await allKnown();
});
