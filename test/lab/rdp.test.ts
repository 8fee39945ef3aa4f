/**
 * The job: people come back to the session they left. Two real xrdp servers with separate session managers stand
 * behind examples/rdp.yaml, and unmodified FreeRDP clients come and go. The session managers' logs are the judge.
 * The tests go on from each other: nobody ever logs out, so every session of the first lives on in the next.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { Balancer, type LogLine } from "./balancer.ts";
import { type Login, Rig } from "./rig.ts";
import { portLike } from "./ways.ts";
import type { User } from "./xrdp.ts";

const EXAMPLE = join(import.meta.dir, "../../examples/rdp.yaml");
const SERVICE_PORT = 13389;
const SERVER_PORTS = { rds1: 3391, rds2: 3392 };
/** A session's server and its display there: together, which session it is. */
interface Home {
  readonly server: "rds1" | "rds2";
  readonly display: string;
}

/** In the example: `every: 2s, timeout: 1s, fall: 3`. */
const HEALTH_MS = 3 * 2000 + 1000;
/** What a login itself may take on top, on a busy machine. */
const LOGIN_MS = 5000;

const SETUP_MS = 60_000;
const TEST_MS = 60_000;
const LOG_MS = 10_000;

const USERS: readonly User[] = ["alice", "bob", "carol", "dave", "erin", "frank"].map((name) => ({
  name,
  password: `${name}'s own`,
}));

let rig: Rig;
let balancer: Balancer;
let port: number;
let serverPorts: { rds1: number; rds2: number };
/** Where each user's session is, since the first login. */
const home = new Map<string, Home>();

beforeAll(async () => {
  port = await portLike(SERVICE_PORT);
  serverPorts = { rds1: await portLike(SERVER_PORTS.rds1), rds2: await portLike(SERVER_PORTS.rds2) };
  rig = await Rig.start(serverPorts, USERS);
  balancer = await Balancer.start(await example(), port);
}, SETUP_MS);

afterAll(async () => {
  await rig?.stop();
  await balancer?.stop();
}, SETUP_MS);

test(
  "six users log in, and both servers get some of them",
  async () => {
    const logins = await everyoneLogsIn(USERS, (nth) => ({ from: address(nth) }));
    for (const { session } of logins) {
      expect(session.kind).toBe("created");
      const server = session.server === "rds1" ? "rds1" : "rds2";
      home.set(session.user, { server, display: session.display });
    }
    expect(new Set(logins.map(({ session }) => session.server))).toEqual(new Set(["rds1", "rds2"]));
    const ends = await everyoneLeaves(logins);
    for (const [nth, { session }] of logins.entries()) {
      const { server } = session;
      expect(ends[nth]).toMatchObject({ service: "desktops", pool: "rds", server, recognisedBy: "new" });
    }
  },
  TEST_MS,
);

test(
  "they come back in another order, each from an address that was another's, and find their own sessions",
  async () => {
    await everyoneFindsTheirOwn([...USERS].reverse(), "user", (nth) => ({ from: address(nth) }));
  },
  TEST_MS,
);

test(
  "they find their own sessions after the balancer was stopped and started again",
  async () => {
    await balancer.down();
    await balancer.up();
    await everyoneFindsTheirOwn(USERS, "user", (nth) => ({ from: address(nth + 2) }));
  },
  TEST_MS,
);

test(
  "they find their own sessions by a routing token, without saying who they are",
  async () => {
    await everyoneFindsTheirOwn(USERS, "token", (nth, user) => ({
      from: address(nth + 3),
      loadBalanceInfo: routingToken(serverPorts[homeOf(user).server]),
    }));
  },
  TEST_MS,
);

