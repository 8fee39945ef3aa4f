/** YAML text to plain values, and where each of them is written. Aliases and merge keys are followed here, within bounds. */
import { type Alias, isAlias, isMap, isScalar, isSeq, type Node, parseDocument, type Scalar, type YAMLMap } from "yaml";
import type { ErrorCode } from "../errors.ts";
import { type Path, quote, type Range, type TextFinding } from "./problem.ts";
import { didYouMean } from "./suggest.ts";
import { explainSyntaxErrors } from "./syntax.ts";

/** Longest text, in UTF-16 units. 4,096 servers with all their keys take a third of it. */
export const MAX_TEXT = 1_048_576;
/** Most values, with what an alias stands for counted each time: what a bomb of aliases runs into. */
export const MAX_VALUES = 100_000;
/** Deepest nesting; the schema needs 6. */
const MAX_DEPTH = 32;

/** Where a value is written, and the values in it. */
export interface Spot {
  readonly value: Range;
  readonly key?: Range;
  /** Offset of the alias or merge through which it came to this place, if it is written elsewhere. */
  readonly usedAt: number | undefined;
  readonly children: Map<string, Spot>;
}

/** What was read. After a mistake in the syntax, values that end before `soundTo` are as they were meant. */
export interface YamlText {
  readonly value: unknown;
  readonly spot: Spot;
  readonly soundTo: number;
  readonly findings: readonly TextFinding[];
}

/** Reads a text of at most MAX_TEXT. Never throws. */
export function readYaml(text: string): YamlText {
  const nowhere: Spot = { value: [0, 0], usedAt: undefined, children: new Map() };
  const tooLarge = (message: string): YamlText => ({
    value: undefined,
    spot: nowhere,
    soundTo: 0,
    findings: [{ code: "config/too-large", path: [], range: [0, 0], message }],
  });
  if (text.length > MAX_TEXT) return tooLarge("the file is larger than 1 MiB");
  try {
    const document = parseDocument<Node>(text, { uniqueKeys: false, prettyErrors: false });
    const reader = new Reader();
    const syntax = explainSyntaxErrors(text, document.errors);
    const { value, spot } = reader.read(document.contents, [], undefined);
    const first = syntax[0]?.range[0];
    const soundTo = first === undefined ? Number.POSITIVE_INFINITY : text.lastIndexOf("\n", first - 1) + 1;
    const others = reader.findings.filter((finding) => finding.range[0] < soundTo);
    return { value, spot, soundTo, findings: [...syntax, ...others] };
  } catch (error) {
    if (error instanceof TooLarge) return tooLarge(error.message);
    if (error instanceof RangeError) return tooLarge("the file is nested too deeply"); // the parser's stack
    throw error;
  }
}

class TooLarge extends Error {}

interface Read {
  readonly value: unknown;
  readonly spot: Spot;
}

class Reader {
  readonly findings: TextFinding[] = [];
  readonly #anchors = new Map<string, Node>();
  /** What each alias stands for, as it was when the alias was first met: anchors may be set again later. */
  readonly #targets = new Map<Alias, Node>();
  /** The collections that are being read, to find those that contain themselves. */
  readonly #open = new Set<Node>();
  #left = MAX_VALUES;

  read(node: Node | null, path: Path, usedAt: number | undefined): Read {
    if (--this.#left < 0) throw new TooLarge(`the file has more than ${MAX_VALUES.toLocaleString("en")} values`);
    if (path.length > MAX_DEPTH) throw new TooLarge(`the file is nested deeper than ${MAX_DEPTH} levels`);
    if (node !== null && isAlias(node)) {
      const target = this.#follow(node, path);
      return target === undefined
        ? { value: undefined, spot: { value: rangeOf(node), usedAt, children: new Map() } }
        : this.read(target, path, usedAt ?? rangeOf(node)[0]);
    }
    const spot: Spot = { value: rangeOf(node), usedAt, children: new Map() };
    if (node === null) return { value: null, spot };
    const { anchor } = node as Scalar;
    if (anchor !== undefined && usedAt === undefined) this.#anchors.set(anchor, node);
    if (isScalar(node)) return { value: scalarValue(node), spot };
    this.#open.add(node);
    const value = isMap(node) ? this.#readMap(node, path, spot) : this.#readList(node, path, spot);
    this.#open.delete(node);
    return { value, spot };
  }

  #readList(node: Node, path: Path, spot: Spot): unknown[] {
    const items = isSeq<Node>(node) ? node.items : [];
    return items.map((item, index) => {
      const read = this.read(isNode(item) ? item : null, [...path, index], spot.usedAt);
      spot.children.set(String(index), read.spot);
      return read.value;
    });
  }

