import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makePlan } from "../../../src/balancer/control/planner.ts";
import { Slots } from "../../../src/balancer/control/slots.ts";
import type { Plan } from "../../../src/balancer/plan.ts";
import { Scoreboard } from "../../../src/balancer/shared/scoreboard.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { parseAddress } from "../../../src/protocols/address.ts";
import { makeCertificate } from "../../config/files.ts";
import { testMemory } from "../shared/shared-memory.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-plan-"));
afterAll(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "certs"));
makeCertificate(join(folder, "certs"), "push", ["push.example.test", "*.example.test"], 365);
makeCertificate(join(folder, "certs"), "other", ["other.example.org"], 365);
writeFileSync(join(folder, "sorry.html"), "<h1>Back soon</h1>");

function plan(text: string): { plan: Plan; slots: Slots } {
  const { config, problems } = loadConfig({ text, name: join(folder, "holdfast.yaml") });
  if (config === undefined) throw new Error(problems[0]?.message);
  const { buffer, layout } = testMemory();
  const slots = new Slots(new Scoreboard(buffer, layout, 1));
  const context = {
    generation: 1,
    slots,
    fingerprintKey: new Uint8Array(16),
    tokenKeys: [{ id: 1, secret: new Uint8Array(32) }],
    ticketKeys: [new Uint8Array(80)],
    listeners: () => [],
    addressOf: (host: string) => parseAddress(host === "web.example.test" ? "10.0.0.1" : host),
  };
  return { plan: makePlan(config, context), slots };
}

describe("the streaming example", () => {
  const { plan: made, slots } = plan(
    readFileSync(new URL("../../../examples/streaming.yaml", import.meta.url), "utf8"),
  );
  const [push, through, redirect] = made.services;

  test("has its certificates as PEM, with the names that they are for", () => {
    const { certificates, alpn, clients } = push!.tls!;
    const names = certificates.map((certificate) => certificate.names);
    expect(names).toEqual([["push.example.test", "*.example.test"], ["other.example.org"]]);
    expect(certificates[0]!.chain).toStartWith("-----BEGIN CERTIFICATE-----\n");
    expect(certificates[0]!.key).toStartWith("-----BEGIN PRIVATE KEY-----\n");
    expect(alpn).toEqual(["h2", "http/1.1"]);
    expect(clients).toBeNull();
  });

  test("has a route for each host, and control connections are pinned", () => {
    expect(push!.routes).toEqual([
      { host: { name: "push.example.test", wildcard: false }, pools: [slots.pool("push")] },
      {
        host: { name: "push1.example.test", wildcard: false },
        pools: [slots.pool("push")],
        server: slots.server("push", "push1"),
      },
      {
        host: { name: "push2.example.test", wildcard: false },
        pools: [slots.pool("push")],
        server: slots.server("push", "push2"),
      },
    ]);
    expect(through!.http).toBeNull();
    expect(through!.routes[1]).toMatchObject({ host: { name: "example.test", wildcard: true } });
  });

  test("redirects by itself", () => {
    const answer = { kind: "redirect", status: 308, scheme: "https", port: 8443 } as const;
    expect(redirect!.routes).toEqual([{ pools: [], answer }]);
  });

  test("recognises by a cookie that lives six hours, and by source", () => {
    expect(made.pools[0]!.persistence).toMatchObject({
      by: ["cookie"],
      name: "HFID",
      mode: "insert",
      lifetimeSec: 21_600,
    });
    expect(made.pools[1]!.persistence).toMatchObject({ by: ["source"], maskIpv6: 64, idleSec: 600 });
  });
});

test("an HTTP service without anything said has what a production server needs", () => {
  const { plan: made } = plan(
    'services: { web: { listen: ":1", protocol: http, pool: web } }\npools: { web: { servers: { a: "127.0.0.1:1" } } }',
  );
  expect(made.services[0]!.tls).toBeNull();
  expect(made.services[0]!.http).toEqual({
    forwarded: { mode: "replace", standard: false },
    requestId: true,
    setRequest: [],
    removeRequest: [],
    setResponse: [],
    removeResponse: [],
    limits: {
      head: 16_384,
      target: 8_192,
      fields: 100,
      requestsPerSource: 0,
      requestsPerSourceMs: 0,
      concurrentPerSource: 0,
      bodyRate: 100,
      streams: 100,
    },
    timeouts: { keepAlive: 60_000, body: 30_000 },
    sorry: null,
  });
});

test("a page for when no server can be had says when to try again, and HSTS is a field of every answer", () => {
  const { plan: made } = plan(`
services:
  web:
    listen: ":1"
    protocol: http
    tls: { certificates: [{ cert: certs/push.crt, key: certs/push.key }] }
    http2: false
    hsts: { max-age: 1d, subdomains: true }
    headers: { response: { set: { X-Frame-Options: DENY } } }
    sorry: { file: sorry.html }
    pool: web
pools: { web: { servers: { a: "127.0.0.1:1" } } }`);
  const { http, tls } = made.services[0]!;
  expect(tls!.alpn).toEqual(["http/1.1"]);
  expect(http!.setResponse).toEqual([
    { name: "X-Frame-Options", value: "DENY" },
    { name: "Strict-Transport-Security", value: "max-age=86400; includeSubDomains" },
  ]);
  expect(http!.sorry).toMatchObject({
    status: 503,
    contentType: "text/html; charset=utf-8",
    fields: [{ name: "Retry-After", value: "10" }],
  });
  expect(new TextDecoder().decode(http!.sorry!.body)).toBe("<h1>Back soon</h1>");
});

test("TLS with servers verifies unless the file says otherwise, for the name of the server where it has one", () => {
  const { plan: made } = plan(`
services: { web: { listen: ":1", protocol: http, pool: [a, b] } }
pools:
  a: { tls: true, http2: true, servers: { a: "web.example.test:443", b: "10.0.0.2:443" } }
  b: { tls: { verify: false, ca: certs/other.crt, cert: certs/push.crt, key: certs/push.key }, servers: { a: "10.0.0.3:443" } }`);
  const [a, b] = made.pools;
  expect(a!.tls).toEqual({
    ca: "",
    verify: "full",
    name: "",
    minimum: "TLSv1.2",
    ciphers: "",
    cipherSuites: "",
    certificate: null,
  });
  expect(a!.http2).toBe(true);
  expect(a!.servers.map(({ host }) => host)).toEqual(["web.example.test", ""]);
  expect(b!.tls).toMatchObject({ verify: "none" });
  expect(b!.tls!.ca).toStartWith("-----BEGIN CERTIFICATE-----");
  expect(b!.tls!.certificate!.key).toStartWith("-----BEGIN PRIVATE KEY-----");
});
