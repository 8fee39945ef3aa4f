/** Who goes where, in sentences a user could say. */
import { describe, expect, test } from "bun:test";
import { NONE_TRIED, TriedSet } from "../../src/balancer/candidate.ts";
import { type Client, TokenKind } from "../../src/balancer/client.ts";
import {
  CHOSEN,
  Decision,
  decide,
  NO_SERVER,
  remember,
  touch,
  WAIT_FOR_POOL,
  WAIT_FOR_SERVER,
} from "../../src/balancer/decide.ts";
import type { PoolRuntime } from "../../src/balancer/pool-runtime.ts";
import { REASONS, RECOGNISED_BY, RETURNS, ServerState } from "../../src/balancer/shared/words.ts";
import { parseAddress } from "../../src/protocols/address.ts";
import { clientFrom, NOW, nthClient, occupy, type Persistence, Rig, type ServerSketch, serverOf } from "./rig.ts";

const HOUR = 3600;
const BY_USER: Partial<Persistence> = { by: ["user"] };

/** What was decided, in words. */
function ask(client: Client, pools: PoolRuntime[], more: { tried?: TriedSet; nowSec?: number; pinned?: string } = {}) {
  const decision = new Decision();
  const pinned = more.pinned === undefined ? 0 : serverOf(pools[0]!, more.pinned).plan.id;
  const outcome = decide(client, pools, pinned, more.tried ?? NONE_TRIED, more.nowSec ?? NOW, decision);
  return {
    outcome,
    decision,
    server: decision.server?.plan.name,
    by: RECOGNISED_BY[decision.recognisedBy],
    reason: REASONS[decision.reason],
    returned: decision.returned < 0 ? undefined : RETURNS[decision.returned],
  };
}

/** The client comes, connects and leaves. */
function visit(client: Client, pools: PoolRuntime[], nowSec = NOW) {
  const answer = ask(client, pools, { nowSec });
  remember(client, answer.decision, nowSec);
  return answer;
}

function set(pool: PoolRuntime, name: string, state: ServerState): void {
  serverOf(pool, name).view.setState(state, NOW);
}

/** A pool of three, where alice is on `b` since NOW. */
function withAlice(persistence: Partial<Persistence> = BY_USER, servers: Record<string, ServerSketch> = {}) {
  const pool = new Rig().pool({ servers: { a: {}, b: {}, c: {}, ...servers }, persistence });
  const alice = clientFrom("10.0.0.1", "alice");
  pool.remember(alice, serverOf(pool, "b").plan.id, NOW);
  return { pool, alice };
}

