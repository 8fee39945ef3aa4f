/** Problems for a person: the place, an excerpt with carets, what was expected, what to do. */
import { Lines, type Problem, printable } from "./problem.ts";

export interface PrintOptions {
  /** With excerpts, for a terminal; else the first line of each problem. */
  readonly excerpts: boolean;
  /** ANSI colours beside the words. */
  readonly colour: boolean;
  /** The text that the problems are about. */
  readonly text: string;
}

/** More are counted, not shown. */
const MAX_SHOWN = 20;
/** Longest excerpt of a line, in characters. */
const MAX_EXCERPT = 100;

/** The problems as text, each line with its end. An empty text for no problems. */
export function printProblems(problems: readonly Problem[], options: PrintOptions): string {
  const lines = new Lines(options.text);
  const shown = problems.slice(0, MAX_SHOWN).flatMap((problem) => {
    const head = headOf(problem, options.colour);
    return options.excerpts ? [head, ...excerptOf(problem, lines, options.colour)] : [head];
  });
  const hidden = problems.length - MAX_SHOWN;
  if (hidden > 0) shown.push(`and ${hidden} more`);
  return shown.map((line) => `${line}\n`).join("");
}

/** How many of which: `3 errors`, `1 error and 2 warnings`, `no mistakes`. */
export function countProblems(problems: readonly Problem[]): string {
  const errors = problems.filter((problem) => problem.severity === "error").length;
  const parts = [plural(errors, "error"), plural(problems.length - errors, "warning")].filter((part) => part !== "");
  return parts.length === 0 ? "no mistakes" : parts.join(" and ");
}

function plural(count: number, word: string): string {
  return count === 0 ? "" : `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** `holdfast.yaml:6:11: error[unknown-pool]: service …`: the line that editors and scripts understand. */
function headOf({ file, line, column, severity, code, message }: Problem, colour: boolean): string {
  const sort = `${severity}[${code.replace(/^config\//, "")}]`;
  const painted = colour ? paint(severity === "error" ? RED : AMBER, sort) : sort;
  return `${printable(file)}:${line}:${column}: ${painted}: ${message}`;
}

function excerptOf(problem: Problem, lines: Lines, colour: boolean): string[] {
  const { line, column, endColumn, severity } = problem;
  const advice = [problem.expected === undefined ? undefined : `expected: ${problem.expected}`, problem.hint];
  const words = sentences(advice.filter((text) => text !== undefined));
  const source = [...maskSecrets(lines.line(line).replaceAll("\t", " "))];
  if (source.length === 0) return words === "" ? [] : [`       ${words}`];

  const start = Math.min(column - 21, source.length - MAX_EXCERPT); // some of what is before the place, and a full line
  const from = column < MAX_EXCERPT - 20 ? 0 : Math.max(0, start);
  const shown = source.slice(from, from + MAX_EXCERPT);
  const before = shown.slice(0, column - 1 - from);
  const marked = shown.slice(column - 1 - from, endColumn - 1 - from);
  const lead = from > 0 ? "…" : "";
  const tail = source.length > from + MAX_EXCERPT ? "…" : "";
  const indent = " ".repeat(Bun.stringWidth(printable(lead + before.join(""))));
  const carets = "^".repeat(Math.max(1, Bun.stringWidth(printable(marked.join("")))));
  const gutter = String(line).padStart(4);
  return [
    `${gutter} | ${printable(lead + shown.join("") + tail)}`,
    `${" ".repeat(gutter.length)} | ${indent}${colour ? paint(severity === "error" ? RED : AMBER, carets) : carets} ${words}`.trimEnd(),
  ];
}

/** `expected: rds. Did you mean `rds`?` */
function sentences(parts: readonly string[]): string {
  return parts.map((part, index) => (index < parts.length - 1 && !/[.?!]$/.test(part) ? `${part}.` : part)).join(" ");
}

/** Keys whose values are no business of a terminal or a log; files that hold them may be shown. */
const SECRET = /((?:password|passphrase|passwd|secret|token|credential|api-?key|private-?key)["']?\s*:\s+)(\S.*)$/i;
const URL_CREDENTIALS = /(:\/\/[^\s:/@]{0,256}:)[^\s@]{1,256}@/g;

/** The line with its secrets as asterisks, one for each character, so that columns stay. */
function maskSecrets(line: string): string {
  const stars = (text: string) => "*".repeat([...text].length);
  return line
    .replace(SECRET, (_, key: string, value: string) => key + stars(value))
    .replace(URL_CREDENTIALS, (whole, start: string) => `${start}${stars(whole.slice(start.length, -1))}@`);
}

const RED = 31;
const AMBER = 33;

function paint(colour: number, text: string): string {
  return `\u001b[${colour}m${text}\u001b[0m`;
}
