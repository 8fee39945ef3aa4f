/** Our own cookie, as a browser and a server's answers see it. */
import { describe, expect, test } from "bun:test";
import type { Client } from "../../../src/balancer/client.ts";
import { FORGOTTEN_COOKIE } from "../../../src/balancer/persistence/cookie-insert.ts";
import { Memory } from "../../../src/balancer/persistence/memory.ts";
import type { PoolRuntime } from "../../../src/balancer/pool-runtime.ts";
import { saltOf } from "../../../src/balancer/shared/fingerprint.ts";
import { FORGOTTEN_PARTS } from "../../../src/balancer/shared/forgotten.ts";
import { Reason } from "../../../src/balancer/shared/words.ts";
import { Field } from "../../../src/protocols/http1/fields.ts";
import { asks, clientFrom, NOW, type Persistence, Rig, serverOf } from "../rig.ts";

const OPTIONS: Partial<Persistence> = { by: ["cookie"], name: "SRV", idleSec: 800, lifetimeSec: 2_000 };

function poolWith(options: Partial<Persistence> = {}, rig = new Rig()): PoolRuntime {
  return rig.pool({ servers: { a: {}, b: {} }, persistence: { ...OPTIONS, ...options } });
}

/** The lines that go into the answer of `server`. */
function answer(pool: PoolRuntime, client: Client, server: string, nowSec = NOW, secure = false): string {
  const out = new Uint8Array(pool.fieldBytes + 10);
  const end = pool.writeFields(client, serverOf(pool, server), secure, nowSec, out, 5);
  expect(end - 5).toBeLessThanOrEqual(pool.fieldBytes);
  return Buffer.from(out.subarray(5, end)).toString();
}

/** What a browser makes of an answer. */
function cookieIn(lines: string): string {
  return /^Set-Cookie: (SRV=[\w-]{56});[^\r\n]*\r\n$/.exec(lines)![1]!;
}

const shows = (...cookies: string[]) => asks(["GET / HTTP/1.1", ...cookies.map((cookie) => `Cookie: ${cookie}`)]);

function recognise(pool: PoolRuntime, client: Client, nowSec = NOW): string {
  const id = pool.kinds[0]!.recogniser.recognise(client, nowSec);
  if (id <= 0) return `reason ${-id}`;
  return pool.candidates.find(({ plan }) => plan.id === id)?.plan.name ?? "a stranger";
}

/** A browser that was on `server` at `nowSec`. */
const browserOn = (pool: PoolRuntime, server: string, nowSec = NOW) =>
  shows(cookieIn(answer(pool, shows(), server, nowSec)));

describe("setting it", () => {
  test("a new client gets one, for the whole site, for its lifetime, and not for scripts", () => {
    expect(answer(poolWith(), shows(), "a")).toMatch(
      /^Set-Cookie: SRV=[\w-]{56}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=2000\r\n$/,
    );
  });

  test("under TLS it is secure, unless the file says otherwise; SameSite and Domain are the file's", () => {
    const strict = poolWith({ sameSite: "strict", domain: "example.test" });
    expect(answer(strict, shows(), "a", NOW, true)).toContain(
      "; SameSite=Strict; Domain=example.test; Secure; Max-Age",
    );
    expect(answer(poolWith({ secure: false }), shows(), "a", NOW, true)).not.toContain("Secure");
    expect(answer(poolWith({ lifetimeSec: 0 }), shows(), "a")).not.toContain("Max-Age");
  });

  test("it names no address, and two clients of one server have nothing in common that would say so", () => {
    const pool = new Rig().pool({
      servers: { a: { address: "10.11.12.13", tokenHigh: 0x12345678, tokenLow: 1 } },
      persistence: OPTIONS,
    });
    const values = [cookieIn(answer(pool, shows(), "a")), cookieIn(answer(pool, shows(), "a"))];
    expect(values[0]).not.toBe(values[1]);
    const bytes = Buffer.from(values[0]!.slice(4), "base64url");
    expect(bytes.indexOf(Buffer.from([10, 11, 12, 13]))).toBe(-1);
  });

  test("a client who is where it belongs is not told again, until an eighth of the idle time has passed", () => {
    const pool = poolWith();
    const client = browserOn(pool, "a");
    expect(answer(pool, client, "a", NOW + 99)).toBe("");
    const renewed = answer(pool, client, "a", NOW + 100);
    expect(renewed).toContain("; Max-Age=1900\r\n");
    expect(answer(pool, shows(cookieIn(renewed)), "a", NOW + 199)).toBe("");
  });

  test("a client who was moved is told of its new server", () => {
    const pool = poolWith();
    const client = browserOn(pool, "a");
    const moved = shows(cookieIn(answer(pool, client, "b", NOW + 10)));
    expect(recognise(pool, moved, NOW + 10)).toBe("b");
  });
});