  #readMap(node: YAMLMap, path: Path, spot: Spot): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    const written = new Set<string>();
    for (const pair of node.items) {
      const keyNode = isNode(pair.key) ? pair.key : null;
      const content = isNode(pair.value) ? pair.value : null;
      const keyRange = keyNode === null ? rangeOf(content) : rangeOf(keyNode);
      if (isMergeKey(keyNode)) {
        this.#merge(content, path, value, spot, written);
        continue;
      }
      const key = this.#readKey(keyNode, path, keyRange);
      if (key === undefined) continue;
      if (written.has(key)) {
        this.#report("config/duplicate-key", [...path, key], keyRange, `${quote(key)} is written twice`);
        continue;
      }
      written.add(key);
      const read = this.read(content, [...path, key], spot.usedAt);
      const at = content === null ? keyRange : read.spot.value;
      spot.children.set(key, { ...read.spot, value: at, key: keyRange });
      value[key] = read.value;
    }
    return value;
  }

  /** `<<: *base` or `<<: [*a, *b]`: keys that are not written here. The first that has a key wins. */
  #merge(content: Node | null, path: Path, value: Record<string, unknown>, spot: Spot, written: Set<string>): void {
    const sources = isSeq<Node>(content) ? content.items : [content];
    for (const source of sources) {
      const read = this.read(source, path, spot.usedAt);
      if (typeof read.value !== "object" || read.value === null || Array.isArray(read.value)) {
        if (read.value === undefined) continue; // the alias was reported
        this.#report("config/bad-merge", path, rangeOf(source), "`<<` takes a mapping, or a list of mappings");
        continue;
      }
      for (const [key, merged] of Object.entries(read.value)) {
        if (written.has(key) || Object.hasOwn(value, key)) continue;
        value[key] = merged;
        spot.children.set(key, read.spot.children.get(key)!);
      }
    }
  }

  #readKey(node: Node | null, path: Path, range: Range): string | undefined {
    const target = node !== null && isAlias(node) ? this.#follow(node, path) : node;
    if (target === undefined) return undefined;
    if (target !== null && !isScalar(target)) {
      this.#report("config/bad-yaml", path, range, "a key must be text, not a list or a mapping");
      return undefined;
    }
    const key = target === null ? "" : String(scalarValue(target) ?? "");
    if (key !== "__proto__") return key;
    this.#report("config/bad-name", path, range, "`__proto__` cannot be a key");
    return undefined;
  }

  #follow(alias: Alias, path: Path): Node | undefined {
    const target = this.#targets.get(alias) ?? this.#anchors.get(alias.source);
    if (target === undefined) {
      const message = `${quote(`*${alias.source}`)} has no anchor ${quote(`&${alias.source}`)} before it`;
      const hint = didYouMean(alias.source, this.#anchors.keys());
      this.#report("config/unknown-alias", path, rangeOf(alias), message, hint);
      return undefined;
    }
    this.#targets.set(alias, target);
    if (!this.#open.has(target)) return target;
    const message = `${quote(`*${alias.source}`)} stands inside the value that it stands for`;
    this.#report("config/circular-alias", path, rangeOf(alias), message);
    return undefined;
  }

  #report(code: ErrorCode, path: Path, range: Range, message: string, hint?: string): void {
    this.findings.push({ code, path, range, message, hint });
  }
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

function isMergeKey(key: Node | null): boolean {
  if (!isScalar(key)) return false;
  return typeof key.value === "symbol" || (key.value === "<<" && key.type === "PLAIN");
}

function rangeOf(node: Node | null): Range {
  const range = node?.range;
  return range ? [range[0], range[1]] : [0, 0];
}

/** Dates, binaries and other things that tags make are taken as the text that was written. */
function scalarValue({ value, source }: Scalar): unknown {
  const plain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  return plain || value === null ? value : (source ?? "");
}
