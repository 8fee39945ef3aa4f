/** All servers as control sees them: their checks, agents and administrative states, summed up in the scoreboard. */
import { formatDuration } from "../../config/quantities.ts";
import type { Config, Pool, Server } from "../../config/schema.ts";
import type { Timing } from "../../deadlines/timing.ts";
import type { Scoreboard } from "../shared/scoreboard.ts";
import type { ServerView } from "../shared/server-view.ts";
import type { Administrative } from "./administrative.ts";
import { type AgentReport, Agents, type AgentTarget } from "./agents/agents.ts";
import type { AdministrativeState } from "./balancer.ts";
import { HealthChecks } from "./health/checks.ts";
import type { HealthReport, HealthTarget } from "./health/runner.ts";
import { Outliers } from "./outliers.ts";
import { type ConditionReport, type OutlierAxis, ServerCondition, type ServerSettings } from "./server-states.ts";
import type { Slots } from "./slots.ts";

/** A change that people want to hear of. */
export interface ServerEvent {
  readonly event: "server.up" | "server.down" | "server.changed" | "agent.failing" | "agent.answers";
  readonly pool: string;
  readonly server: string;
  readonly msg: string;
  readonly reason: string;
}

/** A first check that hangs has failed by then. */
const FIRST_RESULTS_MS = 3_000;
/** Checks that all break at once are all noticed within this time. */
const LONG_DEAD_MS = 60_000;

export interface ServersOptions {
  readonly board: Scoreboard;
  readonly slots: Slots;
  readonly administrative: Administrative;
  readonly timing: Timing;
  onEvent(event: ServerEvent): void;
}

interface Entry {
  readonly pool: string;
  readonly server: string;
  readonly view: ServerView;
  readonly condition: ServerCondition;
}

export class Servers {
  readonly #options: ServersOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #checks: HealthChecks;
  readonly #agents: Agents;
  readonly #outliers = new Outliers();
  #onResult: () => void = () => {};

