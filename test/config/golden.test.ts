/**
 * Golden files: a configuration, a rule, and what Holdfast makes of it. After `----` stand the parts whose values are
 * compared, as JSON; for a file with mistakes or warnings it is what `holdfast check` prints. The file's name is the test's.
 * GOLDEN=write writes them anew: read the difference before it is kept.
 */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { countProblems, printProblems } from "../../src/config/print.ts";
import { type Cidr, formatCidr } from "../../src/protocols/address.ts";
import { DAY_MS, makeFiles } from "./files.ts";

/** Stands for /etc/holdfast, with the files that the configurations name. */
const beside = mkdtempSync(join(tmpdir(), "holdfast-golden-"));
afterAll(() => rmSync(beside, { recursive: true }));
makeFiles(beside);
/** Between the ends of the certificates that end soon. */
const nowMs = Date.now() + 2.5 * DAY_MS;

const folder = new URL("golden/", import.meta.url);
const RULE = /^----(.*)$/m;

for (const file of readdirSync(folder)) {
  test(file.replace(/\.txt$/, "").replaceAll("-", " "), () => {
    const golden = readFileSync(new URL(file, folder), "utf8");
    const rule = RULE.exec(golden);
    if (rule === null) throw new Error(`${file} has no rule`);
    const yaml = golden.slice(0, rule.index);
    const parts = (rule[1] ?? "").trim().split(" ");
    const made = `${yaml}${rule[0]}\n${resultOf(yaml, parts)}`;
    if (process.env.GOLDEN === "write") writeFileSync(new URL(file, folder), made);
    else expect(made).toBe(golden);
  });
}

function resultOf(yaml: string, parts: readonly string[]): string {
  const { config, problems, text } = loadConfig({ text: yaml, name: join(beside, "holdfast.yaml") }, nowMs);
  const printed = printProblems(problems, { excerpts: true, colour: false, text }).replaceAll(`${beside}/`, "");
  const counted = problems.length === 0 ? "" : `${printed}${countProblems(problems)}\n`;
  if (config === undefined) return counted;
  const values = parts.filter((part) => part !== "").map((part) => `${part} = ${show(valueAt(config, part))}\n`);
  return (counted + values.join("")).replaceAll(beside, "/etc/holdfast");
}

function valueAt(config: unknown, part: string): unknown {
  return part.split(".").reduce((value, key) => (value as Record<string, unknown>)[key], config);
}

function show(value: unknown): string {
  return (
    JSON.stringify(value, (key, inner) => (isCidr(inner) ? formatCidr(inner) : key === "digest" ? "…" : inner)) ??
    "nothing"
  );
}

function isCidr(value: unknown): value is Cidr {
  return typeof value === "object" && value !== null && "address" in value && value.address instanceof Uint8Array;
}
