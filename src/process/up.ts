/** `holdfast up`: the process behind the command, and what it does with signals. Runs under its supervisor. */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { Hono } from "hono";
import { createApi } from "../api/app.ts";
import { isAnswered, type Served, serveApi, serveMetrics } from "../api/serve.ts";
import { beginTakeover, commitTakeover, leaveTo } from "../balancer/control/handover.ts";
import { RunningBalancer } from "../balancer/control/running.ts";
import { tryTls } from "../balancer/control/tls-trial.ts";
import type { EndSelector } from "../balancer/worker/messages.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { systemTiming } from "../deadlines/timing.ts";
import { HoldfastError } from "../errors.ts";
import { createLog, type Log, openSink } from "../observe/log.ts";
import { passDescriptors } from "../os/pass.ts";
import { ProcessOutput } from "./output.ts";
import { SUPERVISED, supervise } from "./supervisor.ts";

/** A successor says that it answers on the admin socket, mostly within milliseconds. */
const SUCCESSOR_MS = 250;

/** An exit code that the supervisor does not take for an end (EX_TEMPFAIL of sysexits(3)). */
const START_AGAIN = 75;

export interface UpOptions {
  readonly file: string;
  readonly dataFolder: string;
  readonly takeover: boolean;
}

/** The admin socket of the process that runs with this data folder. */
export const socketOf = (dataFolder: string): string => join(dataFolder, "holdfast.sock");

/** Descriptors that this process may have open (RLIMIT_NOFILE). */
async function fileLimit(): Promise<number> {
  const limits = await Bun.file("/proc/self/limits").text();
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 1024);
}

/** Serves until a signal ends it. @returns the exit code. Throws HoldfastError when it cannot begin. */
export async function serve(options: UpOptions): Promise<number> {
  const { config } = loadConfig(options.file, Date.now(), tryTls);
  if (config === undefined) throw new HoldfastError("config/unreadable-file", `${options.file} has mistakes`);
  const data = options.dataFolder;
  mkdirSync(data, { recursive: true, mode: 0o750 });
  const sink = openSink(config.log.file);
  const node = hostname();
  const log = createLog({ sink, level: config.log.level, node, role: "balancer" });
  const socket = socketOf(data);
  const doormat = join(data, `takeover-${process.pid}.sock`);
  // Not only when the socket is needed: listening on the same ports would already take connections from the other one.
  if (!options.takeover && (await isAnswered(socket))) {
    throw new HoldfastError("up/already-running", `a running Holdfast answers on ${socket}`);
  }
  const inheritance = options.takeover ? await beginTakeover(socket, doormat) : null;
  const balancer = new RunningBalancer({
    file: options.file,
    config,
    data,
    node,
    output: new ProcessOutput(node, log, sink),
    timing: systemTiming,
    randomBytes: (bytes) => new Uint8Array(randomBytes(bytes)),
    files: await fileLimit(),
    cores: navigator.hardwareConcurrency,
    inheritance,
  });
  const process_ = new UpProcess(balancer, log, () => sink.flush());
  try {
    await process_.begin(config, socket, inheritance !== null);
  } catch (error) {
    const why = (error as Error).message;
    if (process_.isAlone) log.error("takeover.broken", `it took over and cannot serve: ${why}`);
    await process_.close();
    if (process_.isAlone) return START_AGAIN;
    throw error;
  }
  const listen = Object.values(config.services).map(
    (service) => `${service.name} on ${balancer.listen(service).join(" ")}`,
  );
  log.info("balancer.ready", `serving ${listen.join(", ")}`, { pid: process.pid, data, file: options.file });
  return process_.untilEnd(config.shutdown.within, process);
}

