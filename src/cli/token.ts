/** `holdfast token`: a line for .rdp files that leads to one server. */
import type { Command } from "commander";
import {
  action,
  type ClientOptions,
  clientOf,
  command,
  durationOption,
  serverArgument,
  withClientOptions,
} from "./command.ts";
import { Exit } from "./exit.ts";

export function tokenCommand(): Command {
  const base = command("token", "sign a routing token that leads to one server", [
    "holdfast token rds/rds2                     print it",
    "holdfast token rds/rds2 --lifetime 8h       for an .rdp file that is handed out",
  ])
    .argument("<pool/server>", "the server", serverArgument)
    .option(
      "--lifetime <duration>",
      "how long it leads there (default, and longest: the pool's lifetime)",
      durationOption,
    )
    .addHelpText("after", "\nThe line belongs into an .rdp file as `loadbalanceinfo:s:LINE`.");
  return action(
    withClientOptions(base),
    async (terminal, server: { pool: string; server: string }, options: ClientOptions & { lifetime?: number }) => {
      const lifetime = options.lifetime === undefined ? {} : { lifetimeMs: options.lifetime };
      const { token } = await clientOf(options).signToken({ ...server, ...lifetime });
      terminal.stdout.write(`${token}\n`);
      return Exit.DONE;
    },
  );
}
