/**
 * The building blocks of the schema. What is told about a value with `.meta()` serves three readers: the JSON Schema for
 * editors, the reference page, and the messages about mistakes.
 */
import { z } from "zod";
import type { ErrorCode } from "../errors.ts";
import { NamedFile } from "./named-file.ts";

/** What is known about a kind of value beside its type. */
export interface ValueMeta {
  /** With its article, as a message says it: "a duration". */
  readonly title: string;
  /** The code of a value that is not one; `config/wrong-type` unless said. */
  readonly code?: ErrorCode;
  /** What is written instead, for the words after "expected:". */
  readonly expected?: string;
  /** Of a mapping: what its keys may look like, unless they are names (NAME_RULE). */
  readonly keys?: string;
  /** The text names a file whose content belongs to the configuration. */
  readonly file?: true;
}

type CamelKey<S extends string> = S extends `${infer A}-${infer B}` ? `${A}${Capitalize<CamelKey<B>>}` : S;
type Camel<T> = { [K in keyof T as K extends string ? CamelKey<K> : K]: T[K] };

const camelKey = (key: string) => key.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

function camelKeys<T extends object>(section: T): Camel<T> {
  return Object.fromEntries(Object.entries(section).map(([key, value]) => [camelKey(key), value])) as Camel<T>;
}

/** A mapping with fixed keys: kebab-case in the YAML, camelCase in the program. Every other key is a mistake. */
export function section<S extends z.ZodRawShape>(title: string, shape: S) {
  return z
    .strictObject(shape)
    .meta({ title } satisfies ValueMeta)
    .transform((value) => camelKeys(value));
}

/** A word of a closed list. */
export function choice<const T extends readonly [string, ...string[]]>(title: string, words: T) {
  return z.enum(words).meta({ title, code: "config/bad-choice" } satisfies ValueMeta);
}

/** One value, or a list of `least` to `most`; always a list in the program. */
export function oneOrMany<T extends z.ZodType>(item: T, most: number, least = 1) {
  return z
    .union([item, z.array(item).min(least).max(most)])
    .transform((value) => (Array.isArray(value) ? value : [value]) as z.output<T>[]);
}

/**
 * A value written as text and read by `parse`, which answers with the value, or says in a hint what to write instead.
 * Bare numbers reach it too, because `idle: 8` deserves the same hint as `idle: "8"`.
 */
export function readAs<T>(
  meta: ValueMeta & { readonly code: ErrorCode },
  parse: (text: string) => T | { hint: string | undefined },
) {
  return z
    .union([z.string(), z.number()])
    .meta({ ...meta } satisfies ValueMeta)
    .transform((written, context) => {
      const value = parse(String(written));
      if (typeof value === "object" && value !== null && "hint" in value) {
        context.addIssue({ code: "custom", message: "", params: { hint: value.hint } });
        return z.NEVER;
      }
      return value as T;
    });
}

/** A whole number between two bounds, both allowed. */
export function wholeNumber(from: number, to: number) {
  return z
    .int()
    .min(from)
    .max(to)
    .meta({ title: "a whole number", expected: `a whole number from ${from} to ${to}` } satisfies ValueMeta);
}

/** True or false. */
export const yesNo = z.boolean().meta({ title: "true or false", expected: "true or false" } satisfies ValueMeta);

/** Text of 1 to `most` characters. */
export function text(title: string, most = 1_024) {
  return z
    .string()
    .min(1)
    .max(most)
    .meta({ title, expected: `text of 1 to ${most} characters` } satisfies ValueMeta);
}

/** The path of a file that is read with the configuration, at most MAX_FILE. */
export const file = z
  .string()
  .min(1)
  .max(4_096)
  .meta({
    title: "a file",
    expected: "the path of a file, beside this one unless it begins with `/`",
    file: true,
  } satisfies ValueMeta)
  .transform((path) => new NamedFile(path));

/** The path and query of an HTTP request. */
export const urlPath = z
  .string()
  .max(2_048)
  .regex(/^\/[!-~]*$/)
  .meta({ title: "a path", expected: "a path such as `/health`" } satisfies ValueMeta);

const NAME = /^(?![0-9]+$)[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** The name of a service, pool or server. All digits is refused: such keys would lose their order in the file. */
export const name = z.string().regex(NAME);

/** The same, where a pool or server is named that stands elsewhere. */
export const reference = (title: string) => name.meta({ title, code: "config/bad-name" } satisfies ValueMeta);

/** What a name may look like, for messages and the reference. */
export const NAME_RULE =
  "1 to 63 letters, digits, dots, dashes and underscores, a letter or digit first, not only digits";

/** A mapping of names to things of one kind, in the order of the file; each thing learns its own name. */
export function named<T extends z.ZodType<object>>(title: string, item: T) {
  return z
    .record(name, item)
    .meta({ title } satisfies ValueMeta)
    .transform((items) => {
      const withNames = Object.entries(items).map(([key, value]) => [key, { name: key, ...(value as z.output<T>) }]);
      return Object.fromEntries(withNames) as Record<string, { name: string } & z.output<T>>;
    });
}