/** The process around a balancer: its sockets, its signals, its end. */
export class UpProcess {
  readonly #balancer: RunningBalancer;
  readonly #log: Log;
  readonly #flush: () => Promise<void>;
  readonly #api: ReturnType<typeof createApi>;
  #served: Served[] = [];
  #isAlone = false;
  /** Where it was reached before it was taken over. */
  #old: Served[] = [];
  #end: (code: number) => void = () => {};
  readonly #ended = new Promise<number>((resolve) => {
    this.#end = resolve;
  });

  constructor(balancer: RunningBalancer, log: Log, flush: () => Promise<void>) {
    this.#balancer = balancer;
    this.#log = log;
    this.#flush = flush;
    const requestId = () => randomBytes(8).toString("hex");
    this.#api = createApi({ balancer, log, requestId, extra: this.#routes() });
  }

  /** Serves, or takes over from the process that answers on `socket`. When it throws, `close` what there is by then. */
  async begin(config: Config, socket: string, isTakeover: boolean): Promise<void> {
    await this.#balancer.start();
    // What could fail comes first: after the commit there is nobody else.
    if (config.metrics) this.#served.push(serveMetrics(this.#balancer, config.metrics.listen));
    const farewell = isTakeover ? await commitTakeover(socket) : null;
    this.#isAlone = isTakeover;
    if (farewell) this.#balancer.succeed(farewell);
    this.#served.push(await serveApi(this.#api, socket, { replace: isTakeover }));
    // When it is gone already, there is nobody to tell.
    if (farewell) await leaveTo(farewell).catch(() => {});
  }

  /** Has the process before let go? If this one ends, nobody serves. */
  get isAlone(): boolean {
    return this.#isAlone;
  }

  /** What only a process that takes over asks, and rehearsals. */
  #routes(): Hono {
    const app = new Hono();
    app.post("/takeover/begin", async (c) => {
      const { doormat, pid } = await c.req.json<{ doormat: string; pid: number }>();
      const { handover, descriptors } = await this.#balancer.handOver(pid);
      passDescriptors(doormat, descriptors);
      return c.json(handover);
    });
    app.post("/takeover/commit", async (c) => {
      // What could fail comes first.
      const forSuccessor = await serveApi(this.#api, this.#balancer.successorSocket, { replace: true });
      const farewell = await this.#balancer.letGo().catch(async (error) => {
        await forSuccessor.stop();
        throw error;
      });
      this.#old = this.#served;
      this.#served = [forSuccessor];
      this.#outlive();
      return c.json(farewell);
    });
    app.post("/takeover/leave", (c) => {
      this.#leave();
      return c.json({});
    });
    app.post("/takeover/end", async (c) => {
      const { which, end } = await c.req.json<{ which: EndSelector; end: number }>();
      return c.json({ ended: await this.#balancer.endForSuccessor(which, end) });
    });
    if (process.env.HOLDFAST_REHEARSE === "1") {
      app.post("/rehearse/:how/:worker", (c) => {
        const how = c.req.param("how") === "hang" ? "hang" : "throw";
        this.#balancer.rehearse(Number(c.req.param("worker")), how);
        return c.json({});
      });
    }
    return app;
  }

  /** Its successor answers on the admin socket, or has failed: then a new start must not find it taken. */
  #leave(): void {
    for (const served of this.#old.splice(0)) void served.stop();
  }

  #outlive(): void {
    setTimeout(() => this.#leave(), SUCCESSOR_MS);
    this.#endAfter(this.#balancer.outlive());
  }

  /** The process ends after `work`; when that fails, it ends all the same, with what it has. */
  #endAfter(work: Promise<void>): void {
    work.then(
      () => this.#end(0),
      (error: Error) => {
        this.#log.error("balancer.failed", `it did not end in order: ${error.message}`, { stack: error.stack });
        this.#end(1);
      },
    );
  }

  /** Mistakes in the file are no failure here: the balancer has logged them. */
  async #reload(): Promise<void> {
    await this.#balancer.reload().catch((error: Error) => {
      this.#log.warn("config.not-reloaded", `the file was not read again: ${error.message}`);
    });
  }

  /** Serves until one of `signals` ends it: SIGTERM or SIGINT, a second of which ends it at once. SIGHUP reloads. */
  async untilEnd(withinMs: number, signals: Signals): Promise<number> {
    let asked = false;
    const stop = (code: number) => () => {
      if (asked) return this.#end(code);
      asked = true;
      this.#endAfter(this.#balancer.shutdown(withinMs));
    };
    signals.on("SIGTERM", stop(143));
    signals.on("SIGINT", stop(130));
    signals.on("SIGHUP", () => void this.#reload());
    const code = await this.#ended;
    await this.close();
    return code;
  }

  /** Nothing is served any more, and what was logged is written. */
  async close(): Promise<void> {
    for (const served of this.#served) await served.stop();
    await this.#balancer.stop();
    await this.#flush();
  }
}

/** Where signals come from: the process itself. */
export interface Signals {
  on(signal: "SIGTERM" | "SIGINT" | "SIGHUP", listener: () => void): unknown;
}

/** The command: starts the supervisor, or serves when there is one already. @returns the exit code. */
export async function run(options: UpOptions): Promise<number> {
  if (process.env[SUPERVISED] === "1") return serve(options);
  const again = ["up", "-c", options.file, "--data", options.dataFolder];
  return supervise(options.takeover ? [...again, "--takeover"] : again, again);
}
