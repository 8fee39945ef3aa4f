/** How this program runs: by Bun from a checkout, or as the single executable that build.ts makes. */

/** Files inside the executable have paths that begin so. */
const EMBEDDED = "/$bunfs/";

/** Is this the single executable? */
export const IS_EXECUTABLE = Bun.main.startsWith(EMBEDDED);

/** What starts this program once more; arguments follow. */
export function ownCommand(): string[] {
  return IS_EXECUTABLE ? [process.execPath] : [process.execPath, Bun.main];
}