describe("coming back", () => {
  test("a client who comes back finds their server, though it is another one's turn", () => {
    const { pool, alice } = withAlice();
    expect(ask(alice, [pool])).toMatchObject({ server: "b", by: "user", reason: "", returned: "own", outcome: CHOSEN });
  });

  test("six users who come back in another order and from other addresses find their own servers", () => {
    const pool = new Rig().pool({ servers: { a: {}, b: {} }, persistence: {} });
    const users = ["ann", "ben", "cleo", "dan", "eve", "finn"];
    const first = users.map((user, n) => visit(clientFrom(`10.0.0.${n}`, user), [pool]).server);
    expect(new Set(first).size).toBe(2);
    for (const n of [3, 5, 0, 4, 1, 2]) {
      const back = visit(clientFrom(`10.0.0.${5 - n}`, users[n]), [pool]);
      expect(back).toMatchObject({ server: first[n], by: "user", returned: "own" });
    }
  });

  test("a client who comes back while their server drains stays on it; a new one goes elsewhere", () => {
    const { pool, alice } = withAlice();
    set(pool, "b", ServerState.DRAINING);
    expect(ask(alice, [pool])).toMatchObject({ server: "b", returned: "own" });
    for (let n = 0; n < 20; n++) expect(ask(nthClient(n), [pool]).server).not.toBe("b");
  });

  test("a client who comes back to an overloaded server stays on it", () => {
    const { pool, alice } = withAlice();
    set(pool, "b", ServerState.OVERLOADED);
    expect(ask(alice, [pool])).toMatchObject({ server: "b", returned: "own" });
  });

  test("a backup keeps the clients it has", () => {
    const { pool, alice } = withAlice(BY_USER, { b: { backup: true } });
    expect(ask(alice, [pool])).toMatchObject({ server: "b", returned: "own" });
  });

  test("a client whose server is full waits for it", () => {
    const { pool, alice } = withAlice(BY_USER, { b: { limit: 1 } });
    occupy(serverOf(pool, "b"), 1);
    expect(ask(alice, [pool])).toMatchObject({ outcome: WAIT_FOR_SERVER, server: "b", returned: "own" });
  });

  test("a client whose server is full goes elsewhere where nobody may wait, and belongs there then", () => {
    const rig = new Rig();
    const queue = { length: 0, timeoutMs: 1 };
    const pool = rig.pool({ servers: { a: {}, b: { limit: 1 } }, persistence: { ...BY_USER, onDown: "keep" }, queue });
    const alice = clientFrom("10.0.0.1", "alice");
    pool.remember(alice, serverOf(pool, "b").plan.id, NOW);
    occupy(serverOf(pool, "b"), 1);
    const answer = visit(alice, [pool]);
    expect(answer).toMatchObject({ server: "a", by: "new", reason: "known server is full", returned: "full" });
    serverOf(pool, "b").view.release();
    expect(ask(alice, [pool])).toMatchObject({ server: "a", returned: "own" });
  });

  test("a client who was away for longer than the idle time is forgotten, and one who stayed connected is not", () => {
    const { pool, alice } = withAlice({ ...BY_USER, idleSec: 8 * HOUR, lifetimeSec: 24 * HOUR });
    const bob = visit(clientFrom("10.0.0.2", "bob"), [pool]);
    touch(clientFrom("10.0.0.2", "bob"), bob.decision, NOW + 6 * HOUR);
    const nowSec = NOW + 9 * HOUR;
    expect(ask(alice, [pool], { nowSec })).toMatchObject({ by: "new", returned: "forgotten" });
    expect(ask(clientFrom("10.0.0.2", "bob"), [pool], { nowSec })).toMatchObject({ server: bob.server!, by: "user" });
  });

  test("a lifetime is not made longer by coming back", () => {
    const { pool, alice } = withAlice({ ...BY_USER, idleSec: 8 * HOUR, lifetimeSec: 24 * HOUR });
    for (const hours of [6, 12, 18, 23]) expect(visit(alice, [pool], NOW + hours * HOUR).server).toBe("b");
    const late = ask(alice, [pool], { nowSec: NOW + 24 * HOUR });
    expect(late).toMatchObject({ by: "new", reason: "forgotten after idle or lifetime", returned: "forgotten" });
  });

  test("that a client was forgotten is still known after a failed connect", () => {
    const { pool, alice } = withAlice({ ...BY_USER, idleSec: HOUR });
    const decision = new Decision();
    decide(alice, [pool], 0, NONE_TRIED, NOW + 2 * HOUR, decision);
    const tried = new TriedSet();
    tried.add(decision.server!.plan.id);
    decide(alice, [pool], 0, tried, NOW + 2 * HOUR, decision);
    expect(RETURNS[decision.returned]).toBe("forgotten");
  });

  test("without persistence nobody is remembered", () => {
    const pool = new Rig().pool({ servers: { a: {}, b: {} } });
    const alice = clientFrom("10.0.0.1", "alice");
    expect(visit(alice, [pool])).toMatchObject({ server: "a", by: "new", returned: undefined });
    expect(visit(alice, [pool])).toMatchObject({ server: "b", by: "new", returned: undefined });
  });
});

