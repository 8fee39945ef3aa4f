/** Exit codes that scripts can use. 1, 2, 3, 4, 5 and 78 of failures come from the catalogue in `errors.ts`. */
export const Exit = {
  DONE: 0,
  /** No: errors found, refused, failed. */
  NO: 1,
  /** Wrong usage. */
  USAGE: 2,
  /** Time was up with something left. */
  TIME_UP: 5,
  /** The file cannot be used: systemd must not start it again and again. */
  UNUSABLE_FILE: 78,
  INTERRUPTED: 130,
} as const;
