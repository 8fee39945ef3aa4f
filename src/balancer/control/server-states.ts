/**
 * What one server may take, out of those that have a say: its health (checks, and connects of real traffic), an
 * administrator, its agent, and how it has answered lately (outliers.ts). Each has an axis of its own and only takes back what it set itself: an agent's "ready" never
 * ends a person's maintenance, a person's `ready` never revives a dead server.
 *
 * The strongest word wins:
 *
 *   1. an administrator's maintenance     nobody
 *   2. an agent's maint                   nobody
 *   3. health down, or not known yet      nobody
 *   4. an agent's down, fail or stopped   nobody
 *   5. an administrator's drain           known clients
 *   6. an agent's drain, or weight 0      known clients
 *   7. bad answers in a row               known clients
 *   8. an agent's load of 99 or more      known clients
 *   9. none of these                      everybody
 */
import { OVERLOAD, type ServerView, WEIGHT_UNIT } from "../shared/server-view.ts";
import { ServerState } from "../shared/words.ts";
import type { AgentReading } from "./agents/reading.ts";
import type { AdministrativeState } from "./balancer.ts";
import type { Health } from "./health/rise-fall.ts";

/** The greatest weight, the agent's included: the same as HAProxy's. */
const MAX_WEIGHT = 256;

/** What the file says of the server. */
export interface ServerSettings {
  /** 1-256. */
  readonly weight: number;
  /** Most connections at once; absent: no limit. */
  readonly limit?: number | undefined;
  /** Slow start in milliseconds; 0 is off. */
  readonly rampMs: number;
}

/** What checks and real traffic found. */
export interface HealthAxis {
  readonly health: Health;
  readonly reason: string;
  readonly by: "check" | "traffic";
}

/** What a person set. */
export interface AdministrativeAxis {
  readonly state: AdministrativeState;
  /** Who; "" when nobody ever did. */
  readonly by: string;
  /** Unix milliseconds. */
  readonly sinceMs: number;
  /** Unix milliseconds when what is left of a drain is ended; absent: never. For status; control ends it. */
  readonly untilMs?: number | undefined;
}

/** All that the agent said and did not take back. Its words add up: an answer changes only what it names. */
export interface AgentAxis {
  readonly load: number;
  readonly admin: NonNullable<AgentReading["admin"]>;
  readonly health: NonNullable<AgentReading["health"]>;
  readonly reason: string;
  /** In percent of the configured weight, or absolute; absent: the configured weight. */
  readonly weight?: { readonly percent: number } | { readonly absolute: number } | undefined;
  readonly maxconn?: number | undefined;
}

/** It is left out for what it has answered: why, in words. */
export interface OutlierAxis {
  readonly reason: string;
}

export interface Axes {
  readonly health: HealthAxis;
  readonly administrative: AdministrativeAxis;
  readonly agent: AgentAxis;
  /** Null: it is not left out. */
  readonly outlier: OutlierAxis | null;
}

export const NO_ADMINISTRATOR: AdministrativeAxis = { state: "ready", by: "", sinceMs: 0 };
export const NO_AGENT: AgentAxis = { load: 0, admin: "ready", health: "up", reason: "" };

/** The sum of the axes, as deciding sees it. */
export interface Combined {
  readonly state: ServerState;
  /** In WEIGHT_UNITs, at least 1. */
  readonly weight: number;
  /** 0-100. */
  readonly load: number;
  /** Most connections; 0 is no limit. */
  readonly limit: number;
  /** The axis that decided. */
  readonly by: "check" | "traffic" | "administrator" | "agent" | "answers" | "nobody";
  /** Why, in words; "" when there is nothing to say. */
  readonly reason: string;
}

/** Adds up the axes. Pure. */
export function combine(axes: Axes, settings: ServerSettings): Combined {
  const { agent } = axes;
  const weight = agentWeight(agent, settings.weight);
  return {
    ...combineState(axes, weight),
    weight: Math.max(1, Math.round(weight * WEIGHT_UNIT)),
    load: agent.load,
    limit: agent.maxconn ?? settings.limit ?? 0,
  };
}

