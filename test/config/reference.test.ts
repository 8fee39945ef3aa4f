import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { parse } from "yaml";
import * as choices from "../../src/config/choices.ts";
import { configJsonSchema, type SchemaNode, schemaNodes } from "../../src/config/json-schema.ts";
import { GENERATED } from "../../src/config/reference.ts";
import { ERRORS, type ErrorEntry } from "../../src/errors.ts";

const root = new URL("../../", import.meta.url);

describe("pages", () => {
  test.each(Object.keys(GENERATED))("%s is what the program makes of itself", (path) => {
    const fresh = GENERATED[path]!();
    // On a difference: bun run src/config/reference.ts --write
    expect(readFileSync(new URL(path, root), "utf8")).toBe(fresh);
  });

  test("the headings of docs/errors.md are the codes, in both directions", () => {
    const page = readFileSync(new URL("docs/errors.md", root), "utf8");
    const headings = [...page.matchAll(/^## (.+)$/gm)].map((match) => match[1]);
    expect(headings).toEqual(Object.keys(ERRORS));
  });

  test("every key says what it is for", () => {
    for (const [path, node] of keysOf(schemaNodes, "")) {
      if (node.description === undefined) throw new Error(`${path} has no description`);
      expect(node.description).toMatch(/\.$/);
    }
  });
});

describe("errors", () => {
  test("every code has a kind, a title and what to do", () => {
    for (const [code, { title, whatToDo }] of Object.entries<ErrorEntry>(ERRORS)) {
      expect(code).toMatch(/^[a-z]+\/[a-z-]+$/);
      expect(title).toMatch(/^\S.*[^.]$/);
      expect(whatToDo).toMatch(/\.$/);
    }
  });

  test("every code of a file is shown by a golden file", () => {
    const folder = new URL("golden/", import.meta.url);
    const goldens = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), "utf8"));
    const elsewhere = ["config/unreadable-file", "config/too-large", "config/too-many-servers"]; // load.test.ts
    const sources = new URL("src/config/", root);
    const program = readdirSync(sources).map((file) => readFileSync(new URL(file, sources), "utf8"));
    const unseen = Object.keys(ERRORS)
      .filter((code) => program.some((source) => source.includes(`"${code}"`)) && !elsewhere.includes(code))
      .filter((code) => !goldens.some((golden) => golden.includes(`[${code.replace("config/", "")}]`)));
    expect(unseen).toEqual([]);
  });
});

describe("the JSON Schema for editors", () => {
  const schema = configJsonSchema() as SchemaNode;

  test("has nothing of our own in it", () => {
    expect(JSON.stringify(schema)).not.toContain("config/bad-");
    expect(JSON.stringify(schema)).not.toContain('"expected":');
  });

  test("offers the choices and defaults of a key, and text for quantities", () => {
    const pool = schema.properties!.pools!.additionalProperties as SchemaNode;
    expect(pool.properties!.algorithm!.enum).toEqual(choices.ALGORITHMS);
    expect(pool.properties!.algorithm!.default).toBe("least-connections");
    expect(pool.properties!.ramp).toMatchObject({ type: "string", default: "0s" });
  });

  test("knows every key of the examples", () => {
    for (const example of readdirSync(new URL("examples/", root))) {
      const value: unknown = parse(readFileSync(new URL(`examples/${example}`, root), "utf8"));
      expect(unknownKeys(schema, value)).toEqual([]);
    }
    expect(unknownKeys(schema, { services: { a: { port: 1 } } })).toEqual(["port"]);
  });
});

function* keysOf(node: SchemaNode, path: string): Generator<[string, SchemaNode]> {
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    yield [`${path}/${key}`, child];
    yield* keysOf(child, `${path}/${key}`);
  }
  const inner = [node.additionalProperties || undefined, node.items, ...(node.anyOf ?? []), ...(node.oneOf ?? [])];
  for (const child of inner) if (child !== undefined) yield* keysOf(child, `${path}/*`);
}

/** Keys of `value` that no form of the schema has. */
function unknownKeys(node: SchemaNode, value: unknown): string[] {
  const forms = [node, ...(node.anyOf ?? []), ...(node.oneOf ?? [])];
  if (Array.isArray(value)) {
    const items = forms.find((form) => form.items)?.items;
    return items === undefined ? ["a list"] : value.flatMap((item) => unknownKeys(items, item));
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const child = forms.flatMap((form) => form.properties?.[key] ?? (form.additionalProperties || []))[0];
    return child === undefined ? [key] : unknownKeys(child, inner);
  });
}
