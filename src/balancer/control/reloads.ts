/** How the running configuration is replaced, without a connection that notices. */
import { compareConfig } from "../../config/changes.ts";
import { loadConfig } from "../../config/load.ts";
import type { Problem } from "../../config/problem.ts";
import type { Config } from "../../config/schema.ts";
import type { Timing } from "../../deadlines/timing.ts";
import { HoldfastError } from "../../errors.ts";
import type { Measures, ReloadReport } from "./balancer.ts";
import type { Events } from "./events.ts";
import type { Listeners } from "./listeners.ts";
import type { Names } from "./names.ts";
import { longestIdleSec } from "./planner.ts";
import type { RunningConfig } from "./running-config.ts";
import type { Servers } from "./servers.ts";
import type { SharedState } from "./shared-state.ts";
import type { Slots } from "./slots.ts";
import { tryTls } from "./tls-trial.ts";
import type { Workers } from "./workers.ts";

export interface ReloadsOptions {
  /** The YAML file. */
  readonly file: string;
  readonly timing: Timing;
  readonly running: RunningConfig;
  readonly names: Names;
  readonly servers: Servers;
  readonly listeners: Listeners;
  readonly workers: Workers;
  readonly events: Events;
  readonly shared: SharedState;
  readonly slots: Slots;
  /** Workers decide by this one now. */
  onAdopted(config: Config): void;
}

export class Reloads {
  readonly #options: ReloadsOptions;
  readonly #counts = { success: 0, failure: 0 };
  #last: { success: boolean; atMs: number };

  constructor(options: ReloadsOptions) {
    this.#options = options;
    this.#last = { success: true, atMs: options.timing.wallClock() };
  }

  measures(): Pick<Measures, "reloads" | "lastReload"> {
    const { success, atMs } = this.#last;
    return { reloads: { ...this.#counts }, lastReload: { success, at: new Date(atMs).toISOString() } };
  }

  /** Reads the file again. What it says is in force when this resolves; with mistakes in it, nothing has changed. */
  async reload(): Promise<ReloadReport> {
    const { file, timing, running, names, servers, listeners, workers, shared } = this.#options;
    const loaded = loadConfig(file, timing.wallClock(), tryTls);
    if (loaded.config === undefined) return this.#failed(loaded.problems, "the file has mistakes");
    const before = running.config;
    const next = loaded.config;
    try {
      await names.follow(next);
      // What the file no longer has stays as it is: the workers still decide by it, and the rest may fail.
      servers.declare(next, true);
      listeners.open(next.services);
      listeners.listen();
    } catch (error) {
      servers.declare(before);
      await names.follow(before);
      if (!(error instanceof HoldfastError)) throw error;
      return this.#failed(loaded.problems, error.message);
    }
    // Workers go over to servers that are known to be there; until then they work by the file before.
    servers.watch(next);
    await servers.firstResults();
    running.adopt(next, timing.wallClock());
    shared.sticky.setLongestIdle(longestIdleSec(next));
    await workers.adopt(running.generation.number);
    servers.declare(next);
    listeners.closeUnwanted();
    this.#options.onAdopted(next);
    return this.#succeeded(before, next, loaded.problems);
  }

  #succeeded(before: Config, next: Config, problems: readonly Problem[]): ReloadReport {
    const { running, events } = this.#options;
    const { number, atMs } = running.generation;
    this.#counts.success++;
    this.#last = { success: true, atMs };
    const open = this.#openOf(next);
    const untouched = `${open.toLocaleString("en-GB")} ${open === 1 ? "connection" : "connections"} untouched`;
    const summary = [compareConfig(before, next).summary, untouched].filter((part) => part !== "").join(", ");
    events.tell("info", "config.reloaded", `generation ${number}: ${summary}`, { generation: number });
    return { ok: true, generation: running.report(), summary, problems: [...problems] };
  }

  #failed(problems: readonly Problem[], why: string): ReloadReport {
    const { running, events, timing } = this.#options;
    this.#counts.failure++;
    this.#last = { success: false, atMs: timing.wallClock() };
    const summary = `${why}. Nothing was changed: generation ${running.generation.number} keeps running.`;
    events.tell("warn", "config.refused", summary);
    return { ok: false, generation: running.report(), summary, problems: [...problems] };
  }

  /** Connections of all its services. */
  #openOf({ services }: Config): number {
    const { shared, slots } = this.#options;
    return Object.values(services).reduce((sum, { name }) => sum + shared.board.service(slots.service(name)).open(), 0);
  }

  /** Workers get a new plan of the same file: a name leads elsewhere, a key was replaced. */
  async replan(): Promise<void> {
    const { running, workers, events } = this.#options;
    running.renew();
    await workers.adopt(running.generation.number).catch((error: Error) => {
      events.tell("error", "config.not-served", error.message);
    });
  }
}