test(
  "when a server stops, its users get a session on the other within the health interval, and the log says why",
  async () => {
    const theirs = USERS.filter((user) => homeOf(user).server === "rds2");
    const logins = await everyoneLogsIn(theirs, (nth) => ({ from: address(nth) }));
    const ends = endsOf(logins);
    const down = balancer.log.waitFor(
      "rds2 to be down",
      ({ event, server }) => event === "server.down" && server === "rds2",
      TEST_MS,
      balancer.log.events.length,
    );

    const stopped = performance.now();
    await rig.stopServer("rds2");
    for (const { server, end } of await ends) {
      expect(server).toBe("rds2");
      expect(end).toBeOneOf(["server-closed", "server-reset", "server-down"]);
    }
    await Promise.all(logins.map(({ client }) => client.leave()));

    const again = await everyoneLogsIn(theirs, (nth) => ({ from: address(nth) }));
    expect(performance.now() - stopped).toBeLessThan(HEALTH_MS + LOGIN_MS);
    for (const { session } of again) expect(session).toMatchObject({ kind: "created", server: "rds1" });

    expect(await down).toMatchObject({ pool: "rds" });
    expect(performance.now() - stopped).toBeLessThan(HEALTH_MS + LOGIN_MS);
    for (const { server } of await everyoneLeaves(again)) expect(server).toBe("rds1");
  },
  TEST_MS,
);

/** The example as it is, except for ports that something else on this machine has taken. */
async function example(): Promise<string> {
  const yaml = await Bun.file(EXAMPLE).text();
  const ports: [number, number][] = [
    [SERVICE_PORT, port],
    [SERVER_PORTS.rds1, serverPorts.rds1],
    [SERVER_PORTS.rds2, serverPorts.rds2],
  ];
  return ports.reduce((text, [written, used]) => text.replaceAll(`127.0.0.1:${written}`, `127.0.0.1:${used}`), yaml);
}

/** The nth client's source address; they go round, so that another `nth` gives each one the address of another. */
function address(nth: number): string {
  return `127.0.0.${11 + (nth % USERS.length)}`;
}

/** Microsoft's routing token for a server on 127.0.0.1: the address little-endian, the port with its bytes swapped. */
function routingToken(serverPort: number): string {
  const swapped = ((serverPort & 0xff) << 8) | (serverPort >> 8);
  return `Cookie: msts=16777343.${swapped}.0000`;
}

function homeOf(user: User): Home {
  const known = home.get(user.name);
  if (!known) throw new Error(`${user.name} has no session: the first test failed`);
  return known;
}

interface Coming {
  readonly from: string;
  readonly loadBalanceInfo?: string;
}

/** One after another, in the order given. */
async function everyoneLogsIn(
  users: readonly User[],
  how: (nth: number, user: User) => Coming,
): Promise<readonly Login[]> {
  const logins: Login[] = [];
  for (const [nth, user] of users.entries()) {
    logins.push(await rig.logIn({ host: "127.0.0.1", port, user, ...how(nth, user) }));
  }
  return logins;
}

/** All clients go at once, leaving their sessions. @returns what the access log says of each, in the same order */
async function everyoneLeaves(logins: readonly Login[]): Promise<LogLine[]> {
  const ends = endsOf(logins);
  await Promise.all(logins.map(({ client }) => client.leave()));
  return ends;
}

/** The access log's lines about the ends of these connections, which are still open. Each has an address of its own. */
function endsOf(logins: readonly Login[]): Promise<LogLine[]> {
  const now = balancer.log.events.length;
  const ends = logins.map(({ client: { user, from } }) => {
    const theirs = (line: LogLine) => line.event === "connection.end" && line.client?.startsWith(`${from}:`) === true;
    return balancer.log.waitFor(`the end of ${user}'s connection from ${from}`, theirs, LOG_MS, now);
  });
  return Promise.all(ends);
}

async function everyoneFindsTheirOwn(
  users: readonly User[],
  recognisedBy: string,
  how: (nth: number, user: User) => Coming,
): Promise<void> {
  const logins = await everyoneLogsIn(users, how);
  const found = logins.map(({ session: { kind, user, server, display } }) => ({ kind, user, server, display }));
  expect(found).toEqual(users.map((user) => ({ kind: "reconnected", user: user.name, ...homeOf(user) })));
  for (const end of await everyoneLeaves(logins)) expect(end.recognisedBy).toBe(recognisedBy);
}
