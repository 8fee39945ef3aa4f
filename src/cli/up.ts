/** `holdfast up`: runs what the file names. */
import type { Command } from "commander";
import { action, command, report } from "./command.ts";
import { dataFolder } from "./data-folder.ts";
import { Exit } from "./exit.ts";

interface UpOptions {
  config: string;
  data?: string;
  takeover?: true;
}

export function upCommand(): Command {
  const base = command("up", "run what the file names, until SIGTERM", [
    "holdfast up -c holdfast.yaml               run it",
    "holdfast up -c holdfast.yaml --takeover    replace the running one; no connection is refused or cut",
  ])
    .option("-c, --config <file>", "the file", "holdfast.yaml")
    .option("--data <folder>", "data folder, instead of what the file says")
    .option("--takeover", "take ports and state over from the process that runs with the same data folder");
  return action(base, async (terminal, options: UpOptions) => {
    const { readConfigFile } = await import("./config-file.ts");
    const config = readConfigFile(terminal, options.config);
    if (config === null) return Exit.UNUSABLE_FILE;
    const { run } = await import("../process/up.ts");
    const code = await run({
      file: options.config,
      dataFolder: options.data ?? dataFolder(config.data, options.config, process.env),
      takeover: options.takeover === true,
    }).catch((error) => report(terminal, error));
    // Not when all is written: a reader of standard output that has stopped reading would keep it for ever.
    process.exit(code);
  });
}