describe("a server that is gone", () => {
  test("the clients of a server that is down get another, and belong there then", () => {
    const { pool, alice } = withAlice();
    set(pool, "b", ServerState.DOWN);
    const moved = visit(alice, [pool]);
    expect(moved).toMatchObject({ by: "new", reason: "known server is down", returned: "server_down" });
    set(pool, "b", ServerState.READY);
    expect(ask(alice, [pool])).toMatchObject({ server: moved.server!, returned: "own" });
  });

  test("on-down: keep: they get another for the time being and are back on their own when it is", () => {
    const { pool, alice } = withAlice({ ...BY_USER, onDown: "keep" });
    set(pool, "b", ServerState.DOWN);
    expect(visit(alice, [pool])).toMatchObject({ by: "new", returned: "server_down" });
    set(pool, "b", ServerState.READY);
    expect(ask(alice, [pool])).toMatchObject({ server: "b", by: "user", returned: "own" });
  });

  test("a server in maintenance takes nobody, and its clients count as drained", () => {
    const { pool, alice } = withAlice();
    set(pool, "b", ServerState.MAINTENANCE);
    expect(ask(alice, [pool])).toMatchObject({ reason: "known server is in maintenance", returned: "drained" });
  });

  test("of two servers that are lost to a client, the log names the one they are known on best", () => {
    const { pool, alice } = withAlice({ by: ["user", "source"] });
    pool.kinds[1]!.recogniser.remember(alice, serverOf(pool, "c").plan.id, NOW);
    set(pool, "b", ServerState.DOWN);
    set(pool, "c", ServerState.MAINTENANCE);
    const answer = ask(alice, [pool]);
    expect(answer).toMatchObject({ server: "a", reason: "known server is down", returned: "server_down" });
    expect(answer.decision.lost?.plan.name).toBe("b");
  });

  test("the clients of a server that left the file get another", () => {
    const rig = new Rig();
    const before = rig.pool({ servers: { a: {}, b: {} }, persistence: BY_USER });
    const alice = clientFrom("10.0.0.1", "alice");
    before.remember(alice, serverOf(before, "b").plan.id, NOW);
    const after = rig.prepare({ ...before.plan, servers: before.plan.servers.slice(0, 1) });
    expect(ask(alice, [after])).toMatchObject({
      server: "a",
      reason: "known server left the pool",
      returned: "drained",
    });
  });

  test("a client whose own server did not answer gets another one in the same connection", () => {
    const { pool, alice } = withAlice();
    const tried = new TriedSet();
    tried.add(ask(alice, [pool]).decision.server!.plan.id);
    const next = ask(alice, [pool], { tried });
    expect(next).toMatchObject({ outcome: CHOSEN, by: "new", reason: "known server is down", returned: "server_down" });
    expect(next.server).not.toBe("b");
  });

  test("when every server has been tried there is none", () => {
    const { pool, alice } = withAlice();
    const tried = new TriedSet();
    for (const { plan } of pool.candidates) tried.add(plan.id);
    expect(ask(alice, [pool], { tried }).outcome).toBe(NO_SERVER);
  });
});

describe("who is who", () => {
  test("two users who share a cut name of nine characters are never taken for one another", () => {
    const pool = new Rig().pool({ servers: { a: {}, b: {} }, persistence: { by: ["user", "source"] } });
    const [one, other] = [clientFrom("10.0.0.1", "contoso\\a"), clientFrom("10.0.0.2", "contoso\\a")];
    const [here, there] = [visit(one, [pool]), visit(other, [pool])];
    expect(here).toMatchObject({ by: "new", reason: "user name may be cut" });
    expect(there.server).not.toBe(here.server);
    expect(ask(one, [pool])).toMatchObject({ server: here.server!, by: "source", returned: "own" });
    expect(ask(other, [pool])).toMatchObject({ server: there.server!, by: "source", returned: "own" });
  });

  test("a user who sends no name is known by their address", () => {
    const pool = new Rig().pool({ servers: { a: {}, b: {} }, persistence: {} });
    const first = visit(clientFrom("10.0.0.1", "alice"), [pool]);
    expect(ask(clientFrom("10.0.0.1"), [pool])).toMatchObject({ server: first.server!, by: "source" });
  });

  test("two users behind one address each find their own server", () => {
    const { pool, alice } = withAlice({ by: ["user", "source"] });
    const bob = clientFrom("10.0.0.1", "bob");
    pool.remember(bob, serverOf(pool, "c").plan.id, NOW);
    expect(ask(alice, [pool])).toMatchObject({ server: "b", by: "user" });
    expect(ask(bob, [pool])).toMatchObject({ server: "c", by: "user" });
  });

  test("a login that looks like an address is not taken for that address", () => {
    const pool = new Rig().pool({ servers: { a: {}, b: {} }, persistence: { by: ["user", "source"] } });
    const source = parseAddress("10.0.0.1")!;
    const odd = { ...clientFrom("10.0.0.9"), user: source, userLength: 16 };
    const first = visit(clientFrom("10.0.0.1"), [pool]);
    expect(visit(odd, [pool])).toMatchObject({ by: "new" });
    expect(ask(clientFrom("10.0.0.1"), [pool]).server).toBe(first.server);
  });

  test("a masked source: neighbours are one client, an IPv4 address in IPv6 is that address", () => {
    const pool = new Rig().pool({
      servers: { a: {}, b: {} },
      persistence: { by: ["source"], maskIpv4: 24, maskIpv6: 64 },
    });
    const first = visit(clientFrom("10.0.0.1"), [pool]);
    expect(ask(clientFrom("10.0.0.99"), [pool])).toMatchObject({ server: first.server!, by: "source" });
    expect(ask(clientFrom("::ffff:10.0.0.7"), [pool])).toMatchObject({ server: first.server!, by: "source" });
    expect(ask(clientFrom("10.0.1.1"), [pool]).by).toBe("new");
    const second = visit(clientFrom("2001:db8::1"), [pool]);
    expect(ask(clientFrom("2001:db8::ffff:1"), [pool])).toMatchObject({ server: second.server!, by: "source" });
    expect(ask(clientFrom("2001:db8:0:1::1"), [pool]).by).toBe("new");
  });

  test("a user of one pool is a stranger in another", () => {
    const rig = new Rig();
    const [one, other] = [1, 2].map(() => rig.pool({ servers: { a: {} }, persistence: BY_USER })) as [
      PoolRuntime,
      PoolRuntime,
    ];
    visit(clientFrom("10.0.0.1", "alice"), [one]);
    expect(ask(clientFrom("10.0.0.1", "alice"), [other]).by).toBe("new");
  });
});

