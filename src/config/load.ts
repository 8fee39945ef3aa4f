/** From a file to a configuration, or to every mistake in it at once. */
import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { advise } from "./advice.ts";
import { checkCertificates } from "./certificate-files.ts";
import { readNamedFiles, withFiles, wordsOf } from "./files.ts";
import { explainIssues } from "./issues.ts";
import { type Finding, Lines, type Path, type Problem, pointerTo, quote, type Range } from "./problem.ts";
import { checkReferences } from "./references.ts";
import { type Config, configSchema } from "./schema.ts";
import { MAX_TEXT, readYaml, type Spot, type YamlText } from "./yaml.ts";

/** A text instead of a file. `name` is what messages call it, and paths in it are beside it. */
export interface ConfigText {
  readonly text: string;
  readonly name: string;
}

/** A configuration with its warnings, or no configuration and the mistakes; both in file order. `text` is for excerpts. */
export type LoadedConfig =
  | { readonly config: Config; readonly problems: readonly Problem[]; readonly text: string }
  | { readonly config: undefined; readonly problems: readonly Problem[]; readonly text: string };

/** Most mistakes that are kept; a file with more is not a configuration. */
const MAX_PROBLEMS = 1_000;
/** So many uses of a value behind an alias are named. */
const MAX_USES = 3;

/** What those who will use a configuration find wrong with it, once it is right by itself. */
export type Trial = (config: Config) => readonly Finding[];

/**
 * Reads the file at a path, or a text, and the files that it names. `nowMs`: for what ends soon. `trial`: asked last. Never
 * throws.
 */
export function loadConfig(
  source: string | ConfigText,
  nowMs: number = Date.now(),
  trial: Trial = () => [],
): LoadedConfig {
  if (typeof source !== "string") return loadText(source, nowMs, trial);
  const read = readText(source);
  if ("text" in read) return loadText({ text: read.text, name: source }, nowMs, trial);
  const { code, message } = read;
  const place = { file: source, line: 1, column: 1, endColumn: 2, pointer: "" };
  return { config: undefined, problems: [{ code, severity: "error", ...place, message }], text: "" };
}

type Unread = {
  readonly code: "config/unreadable-file" | "config/too-large" | "config/bad-yaml";
  readonly message: string;
};

function readText(path: string): { text: string } | Unread {
  try {
    const about = statSync(path);
    if (about.isDirectory()) return { code: "config/unreadable-file", message: "this is a folder, not a file" };
    if (about.size > 4 * MAX_TEXT) return { code: "config/too-large", message: "the file is larger than 1 MiB" };
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path)) };
  } catch (error) {
    if (error instanceof TypeError) return { code: "config/bad-yaml", message: "the file is not UTF-8 text" };
    return { code: "config/unreadable-file", message: wordsOf(error) };
  }
}

function loadText({ text, name }: ConfigText, nowMs: number, trial: Trial): LoadedConfig {
  const yaml = readYaml(text);
  const place = new Placing(text, name, yaml);
  for (const { range, path, ...rest } of yaml.findings) place.add(range, path, "error", rest);
  if (yaml.value === undefined) return { config: undefined, problems: place.problems(), text };

  const file = yaml.value ?? {};
  const folder = dirname(resolve(name));
  const parsed = configSchema.safeParse(file);
  const issues = parsed.success ? [] : explainIssues(parsed.error.issues, file);
  const named = readNamedFiles(file, folder);
  const findings = [...issues, ...checkReferences(file), ...named.findings];
  for (const finding of withoutConsequences(findings)) place.addFinding(finding, "error");
  if (!parsed.success || place.count > 0) return { config: undefined, problems: place.problems(), text };

  const config = deepFreeze(withFiles(withPaths(parsed.data, folder), named.files));
  for (const finding of checkCertificates(config)) place.addFinding(finding, "error");
  if (place.count === 0) for (const finding of trial(config)) place.addFinding(finding, "error");
  if (place.count > 0) return { config: undefined, problems: place.problems(), text };
  for (const finding of advise(config, nowMs)) place.addFinding(finding, "warning");
  return { config, problems: place.problems(), text };
}

/** A key that is missing because it is misspelt is one mistake. */
function withoutConsequences(findings: readonly Finding[]): Finding[] {
  const meant = new Set<string>();
  for (const { code, path, about } of findings) {
    if (code === "config/unknown-key" && about !== undefined) meant.add(pointerTo([...path.slice(0, -1), about]));
  }
  return findings.filter(({ code, path, about }) => {
    return code === "config/unknown-key" || about === undefined || !meant.has(pointerTo([...path, about]));
  });
}

