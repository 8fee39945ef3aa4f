import { describe, expect, test } from "bun:test";
import type { Client } from "../../../src/balancer/client.ts";
import type { HostPattern, RoutePlan } from "../../../src/balancer/plan.ts";
import { Router } from "../../../src/balancer/worker/routing.ts";
import { parseCidr } from "../../../src/protocols/address.ts";
import { asks, clientFrom, Rig } from "../rig.ts";

const pool = new Rig().pool({ servers: { one: {} } });
const pools = new Map([[pool.plan.id, pool]]);

type Sketch = Omit<RoutePlan, "pools" | "host" | "source"> & { host?: string; source?: string };

function planOf({ host, source, ...rest }: Sketch): RoutePlan {
  return {
    ...rest,
    ...(host !== undefined && { host: patternOf(host) }),
    ...(source !== undefined && { source: [parseCidr(source)!] }),
    pools: [pool.plan.id],
  };
}

function patternOf(host: string): HostPattern {
  return host.startsWith("*.") ? { name: host.slice(2), wildcard: true } : { name: host, wildcard: false };
}

/** Which of the routes (by position) each client gets; -1: none. */
function router(sketches: Sketch[]): (client: Client) => number {
  const routes = new Router(sketches.map(planOf), pools);
  return (client) => routes.route(client)?.index ?? -1;
}

const get = (url: string, ...fields: string[]) => {
  const [, host, target] = /^([^/]*)(\/.*)$/.exec(url)!;
  return asks([`GET ${target} HTTP/1.1`, `Host: ${host}`, ...fields]);
};
const withName = (name: string) =>
  clientFrom("10.0.0.1", "", { serverName: Buffer.from(name), serverNameLength: name.length });

describe("hosts", () => {
  const route = router([
    { host: "*.example.test" },
    { host: "push.example.test" },
    { host: "*.eu.example.test" },
    { host: "[::1]" },
    {},
  ]);
  test.each([
    ["push.example.test/", 1],
    ["PUSH.Example.TEST/", 1],
    ["push.example.test.:8443/", 1],
    ["other.example.test/", 0],
    ["a.b.example.test/", 0],
    ["x.eu.example.test/", 2],
    ["eu.example.test/", 0],
    ["example.test/", 4],
    ["pushexample.test/", 4],
    ["[::1]:8080/", 3],
    ["10.0.0.1/", 4],
  ])("%s is of route %d", (url, expected) => expect(route(get(url))).toBe(expected));

  test("the host of a whole URL counts, not the Host field beside it", () => {
    expect(route(asks(["GET http://push.example.test/ HTTP/1.1", "Host: x.eu.example.test"]))).toBe(1);
  });

  test("a request of HTTP/1.0 without a host gets what is for any", () => {
    const client = asks(["GET / HTTP/1.1"]);
    Object.assign(client.request!.head, { hostAt: 0, hostEnd: 0, hostNameEnd: 0 });
    expect(route(client)).toBe(4);
  });

  test("where TLS passes through, the name in the handshake is the host", () => {
    expect(route(withName("push.example.test"))).toBe(1);
    expect(route(withName("a.eu.example.test"))).toBe(2);
    expect(route(clientFrom("10.0.0.1"))).toBe(4);
  });

  test("a host of 255 bytes and 127 labels is looked up like any other", () => {
    const long = `${"a.".repeat(127)}b`;
    expect(route(get(`${long}/`))).toBe(4);
    expect(router([{ host: `*.${long.slice(2)}` }])(get(`${long}/`))).toBe(0);
  });

  test("without a route that fits there is none", () => {
    expect(router([{ host: "a.test" }])(get("b.test/"))).toBe(-1);
    expect(router([])(get("b.test/"))).toBe(-1);
  });
});

describe("paths", () => {
  const route = router([{ path: "/app" }, { path: "/app/admin" }, { path: "/static/" }, { path: "/" }, {}]);
  test.each([
    ["h/app", 0],
    ["h/app?x=/app/admin", 0],
    ["h/app/", 0],
    ["h/app/x/y/z", 0],
    ["h/apple", 3],
    ["h/APP", 3],
    ["h/app/admin/x", 1],
    ["h/app/administrator", 0],
    ["h/static/x.js", 2],
    ["h/static", 3],
    ["h/", 3],
  ])("%s is of route %d", (url, expected) => expect(route(get(url))).toBe(expected));

  test("a request for no path gets what is for any", () => {
    expect(route(asks(["OPTIONS * HTTP/1.1"]))).toBe(4);
  });

  test("a path is compared as it came: no escape is decoded, no dots are followed", () => {
    expect(route(get("h/%61pp"))).toBe(3);
    expect(route(get("h/x/../app"))).toBe(3);
  });
});

describe("the most specific wins, whatever the order", () => {
  const sketches: Sketch[] = [
    {},
    { host: "*.test" },
    { host: "*.test", path: "/app/long" },
    { host: "a.test" },
    { host: "a.test", path: "/app" },
    { host: "a.test", path: "/app", header: { name: "x-beta" } },
    { host: "a.test", path: "/app", header: { name: "x-beta", value: "2" } },
    { host: "a.test", path: "/app", source: "10.0.0.0/8" },
    { host: "a.test", path: "/app", source: "10.0.0.0/24" },
    { path: "/only", header: { name: "x-only" } },
  ];
  const cases: [Client, number][] = [
    [get("other.org/"), 0],
    [get("b.test/app"), 1],
    [get("b.test/app/long"), 2],
    [get("a.test/app/long"), 8],
    [get("a.test/app", "X-Beta: 1"), 5],
    [get("a.test/app", "X-Beta: 1", "x-beta: 2"), 6],
    [get("a.test/other"), 3],
    // Nothing for this host and path has the field: the host's own route is still better than one for any host.
    [get("a.test/only", "X-Only: y"), 3],
    [get("other.org/only", "X-Only: y"), 9],
    [get("other.org/only"), 0],
  ];

  test("as the file has it, and the other way round", () => {
    const route = router(sketches);
    const reversed = router([...sketches].reverse());
    for (const [client, expected] of cases) {
      expect(route(client)).toBe(expected);
      expect(reversed(client)).toBe(sketches.length - 1 - expected);
    }
  });

  test("a host whose paths do not fit leaves the client to a wildcard", () => {
    const route = router([{ host: "a.test", path: "/app" }, { host: "*.test", path: "/x" }, { host: "*.test" }, {}]);
    expect(route(get("a.test/x"))).toBe(1);
    expect(route(get("a.test/y"))).toBe(2);
  });
});

test("of 1,000 hosts with 10 paths each, every one is found, in less than 20 us", () => {
  const sketches: Sketch[] = [];
  for (let host = 0; host < 1_000; host++) {
    for (let path = 0; path < 10; path++) sketches.push({ host: `h${host}.example.test`, path: `/p${path}` });
  }
  const route = router(sketches);
  const clients = sketches.map(({ host, path }) => get(`${host}${path}/x`));
  const began = performance.now();
  for (const [position, client] of clients.entries()) expect(route(client)).toBe(position);
  expect((performance.now() - began) / clients.length).toBeLessThan(0.02);
});
