/** The files that a configuration names: certificates, keys, pages. Their content is part of the configuration. */
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { childOf, type SchemaNode, schemaNodes, settle } from "./json-schema.ts";
import { MAX_FILE, NamedFile } from "./named-file.ts";
import { type Finding, type Path, quote } from "./problem.ts";

/** Files by what is written, and those that cannot be read. */
export interface NamedFiles {
  readonly files: ReadonlyMap<string, NamedFile>;
  readonly findings: readonly Finding[];
}

/** Reads what `file` (the values as they were written) names; relative to `folder`. Never throws. */
export function readNamedFiles(file: unknown, folder: string): NamedFiles {
  const files = new Map<string, NamedFile>();
  const findings: Finding[] = [];
  const refused = new Map<string, Pick<Finding, "code" | "message">>();
  for (const { written, path } of filesIn(schemaNodes, file, [])) {
    if (files.has(written)) continue;
    const read = refused.get(written) ?? readNamed(written, folder);
    if (read instanceof NamedFile) {
      files.set(written, read);
      continue;
    }
    refused.set(written, read);
    findings.push({ ...read, path, at: "value" });
  }
  return { files, findings };
}

function readNamed(written: string, folder: string): NamedFile | Pick<Finding, "code" | "message"> {
  const path = resolve(folder, written);
  const unreadable = (why: string) => ({ code: "config/unreadable-file", message: `${quote(path)}: ${why}` }) as const;
  try {
    const about = statSync(path);
    if (about.isDirectory()) return unreadable("this is a folder, not a file");
    if (!about.isFile()) return unreadable("this is not a file"); // reading a pipe would wait for its writer
    if (about.size > MAX_FILE) {
      return { code: "config/too-large", message: `${quote(path)} is larger than 1 MiB` };
    }
    return new NamedFile(path, readFileSync(path));
  } catch (error) {
    return unreadable(wordsOf(error));
  }
}

/** Why a file could not be read. */
export function wordsOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES" || code === "EPERM") return "this user may not read the file";
  return `the file cannot be read (${code ?? "unknown error"})`;
}

function* filesIn(
  node: SchemaNode | undefined,
  value: unknown,
  path: Path,
): Generator<{ written: string; path: Path }> {
  if (node === undefined) return;
  const here = settle(node, value);
  if (here.file === true) {
    if (typeof value === "string" && value !== "") yield { written: value, path };
    return;
  }
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* filesIn(here.items, item, [...path, index]);
  } else if (typeof value === "object" && value !== null) {
    for (const key of Object.keys(value)) {
      const inner = here.properties?.[key] ?? (here.additionalProperties || undefined);
      yield* filesIn(inner, childOf(value, key), [...path, key]);
    }
  }
}

/** The same values with files that were read in the place of those that were named. */
export function withFiles<T>(value: T, files: ReadonlyMap<string, NamedFile>): T {
  if (value instanceof NamedFile) return (files.get(value.path) ?? value) as T;
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map((item) => withFiles(item, files)) as T;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withFiles(inner, files)])) as T;
}
