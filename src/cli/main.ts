/** The command line: `holdfast COMMAND`. One file a command. */
import { Command } from "commander";
import { VERSION } from "../version.ts";
import { agentCommand } from "./agent.ts";
import { checkCommand } from "./check.ts";
import { exitCodeOf, nearestCommand, styled } from "./command.ts";
import { demoCommand } from "./demo-command.ts";
import { drainCommand, maintenanceCommand, readyCommand } from "./drain.ts";
import { Exit } from "./exit.ts";
import { forgetCommand } from "./forget.ts";
import { reloadCommand } from "./reload.ts";
import { sessionsCommand } from "./sessions.ts";
import { statusCommand } from "./status.ts";
import { tokenCommand } from "./token.ts";
import { upCommand } from "./up.ts";

const EXAMPLES = `  holdfast demo                     see it work on this machine; changes nothing
  holdfast up -c holdfast.yaml      run what the file names
`;

/** The whole command line. */
function buildProgram(): Command {
  const program = styled(new Command("holdfast"), "")
    .usage("COMMAND [options]")
    .helpCommand("help [command]", "help for a command")
    .description("Every user back on their own session.")
    .version(VERSION, "-V, --version")
    .option("--no-color", "no colours (also: NO_COLOR, TERM=dumb)")
    .addHelpText("before", EXAMPLES)
    .configureHelp({
      subcommandTerm: (one) => `${one.name()} ${one.registeredArguments.map((a) => a.name().toUpperCase())}`,
    });
  const commands = [
    ...[demoCommand(), upCommand(), checkCommand(), reloadCommand(), statusCommand()],
    ...[drainCommand(), readyCommand(), maintenanceCommand(), sessionsCommand(), forgetCommand()],
    ...[tokenCommand(), agentCommand()],
  ];
  for (const one of commands) program.addCommand(one);
  // What follows a mistyped command is that command's, so the name is what is wrong.
  program
    .argument("[command...]")
    .allowUnknownOption()
    .action(([typed]: string[]) => {
      if (typed === undefined) {
        program.outputHelp();
        return;
      }
      const near = nearestCommand(program, typed);
      const hint = near === undefined ? "holdfast --help" : `Did you mean \`holdfast ${near}\`?`;
      const what = typed.startsWith("-") ? "option" : "command";
      process.stderr.write(`error[usage]: there is no ${what} \`${typed}\`\n  ${hint}\n`);
      process.exitCode = Exit.USAGE;
    });
  return program;
}

// Who reads half of an answer (`holdfast status | head -1`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(Exit.DONE);
  throw error;
});

try {
  await buildProgram().parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
