/** The balancer as its users meet it: the real process, with real servers behind it and real clients in front. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiClient, socketIn } from "../../../src/api/client.ts";
import type { PoolStatus, ServerStatus, ServiceStatus, StatusReport } from "../../../src/balancer/control/balancer.ts";
import { Child } from "../../lab/child.ts";
import { EventLog } from "../../lab/session-log.ts";
import { until } from "../../until.ts";

export const COMMAND = join(import.meta.dir, "../../../bin/holdfast");
const START_WITHIN_MS = 15_000;
const STOP_WITHIN_MS = 10_000;
/** Whatever a test waits for happens within this time, or never. */
const WITHIN_MS = 8_000;

/** One line of its log: what the tests read of it. `event` is always there. */
export interface LogLine {
  /** RFC 3339. */
  readonly time: string;
  readonly event: string;
  readonly msg?: string;
  readonly client?: string;
  readonly user?: string | null;
  readonly service?: string;
  readonly pool?: string | null;
  readonly server?: string | null;
  readonly recognisedBy?: string;
  readonly attempts?: number;
  readonly queueMs?: number | null;
  readonly end?: string;
  readonly endDetail?: string;
  readonly entries?: number;
  readonly why?: string;
  readonly connections?: number;
}

export interface BalancerOptions {
  /** Before the command: `["prlimit", "--nofile=300"]`. FOLDER in its environment is this balancer's own folder. */
  readonly wrap?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Nothing comes on standard output here: whether it serves is asked instead. */
  readonly isSilent?: boolean;
}

export class Balancer {
  /** Every line that it wrote, over restarts, oldest first. */
  readonly log = new EventLog<LogLine>();
  /** A folder of its own. The file is in it, and `data`. */
  readonly folder = mkdtempSync(join(tmpdir(), "holdfast-service-"));
  readonly data = join(this.folder, "data");
  readonly #options: BalancerOptions;
  #child: Child | undefined;
  #status: StatusReport | undefined;

  private constructor(options: BalancerOptions) {
    this.#options = options;
  }

  /** Runs `yaml` in a folder of its own; resolves when it serves. */
  static async start(yaml: string, options: BalancerOptions = {}): Promise<Balancer> {
    const balancer = new Balancer(options);
    balancer.write(yaml);
    try {
      await balancer.up();
    } catch (failure) {
      await balancer.stop();
      throw failure;
    }
    return balancer;
  }

  get file(): string {
    return join(this.folder, "holdfast.yaml");
  }

  /** Changes the file; a reload or restart takes it up. */
  write(yaml: string): void {
    writeFileSync(this.file, yaml);
  }

