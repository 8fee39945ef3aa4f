/** Sums over the columns of all workers. */

/** Knows how many columns have ever been in use: sums need not go further. */
export interface ColumnCount {
  columnsInUse(): number;
}

/** A counter over all columns. `at` is its place in the first, `step` the distance from one column to the next. */
export function sumCounters(counters: Float64Array, step: number, at: number, columns: ColumnCount): number {
  let total = 0;
  for (let left = columns.columnsInUse(); left > 0; left--, at += step) total += counters[at]!;
  return total;
}