describe("recognising by it", () => {
  test("whoever shows it belongs to its server, among other cookies too", () => {
    const pool = poolWith();
    const cookie = cookieIn(answer(pool, shows(), "b"));
    expect(recognise(pool, shows(cookie))).toBe("b");
    expect(recognise(pool, shows(`x=1; ${cookie}; y="2"`))).toBe("b");
    expect(recognise(pool, shows("x=1", cookie))).toBe("b");
    expect(recognise(pool, shows(`not${cookie}`))).toBe("reason 0");
    expect(recognise(pool, clientFrom("10.0.0.1"))).toBe("reason 0");
  });

  test("the server does not see it", () => {
    const pool = poolWith();
    const client = shows(`x=1; ${cookieIn(answer(pool, shows(), "b"))}`);
    const hidden = { at: 0, end: 0 };
    pool.hide(client, hidden);
    const { bytes, head } = client.request!;
    const at = head.fields.valueAt(head.fields.find(Field.COOKIE));
    expect(Buffer.from(bytes).toString("latin1", at, hidden.at)).toBe("x=1");
    expect(hidden.end).toBe(head.fields.valueEnd(head.fields.find(Field.COOKIE)));
  });

  test("a balancer with the same keys recognises what another has set", () => {
    const cookie = cookieIn(answer(poolWith(), shows(), "b"));
    expect(recognise(poolWith({}, new Rig(2)), shows(cookie))).toBe("b");
  });

  test("a forged one, or one that is none, is refused and everything else about the client is as if there were none", () => {
    const pool = poolWith();
    const cookie = cookieIn(answer(pool, shows(), "b"));
    for (let at = 4; at < cookie.length; at++) {
      const forged = `${cookie.slice(0, at)}${cookie[at] === "A" ? "B" : "A"}${cookie.slice(at + 1)}`;
      expect(recognise(pool, shows(forged))).toBe(`reason ${Reason.COOKIE_INVALID}`);
    }
    expect(recognise(pool, shows("SRV=push1"))).toBe(`reason ${Reason.COOKIE_INVALID}`);
    expect(recognise(pool, shows("SRV="))).toBe(`reason ${Reason.COOKIE_INVALID}`);
    expect(cookieIn(answer(pool, shows("SRV=push1"), "a"))).toHaveLength(60);
  });

  test("a server that has left the pool is nobody's", () => {
    const rig = new Rig();
    const before = poolWith({}, rig);
    const client = browserOn(before, "b");
    const { servers, ...plan } = before.plan;
    const after = rig.prepare({ ...plan, servers: servers.filter(({ name }) => name !== "b") });
    expect(recognise(after, client)).toBe(`reason ${Reason.COOKIE_UNKNOWN_SERVER}`);
  });

  test("it ends with the idle time, and with its lifetime however often it is shown", () => {
    const pool = poolWith();
    expect(recognise(pool, browserOn(pool, "a"), NOW + 799)).toBe("a");
    expect(recognise(pool, browserOn(pool, "a"), NOW + 800)).toBe(`reason ${Reason.FORGOTTEN}`);
    let cookie = cookieIn(answer(pool, shows(), "a"));
    for (let sec = 0; sec < 2_000; sec += 500) {
      const renewed = answer(pool, shows(cookie), "a", NOW + sec);
      if (renewed !== "") cookie = cookieIn(renewed);
    }
    expect(recognise(pool, shows(cookie), NOW + 1_999)).toBe("a");
    expect(recognise(pool, shows(cookie), NOW + 2_000)).toBe(`reason ${Reason.FORGOTTEN}`);
    expect(answer(pool, shows(cookie), "a", NOW + 2_000)).toContain("Max-Age=2000");
  });

  test("who holds a WebSocket open for longer than the idle time comes back to the same server", () => {
    const pool = poolWith();
    const client = shows();
    const cookie = cookieIn(answer(pool, client, "a"));
    for (let sec = 60; sec <= 1_500; sec += 60) pool.touch(client, NOW + sec);
    expect(recognise(pool, shows(cookie), NOW + 1_600)).toBe("a");
    expect(answer(pool, shows(cookie), "a", NOW + 1_600)).toContain("Max-Age=400");
    expect(recognise(pool, shows(cookie), NOW + 2_000)).toBe(`reason ${Reason.FORGOTTEN}`);
  });
});

