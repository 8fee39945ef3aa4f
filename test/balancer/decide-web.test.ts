/** Who goes where when browsers come: sticky cookies, draining servers and pinned routes, in sentences a user could say. */
import { describe, expect, test } from "bun:test";
import { NONE_TRIED, TriedSet } from "../../src/balancer/candidate.ts";
import { Decision, decide, learn, NO_SERVER, remember, writeFields } from "../../src/balancer/decide.ts";
import type { PoolRuntime } from "../../src/balancer/pool-runtime.ts";
import { REASONS, RECOGNISED_BY, RETURNS, ServerState } from "../../src/balancer/shared/words.ts";
import { ResponseHead } from "../../src/protocols/http1/response.ts";
import { TOO_LONG } from "../../src/protocols/http1/write.ts";
import { asks, NOW, type Persistence, Rig, serverOf } from "./rig.ts";

const BY_COOKIE: Partial<Persistence> = { by: ["cookie"], name: "SRV", idleSec: 3_600, lifetimeSec: 36_000 };
const NO_BYTES = new Uint8Array(0);

/** A browser: it keeps the cookies that it is sent. */
class Browser {
  readonly jar = new Map<string, string>();
  source = "10.0.0.1";

  /** Asks, and is answered by whichever server it gets. */
  visit(pools: PoolRuntime[], more: { pinned?: string; tried?: TriedSet; nowSec?: number } = {}) {
    const nowSec = more.nowSec ?? NOW;
    const cookies = [...this.jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const client = asks(["GET / HTTP/1.1", ...(cookies === "" ? [] : [`Cookie: ${cookies}`])], this.source);
    const decision = new Decision();
    const pinned = more.pinned === undefined ? 0 : serverOf(pools[0]!, more.pinned).plan.id;
    const outcome = decide(client, pools, pinned, more.tried ?? NONE_TRIED, nowSec, decision);
    if (outcome !== NO_SERVER) {
      remember(client, decision, nowSec);
      learn(client, decision, NO_BYTES, new ResponseHead(), nowSec);
      const out = new Uint8Array(1_024);
      this.#keep(Buffer.from(out.subarray(0, writeFields(client, decision, true, nowSec, out, 0))).toString());
    }
    return {
      server: decision.server?.plan.name,
      by: RECOGNISED_BY[decision.recognisedBy],
      reason: REASONS[decision.reason],
      returned: decision.returned < 0 ? undefined : RETURNS[decision.returned],
    };
  }

  #keep(lines: string): void {
    for (const [, name, value] of lines.matchAll(/^Set-Cookie: (\w+)=([^;]*);/gm)) this.jar.set(name!, value!);
  }
}

function poolOf(persistence: Partial<Persistence> = {}, rig = new Rig()): PoolRuntime {
  return rig.pool({ servers: { a: {}, b: {}, c: {} }, persistence: { ...BY_COOKIE, ...persistence } });
}

function set(pool: PoolRuntime, name: string, state: ServerState): void {
  serverOf(pool, name).view.setState(state, NOW);
}

describe("a sticky cookie", () => {
  test("brings every request of a browser to one server, and other browsers to others", () => {
    const pool = poolOf();
    const browsers = Array.from({ length: 6 }, () => new Browser());
    const homes = browsers.map((browser) => browser.visit([pool]).server);
    expect(new Set(homes).size).toBe(3);
    for (const [n, browser] of browsers.entries()) {
      expect(browser.visit([pool])).toEqual({ server: homes[n], by: "cookie", reason: "", returned: "own" });
    }
  });

  test("is not asked of a client who does not keep it: each request is new", () => {
    const pool = poolOf();
    expect([1, 2, 3].map(() => new Browser().visit([pool]).server)).toEqual(["a", "b", "c"]);
  });

  test("comes before the address, and the address is what is left where it is refused", () => {
    const pool = poolOf({ by: ["cookie", "source"] });
    const [one, other] = [new Browser(), new Browser()];
    one.visit([pool]);
    other.source = "10.0.0.2";
    const home = other.visit([pool]).server;
    other.source = "10.0.0.1";
    expect(other.visit([pool])).toMatchObject({ server: home, by: "cookie" });
    other.jar.set("SRV", "forged");
    expect(other.visit([pool])).toMatchObject({ by: "source", reason: "cookie is not valid" });
  });

  test("of the second pool is worth as much as one of the first, and the log does not call it wrong", () => {
    const rig = new Rig();
    const [first, second] = [poolOf({}, rig), poolOf({}, rig)];
    const browser = new Browser();
    const { server } = browser.visit([second]);
    expect(browser.visit([first, second])).toEqual({ server, by: "cookie", reason: "", returned: "own" });
  });

  test("whose time is over is forgotten, and the browser gets a new one", () => {
    const pool = poolOf();
    const browser = new Browser();
    browser.visit([pool]);
    const late = browser.visit([pool], { nowSec: NOW + 3_600 });
    expect(late).toMatchObject({ by: "new", reason: "forgotten after idle or lifetime", returned: "forgotten" });
    expect(browser.visit([pool], { nowSec: NOW + 3_601 })).toMatchObject({ server: late.server, by: "cookie" });
  });
});

