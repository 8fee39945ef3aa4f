/** Lines made of cells: aligned on what the eye sees, painted at the very end. */
import { paint, type Stream, type Style } from "./terminal.ts";

export interface Cell {
  readonly text: string;
  readonly style?: Style | undefined;
  /** To the right, as numbers are. */
  readonly right?: boolean;
  /** What the cell shows ("rds/rds1 open"), so that a redrawn one can be compared with what was there. */
  readonly key?: string | undefined;
}

export type Line = readonly Cell[];

/** A cell of plain text. */
export const cell = (text: string, style?: Style): Cell => ({ text, style });
/** A cell to the right. */
export const number = (text: string, key?: string): Cell => ({ text, right: true, key });

const ELLIPSIS = "…";
/** Spaces between two cells. */
export const GAP = 2;

/** Characters that a text takes on the screen. */
export const widthOf = (text: string) => Bun.stringWidth(text);

/** The text, or as much of it as fits, with … at its end. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = "";
  for (const character of text) {
    if (widthOf(kept + character) > width - 1) break;
    kept += character;
  }
  return width < 1 ? "" : kept + ELLIPSIS;
}

/** Widths of the columns that hold all these rows. */
export function columnWidths(rows: readonly Line[]): number[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((one, column) => {
      widths[column] = Math.max(widths[column] ?? 0, widthOf(one.text));
    });
  }
  return widths;
}

/** The cells filled up to the columns' widths, so that they can stand side by side. */
export function align(row: Line, widths: readonly number[]): Line {
  return row.map((one, column) => {
    const fill = " ".repeat(Math.max(0, (widths[column] ?? 0) - widthOf(one.text)));
    return { ...one, text: one.right === true ? fill + one.text : one.text + fill };
  });
}

/** The first of the choices whose columns fit into `width`; else the last, which is cut when it is drawn. */
export function fitting(choices: readonly (readonly Line[])[], width: number): readonly Line[] {
  const fits = (rows: readonly Line[]) => {
    const widths = columnWidths(rows);
    return widths.reduce((sum, column) => sum + column, 0) + GAP * (widths.length - 1) <= width;
  };
  return choices.find(fits) ?? choices.at(-1)!;
}

/** One line of text: cells GAP spaces apart, cut at the stream's width, nothing behind the last word. */
export function lineText(stream: Stream, line: Line, width: number, bold: ReadonlySet<string> = new Set()): string {
  const parts: string[] = [];
  let left = width;
  let last = line.length - 1;
  while (last >= 0 && line[last]!.text.trimEnd() === "") last--;
  for (let i = 0; i <= last && left > 0; i++) {
    const { text, style, key } = line[i]!;
    const shown = cut(i === last ? text.trimEnd() : text, left);
    const changed = key !== undefined && bold.has(key);
    parts.push(paint(stream, changed ? "bold" : style, shown));
    left -= widthOf(shown) + GAP;
  }
  return parts.join(" ".repeat(GAP)).trimEnd();
}

/** A whole table with aligned columns. */
export function tableText(stream: Stream, rows: readonly Line[], width: number): string {
  const widths = columnWidths(rows);
  return rows.map((row) => `${lineText(stream, align(row, widths), width)}\n`).join("");
}
