import { afterAll, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compareConfig } from "../../src/config/changes.ts";
import { loadConfig } from "../../src/config/load.ts";
import { makeCertificate } from "./files.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-changes-"));
afterAll(() => rmSync(folder, { recursive: true }));

const BEFORE = `
services:
  desktops: { listen: [":3389", ":3390"], protocol: rdp, pool: rds }
  web: { listen: ":8443", pool: web }
pools:
  rds:
    persistence: { by: [token, user, source] }
    servers: { rds1: "10.0.0.1:3389", rds2: "10.0.0.2:3389" }
  web:
    servers: { a: "10.0.0.3:443" }
`;

function compare(change: (text: string) => string) {
  return compareConfig(load(BEFORE), load(change(BEFORE)));
}

function load(text: string) {
  const { config, problems } = loadConfig({ text, name: join(folder, "holdfast.yaml") });
  if (config === undefined) throw new Error(problems[0]?.message);
  return config;
}

test("the same file changes nothing and keeps every listener", () => {
  const changes = compare((text) => `# a comment\n${text}`);
  expect(changes.summary).toBe("nothing changed, 3 listeners kept");
  expect(changes.servers.kept).toEqual(["rds/rds1", "rds/rds2", "web/a"]);
  expect(changes.settings).toEqual([]);
});

test("servers that come, and one with another weight, are counted", () => {
  const changes = compare((text) =>
    text.replace(
      'rds2: "10.0.0.2:3389"',
      'rds2: { address: "10.0.0.2:3389", weight: 50 }, rds3: "10.0.0.4:3389", rds4: "10.0.0.5:3389"',
    ),
  );
  expect(changes.summary).toBe("2 servers added, 1 weight changed, 3 listeners kept");
  expect(changes.servers).toEqual({
    added: ["rds/rds3", "rds/rds4"],
    removed: [],
    moved: [],
    reweighted: ["rds/rds2"],
    changed: [],
    kept: ["rds/rds1", "web/a"],
  });
  expect(changes.pools.changed).toEqual([]);
});

test("a server with another address has moved, whatever else is new about it", () => {
  const changes = compare((text) => text.replace('a: "10.0.0.3:443"', 'a: { address: "10.0.0.9:443", weight: 1 }'));
  expect(changes.servers.moved).toEqual(["web/a"]);
  expect(changes.servers.reweighted).toEqual([]);
  expect(changes.summary).toBe("1 server moved, 3 listeners kept");
});

test("a limit or a backup is a change of the server", () => {
  const changes = compare((text) => text.replace('a: "10.0.0.3:443"', 'a: { address: "10.0.0.3:443", limit: 5 }'));
  expect(changes.servers.changed).toEqual(["web/a"]);
});

test("a listener that moves to another service is kept", () => {
  const changes = compare((text) =>
    text.replace('[":3389", ":3390"]', '":3389"').replace('":8443"', '[":8443", ":3390"]'),
  );
  expect(changes.listeners).toEqual({ added: [], removed: [], kept: [":3389", ":8443", ":3390"] });
  expect(changes.services.changed).toEqual(["desktops", "web"]);
  expect(changes.summary).toBe("2 services changed, 3 listeners kept");
});

test("a service and a pool that go take their listener and servers along", () => {
  const changes = compare((text) => text.replace(/ {2}web:.*pool: web.*\n/, "").replace(/ {2}web:\n.*\n/, ""));
  expect(changes.services.removed).toEqual(["web"]);
  expect(changes.pools.removed).toEqual(["web"]);
  expect(changes.servers.removed).toEqual(["web/a"]);
  expect(changes.listeners.removed).toEqual([":8443"]);
  expect(changes.summary).toBe(
    "1 service removed, 1 pool removed, 1 server removed, 1 listener removed, 2 listeners kept",
  );
});

test("a pool with another algorithm or a service with other trust has changed", () => {
  const changes = compare((text) =>
    text.replace("  web:\n", "  web:\n    algorithm: first\n").replace("pool: web }", "pool: web, trust: 10.0.0.0/8 }"),
  );
  expect(changes.pools.changed).toEqual(["web"]);
  expect(changes.services.changed).toEqual(["web"]);
});

test("a setting that a reload cannot apply is named", () => {
  const changes = compare((text) => `workers: 2\nlog: { level: debug }\n${text}`);
  expect(changes.settings).toEqual(["workers", "log"]);
  expect(changes.needRestart).toEqual(["workers"]);
  expect(changes.summary).toBe("2 settings changed, 3 listeners kept; a change of workers needs a restart");
});

const WEB = `
services:
  web:
    listen: ":8443"
    protocol: http
    tls: { certificates: [{ cert: one.crt, key: one.key }, { cert: two.crt, key: two.key }] }
    sorry: { file: sorry.html }
    routes:
      - { host: a.test, pool: web }
      - { host: b.test, pool: web }
pools:
  web: { servers: { a: "10.0.0.3:443" } }
`;

test("a certificate and a page that were replaced on disk are told, and the service has not changed", () => {
  for (const name of ["one", "two", "new"]) makeCertificate(folder, name, ["*.test"], 365);
  writeFileSync(join(folder, "sorry.html"), "later");
  const before = load(WEB);
  copyFileSync(join(folder, "new.crt"), join(folder, "one.crt"));
  copyFileSync(join(folder, "new.key"), join(folder, "one.key"));
  const replaced = compareConfig(before, load(WEB));
  expect(replaced.summary).toBe("1 certificate replaced, 1 listener kept");
  expect(replaced.files.certificates).toEqual([join(folder, "one.crt")]);
  expect(replaced.services.kept).toEqual(["web"]);
  writeFileSync(join(folder, "sorry.html"), "soon");
  expect(compareConfig(before, load(WEB)).summary).toBe("1 certificate replaced, 1 file changed, 1 listener kept");
});

test("routes that come, go and change are counted, and the service stays", () => {
  const change = (text: string) => compareConfig(load(WEB), load(text));
  const second = "      - { host: b.test, pool: web }\n";
  const third = "      - { host: c.test, pool: web, server: a }\n";
  expect(change(WEB.replace(second, "")).summary).toBe("1 route removed, 1 listener kept");
  expect(change(WEB.replace(second, third)).summary).toBe("1 route changed, 1 listener kept");
  const more = change(WEB.replace(second, third + second));
  expect(more.summary).toBe("1 route added, 1 listener kept");
  expect(more.services.changed).toEqual([]);
});
