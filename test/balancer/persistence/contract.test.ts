/** What every way of recognising keeps, and that the list, the folder and the schema's choices are the same. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { type Client, newClient, TokenKind } from "../../../src/balancer/client.ts";
import { PERSISTENCES, persistenceNamed } from "../../../src/balancer/persistence/index.ts";
import type { PersistenceKind } from "../../../src/balancer/plan.ts";
import { RECOGNISED_BY as WORDS } from "../../../src/balancer/shared/words.ts";
import { RECOGNISED_BY } from "../../../src/config/choices.ts";
import { asks, clientFrom, NOW, type Persistence, Rig } from "../rig.ts";

const FOLDER = new URL("../../../src/balancer/persistence/", import.meta.url).pathname;

test("every file that declares a persistence is in the list, and the YAML accepts exactly those", () => {
  const members = readdirSync(FOLDER)
    .filter((file) => /^export const \w+ = persistence\(\{$/m.test(readFileSync(FOLDER + file, "utf8")))
    .map((file) => file.replace(/\.ts$/, ""));
  const names = PERSISTENCES.map(({ name }) => name as string).sort();
  expect(members.sort()).toEqual(names);
  expect([...RECOGNISED_BY].sort() as string[]).toEqual(names);
  expect(persistenceNamed("colour")).toBeUndefined();
});

function recogniser(by: PersistenceKind, mode: Persistence["mode"] = "insert") {
  const times = { idleSec: 100, lifetimeSec: 300 };
  const pool = new Rig().pool({ servers: { a: {}, b: {} }, persistence: { by: [by], name: "Sid", mode, ...times } });
  const [a, b] = pool.plan.servers;
  const { recogniser } = pool.kinds[0]!;
  return {
    recognise: recogniser.recognise.bind(recogniser),
    remember: recogniser.remember.bind(recogniser),
    touch: recogniser.touch.bind(recogniser),
    forget: recogniser.forget.bind(recogniser),
    a: a!.id,
    b: b!.id,
  };
}

for (const { name, code } of PERSISTENCES) {
  test(`${name}: its number is the position of its word in the records`, () => expect(WORDS[code]).toBe(name));

  test(`${name}: a client of whom nothing is known is nobody's`, () => {
    expect(recogniser(name).recognise(newClient(), NOW)).toBe(0);
  });
}

const WITH_MEMORY: readonly [PersistenceKind, Client][] = [
  ["user", clientFrom("10.0.0.1", "alice")],
  ["source", clientFrom("10.0.0.1")],
  ["header", asks(["GET / HTTP/1.1", "sid: alice's"])],
  ["query", asks(["GET /app?x=1&Sid=alice HTTP/1.1"])],
  ["host", asks(["GET / HTTP/1.1", "Host: Alice.Example.TEST:8080"])],
  ["cookie", asks(["GET / HTTP/1.1", "Cookie: x=1; Sid=alice"])],
];

describe.each(WITH_MEMORY)("%s", (name, client) => {
  test("who was remembered is recognised, on the newest server, until forgotten", () => {
    const { recognise, remember, forget, a, b } = recogniser(name, "learn");
    remember(client, a, NOW);
    expect(recognise(client, NOW)).toBe(a);
    remember(client, b, NOW);
    expect(recognise(client, NOW)).toBe(b);
    forget(client);
    expect(recognise(client, NOW)).toBe(0);
  });

  test("idle time begins again when the client is seen; lifetime goes on", () => {
    const { recognise, remember, touch, a } = recogniser(name, "learn");
    remember(client, a, NOW);
    for (const sec of [90, 180, 270]) {
      expect(recognise(client, NOW + sec)).toBe(a);
      touch(client, NOW + sec);
    }
    expect(recognise(client, NOW + 300)).toBeLessThan(0);
    expect(recognise(client, NOW + 300)).toBe(0);
  });
});

test("user: a login that may be cut is neither remembered nor recognised", () => {
  const { recognise, remember, a } = recogniser("user");
  const cut = clientFrom("10.0.0.1", "administr");
  remember(cut, a, NOW);
  expect(recognise(cut, NOW)).toBeLessThan(0);
  expect(recognise({ ...cut, userMayBeCut: false }, NOW)).toBe(0);
});

test("user: what lies behind the login in the buffer does not matter", () => {
  const { recognise, remember, a } = recogniser("user");
  const user = new Uint8Array([...new TextEncoder().encode("alice"), 1, 2, 3]);
  remember(clientFrom("10.0.0.1", "alice"), a, NOW);
  expect(recognise(clientFrom("10.0.0.2", "", { user, userLength: 5 }), NOW)).toBe(a);
});

test("token: nothing is remembered, the client carries it", () => {
  const { recognise, remember, touch, forget, a } = recogniser("token");
  const client = clientFrom("10.0.0.1", "alice", { token: TokenKind.INVALID });
  remember(client, a, NOW);
  touch(client, NOW);
  forget(client);
  expect(recognise(client, NOW)).toBeLessThan(0);
});
