/** The running balancer: one object that owns memory, workers, listeners, checks and sessions. Main thread only. */
import { join } from "node:path";
import { compareConfig } from "../../config/changes.ts";
import { loadConfig } from "../../config/load.ts";
import type { Problem } from "../../config/problem.ts";
import type { Config, Service } from "../../config/schema.ts";
import type { Timing } from "../../deadlines/timing.ts";
import { bug, HoldfastError } from "../../errors.ts";
import type { TokenKey } from "../../protocols/rdp/token.ts";
import type { Plan } from "../plan.ts";
import { LAYOUT_VERSION } from "../shared/layout.ts";
import { PoolCounter } from "../shared/pool-view.ts";
import { columnOfId, parseConnectionId } from "../shared/record.ts";
import { slotOf } from "../shared/server-id.ts";
import { ServiceCounter } from "../shared/service-view.ts";
import { EndCode } from "../shared/words.ts";
import type { EndSelector } from "../worker/messages.ts";
import { Administrative, dueToEnd } from "./administrative.ts";
import type {
  AdministrativeResult,
  AdministrativeState,
  Balancer,
  BalancerEvent,
  ForgetResult,
  ForgetSelector,
  Measures,
  ReloadReport,
  SessionFilter,
  SessionPage,
  SessionSelector,
  StatusReport,
} from "./balancer.ts";
import { MemoryDirectory } from "./directory.ts";
import { Forgetting } from "./forgetting.ts";
import type { Farewell, Handover, Inheritance } from "./handover.ts";
import { Keeper } from "./keeper.ts";
import { Listeners } from "./listeners.ts";
import { readHistogram } from "./measures.ts";
import { Names } from "./names.ts";
import { Neighbour } from "./neighbour.ts";
import type { Output } from "./output.ts";
import { longestIdleSec, makePlan } from "./planner.ts";
import { RateMeter } from "./rates.ts";
import { Records } from "./records.ts";
import { fingerprintKey, tokenKeys } from "./secrets.ts";
import { Servers } from "./servers.ts";
import { connectionsOf, pageOf } from "./session-pages.ts";
import { SharedState } from "./shared-state.ts";
import { Slots } from "./slots.ts";
import { makeStatus } from "./status.ts";
import { ROTATE_MS, TicketKeys } from "./ticket-keys.ts";
import { tryTls } from "./tls-trial.ts";
import { signToken } from "./tokens.ts";
import { Workers } from "./workers.ts";

/** How often records are taken from the workers. */
const RECORDS_MS = 50;
const TICK_MS = 1_000;
/** How often it is looked whether the other process of a takeover still lives. */
const NEIGHBOUR_MS = 200;
const SNAPSHOT_MS = 60_000;
/** How often it is looked whether a full ring has kept an end from the session directory. */
const COMPARE_MS = 60_000;
const ENDING_MS = 100;
/** At the start, clients wait this long at most for every server's first check; by then one that hangs has failed it. */
const FIRST_RESULTS_MS = 3_000;

export interface RunningOptions {
  /** The YAML file; read again by `reload`. */
  readonly file: string;
  readonly config: Config;
  readonly data: string;
  /** What this machine calls itself. */
  readonly node: string;
  readonly output: Output;
  readonly timing: Timing;
  readonly randomBytes: (bytes: number) => Uint8Array;
  /** Descriptors that this process may open. */
  readonly files: number;
  readonly cores: number;
  /** From the process that is being taken over. */
  readonly inheritance: Inheritance | null;
}

