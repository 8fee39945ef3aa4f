/** Values of a file as they were written, before anybody knows that they have the right form. */

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The members of a mapping; none of anything else. */
export function entries(value: unknown): [string, unknown][] {
  return isMapping(value) ? Object.entries(value) : [];
}

/** One value or a list, as a list; nothing is the empty list. */
export function listOf(value: unknown): unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

/** The first three of several words. */
export function shortList(words: readonly string[]): string {
  return words.slice(0, 3).join(", ") + (words.length > 3 ? ", ..." : "");
}
