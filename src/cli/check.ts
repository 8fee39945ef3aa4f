/** `holdfast check`: everything that is wrong with a file, at once. */
import type { Command } from "commander";
import { ApiClient, socketIn } from "../api/client.ts";
import type { Config } from "../config/schema.ts";
import { HoldfastError } from "../errors.ts";
import { action, command } from "./command.ts";
import { clientDataFolder } from "./data-folder.ts";
import { Exit } from "./exit.ts";
import { clockText, plural } from "./figures.ts";

interface CheckOptions {
  config: string;
  json?: true;
  strict?: true;
}

export function checkCommand(): Command {
  const base = command("check", "everything that is wrong with a file; changes nothing", [
    "holdfast check -c holdfast.yaml            0, or 1 and what is wrong",
    "holdfast check -c holdfast.yaml --json     for editors and pipelines",
  ])
    .option("-c, --config <file>", "the file", "holdfast.yaml")
    .option("--strict", "warnings are errors")
    .option("--json", "one object for each problem, a line each");
  return action(base, async ({ stdout }, options: CheckOptions) => {
    const { countProblems, loadFile, problemsText } = await import("./config-file.ts");
    const loaded = loadFile(options.config);
    const { config, problems } = loaded;
    const bad = config === undefined || (options.strict === true && problems.length > 0);
    if (options.json === true) {
      for (const problem of problems) stdout.write(`${JSON.stringify(problem)}\n`);
      return bad ? Exit.NO : Exit.DONE;
    }
    stdout.write(problemsText(loaded, stdout));
    if (config === undefined) {
      stdout.write(`${countProblems(problems)}. ${await whatRuns(options.config)}\n`);
    } else {
      const warnings = problems.length === 0 ? "" : ` ${countProblems(problems)}.`;
      stdout.write(`${options.config} can be used: ${contents(config)}.${warnings} Apply it: holdfast reload\n`);
    }
    return bad ? Exit.NO : Exit.DONE;
  });
}

function contents(config: Config): string {
  const servers = Object.values(config.pools).reduce((count, pool) => count + Object.keys(pool.servers).length, 0);
  const services = plural(Object.keys(config.services).length, "service");
  return `${services}, ${plural(Object.keys(config.pools).length, "pool")}, ${plural(servers, "server")}`;
}

/** What goes on running despite the mistakes, if anything does. */
async function whatRuns(file: string): Promise<string> {
  try {
    const { generation, at } = await new ApiClient(socketIn(clientDataFolder({ config: file }, process.env))).status();
    return `Nothing was changed: generation ${generation.number} of ${clockText(generation.at, Date.parse(at))} keeps running.`;
  } catch (error) {
    if (error instanceof HoldfastError) return "Nothing was changed.";
    throw error;
  }
}