export class RunningBalancer implements Balancer {
  readonly #options: RunningOptions;
  readonly #shared: SharedState;
  readonly #slots: Slots;
  readonly #listeners: Listeners;
  readonly #administrative: Administrative;
  readonly #servers: Servers;
  readonly #names: Names;
  readonly #workers: Workers;
  readonly #directory = new MemoryDirectory();
  readonly #records: Records;
  readonly #keeper: Keeper;
  readonly #forgetting: Forgetting;
  readonly #rates = new RateMeter();
  readonly #fingerprintKey: Uint8Array;
  readonly #tokenKeys: readonly TokenKey[];
  readonly #ticketKeys: TicketKeys;
  readonly #upSinceMs: number;
  readonly #events = new Set<(event: BalancerEvent) => void>();
  readonly #restarts: Record<string, number> = { threw: 0, hung: 0 };
  readonly #reloads = { success: 0, failure: 0 };
  #config: Config;
  #generation: { number: number; atMs: number };
  #lastReload: { success: boolean; atMs: number };
  #predecessor: Neighbour | null = null;
  /** Has begun to take over, and has not committed yet. */
  #candidate: Neighbour | null = null;
  /** Reloads and the beginnings of takeovers, one at a time: both change which name has which slot and which sockets there are. */
  #turns: Promise<unknown> = Promise.resolve();
  #stopTimers: (() => void)[] = [];
  /** Another process has taken over: no checks, no records, no snapshots any more. */
  #isSuperseded = false;
  #stopped = false;

