/** "Did you mean …?": the known word that is nearest to what was written. */
import { SYNONYMS } from "./choices.ts";

/** Longer words are not compared: nobody mistypes them into ours, and the cost grows with the square. */
const MAX_WORD = 64;
/** More candidates are not looked at, so that a hostile file with thousands of names stays cheap. */
const MAX_CANDIDATES = 300;

/** The nearest of `candidates`, or a synonym's; nothing if none is near. Up to a third of the letters may differ. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > MAX_WORD) return undefined;
  const written = word.toLowerCase();
  const synonyms = [SYNONYMS.get(written.replaceAll("_", "-")) ?? []].flat();
  let best: string | undefined;
  let fewest = Math.max(1, Math.floor(word.length / 3)) + 1;
  let looked = 0;
  for (const candidate of candidates) {
    if (synonyms.includes(candidate)) return candidate;
    if (++looked > MAX_CANDIDATES || candidate.length > MAX_WORD) continue;
    if (Math.abs(candidate.length - written.length) >= fewest) continue;
    const edits = distance(written, candidate.toLowerCase());
    if (edits < fewest) [best, fewest] = [candidate, edits];
  }
  return best;
}

/** `Did you mean …?` as a hint, if there is something near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const found = nearest(word, candidates);
  return found === undefined ? undefined : `Did you mean \`${found}\`?`;
}

/** Letters to insert, remove, replace or swap with their neighbour to turn `a` into `b` (optimal string alignment). */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j]!, beforeLast[j - 2]! + 1);
      }
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
