/** Measures the machine (or asks a program) on schedule and keeps the newest result. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AgentRole } from "../config/schema.ts";
import { Repeat, type Round } from "../deadlines/repeat.ts";
import { run } from "../deadlines/run.ts";
import { Slots } from "../deadlines/slots.ts";
import type { Timing } from "../deadlines/timing.ts";
import { LOAD_REASONS, newLoadNumber, readLoadNumber } from "../protocols/agent/number.ts";
import { reasonName } from "../protocols/result.ts";
import { describe, loadOf, type Measured } from "./load.ts";
import { type CpuTicks, cpuShare, readCpuTicks, readLoadShare, readMemoryShare } from "./measures.ts";
import { countSessions } from "./sessions.ts";

/** CPU time is looked at over this long, so that one busy moment does not turn everybody away. */
const CPU_WINDOW_MS = 10_000;
/** The first look at CPU time, before there is a window. */
const FIRST_WINDOW_MS = 100;
const COMMAND_TIMEOUT_MS = 5_000;

/** The load, 0 to 102 (above 100 only from a program), and what it is made of; or why it is not known. */
export type Sample = { readonly load: number; readonly detail: string } | { readonly failure: string };

/** Samples from `start` until `stop`. */
export class Sampler {
  readonly #role: AgentRole;
  readonly #timing: Timing;
  readonly #root: string;
  #newest: Sample = { failure: "not measured yet" };
  #window: { readonly atMs: number; readonly ticks: CpuTicks }[] = [];
  #repeat: Repeat | undefined;

  /** `root`: where /proc and /run are, "/" but in tests. */
  constructor(role: AgentRole, timing: Timing, root: string) {
    this.#role = role;
    this.#timing = timing;
    this.#root = root;
  }

  newest(): Sample {
    return this.#newest;
  }

  /** Resolves when the first sample is there, at the latest after a program's deadline. */
  async start(): Promise<void> {
    if (this.#role.command === undefined) {
      this.#takeTicks();
      await new Promise<void>((resolve) => this.#timing.after(FIRST_WINDOW_MS, resolve));
    }
    await this.#sample().done;
    this.#repeat = new Repeat({
      timing: this.#timing,
      slots: new Slots(1),
      begin: () => this.#sample(),
      interval: () => this.#role.every,
    });
  }

  stop(): void {
    this.#repeat?.stop();
  }

  #sample(): Round {
    if (this.#role.command !== undefined) return this.#ask(this.#role.command);
    this.#newest = this.#measure();
    return { done: Promise.resolve(), cancel: () => {} };
  }

  #ask(command: readonly string[]): Round {
    const pending = run(command, {}, COMMAND_TIMEOUT_MS, this.#timing);
    const done = pending.done.then((answer) => {
      if ("failure" in answer) this.#newest = { failure: `program: ${answer.failure}` };
      else if (answer.value.code !== 0) this.#newest = { failure: `program: exit code ${answer.value.code}` };
      else this.#newest = readLoad(answer.value.firstLine);
    });
    return { done, cancel: pending.cancel };
  }

  #measure(): Sample {
    const ticks = this.#takeTicks();
    const memory = readMemoryShare(this.#read("meminfo"));
    const load = ticks === undefined ? undefined : readLoadShare(this.#read("loadavg"), ticks.cores);
    if (ticks === undefined || memory === undefined || load === undefined) return { failure: "/proc cannot be read" };
    // Counting means looking at every process: only when it counts.
    const sessions = this.#role.weights.sessions > 0 ? countSessions(this.#root) : 0;
    const measured: Measured = { cpu: cpuShare(this.#window[0]?.ticks ?? ticks, ticks), memory, load, sessions };
    return { load: loadOf(measured, this.#role), detail: describe(measured) };
  }

  /** Reads CPU time now, and lets go of what is older than the window. */
  #takeTicks(): CpuTicks | undefined {
    const ticks = readCpuTicks(this.#read("stat"));
    if (ticks === undefined) return undefined;
    const atMs = this.#timing.now();
    const kept = this.#window.filter((sample) => atMs - sample.atMs <= CPU_WINDOW_MS);
    // With a long `every` the window is the time since the last sample.
    this.#window = [...(kept.length > 0 ? kept : this.#window.slice(-1)), { atMs, ticks }];
    return ticks;
  }

  #read(file: string): string {
    try {
      return readFileSync(join(this.#root, "proc", file), "utf8");
    } catch {
      return "";
    }
  }
}

function readLoad(line: string): Sample {
  const bytes = Buffer.from(line);
  const out = newLoadNumber();
  const used = readLoadNumber(bytes, 0, bytes.length, true, out);
  if (used <= 0) return { failure: `program: answer is no load (${reasonName(LOAD_REASONS, used)})` };
  return { load: out.load, detail: "from the program" };
}