function combineState(
  { health, administrative, agent, outlier }: Axes,
  weight: number,
): Pick<Combined, "state" | "by" | "reason"> {
  const { MAINTENANCE, DOWN, DRAINING, OVERLOADED, READY } = ServerState;
  const agentReason = (word: string) => (agent.reason === "" ? `agent: ${word}` : `agent: ${word}, ${agent.reason}`);
  if (administrative.state === "maintenance") return { state: MAINTENANCE, by: "administrator", reason: "" };
  if (agent.admin === "maint") return { state: MAINTENANCE, by: "agent", reason: agentReason("maint") };
  if (health.health !== "up") return { state: DOWN, by: health.by, reason: health.reason };
  if (agent.health !== "up") return { state: DOWN, by: "agent", reason: agentReason(agent.health) };
  if (administrative.state === "drain") return { state: DRAINING, by: "administrator", reason: "" };
  if (agent.admin === "drain") return { state: DRAINING, by: "agent", reason: agentReason("drain") };
  if (weight === 0) return { state: DRAINING, by: "agent", reason: agentReason("weight 0") };
  if (outlier !== null) return { state: OVERLOADED, by: "answers", reason: outlier.reason };
  if (agent.load >= OVERLOAD) return { state: OVERLOADED, by: "agent", reason: agentReason(`load ${agent.load}`) };
  return { state: READY, by: "nobody", reason: "" };
}

function agentWeight({ weight }: AgentAxis, configured: number): number {
  if (weight === undefined) return configured;
  return Math.min(MAX_WEIGHT, "percent" in weight ? (configured * weight.percent) / 100 : weight.absolute);
}

/** What the agent has said so far, with one more answer. Pure. */
export function heard(before: AgentAxis, reading: AgentReading): AgentAxis {
  const { load, admin, health, weight, weightPercent, maxconn } = reading;
  return {
    load: load ?? before.load,
    admin: admin ?? before.admin,
    health: health ?? before.health,
    // A description belongs to the health it came with.
    reason: reading.reason ?? (health === undefined || health === before.health ? before.reason : ""),
    weight:
      weight !== undefined
        ? { absolute: weight }
        : weightPercent !== undefined
          ? { percent: weightPercent }
          : before.weight,
    maxconn: maxconn ?? before.maxconn,
  };
}

/** A server's state for people. */
export interface ConditionReport extends Combined {
  readonly word: "up" | "starting" | "overloaded" | "ejected" | "draining" | "maintenance" | "down";
  /** Unix milliseconds since when `state` has been what it is. */
  readonly sinceMs: number;
  readonly axes: Axes;
}

/** The part of a ServerView that is written here. */
export type StateWords = Pick<ServerView, "state" | "load" | "setState" | "setWeight" | "setLoad" | "setLimit">;

/**
 * One server's axes, and their sum in the scoreboard. Main thread only.
 *
 * Words that an earlier process left there (a takeover) stand until the first result is in: a server that is in use is not
 * down for a moment because the new process has not checked it yet.
 */
export class ServerCondition {
  readonly #view: StateWords;
  readonly #wallClock: () => number;
  #settings: ServerSettings;
  #axes: Axes;
  #combined: Combined;
  #sinceMs: number;

