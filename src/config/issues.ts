/** What the schema refused, in words: zod's issues to findings. */
import type { z } from "zod";
import { NOT_YET } from "./choices.ts";
import { childOf, nodeAt, type SchemaNode, schemaNodes } from "./json-schema.ts";
import { type Finding, type Path, quote } from "./problem.ts";
import { NAME_RULE } from "./section.ts";
import { nearest } from "./suggest.ts";

type Issue = z.core.$ZodIssue;

/** The longest list of what is possible; beyond it a list says less than the reference page. */
const MAX_LISTED = 24;
/** With a suggestion, so many of the possible words are shown. */
const LISTED_BESIDE_HINT = 3;

/** Findings for the issues that the schema raised about `file`, the values of the whole file. */
export function explainIssues(issues: readonly Issue[], file: unknown): Finding[] {
  return issues.flatMap((issue) => explain(issue, [], file));
}

function explain(issue: Issue, base: Path, file: unknown): Finding[] {
  const path: Path = [...base, ...(issue.path as Path)];
  const value = path.reduce(childOf, file);
  if (value === undefined && !isMissing(path, file)) return []; // behind an alias of nothing, which was reported
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownKey(key, path, file));
    case "invalid_key":
      return [badName(path, nodeAt(path.slice(0, -1), file)?.keys)];
    case "invalid_union": {
      if (issue.errors.length === 0) return [badKind(issue, path, file)];
      const meant = issue.errors.find((errors) => !errors.some((inner) => isOtherForm(inner, value)));
      if (meant !== undefined) return meant.flatMap((inner) => explain(inner as Issue, path, file));
      return [isMissing(path, file) ? missingKey(path, file) : notOne(path, value, nodeAt(path, file))];
    }
    case "too_small":
    case "too_big":
      return [outOfRange(issue, path, value, nodeAt(path, file))];
    case "custom": {
      const { hint, message } = (issue.params ?? {}) as { hint?: string; message?: string };
      const finding = notOne(path, value, nodeAt(path, file), hint);
      return [
        message === undefined ? finding : { ...finding, code: "config/out-of-range", message, expected: undefined },
      ];
    }
    default:
      return [isMissing(path, file) ? missingKey(path, file) : notOne(path, value, nodeAt(path, file))];
  }
}

/** Of a union's forms, one that the value does not even try to be: text where there is a mapping. */
function isOtherForm(issue: Issue, value: unknown): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === "invalid_type") return true;
  if (issue.code === "invalid_value") return typeof value === "object" && value !== null;
  return (
    issue.code === "invalid_union" &&
    issue.errors.length > 0 &&
    issue.errors.every((errors) => errors.some((inner) => isOtherForm(inner, value)))
  );
}

function isMissing(path: Path, file: unknown): boolean {
  const key = path.at(-1);
  if (typeof key !== "string") return false;
  const parent = path.slice(0, -1).reduce(childOf, file);
  return typeof parent === "object" && parent !== null && !Object.hasOwn(parent, key);
}

function missingKey(path: Path, file: unknown): Finding {
  const key = String(path.at(-1));
  const parent = path.slice(0, -1);
  const title = nodeAt(parent, file)?.title ?? "this mapping";
  return {
    code: "config/missing-key",
    path: parent,
    at: "key",
    message: `${title} needs ${quote(key)}`,
    about: key,
    expected: expectedOf(nodeAt(path, file)),
  };
}

function unknownKey(key: string, path: Path, file: unknown): Finding {
  const node = nodeAt(path, file);
  const title = node?.title ?? "this mapping";
  const known = Object.keys(node?.properties ?? {});
  const near = nearest(key, known);
  const at = { path: [...path, key], at: "key" } as const;
  if (near === undefined && NOT_YET.has(key)) {
    return { code: "config/not-available", ...at, message: `${quote(key)} is not available in this version` };
  }
  const hint = near === undefined ? belongsElsewhere(key) : `Did you mean \`${near}\`?`;
  return {
    code: "config/unknown-key",
    ...at,
    message: `${title} has no key ${quote(key)}`,
    expected: list(known, hint !== undefined),
    hint,
    about: near,
  };
}

/** Which sections have a key, for one that is at the wrong place, mostly by its indentation. */
const sectionsWith = new Map<string, Set<string>>();
collectKeys(schemaNodes);

function collectKeys(node: SchemaNode): void {
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    const sections = sectionsWith.get(key) ?? new Set();
    sectionsWith.set(key, sections.add(node.title ?? ""));
    collectKeys(child);
  }
  const inner = [node.additionalProperties || undefined, node.items, ...(node.anyOf ?? []), ...(node.oneOf ?? [])];
  for (const child of inner) if (child !== undefined) collectKeys(child);
}

function belongsElsewhere(key: string): string | undefined {
  const sections = [...(sectionsWith.get(key) ?? [])];
  if (sections.length === 0 || sections.length > 3) return undefined;
  const owners = [sections.slice(0, -1).join(", "), sections.at(-1)!].filter((words) => words !== "").join(" and ");
  return `${owners[0]!.toUpperCase()}${owners.slice(1)} ${sections.length === 1 ? "has" : "have"} that key.`;
}

function badName(path: Path, rule: string | undefined): Finding {
  return {
    code: "config/bad-name",
    path,
    at: "key",
    message: `${quote(path.at(-1))} cannot be a name`,
    expected: rule ?? NAME_RULE,
  };
}