describe("an administrator forgets", () => {
  test("all of a pool's: everybody of before is new, who comes after is not, and other pools are not touched", () => {
    const rig = new Rig();
    const [pool, other] = [poolWith({}, rig), poolWith({}, rig)];
    const client = browserOn(pool, "a");
    const elsewhere = browserOn(other, "a");
    rig.board.forgotten(pool.plan.id).forgetParts(FORGOTTEN_PARTS, NOW + 10);
    expect(recognise(pool, client, NOW + 10)).toBe(`reason ${Reason.FORGOTTEN}`);
    expect(recognise(other, elsewhere, NOW + 10)).toBe("a");
    const again = shows(cookieIn(answer(pool, client, "b", NOW + 10)));
    expect(recognise(pool, again, NOW + 10)).toBe("b");
    expect(recognise(pool, again, NOW + 500)).toBe("b");
  });

  test("a share: about so many, then others, and nobody who was forgotten is known again", () => {
    const rig = new Rig();
    const pool = poolWith({ idleSec: 0, lifetimeSec: 0 }, rig);
    const view = rig.board.forgotten(pool.plan.id);
    const clients = Array.from({ length: 2_560 }, () => browserOn(pool, "a"));
    let known = clients;
    for (let n = 1; n <= 10; n++) {
      view.forgetParts(Math.ceil(FORGOTTEN_PARTS / 10), NOW + n);
      const left = clients.filter((client) => recognise(pool, client, NOW + n) === "a");
      expect(left.every((client) => known.includes(client))).toBeTrue();
      expect(Math.abs(left.length - Math.max(0, 2_560 - 260 * n))).toBeLessThan(100);
      known = left;
    }
    view.forgetParts(10, NOW + 11);
    expect(clients.some((client) => recognise(pool, client, NOW + 11) === "a")).toBeFalse();
  });

  test("one single cookie", () => {
    const rig = new Rig();
    const pool = poolWith({}, rig);
    const [client, other] = [shows(), shows()];
    const cookies = [client, other].map((one) => cookieIn(answer(pool, one, "a")));
    const { fingerprinter, sticky: table } = rig;
    const limits = { salt: saltOf(pool.plan.name), idleSec: 0, lifetimeSec: 2_000 };
    const id = Buffer.alloc(8);
    id.writeUInt32BE(client.cookieIdHigh, 0);
    id.writeUInt32BE(client.cookieIdLow, 4);
    new Memory({ table, fingerprinter, ...limits }, FORGOTTEN_COOKIE).remember(id, 0, 8, pool.plan.servers[0]!.id, NOW);
    rig.board.forgotten(pool.plan.id).forgetSome(NOW + 2_000);
    expect(recognise(pool, shows(cookies[0]!), NOW + 1)).toBe(`reason ${Reason.FORGOTTEN}`);
    expect(recognise(pool, shows(cookies[1]!), NOW + 1)).toBe("a");
  });
});