  /** `wallClock`: unix milliseconds. `administrative`: what a person set before a restart or takeover. */
  constructor(view: StateWords, settings: ServerSettings, wallClock: () => number, administrative = NO_ADMINISTRATOR) {
    this.#view = view;
    this.#settings = settings;
    this.#wallClock = wallClock;
    this.#axes = {
      health: inherited(view.state()),
      administrative,
      agent: { ...NO_AGENT, load: view.load() },
      outlier: null,
    };
    this.#combined = combine(this.#axes, settings);
    this.#sinceMs = administrative.state === "ready" ? wallClock() : administrative.sinceMs;
    this.#write();
  }

  /** A check or real traffic found out. True if the state for deciding changed by it, here and below. */
  setHealth(axis: HealthAxis): boolean {
    return this.#update({ health: axis });
  }

  /** A person decided; only a person takes it back. */
  setAdministrative(axis: AdministrativeAxis): boolean {
    return this.#update({ administrative: axis });
  }

  /** The agent answered. */
  hear(reading: AgentReading): boolean {
    return this.#update({ agent: heard(this.#axes.agent, reading) });
  }

  /** The pool has no agent any more: what it said is forgotten. */
  forgetAgent(): boolean {
    return this.#update({ agent: NO_AGENT });
  }

  /** It is left out for its answers, or (null) no longer. */
  setOutlier(axis: OutlierAxis | null): boolean {
    return this.#update({ outlier: axis });
  }

  /** The file says something else now. */
  reconfigure(settings: ServerSettings): boolean {
    this.#settings = settings;
    return this.#update({});
  }

  report(): ConditionReport {
    return { ...this.#combined, word: this.#word(), sinceMs: this.#sinceMs, axes: this.#axes };
  }

  #word(): ConditionReport["word"] {
    if (this.#combined.by === "answers") return "ejected";
    const starting = this.#combined.state === ServerState.DOWN && this.#axes.health.health === "unknown";
    return starting ? "starting" : WORDS[this.#combined.state];
  }

  #update(change: Partial<Axes>): boolean {
    const before = this.#combined;
    this.#axes = { ...this.#axes, ...change };
    this.#combined = combine(this.#axes, this.#settings);
    const changed = before.state !== this.#combined.state;
    if (changed) this.#sinceMs = this.#wallClock();
    this.#write();
    return changed;
  }

  /** The state last: who sees READY sees the weight and the limit that belong to it. A takeover that failed may have left others. */
  #write(): void {
    const { state, weight, load, limit } = this.#combined;
    this.#view.setWeight(weight, Math.ceil(this.#settings.rampMs / 1000));
    this.#view.setLoad(load);
    this.#view.setLimit(limit);
    if (this.#view.state() !== state) this.#view.setState(state, Math.floor(this.#wallClock() / 1000));
  }
}

const WORDS: Readonly<Record<ServerState, ConditionReport["word"]>> = {
  [ServerState.FREE]: "starting",
  [ServerState.READY]: "up",
  [ServerState.DRAINING]: "draining",
  [ServerState.OVERLOADED]: "overloaded",
  [ServerState.DOWN]: "down",
  [ServerState.MAINTENANCE]: "maintenance",
};

/** What the words of an earlier process say about health. Maintenance hides it: unknown. */
function inherited(state: ServerState): HealthAxis {
  const { READY, DRAINING, OVERLOADED, DOWN } = ServerState;
  if (state === READY || state === DRAINING || state === OVERLOADED) return { health: "up", reason: "", by: "check" };
  if (state === DOWN) return { health: "down", reason: "was down before", by: "check" };
  return { health: "unknown", reason: "not checked yet", by: "check" };
}

/** "down for 6m 12s: connection refused"; "draining for 3m by anna". */
export function explain(report: ConditionReport, nowMs: number): string {
  const who = report.by === "administrator" ? ` by ${report.axes.administrative.by}` : "";
  const why = report.reason === "" ? "" : `: ${report.reason}`;
  return `${report.word} for ${spellDuration(nowMs - report.sinceMs)}${who}${why}`;
}

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
] as const;

/** A duration for people, its two greatest units: "12d 4h", "6m 12s", "0s". */
export function spellDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const first = UNITS.findIndex(([, length]) => seconds >= length);
  if (first < 0) return "0s";
  const [unit, length] = UNITS[first]!;
  const [nextUnit, nextLength] = UNITS[first + 1] ?? ["", 0];
  const rest = nextLength === 0 ? 0 : Math.floor((seconds % length) / nextLength);
  return `${Math.floor(seconds / length)}${unit}${rest === 0 ? "" : ` ${rest}${nextUnit}`}`;
}
