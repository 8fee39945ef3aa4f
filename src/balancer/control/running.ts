/**
 * The running balancer in the order of its life: start or succession, service, and the end. What it consists of is in
 * parts.ts. Main thread only.
 */
import type { Service } from "../../config/schema.ts";
import { Intervals } from "../../deadlines/intervals.ts";
import { HoldfastError } from "../../errors.ts";
import { LAYOUT_VERSION } from "../shared/layout.ts";
import { EndCode } from "../shared/words.ts";
import type { EndSelector } from "../worker/messages.ts";
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
import type { Farewell, Handover } from "./handover.ts";
import { makeMeasures } from "./measures.ts";
import { Parts, type PartsOptions } from "./parts.ts";
import { RateMeter } from "./rates.ts";
import { makeStatus } from "./status.ts";
import { ROTATE_MS } from "./ticket-keys.ts";

/** How often records are taken from the workers. */
const RECORDS_MS = 50;
const TICK_MS = 1_000;
/** How often it is looked whether the other process of a takeover still lives. */
const NEIGHBOUR_MS = 200;
const SNAPSHOT_MS = 60_000;
/** How often it is looked whether a full ring has kept an end from the session directory. */
const COMPARE_MS = 60_000;
const ENDING_MS = 100;

export class RunningBalancer implements Balancer {
  readonly #options: PartsOptions;
  readonly #parts: Parts;
  readonly #rates = new RateMeter();
  readonly #intervals: Intervals;
  /** Reloads and the beginnings of takeovers, one at a time: both change which name has which slot and which sockets there are. */
  #turns: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(options: PartsOptions) {
    this.#options = options;
    this.#parts = new Parts(options);
    this.#intervals = new Intervals(options.timing);
  }

  // The beginning

  /**
   * Serves; with an inheritance makes ready to serve: until the commit every connection is the running process's, which loses
   * nothing if this one fails. Throws HoldfastError when it cannot.
   */
  async start(): Promise<void> {
    const { running, names, servers, listeners, workers } = this.#parts;
    const { config } = running;
    const isFirst = this.#options.inheritance === null;
    await names.follow(config);
    servers.declare(config, !isFirst);
    if (isFirst) await this.#restore();
    listeners.open(config.services);
    if (isFirst) listeners.listen();
    // Nobody may use a server that is not checked yet. Served too early, who comes back would lose their session; so
    // clients wait, in the queue of the listening sockets.
    servers.watch(config);
    await servers.firstResults();
    try {
      await workers.start(isFirst);
    } catch (cause) {
      servers.stop();
      throw new HoldfastError("up/no-workers", (cause as Error).message, { cause });
    }
    if (isFirst) this.#takeCharge();
  }

  async #restore(): Promise<void> {
    const { keeper, events } = this.#parts;
    const entries = await keeper.restore(Math.floor(this.#options.timing.wallClock() / 1000));
    if (entries > 0) events.tell("info", "sticky.restored", `${entries} clients are remembered`, { entries });
  }

  /** The process before has let go: its ports and sessions are ours. */
  succeed(farewell: Farewell): void {
    const { running, servers, listeners, workers, sessions, neighbours, events } = this.#parts;
    servers.declare(running.config);
    servers.readAdministrative();
    listeners.listen();
    workers.listen();
    listeners.closeUnwanted();
    sessions.directory.restore(farewell.sessions, true);
    this.#takeCharge();
    const predecessor = neighbours.predecessor?.pid;
    events.tell("info", "takeover.done", `took over from process ${predecessor}`, { predecessor });
  }

  // What goes on by itself

  #takeCharge(): void {
    const { running, servers, sessions, neighbours, keeper, workers } = this.#parts;
    servers.watch(running.config);
    const intervals = this.#intervals;
    intervals.every(RECORDS_MS, () => sessions.read());
    intervals.every(TICK_MS, () => this.#tick());
    intervals.every(NEIGHBOUR_MS, () => neighbours.look());
    intervals.every(SNAPSHOT_MS, () => void keeper.save());
    intervals.every(COMPARE_MS, () => void sessions.compare(workers.columns, workers));
    intervals.every(ROTATE_MS, () => this.#rotateTicketKeys());
  }

  #tick(): void {
    const { running, shared, slots, commands, servers, sessions } = this.#parts;
    const { timing } = this.#options;
    const { config } = running;
    for (const { name } of Object.values(config.services)) {
      this.#rates.sample(name, shared.board.service(slots.service(name)), timing.now());
    }
    commands.endDrains();
    servers.forgetLongDead(timing.wallClock());
    servers.judgeAnswers(config);
    sessions.forget(config);
  }

  #rotateTicketKeys(): void {
    const { ticketKeys, running, reloads } = this.#parts;
    ticketKeys.rotate();
    if (!running.config.tickets) void reloads.replan();
  }

  // What people ask

  status(): StatusReport {
    const { running, shared, slots, servers, sessions, workers, neighbours, upSinceMs } = this.#parts;
    const { node, timing } = this.#options;
    const { predecessor } = neighbours;
    return makeStatus({
      config: running.config,
      node,
      upSinceMs,
      nowMs: timing.wallClock(),
      generation: running.report(),
      workers: workers.report(),
      predecessor: predecessor && { pid: predecessor.pid, connections: predecessor.connections() },
      board: shared.board,
      sticky: shared.sticky,
      slots,
      servers,
      directory: sessions.directory,
      rates: this.#rates,
      listen: (service) => this.listen(service),
    });
  }

  measures(): Measures {
    const { running, shared, slots, reloads, sessions, workers } = this.#parts;
    const { output } = this.#options;
    return makeMeasures({ config: running.config, shared, slots, reloads, sessions, workers, output });
  }

  /** Where a service listens, with the ports that the system gave. */
  listen({ name, listen }: Service): string[] {
    return this.#parts.listeners.addresses(name, listen);
  }

  sessions(filter: SessionFilter): SessionPage {
    return this.#parts.sessions.page(filter);
  }

  onEvent(listener: (event: BalancerEvent) => void): () => void {
    return this.#parts.events.listen(listener);
  }

  // What people have it do

  reload(): Promise<ReloadReport> {
    return this.#inTurn(() => {
      this.#parts.neighbours.refuseDuringTakeover();
      return this.#parts.reloads.reload();
    });
  }

  #inTurn<T>(what: () => T | Promise<T>): Promise<T> {
    const done = this.#turns.then(what);
    this.#turns = done.catch(() => undefined);
    return done;
  }

  setAdministrative(
    pool: string,
    server: string,
    state: AdministrativeState,
    options: { by: string; withinMs?: number },
  ): AdministrativeResult {
    return this.#parts.commands.setAdministrative(pool, server, state, options);
  }

  endSessions(selector: SessionSelector): Promise<{ ended: number }> {
    return this.#parts.commands.endSessions(selector);
  }

  forget(pool: string, selector: ForgetSelector, options: { by: string; dryRun: boolean }): ForgetResult {
    return this.#parts.commands.forget(pool, selector, options);
  }

  signToken(pool: string, server: string, options: { lifetimeMs?: number }): { token: string } {
    return this.#parts.commands.signToken(pool, server, options);
  }

  /** For rehearsals: a worker breaks on purpose. */
  rehearse(worker: number, how: "throw" | "hang"): void {
    this.#parts.workers.rehearse(worker, how);
  }

  // Being taken over

  /** What process `pid`, which takes over, needs, and the descriptors that go with it. */
  handOver(pid: number): Promise<{ handover: Handover; descriptors: number[] }> {
    return this.#inTurn(() => {
      const { neighbours, shared, running, slots, listeners, workers, ticketKeys } = this.#parts;
      neighbours.begin(pid);
      return {
        handover: {
          pid: process.pid,
          layoutVersion: LAYOUT_VERSION,
          layout: shared.layout,
          process: shared.process,
          generation: running.generation.number,
          slots: slots.names(),
          listeners: listeners.names(),
          columns: workers.columns,
          ticketKeys: ticketKeys.handOver(),
        },
        descriptors: [shared.memory.fd, ...listeners.descriptors()],
      };
    });
  }

  /** Another process serves now: let go of everything but the connections there are. */
  async letGo(): Promise<Farewell> {
    const { neighbours, keeper, servers, names, workers, listeners, sessions } = this.#parts;
    neighbours.commit();
    keeper.stop();
    servers.stop();
    names.stop();
    this.#intervals.stop();
    await workers.stopListening();
    listeners.close();
    sessions.read();
    return { sessions: sessions.directory.sessions(), socket: neighbours.socket };
  }

  /** Where a process that was taken over listens for its successor. */
  get successorSocket(): string {
    return this.#parts.neighbours.socket;
  }

  /** Ends connections on behalf of the process that took over. */
  endForSuccessor(which: EndSelector, end: number): Promise<number> {
    return this.#parts.workers.end(which, end);
  }

  /** Taken over: waits for the last connection, however long it lives. */
  async outlive(): Promise<void> {
    await this.#finished(Number.POSITIVE_INFINITY);
    await this.stop();
  }

  // The end

  async shutdown(withinMs: number): Promise<void> {
    if (this.#stopped) return;
    const { workers, listeners, neighbours, sessions, keeper, events } = this.#parts;
    const sentence = `no new clients; connections have ${withinMs / 1000} s to end`;
    events.tell("info", "balancer.stopping", sentence, { withinMs });
    await workers.stopListening();
    listeners.close();
    await this.#finished(withinMs);
    await workers.end({}, EndCode.shutdown);
    // Once another process has taken over, records are its to read.
    if (!neighbours.isSuperseded) sessions.read();
    await keeper.save();
    await this.stop();
  }

  /** Resolves when no connection of this process is left, or after `withinMs`. */
  async #finished(withinMs: number): Promise<void> {
    const { workers, shared } = this.#parts;
    const { timing } = this.#options;
    const until = timing.now() + withinMs;
    const open = () => workers.columns.reduce((sum, column) => sum + shared.columns.connections(column), 0);
    while (open() > 0 && timing.now() < until) await new Promise<void>((resolve) => timing.after(ENDING_MS, resolve));
  }

  /** The end of the process's part: nothing is open afterwards. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    const { servers, names, workers, shared, listeners } = this.#parts;
    this.#intervals.stop();
    servers.stop();
    names.stop();
    await workers.stop();
    shared.leave();
    listeners.close();
  }
}
