/** Runs a program with a deadline and a bound on what it writes. For `exec` checks and for the agent's own command. */
import { spawn } from "node:child_process";
import type { Answer, Pending } from "./ask.ts";
import type { Timing } from "./timing.ts";
import { failureText, printable } from "./wording.ts";

/** Bytes a program may write; then nobody reads on, and it finds its pipe closed. */
const MAX_OUTPUT = 64 * 1024;
/** Bytes of output that are kept: the first and the last line are looked for in there. */
const KEPT = 4096;

/** How a program ended. Lines are printable and cut at 200 characters; "" if there is none. */
export interface Ended {
  /** The exit code; -1 when a signal ended it. */
  readonly code: number;
  readonly signal: string | undefined;
  /** The first line of standard output. */
  readonly firstLine: string;
  /** The last line that is not empty, of standard output and standard error together. */
  readonly lastLine: string;
}

/**
 * Runs `argv` (no shell) in a process group of its own, with `env` and this process's PATH, HOME and LANG and nothing else
 * of its environment. When it ends, and at the latest after `timeoutMs`, what is left of its group is killed.
 */
export function run(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  timeoutMs: number,
  timing: Timing,
): Pending<Ended> {
  const { promise, resolve } = Promise.withResolvers<Answer<Ended>>();
  const [program = "", ...words] = argv;
  const child = spawn(program, words, {
    cwd: "/",
    detached: true,
    env: { ...inherited(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = new Output();
  const errors = new Output();
  const both = new Output();
  child.stdout.on("data", (piece: Buffer) => take(piece, output));
  child.stderr.on("data", (piece: Buffer) => take(piece, errors));
  const take = (piece: Buffer, into: Output) => {
    into.add(piece);
    both.add(piece);
    if (both.bytes > MAX_OUTPUT) closePipes();
  };
  const closePipes = () => {
    child.stdout.destroy();
    child.stderr.destroy();
  };

  let over = false;
  const end = (answer: Answer<Ended>) => {
    if (over) return;
    over = true;
    stopTimer();
    killGroup(child.pid);
    closePipes();
    resolve(answer);
  };
  const stopTimer = timing.after(timeoutMs, () =>
    end({ failure: `still running after ${timeoutMs / 1000} s, killed` }),
  );
  child.once("error", (error) => end({ failure: spawnFailure(error) }));
  let status: { code: number; signal: string | undefined } | undefined;
  const ended = () => {
    if (status !== undefined) end({ value: { ...status, firstLine: output.firstLine(), lastLine: both.lastLine() } });
  };
  child.once("exit", (code, signal) => {
    status = { code: code ?? -1, signal: signal ?? undefined };
    // Whoever it left behind holds the pipes open: killed, they close, and what was written is read to its end.
    killGroup(child.pid);
  });
  child.once("close", ended);
  return { done: promise, cancel: () => end({ failure: "cancelled" }) };
}

function inherited(): Record<string, string> {
  const {
    PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME = "/",
    LANG = "C.UTF-8",
  } = process.env;
  return { PATH, HOME, LANG };
}

/** A group that is gone already is no error. */
function killGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // ESRCH: nobody is left.
  }
}

function spawnFailure(error: Error & { readonly code?: string }): string {
  if (error.code === "ENOENT") return "program not found";
  if (error.code === "EACCES") return "program may not be run";
  return failureText(error);
}

/** The first and the last KEPT bytes of what a program wrote. */
class Output {
  bytes = 0;
  #head = Buffer.alloc(0);
  #tail = Buffer.alloc(0);

  add(piece: Buffer): void {
    this.bytes += piece.length;
    if (this.#head.length < KEPT) this.#head = Buffer.concat([this.#head, piece.subarray(0, KEPT - this.#head.length)]);
    this.#tail = Buffer.concat([this.#tail, piece]).subarray(-KEPT);
  }

  firstLine(): string {
    return printable(this.#head.toString().split("\n", 1)[0] ?? "", 200);
  }

  lastLine(): string {
    const lines = this.#tail
      .toString()
      .split("\n")
      .map((line) => printable(line, 200));
    return lines.findLast((line) => line !== "") ?? "";
  }
}
