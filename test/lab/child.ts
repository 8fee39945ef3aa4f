/** Programs that a rig runs: ended by their own process id, and ended by the kernel if the test itself dies. */

import type { Subprocess } from "bun";
import { eachLine } from "../../src/os/lines.ts";

/** Output kept for the message of a failure. */
const KEPT_LINES = 60;
/** How long a child has to end before it is killed, in ms. */
const END_WITHIN_MS = 3000;

/** A running program whose output is read line by line. */
export class Child {
  /** Resolves with the exit code, negative for a signal. Never rejects. */
  readonly exited: Promise<number>;
  readonly #process: Subprocess<"pipe", "pipe", "pipe">;
  readonly #lines: string[] = [];

  /** Starts `command`; `onLine` is told each line of stdout, and of stderr unless it has `onErrorLine` of its own. */
  constructor(command: string[], onLine: (line: string) => void = () => {}, env: Record<string, string> = {}) {
    // PR_SET_PDEATHSIG survives exec: the kernel kills the program when the test process is gone.
    this.#process = Bun.spawn(["setpriv", "--pdeathsig", "KILL", "--", ...command], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, ...env },
    });
    const keep = (line: string): void => {
      this.#lines.push(line);
      if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    };
    const reading = [
      eachLine(this.#process.stdout, (line) => {
        keep(line);
        onLine(line);
      }),
      eachLine(this.#process.stderr, keep),
    ];
    this.exited = this.#process.exited.then(async (code) => {
      await Promise.all(reading);
      return code;
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** The last lines of its output, for the message of a failure. */
  output(): string {
    return this.#lines.join("\n");
  }

  /** Sends `signal`, unless it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill(signal);
  }

  /** Writes a line to its stdin. */
  say(line: string): void {
    this.#process.stdin.write(`${line}\n`);
    this.#process.stdin.flush();
  }

  /** Closes its stdin. */
  closeInput(): void {
    this.#process.stdin.end();
  }

  /** Waits until it has ended; kills it when that takes longer than `withinMs`. @returns its exit code */
  async ended(withinMs = END_WITHIN_MS): Promise<number> {
    const deadline = setTimeout(() => this.signal("SIGKILL"), withinMs);
    const code = await this.exited;
    clearTimeout(deadline);
    return code;
  }
}
