import { expect, test } from "bun:test";
import { MemoryDirectory, type Sighting } from "../../../src/balancer/control/directory.ts";

const seen = (user: string, connection: string, atMs: number, more: Partial<Sighting> = {}): Sighting => ({
  connection,
  user,
  userMayBeCut: false,
  service: "desktops",
  pool: "rds",
  server: "rds1",
  from: "127.0.0.7",
  recognisedBy: "new",
  atMs,
  ...more,
});

test("a user who leaves and comes back has one session, connected again, since the first time", () => {
  const directory = new MemoryDirectory();
  directory.connected(seen("alice", "c-1", 1_000));
  directory.disconnected("c-1", 5_000, 10, 20);
  expect(directory.sessions()).toMatchObject([{ state: "disconnected", lastSeenMs: 5_000, connections: [] }]);
  directory.connected(seen("alice", "c-2", 9_000, { from: "127.0.0.9", recognisedBy: "user" }));
  expect(directory.sessions()).toMatchObject([
    { state: "connected", sinceMs: 1_000, from: "127.0.0.9", connections: ["c-2"], bytesIn: 10, bytesOut: 20 },
  ]);
  expect(directory.counts("rds", "rds1")).toEqual({ connected: 1, disconnected: 0 });
  expect(directory.countOf("desktops")).toBe(1);
});

test("a connection that is told twice ends once", () => {
  const directory = new MemoryDirectory();
  directory.connected(seen("alice", "c-1", 1_000));
  directory.connected(seen("alice", "c-1", 1_000));
  directory.disconnected("c-1", 3_000, 0, 0);
  expect(directory.sessions()).toMatchObject([{ state: "disconnected", connections: [] }]);
});

test("a second connection of the same user keeps the session connected when the first one ends", () => {
  const directory = new MemoryDirectory();
  directory.connected(seen("alice", "c-1", 1_000));
  directory.connected(seen("alice", "c-2", 2_000));
  directory.disconnected("c-1", 3_000, 0, 0);
  expect(directory.sessions()[0]?.state).toBe("connected");
  directory.disconnected("c-2", 4_000, 0, 0);
  expect(directory.sessions()[0]?.state).toBe("disconnected");
});

test("logins that may be cut are two users when they come from two places", () => {
  const directory = new MemoryDirectory();
  directory.connected(seen("christina", "c-1", 1_000, { userMayBeCut: true }));
  directory.connected(seen("christina", "c-2", 1_000, { userMayBeCut: true, from: "127.0.0.8" }));
  expect(directory.sessions()).toHaveLength(2);
});

test("what a lost worker had is disconnected, the rest is not", () => {
  const directory = new MemoryDirectory();
  directory.connected(seen("alice", "a-1", 1_000));
  directory.connected(seen("bob", "b-1", 1_000));
  directory.lost((connection) => connection.startsWith("a-"), 2_000);
  expect(directory.sessions().map(({ user, state }) => [user, state])).toEqual([
    ["alice", "disconnected"],
    ["bob", "connected"],
  ]);
});

test("after a restart all sessions are disconnected; after a takeover they go on, and end", () => {
  const before = new MemoryDirectory();
  before.connected(seen("alice", "c-1", 1_000));
  const restarted = new MemoryDirectory();
  restarted.restore(structuredClone(before.sessions()), false);
  expect(restarted.sessions()).toMatchObject([{ state: "disconnected", connections: [] }]);
  const successor = new MemoryDirectory();
  successor.restore(structuredClone(before.sessions()), true);
  successor.disconnected("c-1", 2_000, 1, 1);
  expect(successor.sessions()).toMatchObject([{ state: "disconnected", lastSeenMs: 2_000 }]);
  expect(successor.counts("rds", "rds1")).toEqual({ connected: 0, disconnected: 1 });
});

test("a flood of names does not push out who is connected, and takes no more room than there is", () => {
  const directory = new MemoryDirectory();
  directory.connected(seen("alice", "c-alice", 0));
  for (let n = 0; n < 200_500; n++) {
    directory.connected(seen(`stranger${n}`, `c-${n}`, n));
    directory.disconnected(`c-${n}`, n, 0, 0);
  }
  const sessions = directory.sessions();
  expect(sessions).toHaveLength(200_000);
  expect(sessions.some(({ user }) => user === "alice")).toBe(true);
  expect(sessions.some(({ user }) => user === "stranger0")).toBe(false);
  expect(sessions.some(({ user }) => user === "stranger200499")).toBe(true);
});

test("thousands of connections under one name come and go, and are lost, within a moment", () => {
  const many = 50_000;
  const directory = new MemoryDirectory();
  for (let n = 0; n < many; n++) directory.connected(seen("admin", `c-${n}`, n));
  const began = performance.now();
  directory.lost((connection) => Number(connection.slice(2)) % 2 === 0, many);
  for (let n = 1; n < many; n += 2) directory.disconnected(`c-${n}`, many, 0, 0);
  expect(performance.now() - began).toBeLessThan(2_000);
  expect(directory.sessions()).toMatchObject([{ state: "disconnected", connections: [] }]);
  expect(directory.counts("rds", "rds1")).toEqual({ connected: 0, disconnected: 1 });
});
