/** The pages that are made from the program: `bun run src/config/reference.ts --write` writes them, a test compares them. */
import { readFileSync, writeFileSync } from "node:fs";
import { ERRORS, type ErrorEntry } from "../errors.ts";
import { type SchemaNode, schemaNodes } from "./json-schema.ts";
import { NAME_RULE } from "./section.ts";

const root = new URL("../../", import.meta.url);

/** Files that are made, and what makes them. */
export const GENERATED: Readonly<Record<string, () => string>> = {
  "docs/configuration.md": configurationPage,
  "docs/errors.md": errorsPage,
};

const EXAMPLES = [
  ["Two terminal servers; users come back to their session", "examples/rdp.yaml"],
  ["Any TCP; the address that was dialled decides", "examples/by-address.yaml"],
  ["HTTP with a sticky cookie, a load agent on each server and a spare", "examples/web.yaml"],
  ["A streaming cluster: TLS ends here, control connections are pinned by host", "examples/streaming.yaml"],
] as const;

/** Every key with its type, default and meaning. */
export function configurationPage(): string {
  const examples = EXAMPLES.flatMap(([title, path]) => [
    `**${title}** (\`${path}\`)`,
    `\`\`\`yaml\n${readFileSync(new URL(path, root), "utf8").trimEnd()}\n\`\`\``,
  ]);
  return `${[
    "<!-- Made by `bun run src/config/reference.ts --write`: change the schema in src/config, not this page. -->",
    "# Configuration",
    "Holdfast reads one YAML file. `holdfast check -c FILE` names every mistake in it with line and column; `holdfast reload` applies it, and changes nothing if there is a mistake. Every key that is not marked *needed* has a default that suits a production server.",
    "## Examples",
    ...examples,
    "## How values are written",
    [
      "| value | written | meaning |",
      "|---|---|---|",
      "| duration | `250ms` `2s` `10m` `8h` `7d` | always with its unit |",
      "| rate | `50/s` `600/m` `1000/h` | how many in a second, minute or hour |",
      "| size | `512B` `16KiB` `1MiB` | always with its unit |",
      "| share | `50%` | |",
      "| host | `www.example.test` `*.example.test` | without a port; `*.` stands for one label or more |",
      "| address to listen on | `10.0.0.1:3389` `[::1]:3389` `:3389` | without a host: every address of the machine, IPv4 and IPv6 |",
      "| a server's address | `10.0.0.1:3389` `[fd00::1]:3389` `rds1.example.test:3389` | a name is looked up again as it changes |",
      "| network | `10.0.0.0/8` `fd00::/8` `10.0.0.7` | |",
      `| name | \`rds1\` \`site-2.desktops\` | ${NAME_RULE} |`,
      "| list of one | `x` or `[x]` | where a list may stand, one value may stand alone |",
    ].join("\n"),
    'Addresses that begin with `[` need quotes: `"[::1]:3389"`. Anchors (`&name`), aliases (`*name`) and merge keys (`<<: *name`) work. Files that are named in the file are beside it.',
    ...sections(schemaNodes, [], 2),
  ].join("\n\n")}\n`;
}

/** The parts of a mapping as a table, then each part that is a mapping itself. */
function sections(node: SchemaNode, path: readonly string[], level: number): string[] {
  const heading = path.length === 0 ? "The file" : `\`${path.join(".")}\``;
  const forms = node.oneOf ?? [node];
  const pages = [`${"#".repeat(Math.min(level, 4))} ${heading}`];
  if (node.description !== undefined && path.length > 0) pages.push(node.description);
  for (const form of forms) {
    if (node.oneOf !== undefined) pages.push(`**${titleOf(form)}**`);
    const rows = Object.entries(form.properties ?? {}).map(([key, child]) => row(key, child, form.required ?? []));
    pages.push(["| key | value | default | meaning |", "|---|---|---|---|", ...rows].join("\n"));
  }
  const seen = new Set<string>();
  for (const [key, child] of forms.flatMap((form) => Object.entries(form.properties ?? {}))) {
    const inner = mappingIn(child);
    if (inner === undefined || seen.has(key)) continue;
    seen.add(key);
    const step = child.additionalProperties ? [key, "NAME"] : [key];
    pages.push(...sections(inner, [...path, ...step], level + 1));
  }
  return pages;
}

/** The mapping that a value is, or holds as its members; nothing for plain values. */
function mappingIn(node: SchemaNode): SchemaNode | undefined {
  if (node.properties !== undefined || node.oneOf !== undefined) return node;
  if (node.additionalProperties) return mappingIn(node.additionalProperties);
  if (node.items !== undefined) return mappingIn(node.items);
  const found = node.anyOf?.map(mappingIn).find((inner) => inner !== undefined);
  return found;
}

function row(key: string, node: SchemaNode, required: readonly string[]): string {
  const standard = required.includes(key) ? "*needed*" : defaultOf(node);
  return `| \`${key}\` | ${cell(kindOf(node))} | ${standard} | ${cell(node.description ?? "")} |`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function defaultOf(node: SchemaNode): string {
  const value = node.default;
  if (value === undefined || typeof value === "object") return "";
  return `\`${value}\``;
}

/** What may stand there, in a few words. */
function kindOf(node: SchemaNode): string {
  if (node.const !== undefined) return `\`${node.const}\``;
  if (node.enum !== undefined) return node.enum.map((word) => `\`${word}\``).join(" ");
  if (node.additionalProperties && mappingIn(node) === undefined) {
    return `a mapping: each name to ${kindOf(node.additionalProperties)}`;
  }
  if (mappingIn(node) === node || node.additionalProperties) return "a mapping, below";
  if (node.type === "array")
    return node.title ?? `a list of ${node.items === undefined ? "values" : kindOf(node.items)}`;
  if (node.anyOf !== undefined) {
    const forms = node.anyOf.map((form) => (form.type === "array" ? "a list of them" : kindOf(form)));
    return [...new Set(forms)].join(", or ");
  }
  return node.code === undefined
    ? node.type === "string"
      ? (node.title ?? "text")
      : (node.expected ?? node.title ?? "")
    : (node.title ?? "text");
}

function titleOf({ title = "" }: SchemaNode): string {
  return `${title[0]?.toUpperCase() ?? ""}${title.slice(1)}`;
}

/** Every code that a person may meet, with what to do. */
export function errorsPage(): string {
  const entries = Object.entries<ErrorEntry>(ERRORS).map(([code, { title, status, exit, whatToDo }]) => {
    const carriers = [
      status === undefined ? "" : `HTTP status ${status}.`,
      exit === undefined ? "" : `Exit code ${exit}.`,
    ].filter((text) => text !== "");
    return [`## ${code}`, `**${title}.** ${[whatToDo, ...carriers].join(" ")}`].join("\n\n");
  });
  return `${[
    "<!-- Made by `bun run src/config/reference.ts --write` from src/errors.ts. -->",
    "# Errors",
    "Every message carries a code. `holdfast check` prints those of a file without `config/`.",
    ...entries,
  ].join("\n\n")}\n`;
}

if (import.meta.main && process.argv.includes("--write")) {
  for (const [path, page] of Object.entries(GENERATED)) writeFileSync(new URL(path, root), page());
}