/** A check or an agent of a kind that there is none of. */
function badKind(issue: Issue, path: Path, file: unknown): Finding {
  if (isMissing(path, file)) {
    const kinds = nodeAt(path.slice(0, -1), file)?.oneOf?.map((kind) => kindOf(kind, String(path.at(-1)))) ?? [];
    return { ...missingKey(path, file), expected: list(kinds, false) };
  }
  const options = "options" in issue ? ((issue.options ?? []) as string[]) : [];
  const title = nodeAt(path.slice(0, -1), file)?.title ?? "a choice";
  return badChoice(path, path.reduce(childOf, file), title, options);
}

function kindOf(node: SchemaNode, key: string): string {
  return node.properties?.[key]?.const ?? "";
}

function badChoice(path: Path, value: unknown, title: string, options: readonly string[]): Finding {
  const near = typeof value === "string" ? nearest(value, options) : undefined;
  const planned = near === undefined && typeof value === "string" && NOT_YET.has(value);
  return {
    code: planned ? "config/not-available" : "config/bad-choice",
    path,
    at: "value",
    message: planned
      ? `${title} ${quote(value)} is not available in this version`.replace(/^an? /, "")
      : isNot(value, title),
    expected: list(options, false),
    hint: near === undefined ? undefined : `Did you mean \`${near}\`?`,
  };
}

function outOfRange(issue: Issue, path: Path, value: unknown, node: SchemaNode | undefined): Finding {
  const few = issue.code === "too_small";
  const finding = { code: "config/out-of-range", path, at: "value" } as const;
  if (Array.isArray(value)) {
    const most = "maximum" in issue ? `at most ${issue.maximum} items` : "at least one item";
    return { ...finding, message: few ? "an empty list says nothing" : "the list is too long", expected: most };
  }
  if (typeof value === "string") {
    const message = few ? "the text is empty" : `${quote(value)} is too long`;
    return { ...finding, message, expected: node?.expected };
  }
  return { ...finding, message: `${quote(value)} is too ${few ? "small" : "large"}`, expected: node?.expected };
}

/** A value that is not what its place takes. */
function notOne(path: Path, value: unknown, node: SchemaNode | undefined, hint?: string): Finding {
  const title = titleOf(node);
  const isScalar = typeof value !== "object" || value === null;
  if (node?.enum !== undefined && isScalar && value !== null) return badChoice(path, value, title, node.enum);
  return {
    code: (isScalar && value !== null ? node?.code : undefined) ?? "config/wrong-type",
    path,
    at: "value",
    message: isNot(value, title),
    expected: expectedOf(node),
    hint: hint ?? quotingHint(value, node),
  };
}

function isNot(value: unknown, title: string): string {
  if (value === null || value === undefined) return `there is no value: it must be ${title}`;
  const what = Array.isArray(value) ? "a list" : typeof value === "object" ? "a mapping" : quote(value);
  return `${what} is not ${title}`;
}

const BOOLEANS: Readonly<Record<string, boolean>> = { yes: true, on: true, no: false, off: false };

/** YAML's own trap: what quotes, or their absence, make of a word or a number. */
function quotingHint(value: unknown, node: SchemaNode | undefined): string | undefined {
  const types = [node?.type ?? []].flat();
  if (typeof value === "string" && types.includes("boolean")) {
    const meant = BOOLEANS[value.toLowerCase()] ?? (/^(true|false)$/i.test(value) ? value.toLowerCase() : undefined);
    return meant === undefined ? undefined : `Write \`${meant}\` without quotes.`;
  }
  if (typeof value === "string" && (types.includes("integer") || types.includes("number"))) {
    return /^\d{1,9}$/.test(value) ? `Write \`${value}\` without quotes.` : undefined;
  }
  const isBare = typeof value === "number" || typeof value === "boolean";
  return isBare && types.includes("string") && node?.code === undefined ? `Write \`"${value}"\` in quotes.` : undefined;
}

function titleOf(node: SchemaNode | undefined): string {
  if (node?.type === "object" && !/^an? /.test(node.title ?? "")) return "a mapping"; // known by its key, not by a noun
  if (node?.title !== undefined) return node.title;
  if (node?.const !== undefined) return quote(node.const);
  if (node?.anyOf !== undefined) return [...new Set(node.anyOf.map(titleOf))].join(" or ");
  if (node?.type === "array") return node.items === undefined ? "a list" : `a list of these`;
  return node?.type === "object" ? "a mapping" : "what belongs here";
}

function expectedOf(node: SchemaNode | undefined): string | undefined {
  if (node?.expected !== undefined) return node.expected;
  if (node?.enum !== undefined) return list(node.enum, false);
  if (node?.oneOf !== undefined || node?.properties !== undefined || node?.additionalProperties) return "a mapping";
  if (node?.type === "array") return "a list";
  if (node?.anyOf === undefined) return undefined;
  const forms = node.anyOf.flatMap((form) => (form.type === "array" ? ["a list of them"] : (expectedOf(form) ?? [])));
  return forms.length === 0 ? undefined : [...new Set(forms)].join("; or ");
}

function list(words: readonly string[], isShort: boolean): string | undefined {
  const most = isShort ? LISTED_BESIDE_HINT : MAX_LISTED;
  if (words.length === 0) return undefined;
  return words.slice(0, most).join(", ") + (words.length > most ? ", ..." : "");
}
