/** The schema as JSON Schema: for editors, and with what is known beside it for messages and the reference page. */
import { z } from "zod";
import type { ErrorCode } from "../errors.ts";
import { configSchema } from "./schema.ts";

/** A node of the JSON Schema, with `ValueMeta` beside the standard's keywords. */
export interface SchemaNode {
  readonly title?: string;
  readonly description?: string;
  readonly code?: ErrorCode;
  readonly expected?: string;
  readonly keys?: string;
  readonly file?: true;
  readonly type?: string | readonly string[];
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: false | SchemaNode;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
}

/** The schema with everything that messages need. */
export const schemaNodes = z.toJSONSchema(configSchema, { io: "input" }) as SchemaNode;

/** Kinds of text that only a status may also be written as a bare number. */
const isQuantity = ({ code, type }: SchemaNode) => code !== undefined && Array.isArray(type) && type.includes("number");

/** The JSON Schema (draft 2020-12) for editors. */
export function configJsonSchema(): object {
  return {
    ...(forEditors(schemaNodes) as object),
    title: "Holdfast configuration",
  };
}

/** Keywords of ours, which are also keys of the file: there, what they name is an object. */
const OWN_WORDS: ReadonlySet<string> = new Set(["code", "expected", "keys", "file", "title"]);

/** Without our own keywords. A quantity that would be taken as a bare number only to explain the mistake is text. */
function forEditors(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(forEditors);
  if (typeof node !== "object" || node === null) return node;
  const clean: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(node)) {
    const own = OWN_WORDS.has(key) && (typeof value === "string" || value === true);
    if (!own) clean[key] = forEditors(value);
  }
  const schema = node as SchemaNode;
  if (isQuantity(schema)) clean.type = schema.code === "config/bad-status" ? ["string", "integer"] : "string";
  return clean;
}

/** The node for the value at `path`: where a value decides which one applies (a check's kind), it is asked. */
export function nodeAt(path: readonly (string | number)[], value: unknown): SchemaNode | undefined {
  let node: SchemaNode | undefined = settle(schemaNodes, value);
  let here = value;
  for (const step of path) {
    if (node === undefined) return undefined;
    here = childOf(here, step);
    const next: SchemaNode | false | undefined =
      node.properties !== undefined && Object.hasOwn(node.properties, step)
        ? node.properties[step]
        : typeof step === "number"
          ? node.items
          : node.additionalProperties;
    node = next ? settle(next, here) : undefined;
  }
  return node;
}

/** The value under a key or index; undefined if there is none. */
export function childOf(value: unknown, step: string | number): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
  return (value as Record<string | number, unknown>)[step];
}

/** Of several forms (one or a list, text or a mapping, kinds of check), the one that the value has; else the whole. */
export function settle(node: SchemaNode, value: unknown): SchemaNode {
  if (node.oneOf !== undefined) {
    const kind = node.oneOf.find(({ properties = {} }) =>
      Object.entries(properties).some(([key, { const: word }]) => word !== undefined && childOf(value, key) === word),
    );
    return kind ?? node;
  }
  const form = node.anyOf?.find(({ type }) => {
    if (Array.isArray(value)) return type === "array";
    return typeof value === "object" && value !== null
      ? type === "object"
      : type !== "array" && type !== "object" && value !== null;
  });
  return form === undefined ? node : settle(form, value);
}
