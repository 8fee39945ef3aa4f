/** Processes of the bytes and takeover tests: a balancer and its successors over one data folder, and the load around them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiClient, socketIn } from "../../../src/api/client.ts";
import type { StatusReport } from "../../../src/balancer/control/balancer.ts";
import { Child } from "../../lab/child.ts";
import { EventLog } from "../../lab/session-log.ts";
import type { LoadReport } from "./load.ts";

const COMMAND = join(import.meta.dir, "../../../bin/holdfast");
/** Whatever a test waits for happens within this time, or never. */
const WITHIN_MS = 20_000;
const STOP_WITHIN_MS = 5_000;

/** One line of a balancer's log, as far as tests read it. `event` is always there. */
export interface LogLine {
  readonly event: string;
  readonly msg?: string;
  readonly pid?: number;
  readonly client?: string;
  readonly server?: string;
  readonly recognisedBy?: string;
  readonly end?: string;
}

/** One `holdfast up`: its supervisor, and the process that serves. */
export class Up {
  readonly log = new EventLog<LogLine>();
  /** The one that serves, once it is ready. */
  pid = 0;
  readonly #child: Child;

  constructor(args: readonly string[]) {
    this.#child = new Child([COMMAND, "up", ...args], (line) => this.#hear(line), { HOLDFAST_REHEARSE: "1" });
  }

  #hear(line: string): void {
    if (!line.startsWith("{")) return;
    const read = JSON.parse(line) as LogLine;
    if (read.event === "balancer.ready") this.pid = read.pid!;
    if (typeof read.event === "string") this.log.add(read);
  }

  /** Resolves when it serves; rejects when it ends before. */
  async ready(): Promise<this> {
    const ready = this.heard("balancer.ready");
    ready.catch(() => {});
    await Promise.race([
      ready,
      this.exited.then((code) => {
        throw new Error(`holdfast up ended with ${code}: ${this.said}`);
      }),
    ]);
    return this;
  }

  heard(event: string, wanted: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    return this.log.waitFor(event, (line) => line.event === event && wanted(line), WITHIN_MS);
  }

  /** Exit code of the supervisor. */
  get exited(): Promise<number> {
    return this.#child.exited;
  }

  /** The last that it wrote. */
  get said(): string {
    return this.#child.output();
  }

  /** The process that serves, or is about to. */
  child(): number {
    const { pid } = this.#child;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim());
  }

  async end(): Promise<void> {
    this.#child.signal("SIGTERM");
    await this.#child.ended(STOP_WITHIN_MS);
  }
}

/** Balancers that follow one another on one data folder. */
export class Lineage {
  readonly folder = mkdtempSync(join(tmpdir(), "holdfast-bytes-"));
  readonly data = join(this.folder, "data");
  readonly file = join(this.folder, "holdfast.yaml");
  readonly api = new ApiClient(socketIn(this.data));
  readonly #all: Up[] = [];

  /** The file that the next reload or process reads. */
  write(yaml: string): void {
    writeFileSync(this.file, yaml);
  }

  /** Starts one more, and does not wait for it. */
  begin(...more: string[]): Up {
    const up = new Up(["-c", this.file, "--data", this.data, ...more]);
    this.#all.push(up);
    return up;
  }

  up(): Promise<Up> {
    return this.begin().ready();
  }

  takeOver(): Promise<Up> {
    return this.begin("--takeover").ready();
  }

  status(): Promise<StatusReport> {
    return this.api.status();
  }

  async port(service: string, address = 0): Promise<number> {
    const { services } = await this.status();
    const listen = services.find(({ name }) => name === service)!.listen[address]!;
    return Number(listen.slice(listen.lastIndexOf(":") + 1));
  }

  /** Runs another command (`drain`, `reload`, `sessions`) on this data folder. */
  async command(...args: string[]): Promise<{ code: number; out: string }> {
    const process = Bun.spawn([COMMAND, ...args, "--data", this.data], { stdout: "pipe", stderr: "pipe" });
    const [out, err, code] = await Promise.all([
      new Response(process.stdout).text(),
      new Response(process.stderr).text(),
      process.exited,
    ]);
    return { code, out: out + err };
  }

  /** Ends all that still run and removes the folder. */
  async stop(): Promise<void> {
    await Promise.all(this.#all.map((up) => up.end()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What the load of HTTP and TLS says besides. */
export interface WebLoadReport extends LoadReport {
  /** Requests without a body that were asked a second time, because their connection ended before it answered. */
  readonly again: number;
}

type LoadLine = { ports: number[]; talk: number } | { held: number } | { report: LoadReport };

/** A load's process: load.ts or web-load.ts. */
export class LoadProcess<Report extends LoadReport = LoadReport> {
  readonly #lines = new EventLog<LoadLine>();
  readonly #child: Child;
  #read = 0;

  constructor(program: "load.ts" | "web-load.ts", ...args: readonly (string | number)[]) {
    const command = [process.execPath, join(import.meta.dir, program), ...args.map(String)];
    this.#child = new Child(command, (line) => {
      if (line.startsWith("{")) this.#lines.add(JSON.parse(line) as LoadLine);
    });
  }

  tell(command: string): void {
    this.#child.say(command);
  }

  async #answer<K extends string>(key: K, limitMs: number): Promise<Extract<LoadLine, Record<K, unknown>>> {
    const gone = this.#child.exited.then((code) => {
      throw new Error(`the load ended with ${code}: ${this.#child.output()}`);
    });
    gone.catch(() => {});
    const line = await Promise.race([this.#lines.waitFor(key, (said) => key in said, limitMs, this.#read), gone]);
    this.#read = this.#lines.events.indexOf(line) + 1;
    return line as Extract<LoadLine, Record<K, unknown>>;
  }

  /** Where its servers listen. */
  listening(): Promise<{ ports: number[]; talk: number }> {
    return this.#answer("ports", WITHIN_MS);
  }

  /** Opens connections that do not end before "release"; resolves when all have begun. */
  async hold(count: number): Promise<number> {
    this.tell(`hold ${count}`);
    return (await this.#answer("held", WITHIN_MS)).held;
  }

  /** No more connections; resolves when all are over. */
  async stop(): Promise<Report> {
    this.tell("stop");
    const answer = this.#answer("report", 2 * WITHIN_MS);
    return (await answer).report as Report;
  }

  async end(): Promise<void> {
    this.#child.signal("SIGTERM");
    await this.#child.ended(STOP_WITHIN_MS);
  }
}

/** Is there a process of this id that has not ended? */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
