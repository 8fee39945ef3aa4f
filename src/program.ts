/** How this program runs: by Bun from a checkout, or as the single executable that build.ts makes. */
import { join, relative } from "node:path";

/** Files inside the executable have paths that begin so. */
const EMBEDDED = "/$bunfs/";

/** Is this the single executable? */
export const IS_EXECUTABLE = Bun.main.startsWith(EMBEDDED);

/** What starts this program once more, with the runtime's own options; arguments follow. */
export function ownCommand(): string[] {
  return IS_EXECUTABLE ? [process.execPath] : [process.execPath, ...process.execArgv, Bun.main];
}

/** The same for a person to type, in the folder that they are in. */
export function typedCommand(): string {
  const path = IS_EXECUTABLE ? process.execPath : join(Bun.main, "../../../bin/holdfast");
  const near = relative(process.cwd(), path);
  if (near.startsWith("..")) return path;
  return near.includes("/") ? near : `./${near}`;
}
