/** Recognising by what a request carries, and by cookies that the servers set. */
import { describe, expect, test } from "bun:test";
import type { Client } from "../../../src/balancer/client.ts";
import type { PoolRuntime } from "../../../src/balancer/pool-runtime.ts";
import { Reason } from "../../../src/balancer/shared/words.ts";
import { Field } from "../../../src/protocols/http1/fields.ts";
import { ResponseHead, readResponseHead } from "../../../src/protocols/http1/response.ts";
import { asks, clientFrom, NOW, type Persistence, Rig, serverOf } from "../rig.ts";

const LIMITS = { head: 16_384, fields: 64, lineFeeds: false };

function poolBy(by: Persistence["by"][number], more: Partial<Persistence> = {}): PoolRuntime {
  return new Rig().pool({ servers: { a: {}, b: {} }, persistence: { by: [by], name: "SID", ...more } });
}

function recognise(pool: PoolRuntime, client: Client): string {
  const id = pool.kinds[0]!.recogniser.recognise(client, NOW);
  if (id <= 0) return `reason ${-id}`;
  return pool.candidates.find(({ plan }) => plan.id === id)!.plan.name;
}

const get = (target: string, ...fields: string[]) => asks([`GET ${target} HTTP/1.1`, ...fields]);

describe("by a value of the request", () => {
  test("header: the first field of the name, whatever its case; no field and an empty one are nobody's", () => {
    const pool = poolBy("header");
    pool.remember(get("/", "SID: one", "sid: two"), serverOf(pool, "b").plan.id, NOW);
    expect(recognise(pool, get("/x", "Sid: one"))).toBe("b");
    expect(recognise(pool, get("/", "Sid: two"))).toBe("reason 0");
    pool.remember(get("/", "SID:"), serverOf(pool, "b").plan.id, NOW);
    expect(recognise(pool, get("/", "SID:"))).toBe("reason 0");
    expect(recognise(pool, get("/"))).toBe("reason 0");
  });

  test("query: the parameter's value, wherever it stands", () => {
    const pool = poolBy("query");
    pool.remember(get("/a?SID=one&x=1"), serverOf(pool, "b").plan.id, NOW);
    expect(recognise(pool, get("/b/c?x=2&SID=one"))).toBe("b");
    expect(recognise(pool, get("/b?sid=one"))).toBe("reason 0");
    expect(recognise(pool, get("/SID=one"))).toBe("reason 0");
  });

  test("host: the same name in a request and in a handshake is one", () => {
    const pool = poolBy("host");
    pool.remember(get("/", "Host: app.example.test:8443"), serverOf(pool, "b").plan.id, NOW);
    expect(recognise(pool, get("/", "Host: APP.example.test."))).toBe("b");
    const serverName = Buffer.from("app.example.test");
    expect(recognise(pool, clientFrom("10.0.0.1", "", { serverName, serverNameLength: serverName.length }))).toBe("b");
    expect(recognise(pool, get("/", "Host: example.test"))).toBe("reason 0");
  });
});

/** A server's answer with these fields. */
function answerWith(...fields: string[]): { bytes: Uint8Array; head: ResponseHead } {
  const bytes = Buffer.from(["HTTP/1.1 200 OK", ...fields, "", ""].join("\r\n"));
  const head = new ResponseHead();
  expect(readResponseHead(bytes, 0, bytes.length, LIMITS, head)).toBe(bytes.length);
  return { bytes, head };
}

describe("by a cookie that the server sets, learned", () => {
  test("whoever shows its value belongs to the server that has set it", () => {
    const pool = poolBy("cookie", { mode: "learn" });
    const { bytes, head } = answerWith("Set-Cookie: other=1", "Set-Cookie: SID=xyz; Path=/; HttpOnly");
    pool.learn(get("/"), serverOf(pool, "b"), bytes, head, NOW);
    expect(recognise(pool, get("/", "Cookie: a=1; SID=xyz"))).toBe("b");
    expect(recognise(pool, get("/", "Cookie: SID=xyzz"))).toBe("reason 0");
    expect(pool.fieldBytes).toBe(0);
  });

  test("an answer that takes the cookie away teaches nothing", () => {
    const pool = poolBy("cookie", { mode: "learn" });
    const { bytes, head } = answerWith("Set-Cookie: SID=; Max-Age=0");
    pool.learn(get("/"), serverOf(pool, "b"), bytes, head, NOW);
    expect(recognise(pool, get("/", "Cookie: SID="))).toBe("reason 0");
  });
});

