/**
 * Golden files: a configuration, a rule, and what Holdfast makes of it. After `----` stand the parts whose values are
 * compared, as JSON; for a file with mistakes or warnings it is what `holdfast check` prints. The file's name is the test's.
 * GOLDEN=write writes them anew: read the difference before it is kept.
 */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { loadConfig } from "../../src/config/load.ts";
import { countProblems, printProblems } from "../../src/config/print.ts";
import { type Cidr, formatCidr } from "../../src/protocols/address.ts";

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
  const { config, problems, text } = loadConfig({ text: yaml, name: "/etc/holdfast/holdfast.yaml" });
  const printed = printProblems(problems, { excerpts: true, colour: false, text }).replaceAll("/etc/holdfast/", "");
  const counted = problems.length === 0 ? "" : `${printed}${countProblems(problems)}\n`;
  if (config === undefined) return counted;
  const values = parts.filter((part) => part !== "").map((part) => `${part} = ${show(valueAt(config, part))}\n`);
  return counted + values.join("");
}

function valueAt(config: unknown, part: string): unknown {
  return part.split(".").reduce((value, key) => (value as Record<string, unknown>)[key], config);
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, inner) => (isCidr(inner) ? formatCidr(inner) : inner)) ?? "nothing";
}

function isCidr(value: unknown): value is Cidr {
  return typeof value === "object" && value !== null && "address" in value && value.address instanceof Uint8Array;
}
