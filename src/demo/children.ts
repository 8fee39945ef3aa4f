/** Processes of this program that the demo starts, and ends again. */
import type { Subprocess } from "bun";
import { HoldfastError } from "../errors.ts";
import { eachLine } from "../os/lines.ts";
import { ownCommand } from "../program.ts";
import type { SampleProtocol } from "./sample-server.ts";

/** A process that does not end on SIGTERM within this time is killed. */
const END_WITHIN_MS = 3_000;
const START_WITHIN_MS = 10_000;
/** Lines kept to say why a process ended. */
const KEPT_LINES = 5;

export class OwnProcess {
  /** Resolves when it has ended, however. */
  readonly exited: Promise<unknown>;
  readonly #process: Subprocess<"pipe", "pipe", "pipe">;
  readonly #lastWords: string[] = [];

  /** Runs `holdfast ARGUMENTS`; `onLine` gets its standard output. */
  constructor(args: readonly string[], env: Record<string, string>, onLine: (line: string) => void) {
    this.#process = Bun.spawn([...ownCommand(), ...args], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, ...env },
    });
    const reading = [
      eachLine(this.#process.stdout, onLine),
      eachLine(this.#process.stderr, (line) => {
        this.#lastWords.push(line);
        if (this.#lastWords.length > KEPT_LINES) this.#lastWords.shift();
      }),
    ];
    this.exited = this.#process.exited.then(() => Promise.all(reading));
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** What it said last on standard error. */
  lastWords(): string {
    return this.#lastWords.join("\n");
  }

  /** Kills it at once: SIGKILL. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.exited;
  }

  /** Ends it in order; kills it if that takes too long. */
  async end(): Promise<void> {
    this.#process.stdin.end();
    this.#process.kill("SIGTERM");
    const late = setTimeout(() => this.#process.kill("SIGKILL"), END_WITHIN_MS);
    await this.exited;
    clearTimeout(late);
  }
}

export interface SampleServer {
  readonly name: string;
  readonly protocol: SampleProtocol;
  readonly port: number;
  readonly process: OwnProcess;
}

/** Starts a sample server; `started` is told of its process at once, so that it can be ended whatever comes. */
export async function startSampleServer(
  protocol: SampleProtocol,
  name: string,
  started: (process: OwnProcess) => void,
): Promise<SampleServer> {
  const opened = Promise.withResolvers<number>();
  const process = new OwnProcess(["demo", "server", protocol, name], {}, (line) => opened.resolve(Number(line)));
  started(process);
  void process.exited.then(() => opened.reject(failure(`the sample server ${name} ended: ${process.lastWords()}`)));
  const late = setTimeout(() => opened.reject(failure(`the sample server ${name} did not start`)), START_WITHIN_MS);
  try {
    return { name, protocol, port: await opened.promise, process };
  } finally {
    clearTimeout(late);
  }
}

/** The demo cannot go on. */
export function failure(message: string): HoldfastError {
  return new HoldfastError("demo/failed", message);
}