describe("by a cookie that the server sets, with our prefix", () => {
  /** What the answer of `server` carries on to the client. */
  function passOn(pool: PoolRuntime, server: string, ...fields: string[]): string {
    const { bytes, head } = answerWith(...fields);
    pool.learn(get("/"), serverOf(pool, server), bytes, head, NOW);
    let kept = "";
    for (let i = 0; i < head.fields.count; i++) {
      if (head.fields.codes[i] === Field.DROPPED) continue;
      kept += `${Buffer.from(bytes).toString("latin1", head.fields.nameAt(i), head.fields.valueEnd(i))}\r\n`;
    }
    const out = new Uint8Array(pool.fieldBytes);
    const end = pool.writeFields(get("/"), serverOf(pool, server), false, NOW, out, 0);
    return kept + Buffer.from(out.subarray(0, end)).toString();
  }

  /** What the server gets to see of the client's cookies. */
  function passIn(pool: PoolRuntime, client: Client): string {
    const hidden = { at: 0, end: 0 };
    pool.hide(client, hidden);
    const { bytes, head } = client.request!;
    const index = head.fields.find(Field.COOKIE);
    const text = (from: number, to: number) => Buffer.from(bytes).toString("latin1", from, to);
    const [from, to] = [head.fields.valueAt(index), head.fields.valueEnd(index)];
    return hidden.end === 0 ? text(from, to) : text(from, hidden.at) + text(hidden.end, to);
  }

  const pool = poolBy("cookie", { mode: "prefix" });
  const lines = passOn(pool, "b", "Set-Cookie: x=1", 'Set-Cookie: SID="x y"; Path=/; Secure', "Server: z");
  const prefix = /SID="?([0-9a-f]{16})~/.exec(lines)?.[1];

  test("the client gets a prefix in front of the server's value, and the rest as it was", () => {
    expect(prefix).toBeDefined();
    expect(lines).toContain("Set-Cookie: x=1\r\n");
    expect(lines.replace(`${prefix}~`, "")).toContain('Set-Cookie: SID="x y"; Path=/; Secure\r\n');
    expect(lines.match(/SID/g)).toHaveLength(1);
  });

  test("whoever shows it is known, and the server sees its own value alone", () => {
    const cookies = `a=1; SID=${prefix}~xy; b=2`;
    const client = get("/", `Cookie: ${cookies}`);
    expect(recognise(pool, client)).toBe("b");
    expect(passIn(pool, client)).toBe("a=1; SID=xy; b=2");
  });

  test("a prefix of nobody's is told, and one that is none is left to the server", () => {
    expect(recognise(pool, get("/", `Cookie: SID=${"0".repeat(16)}~xy`))).toBe(
      `reason ${Reason.COOKIE_UNKNOWN_SERVER}`,
    );
    for (const value of ["xy", `${"0".repeat(15)}g~xy`, `${"0".repeat(15)}~xy`, "~"]) {
      expect(recognise(pool, get("/", `Cookie: SID=${value}`))).toBe("reason 0");
      expect(passIn(pool, get("/", `Cookie: SID=${value}`))).toBe(`SID=${value}`);
    }
  });

  test("an answer without the cookie, or with one that no browser would keep, is passed on as it is", () => {
    expect(passOn(pool, "a", "Set-Cookie: x=1")).toBe("Set-Cookie: x=1\r\n");
    const long = `Set-Cookie: SID=${"x".repeat(5_000)}`;
    expect(passOn(pool, "a", long)).toBe(`${long}\r\n`);
  });
});
