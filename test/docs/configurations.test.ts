/** Every configuration that the documentation shows is one: ours by `check`, HAProxy's by `haproxy -c`. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { loadConfig } from "../../src/config/load.ts";
import { makeCertificate } from "../config/files.ts";

const docs = new URL("../../docs/", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "holdfast-docs-"));
afterAll(() => rmSync(folder, { recursive: true }));

const certs = join(folder, "certs");
mkdirSync(certs);
makeCertificate(certs, "push", ["*.example.test", "example.test"], 365);
makeCertificate(certs, "other", ["other.example.org"], 365);
for (const name of ["push", "other"]) {
  const both = ["crt", "key"].map((kind) => readFileSync(join(certs, `${name}.${kind}`), "utf8")).join("");
  writeFileSync(join(certs, `${name}.pem`), both);
}
writeFileSync(join(certs, "both.pem"), readFileSync(join(certs, "push.pem")));
writeFileSync(join(certs, "new.ticket"), new Uint8Array(80));

const HAPROXY_DEFAULTS = `
defaults
    timeout connect 4s
    timeout client 1m
    timeout server 1m
`;

/** The blocks of a page in one language, each with the heading above it. */
function blocks(page: string, language: string): [heading: string, block: string][] {
  const found: [string, string][] = [];
  let heading = "";
  for (const [, title, word, block] of page.matchAll(/^(?:#+ (.+)|```(\w*)\n([\s\S]*?)^```)$/gm)) {
    if (title !== undefined) heading = title;
    else if (word === language) found.push([heading, block!]);
  }
  return found;
}

interface Shown {
  readonly services?: Record<string, Using & { readonly routes?: readonly Using[] }>;
  readonly pools?: Record<string, object>;
  readonly algorithm?: string;
}

interface Using {
  readonly pool?: string | readonly string[];
}

const servers = { rds1: "10.1.1.1:1", rds2: "10.1.1.2:1" };

/** A page shows what it is about: services without their pools, pools that some service would use, keys of a pool. */
function whole(block: string): string {
  const shown = parse(block) as Shown;
  if (shown.algorithm !== undefined) return whole(stringify({ pools: { web: shown } }));
  const { services, pools, ...rest } = shown;
  const routes = Object.values(services ?? {}).flatMap((service) => [service, ...(service.routes ?? [])]);
  const used = [...routes.flatMap(({ pool }) => pool ?? []), "web"].map((name) => [name, {}] as const);
  const given = Object.entries(pools ?? Object.fromEntries(used));
  const user = { web: { listen: ":1", protocol: "http", pool: given.map(([name]) => name) } };
  const full = Object.fromEntries(given.map(([name, pool]) => [name, { servers, ...pool }]));
  return stringify({ services: services ?? user, pools: full, ...rest });
}

for (const name of readdirSync(docs).filter((file) => file.endsWith(".md") && file !== "architecture.md")) {
  const page = readFileSync(new URL(name, docs), "utf8");

  describe(`docs/${name}, ours`, () => {
    blocks(page, "yaml").forEach(([heading, block], index) => {
      test(`${index + 1}: ${heading}`, () => {
        const { problems } = loadConfig({ text: whole(block), name: join(folder, "holdfast.yaml") });
        expect(problems.filter(({ severity }) => severity === "error")).toEqual([]);
      });
    });
  });

  describe(`docs/${name}, HAProxy's`, () => {
    blocks(page, "haproxy").forEach(([heading, block], index) => {
      test(`${index + 1}: ${heading}`, () => {
        const file = join(folder, "haproxy.cfg");
        writeFileSync(file, HAPROXY_DEFAULTS + block);
        const { exitCode, stderr } = Bun.spawnSync(["haproxy", "-c", "-f", file], { cwd: folder, stderr: "pipe" });
        expect({ exitCode, said: exitCode === 0 ? "" : stderr.toString() }).toEqual({ exitCode: 0, said: "" });
      });
    });
  });
}