describe("a server that is draining", () => {
  test("keeps the browsers that it has, gets none that is new, and a pinned route still reaches it", () => {
    const pool = poolOf();
    const known = new Browser();
    expect(known.visit([pool]).server).toBe("a");
    set(pool, "a", ServerState.DRAINING);
    for (let n = 0; n < 5; n++) expect(known.visit([pool])).toMatchObject({ server: "a", by: "cookie" });
    for (let n = 0; n < 6; n++) expect(new Browser().visit([pool]).server).not.toBe("a");
    expect(new Browser().visit([pool], { pinned: "a" })).toMatchObject({ server: "a", by: "route" });
  });

  test("a browser that a pinned route brought to it is at home there", () => {
    const pool = poolOf();
    set(pool, "b", ServerState.DRAINING);
    const browser = new Browser();
    browser.visit([pool], { pinned: "b" });
    expect(browser.visit([pool])).toMatchObject({ server: "b", by: "cookie" });
  });
});

describe("a server that is gone", () => {
  test("its browsers get another, belong there then, and do not go back", () => {
    const pool = poolOf();
    const browser = new Browser();
    browser.visit([pool]);
    set(pool, "a", ServerState.DOWN);
    const moved = browser.visit([pool]);
    expect(moved).toMatchObject({ by: "new", reason: "known server is down", returned: "server_down" });
    set(pool, "a", ServerState.READY);
    expect(browser.visit([pool])).toMatchObject({ server: moved.server, by: "cookie", returned: "own" });
  });

  test("on-down: keep: they are back on their own when it is", () => {
    const pool = poolOf({ onDown: "keep" });
    const browser = new Browser();
    browser.visit([pool]);
    set(pool, "a", ServerState.DOWN);
    const standIn = browser.visit([pool]).server;
    expect(standIn).not.toBe("a");
    // Its session there lasts for longer than one request.
    for (let n = 0; n < 5; n++) expect(browser.visit([pool]).server).toBe(standIn);
    set(pool, "a", ServerState.READY);
    expect(browser.visit([pool])).toMatchObject({ server: "a", by: "cookie" });
  });

  test("on-down: keep: its browsers are shared out among the others meanwhile, by weight", () => {
    const pool = new Rig().pool({
      servers: { a: {}, b: {}, c: { weight: 200 } },
      persistence: { ...BY_COOKIE, onDown: "keep" },
    });
    set(pool, "b", ServerState.DRAINING);
    set(pool, "c", ServerState.DRAINING);
    const browsers = Array.from({ length: 300 }, () => new Browser());
    for (const browser of browsers) expect(browser.visit([pool]).server).toBe("a");
    for (const name of ["b", "c"]) set(pool, name, ServerState.READY);
    set(pool, "a", ServerState.DOWN);
    const onC = browsers.filter((browser) => browser.visit([pool]).server === "c").length;
    expect(Math.abs(onC - 200)).toBeLessThan(45);
  });

  test("a browser whose server did not answer gets another in the same request, and stays there", () => {
    const pool = poolOf();
    const browser = new Browser();
    browser.visit([pool]);
    const tried = new TriedSet();
    tried.add(serverOf(pool, "a").plan.id);
    const { server } = browser.visit([pool], { tried });
    expect(server).not.toBe("a");
    expect(browser.visit([pool]).server).toBe(server);
  });
});

test("lines for which there is no room are not written at all", () => {
  const pool = poolOf();
  const decision = new Decision();
  const client = asks([]);
  decide(client, [pool], 0, NONE_TRIED, NOW, decision);
  const out = new Uint8Array(pool.fieldBytes - 1);
  expect(writeFields(client, decision, false, NOW, out, 0)).toBe(TOO_LONG);
  expect(out.every((byte) => byte === 0)).toBeTrue();
});
