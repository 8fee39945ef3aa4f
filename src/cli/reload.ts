/** `holdfast reload`: applies the file; waits, and fails visibly. */
import type { Command } from "commander";
import { action, type ClientOptions, clientOf, command, withClientOptions } from "./command.ts";
import { Exit } from "./exit.ts";
import { clockText } from "./figures.ts";

export function reloadCommand(): Command {
  const base = command("reload", "apply the file again: established connections and unchanged listeners stay", [
    "holdfast reload                       of the process in ./holdfast-data",
    "holdfast reload -c holdfast.yaml      of the process that runs this file",
  ]).option("--json", "the report as JSON");
  return action(withClientOptions(base), async (terminal, options: ClientOptions & { json?: true }) => {
    const client = clientOf(options);
    const report = await client.reload();
    const { generation, at } = await client.status();
    if (options.json === true) {
      terminal.stdout.write(`${JSON.stringify({ ...report, generation })}\n`);
      return report.ok ? Exit.DONE : Exit.NO;
    }
    if (report.ok) {
      terminal.stdout.write(`Generation ${generation.number} runs: ${report.summary}.\n`);
      return Exit.DONE;
    }
    const { remoteProblemsText } = await import("./config-file.ts");
    terminal.stderr.write(remoteProblemsText(report.problems, terminal.stderr));
    terminal.stderr.write(
      `Nothing was changed: generation ${generation.number} of ${clockText(generation.at, Date.parse(at))} keeps running.\n`,
    );
    return Exit.NO;
  });
}
