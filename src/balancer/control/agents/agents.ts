/** Asks every server's agent, on schedule. One that does not answer changes nothing, and is reported. */
import { type Answer, ask, type Pending, type Question } from "../../../deadlines/ask.ts";
import { Repeat, type Round } from "../../../deadlines/repeat.ts";
import { Slots } from "../../../deadlines/slots.ts";
import { systemTiming, type Timing } from "../../../deadlines/timing.ts";
import { AGENT_KINDS } from "./index.ts";
import type { AgentCheck, AgentKind, AgentKindName, AgentReading } from "./reading.ts";

/** Agents asked at once. */
const AT_ONCE = 128;

/** A server whose agent is asked. */
export interface AgentTarget {
  readonly pool: string;
  readonly server: string;
  /** Address or name, without brackets. */
  readonly host: string;
  readonly agent: AgentCheck;
}

/** What is known about an agent, for status. */
export interface AgentReport {
  /** The last answer; absent before the first. */
  readonly reading?: AgentReading;
  /** Unix milliseconds of the last answer; 0 before the first. */
  readonly readAtMs: number;
  /** Why the last question had no answer, and since when (unix milliseconds); absent while it answers. */
  readonly failing?: { readonly reason: string; readonly sinceMs: number };
}

export interface AgentsOptions {
  /** An agent has answered. */
  onReading(pool: string, server: string, reading: AgentReading): void;
  /** An agent that answered (or was not asked yet) has stopped answering; or, without a reason, answers again. */
  onFailing?(pool: string, server: string, reason: string | undefined): void;
  readonly timing?: Timing;
  /** Replaced in tests. */
  readonly ask?: typeof ask;
}

/** Asks the agents it was given, until it is told otherwise. */
export class Agents {
  readonly #asked = new Map<string, { target: AgentTarget; report: AgentReport; repeat: Repeat }>();
  readonly #slots = new Slots(AT_ONCE);
  readonly #options: AgentsOptions;
  readonly #timing: Timing;

  constructor(options: AgentsOptions) {
    this.#options = options;
    this.#timing = options.timing ?? systemTiming;
  }

  /** Asks exactly these agents from now on; one whose settings stay is not disturbed. */
  apply(targets: readonly AgentTarget[]): void {
    const wanted = new Map(targets.map((target) => [`${target.pool}/${target.server}`, target]));
    for (const [key, { target, repeat }] of this.#asked) {
      const now = wanted.get(key);
      if (now !== undefined && JSON.stringify(now) === JSON.stringify(target)) wanted.delete(key);
      else {
        repeat.stop();
        this.#asked.delete(key);
      }
    }
    for (const [key, target] of wanted) this.#start(key, target);
  }

  /** What is known about a server's agent; undefined for one that has none. */
  report(pool: string, server: string): AgentReport | undefined {
    return this.#asked.get(`${pool}/${server}`)?.report;
  }

  /** Ends all questions, those under way too. */
  stop(): void {
    this.apply([]);
  }

  #start(key: string, target: AgentTarget): void {
    const repeat = new Repeat({
      timing: this.#timing,
      slots: this.#slots,
      begin: () => this.#begin(key, target),
      interval: () => target.agent.every,
    });
    this.#asked.set(key, { target, report: { readAtMs: 0 }, repeat });
  }

  #begin(key: string, target: AgentTarget): Round {
    const { agent, host } = target;
    const kind = AGENT_KINDS[agent.kind] as AgentKind<AgentKindName>;
    const question: Question<Answer<AgentReading>> = kind.ask(agent as never, host);
    const askAgent = this.#options.ask ?? ask;
    const pending: Pending<Answer<AgentReading>> = askAgent(host, agent.port, question, agent.timeout, this.#timing);
    const done = pending.done.then((answer) => {
      const asked = this.#asked.get(key);
      if (asked?.target !== target) return; // no longer asked, or by other settings
      const reading = "failure" in answer ? answer : answer.value;
      asked.report =
        "failure" in reading
          ? this.#failed(asked.report, target, reading.failure)
          : this.#answered(asked.report, target, reading.value);
    });
    return { done, cancel: pending.cancel };
  }

  #answered(before: AgentReport, { pool, server }: AgentTarget, reading: AgentReading): AgentReport {
    if (before.failing !== undefined) this.#options.onFailing?.(pool, server, undefined);
    this.#options.onReading(pool, server, reading);
    return { reading, readAtMs: this.#timing.wallClock() };
  }

  #failed(before: AgentReport, { pool, server }: AgentTarget, reason: string): AgentReport {
    if (before.failing === undefined) this.#options.onFailing?.(pool, server, reason);
    return { ...before, failing: { reason, sinceMs: before.failing?.sinceMs ?? this.#timing.wallClock() } };
  }
}
