/** Which folder holds the state, and so the socket of the running process. */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseDocument } from "yaml";
import { HoldfastError } from "../errors.ts";

const DEFAULT_FOLDER = "holdfast-data";

/** `data` of the file (beside the file unless absolute), else HOLDFAST_DATA, else `holdfast-data` in the folder one is in. */
export function dataFolder(inFile: string | undefined, file: string, env: Record<string, string | undefined>): string {
  if (inFile !== undefined) return resolve(dirname(file), inFile);
  const fromEnvironment = env.HOLDFAST_DATA ?? "";
  return resolve(fromEnvironment === "" ? DEFAULT_FOLDER : fromEnvironment);
}

/**
 * The folder for a command that talks to the running process: `--data`, else what `-c FILE` says, else as above.
 * Of the file only `data` is read, so that a file with mistakes elsewhere still leads to the process that runs it.
 * @throws HoldfastError `config/unreadable-file`
 */
export function clientDataFolder(
  options: { data?: string; config?: string },
  env: Record<string, string | undefined>,
): string {
  if (options.data !== undefined) return resolve(options.data);
  if (options.config === undefined) return dataFolder(undefined, "", env);
  let text: string;
  try {
    text = readFileSync(options.config, "utf8");
  } catch (cause) {
    throw new HoldfastError("config/unreadable-file", `${options.config} cannot be read`, { cause });
  }
  const data: unknown = parseDocument(text, { logLevel: "silent" }).get("data");
  return dataFolder(typeof data === "string" ? data : undefined, options.config, env);
}
