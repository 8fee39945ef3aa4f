/** The configuration file for commands; loaded only by those that read one. */
import { readFileSync } from "node:fs";
import { isAbsolute } from "node:path";
import { tryTls } from "../balancer/control/tls-trial.ts";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import { countProblems, printProblems } from "../config/print.ts";
import type { Problem } from "../config/problem.ts";
import type { Config } from "../config/schema.ts";
import type { Stream, Terminal } from "./terminal.ts";

export { countProblems };

/** A file as a balancer on this machine would take it: its TLS is tried with the OpenSSL that is here. */
export function loadFile(file: string): LoadedConfig {
  return loadConfig(file, Date.now(), tryTls);
}

/** The configuration, or null after its mistakes were printed. Warnings are printed and change nothing. */
export function readConfigFile(terminal: Terminal, file: string): Config | null {
  const loaded = loadFile(file);
  terminal.stderr.write(problemsText(loaded, terminal.stderr));
  if (loaded.config !== undefined) return loaded.config;
  terminal.stderr.write(`${countProblems(loaded.problems)}. Nothing was started: holdfast check -c ${file}\n`);
  return null;
}

/** Problems for a person: with excerpts on a terminal, a line each elsewhere. Empty for none. */
export function problemsText({ problems, text }: Pick<LoadedConfig, "problems" | "text">, stream: Stream): string {
  return printProblems(problems, { excerpts: stream.isTerminal, colour: stream.colour, text });
}

/** The same for problems that came from the running process: excerpts where its file can be read from here. */
export function remoteProblemsText(problems: readonly Problem[], stream: Stream): string {
  const file = problems[0]?.file ?? "";
  let text: string | null = null;
  try {
    if (isAbsolute(file)) text = readFileSync(file, "utf8");
  } catch {
    // Not ours to read: the first lines of the problems say what is needed.
  }
  return printProblems(problems, {
    excerpts: stream.isTerminal && text !== null,
    colour: stream.colour,
    text: text ?? "",
  });
}
