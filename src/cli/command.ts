/** What all commands share: how they are made, how they end, and how they say what went wrong. */
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { ApiClient, socketIn } from "../api/client.ts";
import { parseDuration } from "../config/quantities.ts";
import { nearest } from "../config/suggest.ts";
import { HoldfastError } from "../errors.ts";
import { clientDataFolder } from "./data-folder.ts";
import { Exit } from "./exit.ts";
import { paint, processTerminal, type Terminal } from "./terminal.ts";

/** The options of every command that talks to the running process. */
export interface ClientOptions {
  data?: string;
  config?: string;
}

/** A command (`drain`, `sessions end`) with two examples before everything else in its help. */
export function command(name: string, summary: string, examples: readonly [string, string]): Command {
  const base = new Command(name.split(" ").at(-1))
    .description(summary)
    .addHelpText("before", `${examples.map((example) => `  ${example}`).join("\n")}\n`);
  return styled(base, name);
}

/** Wrong usage in our words, ending with the next command; never an exit of its own. */
export function styled(base: Command, name: string): Command {
  return base
    .exitOverride()
    .showHelpAfterError(`  ${["holdfast", name, "--help"].filter((word) => word !== "").join(" ")}`)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "error[usage]: ")) });
}

/** Adds `--data` and `-c`, which find the running process. */
export function withClientOptions(base: Command): Command {
  return base
    .option("--data <folder>", "data folder of the running process (default: HOLDFAST_DATA, else ./holdfast-data)")
    .option("-c, --config <file>", "the file it runs; its `data` says where it is");
}

/** The client of the running process that the options name. */
export function clientOf(options: ClientOptions): ApiClient {
  return new ApiClient(socketIn(clientDataFolder(options, process.env)));
}

/** Runs a command's body, says what went wrong, and sets the exit code. */
export function action<A extends unknown[]>(
  base: Command,
  body: (terminal: Terminal, ...args: A) => Promise<number> | number,
): Command {
  return base.action(async (...args) => {
    const terminal = processTerminal(process.env, base.optsWithGlobals().color === false);
    try {
      process.exitCode = await body(terminal, ...(args as unknown as A));
    } catch (error) {
      process.exitCode = report(terminal, error);
    }
  });
}

/** Prints an error for a person; returns the exit code. A mistake of ours keeps its stack. */
export function report(terminal: Terminal, error: unknown): number {
  const { stderr } = terminal;
  if (!(error instanceof HoldfastError)) {
    stderr.write(
      `${paint(stderr, "red", "error[internal]")}: ${error instanceof Error ? error.stack : String(error)}\n`,
    );
    return Exit.NO;
  }
  const code = error.code.slice(error.code.indexOf("/") + 1);
  stderr.write(`${paint(stderr, "red", `error[${code}]`)}: ${error.message}\n`);
  if (error.hint !== undefined) stderr.write(`  ${error.hint}\n`);
  return error.exitCode;
}

/** A duration as an option's value: `10m`. */
export function durationOption(text: string): number {
  const ms = parseDuration(text);
  if (typeof ms === "number") return ms;
  throw new InvalidArgumentError(`\`${text}\` is not a duration. ${ms.hint ?? "Write `10m`."}`);
}

/** A server as people name it: `POOL/SERVER`. */
export function serverArgument(text: string): { pool: string; server: string } {
  const [pool = "", server = "", ...more] = text.split("/");
  if (pool !== "" && server !== "" && more.length === 0) return { pool, server };
  throw new InvalidArgumentError("Name a server as POOL/SERVER, such as rds/rds2. `holdfast status` lists them.");
}

/** Asks and waits for a line; anything but y or yes is no. */
export async function ask(terminal: Terminal, question: string): Promise<boolean> {
  terminal.stderr.write(`${question} [y/N] `);
  for await (const line of console) return /^y(es)?$/i.test(line.trim());
  return false;
}

/** The user who types, for "by anna": who called sudo, where it was called. */
export function userName(env: Record<string, string | undefined>): string {
  return (env.SUDO_USER || env.USER || env.LOGNAME || "root").slice(0, 64);
}

/** Commander's own end: help is 0, whatever was typed wrong is 2. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof CommanderError)) throw error;
  return error.exitCode === 0 ? Exit.DONE : Exit.USAGE;
}

/** The known command nearest to a mistyped one. */
export function nearestCommand(program: Command, typed: string): string | undefined {
  return nearest(
    typed,
    program.commands.map((known) => known.name()),
  );
}
