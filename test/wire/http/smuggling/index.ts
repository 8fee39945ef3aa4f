import type { SmugglingCase } from "./case.ts";
import { chunks } from "./chunks.ts";
import { codings } from "./codings.ts";
import { connections } from "./connections.ts";
import { lengths } from "./lengths.ts";
import { lines } from "./lines.ts";
import { names } from "./names.ts";
import { targets } from "./targets.ts";

/** The whole corpus of requests. */
export const corpus: readonly SmugglingCase[] = [
  ...lengths,
  ...codings,
  ...lines,
  ...names,
  ...targets,
  ...chunks,
  ...connections,
];