describe("tokens", () => {
  const toAddress = (address: string, port = 3389): Partial<Client> => ({
    token: TokenKind.ADDRESS,
    tokenAddress: parseAddress(address)!,
    tokenPort: port,
  });
  const signed = (high: number, low: number, issued = NOW): Partial<Client> => ({
    token: TokenKind.SIGNED,
    tokenServerHigh: high,
    tokenServerLow: low,
    tokenIssuedSec: issued,
  });

  function threeByAddress() {
    const servers = {
      a: { address: "10.1.0.1", tokenHigh: 1, tokenLow: 0xfedc_ba98 },
      b: { address: "10.1.0.2", tokenHigh: 2, tokenLow: 0xfedc_ba98 },
      c: { address: "2001:db8::0a01:2" },
    };
    return new Rig().pool({ servers, persistence: {} });
  }

  test("a token brings its bearer to its server, before what is known of user and address", () => {
    const pool = threeByAddress();
    const alice = clientFrom("10.0.0.1", "alice", toAddress("10.1.0.2"));
    pool.remember(alice, serverOf(pool, "a").plan.id, NOW);
    expect(ask(alice, [pool])).toMatchObject({ server: "b", by: "token", reason: "", returned: "own" });
  });

  test("who came by a token comes back without it", () => {
    const pool = threeByAddress();
    visit(clientFrom("10.0.0.1", "alice", toAddress("10.1.0.2")), [pool]);
    expect(ask(clientFrom("10.0.0.7", "alice"), [pool])).toMatchObject({ server: "b", by: "user" });
  });

  test("a token that names an address which is no server is not followed", () => {
    const pool = threeByAddress();
    for (const [address, port] of [
      ["192.0.2.1", 3389],
      ["10.1.0.2", 22],
      ["127.0.0.1", 3389],
    ] as const) {
      const answer = ask(clientFrom("10.0.0.1", "", toAddress(address, port)), [pool]);
      expect(answer).toMatchObject({ by: "new", reason: "token names no server of this pool", returned: undefined });
      expect(answer.outcome).toBe(CHOSEN);
    }
  });

  test("a token whose IPv4 address ends like a server's IPv6 address is not followed", () => {
    expect(ask(clientFrom("10.0.0.1", "", toAddress("10.1.0.2")), [threeByAddress()]).server).toBe("b");
    const pool = new Rig().pool({ servers: { a: {}, c: { address: "2001:db8::a01:2" } }, persistence: {} });
    expect(ask(clientFrom("10.0.0.1", "", toAddress("10.1.0.2")), [pool]).by).toBe("new");
  });

  test("a signed token is followed by both halves of its fingerprint, signed or unsigned", () => {
    const pool = threeByAddress();
    expect(ask(clientFrom("10.0.0.1", "", signed(2, 0xfedc_ba98)), [pool])).toMatchObject({ server: "b", by: "token" });
    expect(ask(clientFrom("10.0.0.1", "", signed(1, 0xfedc_ba98 | 0)), [pool])).toMatchObject({
      server: "a",
      by: "token",
    });
    expect(ask(clientFrom("10.0.0.1", "", signed(3, 0xfedc_ba98)), [pool]).by).toBe("new");
  });

  test("a signed token ends with the pool's lifetime", () => {
    const pool = threeByAddress();
    const client = clientFrom("10.0.0.1", "", signed(2, 0xfedc_ba98, NOW - 24 * HOUR));
    expect(ask(client, [pool])).toMatchObject({ by: "new", returned: "forgotten" });
    expect(ask(client, [pool], { nowSec: NOW - 1 })).toMatchObject({ server: "b", by: "token" });
  });

  test("a forged token does not keep its bearer from being known by name, and the log says so", () => {
    const pool = threeByAddress();
    const mallory = clientFrom("10.0.0.1", "mallory", { token: TokenKind.INVALID });
    pool.remember(mallory, serverOf(pool, "c").plan.id, NOW);
    expect(ask(mallory, [pool])).toMatchObject({ server: "c", by: "user", reason: "token is not valid" });
  });

  test("a token for a server that is down leads elsewhere", () => {
    const pool = threeByAddress();
    set(pool, "b", ServerState.DOWN);
    const answer = ask(clientFrom("10.0.0.1", "", toAddress("10.1.0.2")), [pool]);
    expect(answer).toMatchObject({ by: "new", reason: "known server is down", returned: "server_down" });
  });

  test("a token is not looked at by a pool that does not go by tokens", () => {
    const pool = new Rig().pool({
      servers: { a: { address: "10.1.0.1" }, b: { address: "10.1.0.2" } },
      persistence: BY_USER,
    });
    expect(ask(clientFrom("10.0.0.1", "", toAddress("10.1.0.2")), [pool])).toMatchObject({ server: "a", reason: "" });
  });
});