  constructor(options: RunningOptions) {
    const { config, data, inheritance, timing, randomBytes } = options;
    this.#options = options;
    this.#config = config;
    this.#upSinceMs = timing.wallClock();
    this.#generation = { number: (inheritance?.generation ?? 0) + 1, atMs: this.#upSinceMs };
    this.#lastReload = { success: true, atMs: this.#upSinceMs };
    const sizes = { stickyEntries: config.tables.sticky, sourceEntries: config.tables.sources, files: options.files };
    this.#shared = new SharedState(sizes, inheritance);
    const { board, columns, sticky, sources, ledger } = this.#shared;
    sticky.setLongestIdle(longestIdleSec(config));
    this.#slots = new Slots(board, inheritance?.slots);
    const workers = config.workers ?? options.cores;
    this.#listeners = new Listeners(workers, inheritance?.listeners, inheritance?.listenerFds);
    this.#administrative = new Administrative(data, (problem) => options.output.log.warn("state.problem", problem));
    this.#servers = new Servers({
      board,
      slots: this.#slots,
      administrative: this.#administrative,
      timing,
      onEvent: ({ event, msg, ...details }) =>
        this.#tell(event === "server.down" ? "warn" : "info", event, msg, details),
    });
    this.#names = new Names(timing, () => void this.#replan());
    this.#fingerprintKey = fingerprintKey(data, randomBytes);
    this.#ticketKeys = new TicketKeys(randomBytes, inheritance?.ticketKeys);
    this.#tokenKeys = tokenKeys(data, config.tokens?.keyFile, randomBytes);
    this.#records = new Records({
      memory: this.#shared.buffer,
      layout: this.#shared.layout,
      slots: this.#slots,
      directory: this.#directory,
      accessLines: options.output.accessLines(config, this.#slots, this.#fingerprintKey),
      sink: options.output,
    });
    this.#forgetting = new Forgetting({
      sticky,
      board,
      slots: this.#slots,
      fingerprintKey: this.#fingerprintKey,
      tokenKeys: this.#tokenKeys,
    });
    this.#keeper = new Keeper({
      data,
      board,
      sticky,
      slots: this.#slots,
      directory: this.#directory,
      onProblem: (event, sentence) => this.#tell("warn", event, sentence, {}),
    });
    this.#workers = new Workers(workers, {
      memory: this.#shared.memory,
      layout: this.#shared.layout,
      process: this.#shared.process,
      pid: process.pid,
      board,
      columns,
      ledger,
      sticky,
      sources,
      timing,
      startSec: Math.floor(this.#upSinceMs / 1000),
      plan: (worker) => this.#plan(worker),
      onLost: (lost, why, message, connections) => {
        this.#restarts[why] = (this.#restarts[why] ?? 0) + 1;
        this.#loseConnections([lost]);
        this.#tell(
          "error",
          "worker.lost",
          `a worker ${why === "hung" ? "hung" : "failed"} and was replaced: ${message}`,
          {
            column: lost,
            why,
            connections,
          },
        );
      },
      onServerTlsFailed: (pool, server, reason, detail) =>
        this.#tell("warn", "server.tls-failed", `TLS with ${pool}/${server} failed: ${detail || reason}`, {
          pool,
          server,
          reason,
        }),
    });
    if (inheritance) {
      this.#predecessor = this.#neighbour(inheritance.pid, inheritance.columns);
    }
  }

  /** The other process that shares the memory. */
  #neighbour(pid: number, columns: readonly number[]): Neighbour {
    return new Neighbour(pid, columns, this.#successorSocket(pid), {
      ...this.#shared.ofOther(),
    });
  }

  /**
   * Serves; with an inheritance makes ready to serve: until the commit every connection is the running process's, which loses
   * nothing if this one fails. Throws HoldfastError when it cannot.
   */
  async start(): Promise<void> {
    const { inheritance } = this.#options;
    await this.#names.follow(this.#config);
    this.#servers.declare(this.#config, inheritance !== null);
    if (!inheritance) await this.#restore();
    this.#listeners.open(this.#config.services);
    if (!inheritance) this.#listeners.listen();
    // Nobody may use a server that is not checked yet. Served too early, who comes back would lose their session; so
    // clients wait, in the queue of the listening sockets.
    this.#servers.watch(this.#config);
    await this.#servers.firstResults(FIRST_RESULTS_MS);
    try {
      await this.#workers.start(!inheritance);
    } catch (cause) {
      this.#servers.stop();
      throw new HoldfastError("up/no-workers", (cause as Error).message, { cause });
    }
    if (!inheritance) this.#takeCharge();
  }

  /** The process before has let go: its ports and sessions are ours. */
  succeed(farewell: Farewell): void {
    this.#servers.declare(this.#config);
    this.#servers.readAdministrative();
    this.#listeners.listen();
    this.#workers.listen();
    this.#listeners.closeUnwanted();
    this.#directory.restore(farewell.sessions, true);
    this.#takeCharge();
    this.#tell("info", "takeover.done", `took over from process ${this.#predecessor?.pid}`, {
      predecessor: this.#predecessor?.pid,
    });
  }

  #takeCharge(): void {
    this.#servers.watch(this.#config);
    this.#every(RECORDS_MS, () => this.#drainRecords());
    this.#every(TICK_MS, () => this.#tick());
    this.#every(NEIGHBOUR_MS, () => this.#lookAtNeighbours());
    this.#every(SNAPSHOT_MS, () => void this.#save());
    this.#every(COMPARE_MS, () => void this.#compareSessions());
    this.#every(ROTATE_MS, () => this.#rotateTicketKeys());
  }

  #rotateTicketKeys(): void {
    this.#ticketKeys.rotate();
    if (!this.#config.tickets) void this.#replan();
  }

  #every(ms: number, what: () => void): void {
    const { timing } = this.#options;
    const slot = this.#stopTimers.length;
    const again = () => {
      what();
      this.#stopTimers[slot] = timing.after(ms, again);
    };
    this.#stopTimers.push(timing.after(ms, again));
  }

  #stopAllTimers(): void {
    for (const stop of this.#stopTimers) stop();
    this.#stopTimers = [];
  }

  #plan(worker: number): Plan {
    return makePlan(this.#config, {
      generation: this.#generation.number,
      slots: this.#slots,
      fingerprintKey: this.#fingerprintKey,
      tokenKeys: this.#tokenKeys,
      ticketKeys: this.#config.tickets?.keyFile.map(({ bytes }) => bytes) ?? this.#ticketKeys.keys,
      listeners: (service) => this.#listeners.of(service.name, service.listen, worker),
      addressOf: (host) => this.#names.addressOf(host),
    });
  }

  /** A server's name leads elsewhere: workers get a new plan of the same file. */
  async #replan(): Promise<void> {
    this.#generation = { ...this.#generation, number: this.#generation.number + 1 };
    await this.#workers.adopt(this.#generation.number).catch((error: Error) => {
      this.#tell("error", "config.not-served", error.message, {});
    });
  }

  // What goes on by itself

  #drainRecords(): void {
    for (let round = 0; round < 10; round++) if (!this.#records.drain(this.#allColumns())) return;
  }

  /** Those who counted in these columns are gone: what they have told is read, and no more will come. */
  #loseConnections(columns: readonly number[]): void {
    this.#drainRecords();
    const isLost = (id: string) => columns.includes(columnOfId(parseConnectionId(id)?.high ?? 0));
    this.#directory.lost(isLost, this.#options.timing.wallClock());
  }

  async #compareSessions(): Promise<void> {
    await this.#records.compare(this.#workers.columns, this.#workers, this.#options.timing.wallClock);
  }

  #allColumns(): number[] {
    return [...this.#workers.columns, ...(this.#predecessor?.columns ?? [])];
  }

  #tick(): void {
    const nowMs = this.#options.timing.wallClock();
    for (const service of Object.values(this.#config.services)) {
      const view = this.#shared.board.service(this.#slots.service(service.name));
      this.#rates.sample(service.name, {
        atMs: this.#options.timing.now(),
        total: view.total(ServiceCounter.TOTAL),
        bytesIn: view.total(ServiceCounter.BYTES_IN),
        bytesOut: view.total(ServiceCounter.BYTES_OUT),
        requests: view.requests(),
      });
    }
    this.#endDrains(nowMs);
    this.#servers.forgetLongDead(nowMs);
    this.#servers.judgeAnswers(this.#config);
    this.#forgetSessions(nowMs);
  }

  #lookAtNeighbours(): void {
    const predecessor = this.#predecessor;
    if (predecessor !== null && !predecessor.isAlive()) {
      this.#loseConnections(predecessor.columns);
      predecessor.cleanUp();
      this.#predecessor = null;
      this.#tell("info", "takeover.finished", `process ${predecessor.pid} has ended`, { predecessor: predecessor.pid });
    }
    const candidate = this.#candidate;
    if (candidate !== null && !candidate.isAlive()) {
      this.#candidate = null;
      candidate.cleanUp();
      // It may have written what its file says of the servers.
      this.#servers.declare(this.#config);
      this.#tell("warn", "takeover.failed", `process ${candidate.pid} has not taken over; this one goes on`, {});
    }
  }

  #endDrains(nowMs: number): void {
    for (const [name, { by, sinceMs, untilMs }] of [...this.#administrative.ending()]) {
      const view = this.#servers.view(name);
      if (view === undefined) continue;
      // Who is ended now would come straight back to it while it drains.
      if (nowMs >= untilMs) this.#servers.setAdministrative(name, "maintenance", by, undefined);
      const most = dueToEnd(view.connections(), sinceMs, untilMs, nowMs);
      if (most > 0) void this.#end({ server: slotOf(view.id), most }, EndCode.drained);
    }
  }

  /** A disconnected session is forgotten when its pool would no longer recognise its user. */
  #forgetSessions(nowMs: number): void {
    this.#directory.forget(({ pool, lastSeenMs, sinceMs }) => {
      const persistence = this.#config.pools[pool]?.persistence;
      if (persistence === undefined) return true;
      return nowMs - lastSeenMs > persistence.idle || nowMs - sinceMs > persistence.lifetime;
    });
  }

  // Over a restart

  async #restore(): Promise<void> {
    const entries = await this.#keeper.restore(this.#nowSec());
    if (entries > 0) this.#tell("info", "sticky.restored", `${entries} clients are remembered`, { entries });
  }

  async #save(): Promise<void> {
    if (!this.#isSuperseded) await this.#keeper.save();
  }

  #nowSec(): number {
    return Math.floor(this.#options.timing.wallClock() / 1000);
  }

  // What people ask for

  status(): StatusReport {
    const { timing } = this.#options;
    const predecessor = this.#predecessor;
    return makeStatus({
      config: this.#config,
      node: this.#options.node,
      upSinceMs: this.#upSinceMs,
      nowMs: timing.wallClock(),
      generation: this.#generation,
      workers: this.#workers.report().map((worker) => ({
        ...worker,
        pid: process.pid,
        connections: this.#shared.columns.connections(worker.column),
      })),
      predecessor: predecessor && { pid: predecessor.pid, connections: predecessor.connections() },
      board: this.#shared.board,
      slots: this.#slots,
      servers: this.#servers,
      directory: this.#directory,
      sticky: this.#shared.sticky,
      rates: this.#rates,
      listen: (service) => this.listen(service),
    });
  }

  /** Where a service listens, with the ports that the system gave. */
  listen(service: Service): string[] {
    const addresses = this.#listeners.addresses(service.name, service.listen);
    return addresses.map(({ host, port }) => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`));
  }

  measures(): Measures {
    const pools = Object.values(this.#config.pools).map(({ name }) => {
      const view = this.#shared.board.pool(this.#slots.pool(name));
      const histograms = {
        connect: readHistogram(view, PoolCounter.CONNECT_COUNT),
        queue: readHistogram(view, PoolCounter.QUEUE_COUNT),
      };
      return [name, histograms] as const;
    });
    const http = Object.values(this.#config.services).filter(({ protocol }) => protocol === "http");
    const requests = http.map(({ name }) => {
      const view = this.#shared.board.service(this.#slots.service(name));
      return [name, readHistogram(view, ServiceCounter.REQUEST_COUNT)] as const;
    });
    return {
      reloads: { ...this.#reloads },
      lastReload: { success: this.#lastReload.success, at: new Date(this.#lastReload.atMs).toISOString() },
      workerRestarts: { ...this.#restarts },
      pools: Object.fromEntries(pools),
      requests: Object.fromEntries(requests),
      lost: {
        records: this.#records.dropped(this.#allColumns()),
        logLines: this.#options.output.dropped(),
        untrackedSources: this.#shared.sources.untracked(),
        stickyWrites: this.#shared.sticky.contended(),
      },
    };
  }

  async reload(): Promise<ReloadReport> {
    return this.#inTurn(() => {
      this.#refuseWhenSuperseded();
      this.#refuseDuringTakeover();
      return this.#reload();
    });
  }

  #inTurn<T>(what: () => T | Promise<T>): Promise<T> {
    const done = this.#turns.then(what);
    this.#turns = done.catch(() => undefined);
    return done;
  }

  #refuseWhenSuperseded(): void {
    if (this.#isSuperseded) throw new HoldfastError("api/conflict", "another process has taken over: ask again");
  }

  /** From begin to commit: the other process counts on the slots and sockets that it was told of. */
  #refuseDuringTakeover(): void {
    this.#lookAtNeighbours();
    if (this.#candidate !== null) {
      throw new HoldfastError("api/conflict", `process ${this.#candidate.pid} is just taking over`);
    }
  }

  async #reload(): Promise<ReloadReport> {
    const loaded = loadConfig(this.#options.file, this.#options.timing.wallClock(), tryTls);
    if (loaded.config === undefined) return this.#reloadFailed(loaded.problems, "the file has mistakes");
    const before = this.#config;
    const next = loaded.config;
    try {
      await this.#names.follow(next);
      // What the file no longer has stays as it is: the workers still decide by it, and the rest may fail.
      this.#servers.declare(next, true);
      this.#listeners.open(next.services);
      this.#listeners.listen();
    } catch (error) {
      this.#servers.declare(before);
      await this.#names.follow(before);
      if (!(error instanceof HoldfastError)) throw error;
      return this.#reloadFailed(loaded.problems, error.message);
    }
    // Workers go over to servers that are known to be there; until then they work by the file before.
    this.#servers.watch(next);
    await this.#servers.firstResults(FIRST_RESULTS_MS);
    this.#config = next;
    this.#shared.sticky.setLongestIdle(longestIdleSec(next));
    this.#generation = { number: this.#generation.number + 1, atMs: this.#options.timing.wallClock() };
    await this.#workers.adopt(this.#generation.number);
    this.#servers.declare(next);
    this.#listeners.closeUnwanted();
    const { output } = this.#options;
    output.follow(next);
    this.#records.setAccessLines(output.accessLines(next, this.#slots, this.#fingerprintKey));
    this.#reloads.success++;
    this.#lastReload = { success: true, atMs: this.#generation.atMs };
    const open = Object.values(next.services).reduce(
      (sum, { name }) => sum + this.#shared.board.service(this.#slots.service(name)).open(),
      0,
    );
    const untouched = `${open.toLocaleString("en-GB")} ${open === 1 ? "connection" : "connections"} untouched`;
    const summary = [compareConfig(before, next).summary, untouched].filter((part) => part !== "").join(", ");
    this.#tell("info", "config.reloaded", `generation ${this.#generation.number}: ${summary}`, {
      generation: this.#generation.number,
    });
    return { ok: true, generation: this.#generationReport(), summary, problems: [...loaded.problems] };
  }

  #reloadFailed(problems: readonly Problem[], why: string): ReloadReport {
    this.#reloads.failure++;
    this.#lastReload = { success: false, atMs: this.#options.timing.wallClock() };
    const summary = `${why}. Nothing was changed: generation ${this.#generation.number} keeps running.`;
    this.#tell("warn", "config.refused", summary, {});
    return { ok: false, generation: this.#generationReport(), summary, problems: [...problems] };
  }

  #generationReport() {
    return { number: this.#generation.number, at: new Date(this.#generation.atMs).toISOString() };
  }

  setAdministrative(
    pool: string,
    server: string,
    state: AdministrativeState,
    options: { by: string; withinMs?: number },
  ): AdministrativeResult {
    this.#refuseWhenSuperseded();
    const name = `${pool}/${server}`;
    const nowMs = this.#options.timing.wallClock();
    const untilMs = options.withinMs === undefined ? undefined : nowMs + options.withinMs;
    this.#servers.setAdministrative(name, state, options.by, untilMs);
    this.#tell("info", "server.set", `${options.by} set ${name} to ${state}`, { pool, server, state, by: options.by });
    return {
      pool,
      server,
      state,
      by: options.by,
      at: new Date(nowMs).toISOString(),
      ends: untilMs === undefined ? null : new Date(untilMs).toISOString(),
      stays: {
        open: this.#servers.view(name)?.connections() ?? 0,
        ...this.#directory.counts(pool, server),
      },
    };
  }

  sessions(filter: SessionFilter): SessionPage {
    this.#drainRecords();
    return pageOf(this.#directory.sessions(), filter);
  }

  async endSessions(selector: SessionSelector): Promise<{ ended: number }> {
    this.#drainRecords();
    const byColumn = connectionsOf(this.#directory.sessions(), selector);
    let ended = 0;
    for (const [column, numbers] of byColumn) ended += await this.#end({ numbers, column }, EndCode["ended-by-admin"]);
    return { ended };
  }

  /** Ends connections here and in the process before. @returns how many. */
  async #end(which: EndSelector, end: number): Promise<number> {
    const here = await this.#workers.end(which, end);
    const left = which.most === undefined ? which : { ...which, most: which.most - here };
    if (this.#predecessor === null || left.most === 0) return here;
    return here + (await this.#predecessor.end(left, end));
  }

  forget(pool: string, selector: ForgetSelector, { by, dryRun }: { by: string; dryRun: boolean }): ForgetResult {
    this.#refuseWhenSuperseded();
    const of = this.#config.pools[pool] ?? bug(`pool ${pool}, which is not there, is to forget somebody`);
    const result = this.#forgetting.forget(of, selector, this.#nowSec(), dryRun);
    if (dryRun) return result;
    const what = selector.share === undefined ? "a client" : `${percentOf(selector.share)} of its clients`;
    // Whom is not said: a log is no place for the cookie that stands for somebody.
    this.#tell("info", "clients.forgotten", `${by} had ${pool} forget ${what}`, {
      pool,
      by,
      forgotten: result.forgotten,
    });
    void this.#save();
    return result;
  }

  signToken(pool: string, server: string, options: { lifetimeMs?: number }): { token: string } {
    const of = this.#config.pools[pool] ?? bug(`a token is asked of pool ${pool}, which is not there`);
    return { token: signToken(this.#tokenKeys[0]!, of, server, this.#nowSec(), options.lifetimeMs) };
  }

  onEvent(listener: (event: BalancerEvent) => void): () => void {
    this.#events.add(listener);
    return () => this.#events.delete(listener);
  }

  #tell(level: "info" | "warn" | "error", event: string, msg: string, details: object): void {
    this.#options.output.log[level](event, msg, details);
    const told = { time: new Date(this.#options.timing.wallClock()).toISOString(), event, msg, ...details };
    for (const listener of this.#events) listener(told);
  }

  /** For rehearsals: a worker breaks on purpose. */
  rehearse(worker: number, how: "throw" | "hang"): void {
    this.#workers.rehearse(worker, how);
  }

  // Being taken over, and the end

  /** What process `pid`, which takes over, needs, and the descriptors that go with it. */
  handOver(pid: number): Promise<{ handover: Handover; descriptors: number[] }> {
    return this.#inTurn(() => this.#handOver(pid));
  }

  #handOver(pid: number): { handover: Handover; descriptors: number[] } {
    this.#refuseWhenSuperseded();
    this.#refuseDuringTakeover();
    if (this.#predecessor !== null) {
      throw new HoldfastError(
        "api/conflict",
        `process ${this.#predecessor.pid} still has connections of an earlier takeover: try again when they have ended`,
      );
    }
    this.#candidate = this.#neighbour(pid, []);
    return {
      handover: {
        pid: process.pid,
        layoutVersion: LAYOUT_VERSION,
        layout: this.#shared.layout,
        process: this.#shared.process,
        generation: this.#generation.number,
        slots: this.#slots.names(),
        listeners: this.#listeners.names(),
        columns: this.#workers.columns,
        ticketKeys: this.#ticketKeys.handOver(),
      },
      descriptors: [this.#shared.memory.fd, ...this.#listeners.descriptors()],
    };
  }

  /** Another process serves now: let go of everything but the connections there are. */
  async letGo(): Promise<Farewell> {
    if (this.#candidate === null) throw new HoldfastError("api/conflict", "nobody has begun to take over");
    this.#isSuperseded = true;
    this.#candidate = null;
    this.#servers.stop();
    this.#names.stop();
    this.#stopAllTimers();
    await this.#workers.stopListening();
    this.#listeners.close();
    this.#drainRecords();
    return { sessions: this.#directory.sessions(), socket: this.#successorSocket(process.pid) };
  }

  #successorSocket(pid: number): string {
    return join(this.#options.data, `holdfast-${pid}.sock`);
  }

  /** Where a process that was taken over listens for its successor. */
  get successorSocket(): string {
    return this.#successorSocket(process.pid);
  }

  /** Ends connections on behalf of the process that took over. */
  endForSuccessor(which: EndSelector, end: number): Promise<number> {
    return this.#workers.end(which, end);
  }

  /** Resolves when no connection of this process is left, or after `withinMs`. */
  async #finished(withinMs: number): Promise<void> {
    const { timing } = this.#options;
    const until = timing.now() + withinMs;
    const open = () => this.#workers.columns.reduce((sum, column) => sum + this.#shared.columns.connections(column), 0);
    while (open() > 0 && timing.now() < until) await new Promise<void>((resolve) => timing.after(ENDING_MS, resolve));
  }

  /** Taken over: waits for the last connection, however long it lives. */
  async outlive(): Promise<void> {
    await this.#finished(Number.POSITIVE_INFINITY);
    await this.stop();
  }

  async shutdown(withinMs: number): Promise<void> {
    if (this.#stopped) return;
    this.#tell("info", "balancer.stopping", `no new clients; connections have ${withinMs / 1000} s to end`, {
      withinMs,
    });
    await this.#workers.stopListening();
    this.#listeners.close();
    await this.#finished(withinMs);
    await this.#workers.end({}, EndCode.shutdown);
    if (!this.#isSuperseded) {
      this.#drainRecords();
      await this.#save();
    }
    await this.stop();
  }

  /** The end of the process's part: nothing is open afterwards. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#stopAllTimers();
    this.#servers.stop();
    this.#names.stop();
    await this.#workers.stop();
    this.#shared.leave();
    this.#listeners.close();
  }
}

/** `20 %`, as people read it. */
function percentOf(share: number): string {
  return `${Math.round(share * 1_000) / 10} %`;
}
