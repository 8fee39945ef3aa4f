/** What the YAML parser says, in words for the person who wrote the file. */
import type { YAMLParseError } from "yaml";
import type { Range, TextFinding } from "./problem.ts";

const MESSAGES: Readonly<Record<string, string>> = {
  BAD_ALIAS: "an alias without a name",
  BAD_COLLECTION_TYPE: "a tag that does not fit the value",
  BAD_DIRECTIVE: "a directive that YAML does not know",
  BAD_DQ_ESCAPE: "an escape that YAML does not know, in double quotes",
  BAD_INDENT: "the indentation does not fit the lines above",
  BAD_PROP_ORDER: "an anchor or a tag at the wrong place",
  BAD_SCALAR_START: "a value cannot begin with this character",
  BLOCK_AS_IMPLICIT_KEY: "a mapping begins in the middle of a line, or the next line is indented too far",
  BLOCK_IN_FLOW: "an indented block inside brackets",
  DUPLICATE_KEY: "a key is written twice",
  IMPOSSIBLE: "this cannot be read",
  KEY_OVER_1024_CHARS: "a key longer than 1,024 characters",
  MISSING_CHAR: "a quote, bracket, comma, colon or space is missing",
  MULTILINE_IMPLICIT_KEY: "a key must stand on one line, or a colon is missing",
  MULTIPLE_ANCHORS: "two anchors on one value",
  MULTIPLE_DOCS: "a second document begins here: a configuration is one",
  MULTIPLE_TAGS: "two tags on one value",
  NON_STRING_KEY: "a key must be text",
  TAB_AS_INDENT: "a tab in the indentation",
  TAG_RESOLVE_FAILED: "a tag that does not fit the value",
  UNEXPECTED_TOKEN: "something stands here that does not belong to the value before it",
  RESOURCE_EXHAUSTION: "the file is nested too deeply",
};

const HINTS: Readonly<Record<string, string>> = {
  BAD_SCALAR_START: "Put the value in quotes.",
  TAB_AS_INDENT: "Indent with spaces.",
};

/** The parser's own words that are better than ours, because they say which character. */
const MISSING = /^Missing (.+?)(?: in .*| between .*)?$/;

/**
 * The mistakes in the syntax, in file order. One that stands on the line of another or on the next, or is of a kind that
 * was shown, is mostly its consequence and left out.
 */
export function explainSyntaxErrors(text: string, errors: readonly YAMLParseError[]): TextFinding[] {
  const findings: TextFinding[] = [];
  const seen = new Set<string>();
  let free = 0; // offset from which an error is not taken for a consequence
  for (const error of errors.toSorted((a, b) => a.pos[0] - b.pos[0])) {
    const [from, to] = placeOf(error, text);
    if (seen.has(error.code) || from < free) continue;
    seen.add(error.code);
    const lineEnd = text.indexOf("\n", from);
    const nextEnd = lineEnd < 0 ? -1 : text.indexOf("\n", lineEnd + 1);
    free = nextEnd < 0 ? text.length + 1 : nextEnd + 1;
    findings.push({
      code: "config/bad-yaml",
      path: [],
      range: [from, Math.max(to, from + 1)],
      message: messageOf(error),
      hint: ipv6Hint(text, from) ?? HINTS[error.code],
    });
  }
  return findings;
}

/** A quote that is never closed swallows the rest of the text: the place to mend is where it opens, the last there is. */
function placeOf({ code, message, pos }: YAMLParseError, text: string): Range {
  const open = code === "MISSING_CHAR" ? /^Missing closing (['"])quote/.exec(message)?.[1] : undefined;
  const at = open === undefined ? -1 : text.lastIndexOf(open);
  return at < 0 ? pos : [at, at + 1];
}

function messageOf({ code, message }: YAMLParseError): string {
  if (message.startsWith("Missing closing ")) return "this quote is never closed";
  const bracket = code === "BAD_INDENT" ? /must be .* end with a (.)$/.exec(message)?.[1] : undefined;
  if (bracket !== undefined) return `a closing ${bracket} is missing before this line`;
  const missing = code === "MISSING_CHAR" ? MISSING.exec(message) : null;
  if (missing !== null) return `${missing[1]} is missing here`;
  return MESSAGES[code] ?? "this is not YAML";
}

/** `listen: [::1]:3389` without quotes is the most likely mistake of this product's files. */
function ipv6Hint(text: string, offset: number): string | undefined {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const line = text.slice(start, Math.min(offset + 100, start + 1_000)).split("\n", 1)[0]!;
  const address = /(?<!["'])(\[[0-9a-f:.]*:[0-9a-f:.]*\]:\d{1,5})/i.exec(line)?.[1];
  return address === undefined ? undefined : `Put the address in quotes: \`"${address}"\`.`;
}
