/**
 * What every parser of this folder returns, so that callers can treat them alike.
 *
 * A parser is a function `read…(bytes, from, to, out)` over `bytes[from, to)`. It returns one number:
 * - above 0: a message was found; the number of bytes it takes. `out` is filled.
 * - NEED_MORE: what is there may become a message. Nothing was kept: call again with more.
 * - below 0: it can never become one. The number is a reason, exported beside the parser with a table of short names
 *   (`…_REASONS`) for counters and logs.
 *
 * A parser never throws, never reads at or past `to`, and states a bound: with that many bytes it never asks for more.
 * It refuses at the first byte that cannot be right. `out` belongs to the caller, is used again for each message, holds
 * offsets into `bytes` and numbers, and means nothing unless the result is above 0. Who needs the bytes later copies them.
 */
export const NEED_MORE = 0;

/** Short names of a parser's reasons: stable, lower case, used as a metric's label. */
export type Reasons = Readonly<Record<number, string>>;

/** The short name of `reason`; "invalid" for a number that is not in the table, which would be our own mistake. */
export function reasonName(reasons: Reasons, reason: number): string {
  return reasons[reason] ?? "invalid";
}
