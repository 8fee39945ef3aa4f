/** One mistake in a file, as `check`, `reload` and the admin API show it. */
import type { ErrorCode } from "../errors.ts";

/** Where a value stands in the configuration: `["pools", "rds", "servers", "rds1"]`. */
export type Path = readonly (string | number)[];

/** Offsets in the text, the second behind the last character. */
export type Range = readonly [from: number, to: number];

/** A mistake or a warning for people. Lines and columns count from 1, columns in characters. */
export interface Problem {
  readonly code: ErrorCode;
  /** A warning does not keep the file from being used. */
  readonly severity: "error" | "warning";
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Behind the last character on that line. */
  readonly endColumn: number;
  /** JSON Pointer (RFC 6901) into the configuration. */
  readonly pointer: string;
  readonly message: string;
  /** What may stand there. */
  readonly expected?: string;
  /** What to do, as sentences. */
  readonly hint?: string;
}

/** A mistake in the text itself. */
export interface TextFinding {
  readonly code: ErrorCode;
  readonly path: Path;
  readonly range: Range;
  readonly message: string;
  readonly expected?: string | undefined;
  readonly hint?: string | undefined;
}

/** A mistake before it has a place in the text. */
export interface Finding {
  readonly code: ErrorCode;
  readonly path: Path;
  /** Point at the key or at the value. */
  readonly at: "key" | "value";
  readonly message: string;
  readonly expected?: string | undefined;
  readonly hint?: string | undefined;
  /** The key of the mapping at `path` that is missing, or of its parent that was meant: one may be the other's cause. */
  readonly about?: string | undefined;
}

/** The longest piece of the file that a message repeats. */
const MAX_QUOTED = 60;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text of the file for a terminal or a log: what could move the cursor or turn the writing direction is replaced. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, "\u00b7");
}

/** A piece of the file inside a message. */
export function quote(value: unknown): string {
  if (value === "") return '`""`';
  const characters = [...printable(String(value)).slice(0, 2 * MAX_QUOTED)];
  const cut = characters.length > MAX_QUOTED ? `${characters.slice(0, MAX_QUOTED).join("")}…` : characters.join("");
  return `\`${cut}\``;
}

/** JSON Pointer (RFC 6901) of a path. */
export function pointerTo(path: Path): string {
  return path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** Where the lines of a text begin; turns offsets into lines and columns. */
export class Lines {
  readonly text: string;
  readonly #starts: number[] = [0];
  /** Where the last counting of characters ended: problems come in file order, and a line may be the whole file. */
  #counted = { line: 0, offset: 0, column: 1 };

  constructor(text: string) {
    this.text = text;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.#starts.push(at + 1);
  }

  /** The line of an offset, from 1. */
  lineOf(offset: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  }

  /** Line and columns of a range; one that goes over several lines ends with its first. */
  locate([from, to]: Range): { line: number; column: number; endColumn: number } {
    const line = this.lineOf(from);
    const start = this.#starts[line - 1]!;
    const last = this.#counted;
    const isAhead = last.line === line && last.offset <= from;
    const column = isAhead
      ? last.column + characters(this.text.slice(last.offset, from))
      : 1 + characters(this.text.slice(start, from));
    this.#counted = { line, offset: from, column };
    const end = Math.min(to, start + this.line(line).length);
    return { line, column, endColumn: column + Math.max(1, characters(this.text.slice(from, end))) };
  }

  /** The text of a line, without its end. */
  line(line: number): string {
    const end = this.#starts[line] ?? this.text.length + 1;
    return this.text.slice(this.#starts[line - 1], end - 1).replace(/\r$/, "");
  }
}

function characters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