  /** Starts it, the first time or again: with the same file and the same data. */
  async up(): Promise<void> {
    const from = this.log.events.length;
    const wrap = this.#options.wrap ?? [];
    const command = ["env", "-C", this.folder, ...wrap, COMMAND, "up", "-c", this.file, "--data", this.data];
    const child = new Child(command, (line) => this.#read(line), {
      HOLDFAST_REHEARSE: "1",
      FOLDER: this.folder,
      ...this.#options.env,
    });
    this.#child = child;
    const gone = child.exited.then((code) => {
      throw new Error(`holdfast up ended with ${code}\n${child.output()}`);
    });
    gone.catch(() => {});
    const ready = this.#options.isSilent
      ? until("the balancer to answer", () => this.status().catch(() => undefined), START_WITHIN_MS)
      : this.heard("balancer.ready", () => true, from);
    await Promise.race([ready, gone]);
    await this.status();
  }

  /** Its admin socket, as it sees it: it may have a mount namespace of its own. */
  get #socket(): string {
    return `/proc/${this.pid}/root${socketIn(this.data)}`;
  }

  /** The admin API, as the command line uses it. */
  get api(): ApiClient {
    return new ApiClient(this.#socket);
  }

  /** The supervisor's process id. */
  get pid(): number {
    if (!this.#child) throw new Error("the balancer is not running");
    return this.#child.pid;
  }

  /** Sends the supervisor a signal. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.signal(signal);
  }

  /** Resolves with the exit code. */
  ended(): Promise<number> {
    if (!this.#child) throw new Error("the balancer is not running");
    return this.#child.exited;
  }

  /** Asks it to end, as systemd would. @returns its exit code, negative if it had to be killed */
  async down(): Promise<number> {
    const child = this.#child;
    if (!child) throw new Error("the balancer is not running");
    this.#child = undefined;
    child.signal("SIGTERM");
    // Should it have to be killed, what it supervises would stay.
    const pid = this.#status?.pid;
    const orphan = setTimeout(() => pid && process.kill(pid, "SIGKILL"), STOP_WITHIN_MS + 500);
    const code = await child.ended(STOP_WITHIN_MS);
    clearTimeout(orphan);
    return code;
  }

  /** Ends it at once and removes what it kept. */
  async stop(): Promise<void> {
    if (this.#child) {
      // The second signal ends it without waiting for connections.
      this.signal("SIGTERM");
      this.signal("SIGINT");
      await this.down();
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  #read(line: string): void {
    if (!line.startsWith("{")) return;
    const read: unknown = JSON.parse(line);
    if (typeof read === "object" && read !== null && "event" in read) this.log.add(read as LogLine);
  }

  /** The first line of that event, past (from index `from`) or to come, for which `wanted` holds. */
  heard(event: string, wanted: (line: LogLine) => boolean = () => true, from = 0): Promise<LogLine> {
    return this.log.waitFor(event, (line) => line.event === event && wanted(line), WITHIN_MS, from);
  }

  /** The access line of the connection that `client` made. */
  accessLine(client: { readonly address: string; readonly sinceMs?: number }, from = 0): Promise<LogLine> {
    // An earlier connection may have had the same port. The log's clock is that of a turn of the loop.
    const { address, sinceMs = 0 } = client;
    return this.heard(
      "connection.end",
      (line) => line.client === address && Date.parse(line.time) > sinceMs - 1_000,
      from,
    );
  }

  async status(): Promise<StatusReport> {
    this.#status = await this.api.status();
    return this.#status;
  }

  async service(name: string): Promise<ServiceStatus> {
    return (await this.status()).services.find((service) => service.name === name)!;
  }

  async pool(name: string): Promise<PoolStatus> {
    return (await this.status()).pools.find((pool) => pool.name === name)!;
  }

  /** `name`: POOL/SERVER. */
  async server(name: string): Promise<ServerStatus> {
    const [pool = "", server = ""] = name.split("/");
    return (await this.pool(pool)).servers.find((one) => one.name === server)!;
  }

  /** The port of a service, or of one of its addresses (0, 1, …), as it was when the balancer became ready. */
  port(service: string, address = 0): number {
    const listen = this.#status!.services.find(({ name }) => name === service)!.listen[address]!;
    return Number(listen.slice(listen.lastIndexOf(":") + 1));
  }

  /** For rehearsals: a worker (0, 1, …) breaks on purpose. */
  async rehearse(how: "throw" | "hang", worker: number): Promise<void> {
    await fetch(`http://holdfast/rehearse/${how}/${worker}`, { unix: this.#socket, method: "POST" });
  }

  /** The metrics page, from the admin socket. */
  async metrics(): Promise<string> {
    return (await fetch("http://holdfast/api/v1/metrics", { unix: this.#socket })).text();
  }

  /** Sets a server's administrative state as the command line does. */
  set(name: string, state: "ready" | "drain" | "maintenance", withinMs?: number) {
    const [pool = "", server = ""] = name.split("/");
    return this.api.setAdministrative(pool, server, {
      state,
      by: "tests",
      confirm: true,
      ...(withinMs === undefined ? {} : { withinMs }),
    });
  }
}

/** Runs a command line (`holdfast token rds/rds2`) to its end. */
export async function holdfast(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const process = Bun.spawn([COMMAND, ...args], { stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([
    new Response(process.stdout).text(),
    new Response(process.stderr).text(),
    process.exited,
  ]);
  return { code, out, err };
}

/** Lets a time pass that is itself what a test is about: a client stays away for longer than its pool remembers it. */
export const stayAway = (ms: number) => Bun.sleep(ms);