describe("new clients", () => {
  test("backups are used only when no primary takes new clients", () => {
    const pool = new Rig().pool({ servers: { spare: { backup: true }, a: {}, b: {} } });
    for (let n = 0; n < 10; n++) expect(ask(nthClient(n), [pool]).server).not.toBe("spare");
    set(pool, "a", ServerState.DOWN);
    set(pool, "b", ServerState.DRAINING);
    expect(ask(nthClient(1), [pool])).toMatchObject({ server: "spare", by: "new" });
  });

  test("full primaries are waited for; backups are for servers that are gone", () => {
    const pool = new Rig().pool({ servers: { a: { limit: 1 }, spare: { backup: true } } });
    occupy(serverOf(pool, "a"), 1);
    const answer = ask(nthClient(1), [pool]);
    expect(answer).toMatchObject({ outcome: WAIT_FOR_POOL, server: undefined });
    expect(answer.decision.pool).toBe(pool);
  });

  test("where nobody may wait, a full pool gives way to its backups and then to the next pool", () => {
    const rig = new Rig();
    const queue = { length: 0, timeoutMs: 1 };
    const site1 = rig.pool({ servers: { a: { limit: 1 }, spare: { backup: true, limit: 1 } }, queue });
    const site2 = rig.pool({ servers: { c: { limit: 1 } }, queue });
    occupy(serverOf(site1, "a"), 1);
    expect(ask(nthClient(1), [site1, site2]).server).toBe("spare");
    occupy(serverOf(site1, "spare"), 1);
    expect(ask(nthClient(1), [site1, site2]).server).toBe("c");
    occupy(serverOf(site2, "c"), 1);
    const full = ask(nthClient(1), [site1, site2]);
    expect(full.outcome).toBe(WAIT_FOR_POOL);
    expect(full.decision.pool).toBe(site1);
  });

  test("nobody is there for a new client while all servers drain", () => {
    const pool = new Rig().pool({ servers: { a: {}, b: {} }, allDown: "last-known" });
    for (const name of ["a", "b"]) set(pool, name, ServerState.DRAINING);
    expect(ask(nthClient(1), [pool]).outcome).toBe(NO_SERVER);
  });
});

