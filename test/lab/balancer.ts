/** The balancer as a person runs it: the command line, a file, and what it writes to stdout. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "./child.ts";
import { EventLog } from "./session-log.ts";
import { accepts } from "./ways.ts";

const COMMAND = join(import.meta.dir, "../../bin/holdfast");
const START_WITHIN_MS = 20_000;
/** Nothing is open when the tests stop it, so it does not need the time that it would give connections. */
const STOP_WITHIN_MS = 10_000;

/** One line of its log: what the tests read of it. `event` is always there. */
export interface LogLine {
  readonly event: string;
  readonly client?: string;
  readonly service?: string;
  readonly pool?: string;
  readonly server?: string;
  readonly recognisedBy?: string;
  readonly end?: string;
}

export class Balancer {
  /** Every line that it wrote, over restarts, oldest first. */
  readonly log = new EventLog<LogLine>();
  readonly #folder: string;
  readonly #port: number;
  #child: Child | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
  }

  /** Runs `yaml` in a folder of its own; resolves when 127.0.0.1:`port` accepts connections. */
  static async start(yaml: string, port: number): Promise<Balancer> {
    const balancer = new Balancer(await mkdtemp(join(tmpdir(), "holdfast-lab-")), port);
    await Bun.write(balancer.#file, yaml);
    try {
      await balancer.up();
    } catch (failure) {
      await balancer.stop();
      throw failure;
    }
    return balancer;
  }

  get #file(): string {
    return join(this.#folder, "holdfast.yaml");
  }

  /** Starts it, the first time or again: with the same file and the same data. */
  async up(): Promise<void> {
    const child = new Child([COMMAND, "up", "-c", this.#file], (line) => this.#read(line), {
      HOLDFAST_DATA: join(this.#folder, "data"),
    });
    this.#child = child;
    const gone = child.exited.then((code) => {
      throw new Error(`holdfast up ended with ${code}\n${child.output()}`);
    });
    gone.catch(() => {});
    await Promise.race([accepts(this.#port, START_WITHIN_MS), gone]);
  }

  /** Asks it to end, as systemd would. Rejects with what it wrote when it does not end in order, or not in time. */
  async down(): Promise<void> {
    const child = this.#child;
    if (!child) throw new Error("the balancer is not running");
    this.#child = undefined;
    child.signal("SIGTERM");
    const code = await child.ended(STOP_WITHIN_MS);
    if (code !== 0) throw new Error(`holdfast up was asked to end, and ended with ${code}\n${child.output()}`);
  }

  /** Ends it and removes what it kept. */
  async stop(): Promise<void> {
    try {
      if (this.#child) await this.down();
    } finally {
      await rm(this.#folder, { recursive: true, force: true });
    }
  }

  #read(line: string): void {
    if (!line.startsWith("{")) return;
    const read: unknown = JSON.parse(line);
    if (isLogLine(read)) this.log.add(read);
  }
}

function isLogLine(value: unknown): value is LogLine {
  return typeof value === "object" && value !== null && "event" in value && typeof value.event === "string";
}