/** Codes that say that something is not there: after a mistake in the syntax it may be behind it. */
const ABSENCES: ReadonlySet<string> = new Set([
  ...["config/missing-key", "config/no-pool", "config/no-servers", "config/nothing-to-run"],
]);

interface Found {
  readonly range: Range;
  readonly path: Path;
  readonly severity: Problem["severity"];
  readonly words: Omit<Finding, "path" | "at">;
  /** "Used by …", where it came through an alias. */
  readonly uses: Set<string>;
}

/** Collects problems, gives each its place in the text, and leaves out what only follows from others. */
class Placing {
  readonly #lines: Lines;
  readonly #file: string;
  readonly #yaml: YamlText;
  readonly #found = new Map<string, Found>();

  constructor(text: string, file: string, yaml: YamlText) {
    this.#lines = new Lines(text);
    this.#file = file;
    this.#yaml = yaml;
  }

  addFinding({ path, at, ...rest }: Finding, severity: Problem["severity"]): void {
    const { spot, whole } = this.#spotOf(path);
    const range = at === "key" && spot.key !== undefined ? spot.key : spot.value;
    const reach = ABSENCES.has(rest.code) || !whole ? spot.value[1] : range[1];
    if (!this.#isSound(reach)) return;
    this.add(range, path, severity, rest, spot.usedAt);
  }

  /** The same mistake at the same place of the text counts once: a value behind an alias is checked at each use. */
  add(
    range: Range,
    path: Path,
    severity: Problem["severity"],
    words: Omit<Finding, "path" | "at">,
    usedAt?: number,
  ): void {
    const known = `${words.code} ${range[0]}`;
    const found = this.#found.get(known);
    const use = usedAt === undefined ? undefined : this.#usedBy(path, usedAt);
    if (found === undefined && this.#found.size < 2 * MAX_PROBLEMS) {
      this.#found.set(known, { range, path, severity, words, uses: new Set(use === undefined ? [] : [use]) });
    } else if (found !== undefined && use !== undefined && found.uses.size < MAX_USES) {
      found.uses.add(use);
    }
  }

  get count(): number {
    return this.#found.size;
  }

  /** In file order, at most MAX_PROBLEMS. */
  problems(): Problem[] {
    const sorted = [...this.#found.values()].toSorted((a, b) => a.range[0] - b.range[0]);
    return sorted.slice(0, MAX_PROBLEMS).map(({ range, path, severity, words, uses }) => {
      const { code, message, expected, hint } = words;
      const hints = [hint, ...uses].filter((text) => text !== undefined);
      return {
        code,
        severity,
        file: this.#file,
        ...this.#lines.locate(range),
        pointer: pointerTo(path),
        message,
        ...(expected === undefined ? {} : { expected }),
        ...(hints.length === 0 ? {} : { hint: hints.join(" ") }),
      };
    });
  }

  /** After a mistake in the syntax, what is behind it, and what ends right before it, may be its consequence. */
  #isSound(offset: number): boolean {
    const { soundTo } = this.#yaml;
    if (soundTo === Number.POSITIVE_INFINITY) return true;
    return offset < soundTo && this.#lines.text.slice(offset, soundTo).trim() !== "";
  }

  /** The spot of a path, or of the nearest value around it that is written in the file. */
  #spotOf(path: Path): { spot: Spot; whole: boolean } {
    let spot = this.#yaml.spot;
    for (const step of path) {
      const child = spot.children.get(String(step));
      if (child === undefined) return { spot, whole: false };
      spot = child;
    }
    return { spot, whole: true };
  }

  #usedBy([kind, name]: Path, usedAt: number): string {
    const user = name === undefined ? quote(kind) : `${String(kind).replace(/s$/, "")} ${quote(name)}`;
    return `Used by ${user}, line ${this.#lines.lineOf(usedAt)}.`;
  }
}

/** Paths of the file are beside it, whatever the folder the program was started in. */
function withPaths(config: Config, folder: string): Config {
  const { data, log, tokens } = config;
  return {
    ...config,
    ...(data === undefined ? {} : { data: resolve(folder, data) }),
    log: log.file === undefined ? log : { ...log, file: resolve(folder, log.file) },
    ...(tokens === undefined ? {} : { tokens: { keyFile: resolve(folder, tokens.keyFile) } }),
  };
}

/** Bytes of networks and files cannot be frozen; nobody has a reason to write to them. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}
