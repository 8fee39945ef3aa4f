/** `npm run build [FILE]`: the single executable, dist/holdfast. Everything that it needs is inside; nothing is downloaded. */
import { rm } from "node:fs/promises";
import { join } from "node:path";

const outfile = process.argv[2] ?? join(import.meta.dir, "dist/holdfast");
const source = (path: string) => join(import.meta.dir, "src", path);

const built = await Bun.build({
  // The command line, and what control/workers.ts starts threads from.
  entrypoints: [source("cli/main.ts"), source("balancer/worker/main.ts")],
  root: source(""),
  target: "bun",
  // Names and lines of the source in stack traces.
  sourcemap: "inline",
  // The folder that it is started in must not change what it does.
  compile: {
    outfile,
    autoloadBunfig: false,
    autoloadDotenv: false,
    autoloadPackageJson: false,
    autoloadTsconfig: false,
  },
  throw: false,
});
for (const message of built.logs) console.error(message);
// The maps are inside; the copies beside it are of no use.
for (const { path } of built.outputs) if (path !== outfile) await rm(path, { force: true });
if (!built.success) process.exit(1);
console.log(outfile);