  constructor(options: ServersOptions) {
    this.#options = options;
    this.#checks = new HealthChecks({
      timing: options.timing,
      onChange: ({ pool, server, up, reason, by }) => {
        const entry = this.#entries.get(`${pool}/${server}`);
        if (entry === undefined) return;
        this.#change(entry, () => entry.condition.setHealth({ health: up ? "up" : "down", reason, by }));
        this.#onResult();
      },
    });
    this.#agents = new Agents({
      timing: options.timing,
      onReading: (pool, server, reading) => {
        const entry = this.#entries.get(`${pool}/${server}`);
        if (entry !== undefined) this.#change(entry, () => entry.condition.hear(reading));
      },
      onFailing: (pool, server, reason) => this.#agentFailing(pool, server, reason),
    });
  }

  /**
   * Makes the servers of this configuration known to the scoreboard. Before workers get a plan that names them.
   * `shared`: others still decide by the file before, so what this one does not have stays as it is.
   */
  declare(config: Config, shared = false): void {
    const wanted = new Set<string>();
    for (const pool of Object.values(config.pools)) {
      for (const server of Object.values(pool.servers)) {
        wanted.add(`${pool.name}/${server.name}`);
        this.#declareOne(pool, server);
      }
    }
    if (shared) return;
    const { board, slots } = this.#options;
    for (const [name, id] of slots.allServers()) {
      if (wanted.has(name)) continue;
      // Its connections live on; nobody new gets there, and who comes back goes elsewhere.
      board.server(id).retire();
      this.#entries.delete(name);
      this.#outliers.forget(name);
    }
    slots.want(wanted);
  }

  #declareOne(pool: Pool, server: Server): void {
    const { board, slots, administrative, timing } = this.#options;
    const name = `${pool.name}/${server.name}`;
    const settings: ServerSettings = { weight: server.weight, limit: server.limit, rampMs: pool.ramp };
    const known = this.#entries.get(name);
    if (known !== undefined) {
      known.condition.reconfigure(settings);
      if (pool.agent === undefined) known.condition.forgetAgent();
      return;
    }
    const view = board.server(slots.server(pool.name, server.name));
    const condition = new ServerCondition(view, settings, timing.wallClock, administrative.of(name));
    this.#entries.set(name, { pool: pool.name, server: server.name, view, condition });
  }

  /** Checks and asks what this configuration wants; what stays the same goes on undisturbed. */
  watch(config: Config): void {
    const checks: HealthTarget[] = [];
    const agents: AgentTarget[] = [];
    for (const pool of Object.values(config.pools)) {
      for (const server of Object.values(pool.servers)) {
        const { host, port } = server.address;
        const target = { pool: pool.name, server: server.name, host, port };
        const { view } = this.#entries.get(`${pool.name}/${server.name}`)!;
        checks.push({
          ...target,
          proxyProtocol: pool.proxyProtocol,
          check: pool.health,
          observe: pool.observe.failures,
          traffic: view,
        });
        if (pool.agent !== undefined) agents.push({ pool: pool.name, server: server.name, host, agent: pool.agent });
      }
    }
    this.#checks.apply(checks);
    this.#agents.apply(agents);
  }

  /** Resolves when each server's health is known, or after FIRST_RESULTS_MS. Call it after `watch`, once at a time. */
  firstResults(): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.#options.timing.after(FIRST_RESULTS_MS, resolve);
      this.#onResult = () => {
        if ([...this.#entries.values()].some(({ condition }) => condition.report().word === "starting")) return;
        stop();
        resolve();
      };
      this.#onResult();
    });
  }

  /**
   * For `all-down: last-known`: a server that has been down for long while others of its pool answered is not one of the
   * last known good. Those that went down together stay so. About once a second.
   */
  forgetLongDead(nowMs: number): void {
    const answering = new Set<string>();
    for (const { pool, view } of this.#entries.values()) if (view.takesKnown()) answering.add(pool);
    for (const { pool, view, condition } of this.#entries.values()) {
      const { word, sinceMs } = condition.report();
      if (word === "down" && nowMs - sinceMs > LONG_DEAD_MS && answering.has(pool)) view.forgetLastKnown();
    }
  }

  /** Leaves out servers that answer badly, and takes them back. About once a second. */
  judgeAnswers(config: Config): void {
    const nowMs = this.#options.timing.now();
    for (const pool of Object.values(config.pools)) {
      const judged = Object.keys(pool.servers).flatMap((server) => {
        const entry = this.#entries.get(`${pool.name}/${server}`);
        return entry === undefined ? [] : { name: `${pool.name}/${server}`, view: entry.view };
      });
      this.#outliers.look(
        pool.outliers,
        judged,
        nowMs,
        (name, penaltyMs, answers) =>
          this.#setOutlier(name, {
            reason: `${answers} bad answers in a row, left out for ${formatDuration(penaltyMs)}`,
          }),
        (name) => this.#setOutlier(name, null),
      );
    }
  }

  #setOutlier(name: string, axis: OutlierAxis | null): void {
    const entry = this.#entries.get(name)!;
    this.#change(entry, () => entry.condition.setOutlier(axis));
  }

  /** No more checks and questions: another process does that now. */
  stop(): void {
    this.#checks.stop();
    this.#agents.stop();
  }

  /** What people set meanwhile in the process before. */
  readAdministrative(): void {
    this.#options.administrative.read();
    for (const [name, { condition }] of this.#entries) {
      const axis = this.#options.administrative.of(name);
      if (axis !== undefined) condition.setAdministrative(axis);
    }
  }

  /** What a person set; kept by the caller in Administrative. */
  setAdministrative(name: string, state: AdministrativeState, by: string, untilMs: number | undefined): void {
    const { administrative, timing } = this.#options;
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    const axis = { state, by, sinceMs: timing.wallClock(), untilMs };
    administrative.set(name, axis);
    this.#change(entry, () => entry.condition.setAdministrative(axis));
  }

  view(name: string): ServerView | undefined {
    return this.#entries.get(name)?.view;
  }

  condition(name: string): ConditionReport | undefined {
    return this.#entries.get(name)?.condition.report();
  }

  health(pool: string, server: string): HealthReport | undefined {
    return this.#checks.report(pool, server);
  }

  agent(pool: string, server: string): AgentReport | undefined {
    return this.#agents.report(pool, server);
  }

  #change(entry: Entry, change: () => boolean): void {
    const before = entry.condition.report().word;
    if (!change()) return;
    const report = entry.condition.report();
    const name = `${entry.pool}/${entry.server}`;
    const event = report.word === "down" ? "server.down" : before === "down" ? "server.up" : "server.changed";
    const why = report.reason === "" ? "" : `: ${report.reason}`;
    this.#options.onEvent({
      event,
      pool: entry.pool,
      server: entry.server,
      msg: `${name} is ${report.word}${why}`,
      reason: report.reason,
    });
  }

  #agentFailing(pool: string, server: string, reason: string | undefined): void {
    this.#options.onEvent({
      event: reason === undefined ? "agent.answers" : "agent.failing",
      pool,
      server,
      msg:
        reason === undefined
          ? `the agent of ${pool}/${server} answers again`
          : `the agent of ${pool}/${server} does not answer: ${reason}`,
      reason: reason ?? "",
    });
  }
}