describe("a list of pools", () => {
  function twoSites(persistence: Partial<Persistence> = { by: ["token", "user"] }) {
    const rig = new Rig();
    const site1 = rig.pool({ servers: { a: { address: "10.1.0.1" }, b: {} }, persistence });
    const site2 = rig.pool({ servers: { c: { address: "10.2.0.1" }, d: {} }, persistence });
    return { site1, site2, pools: [site1, site2], alice: clientFrom("10.0.0.1", "alice") };
  }
  const failSite1 = (site1: PoolRuntime, state: ServerState) => ["a", "b"].map((name) => set(site1, name, state));

  test("the best pool with a usable server takes new clients", () => {
    const { site1, pools, alice } = twoSites();
    expect(ask(alice, pools).server).toBe("a");
    failSite1(site1, ServerState.DOWN);
    expect(ask(alice, pools).server).toBe("c");
  });

  test("a client who moved to the second site stays there when the first is back", () => {
    const { site1, pools, alice } = twoSites();
    expect(visit(alice, pools).server).toBe("a");
    failSite1(site1, ServerState.DOWN);
    expect(visit(alice, pools)).toMatchObject({ server: "c", returned: "server_down" });
    failSite1(site1, ServerState.READY);
    expect(ask(alice, pools)).toMatchObject({ server: "c", by: "user", returned: "own" });
    expect(ask(clientFrom("10.0.0.1", "bob"), pools).server).toMatch(/[ab]/);
  });

  test("on-down: keep: a client of the first site is at home there again when it is back", () => {
    const { site1, pools, alice } = twoSites({ by: ["user"], onDown: "keep" });
    visit(alice, pools);
    failSite1(site1, ServerState.DOWN);
    expect(visit(alice, pools).server).toBe("c");
    expect(visit(alice, pools)).toMatchObject({ server: "c", by: "user" });
    failSite1(site1, ServerState.READY);
    expect(ask(alice, pools)).toMatchObject({ server: "a", by: "user", returned: "own" });
  });

  test("a token for the second site is worth more than a name known in the first", () => {
    const { site2, pools, alice } = twoSites();
    visit(alice, pools);
    Object.assign(alice, { token: TokenKind.ADDRESS, tokenAddress: parseAddress("10.2.0.1")!, tokenPort: 3389 });
    const answer = ask(alice, pools);
    expect(answer).toMatchObject({ server: "c", by: "token", reason: "", returned: "own" });
    expect(answer.decision.pool).toBe(site2);
  });
});

describe("a route that pins a server", () => {
  test("it is used, whoever the client is and while it drains; a known client is remembered there", () => {
    const { pool, alice } = withAlice();
    set(pool, "c", ServerState.DRAINING);
    const answer = ask(alice, [pool], { pinned: "c" });
    expect(answer).toMatchObject({ outcome: CHOSEN, server: "c", by: "route", returned: undefined });
    remember(alice, answer.decision, NOW);
    expect(ask(alice, [pool]).server).toBe("c");
  });

  test("when it is full its clients wait, and when it is down there is no server", () => {
    const { pool, alice } = withAlice(BY_USER, { c: { limit: 1 } });
    occupy(serverOf(pool, "c"), 1);
    expect(ask(alice, [pool], { pinned: "c" })).toMatchObject({ outcome: WAIT_FOR_SERVER, server: "c" });
    set(pool, "c", ServerState.DOWN);
    const down = ask(alice, [pool], { pinned: "c" });
    expect(down).toMatchObject({ outcome: NO_SERVER, server: undefined, reason: "known server is down" });
  });
});

describe("all down", () => {
  function allDown(rule: "refuse" | "last-known") {
    const pool = new Rig().pool({ servers: { a: {}, b: {}, c: {} }, persistence: BY_USER, allDown: rule });
    const alice = clientFrom("10.0.0.1", "alice");
    pool.remember(alice, serverOf(pool, "b").plan.id, NOW);
    for (const name of ["a", "b", "c"]) set(pool, name, ServerState.DOWN);
    return { pool, alice };
  }

  test("refuse: there is no server, and the reason is that the client's own is down", () => {
    const { pool, alice } = allDown("refuse");
    expect(ask(alice, [pool])).toMatchObject({ outcome: NO_SERVER, reason: "known server is down", server: undefined });
  });

  test("last-known: everybody goes on as if the checks were wrong, and known clients to their own server", () => {
    const { pool, alice } = allDown("last-known");
    const reason = "every check failed: last known state used";
    expect(ask(alice, [pool])).toMatchObject({ outcome: CHOSEN, server: "b", by: "user", reason, returned: "own" });
    expect(ask(nthClient(1), [pool])).toMatchObject({ outcome: CHOSEN, by: "new", reason });
  });

  test("last-known does not use a server that was never up, or is in maintenance", () => {
    const { pool } = allDown("last-known");
    serverOf(pool, "a").view.forgetLastKnown();
    set(pool, "c", ServerState.MAINTENANCE);
    for (let n = 0; n < 5; n++) expect(ask(nthClient(n), [pool]).server).toBe("b");
  });

  test("last-known is over as soon as one server answers", () => {
    const { pool, alice } = allDown("last-known");
    set(pool, "c", ServerState.READY);
    expect(ask(alice, [pool])).toMatchObject({ server: "c", by: "new", returned: "server_down" });
    const tried = new TriedSet();
    tried.add(serverOf(pool, "c").plan.id);
    expect(ask(alice, [pool], { tried }).outcome).toBe(NO_SERVER);
  });
});
