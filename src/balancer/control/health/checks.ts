/** The health of all servers: a runner for each (pool, server), kept over reloads. */

import { Slots } from "../../../deadlines/slots.ts";
import { systemTiming, type Timing } from "../../../deadlines/timing.ts";
import { probe } from "./probe.ts";
import { type HealthChange, type HealthDeps, type HealthReport, HealthRunner, type HealthTarget } from "./runner.ts";

/** Checks over sockets at once. A check waits for its turn before its deadline begins. */
const SOCKETS_AT_ONCE = 256;
/** Programs at once. */
const PROGRAMS_AT_ONCE = 16;
/** How often real traffic is looked at. */
const OBSERVE_EVERY_MS = 100;

export interface HealthChecksOptions {
  /** A server went up or down, or its first result is there. Called in no particular thread but control's own. */
  onChange(change: HealthChange): void;
  readonly timing?: Timing;
  /** Replaced in tests. */
  readonly probe?: typeof probe;
}

/** Checks every server it was given, until it is told otherwise. */
export class HealthChecks {
  readonly #runners = new Map<string, HealthRunner>();
  readonly #deps: HealthDeps;
  readonly #sockets = new Slots(SOCKETS_AT_ONCE);
  readonly #programs = new Slots(PROGRAMS_AT_ONCE);
  #stopObserving: () => void = () => {};

  constructor(options: HealthChecksOptions) {
    const timing = options.timing ?? systemTiming;
    this.#deps = { timing, probe: options.probe ?? probe, onChange: (change) => options.onChange(change) };
  }

  /**
   * Checks exactly these servers from now on. One whose settings stay is not disturbed; one with another check goes on from
   * what is known; one with another address is judged anew, by its first result.
   */
  apply(targets: readonly HealthTarget[]): void {
    const wanted = new Set(targets.map(keyOf));
    for (const [key, runner] of this.#runners) {
      if (wanted.has(key)) continue;
      runner.stop();
      this.#runners.delete(key);
    }
    for (const target of targets) this.#applyOne(target);
    this.#stopObserving();
    this.#observe();
  }

  /** What is known about a server; undefined for one that is not checked here. */
  report(pool: string, server: string): HealthReport | undefined {
    return this.#runners.get(`${pool}/${server}`)?.report();
  }

  /** Ends all checks, those under way too. */
  stop(): void {
    this.apply([]);
    this.#stopObserving();
  }

  #applyOne(target: HealthTarget): void {
    const key = keyOf(target);
    const running = this.#runners.get(key);
    if (running !== undefined && sameSettings(running.target, target)) return;
    running?.stop();
    const before =
      running?.target.host === target.host && running.target.port === target.port ? running.report() : target.before;
    const slots = target.check?.check === "exec" ? this.#programs : this.#sockets;
    this.#runners.set(key, new HealthRunner(before === undefined ? target : { ...target, before }, slots, this.#deps));
  }

  #observe(): void {
    for (const runner of this.#runners.values()) runner.observe();
    if (this.#runners.size > 0) this.#stopObserving = this.#deps.timing.after(OBSERVE_EVERY_MS, () => this.#observe());
  }
}

/** Names have no slash. */
function keyOf({ pool, server }: { readonly pool: string; readonly server: string }): string {
  return `${pool}/${server}`;
}

function sameSettings(a: HealthTarget, b: HealthTarget): boolean {
  const settings = ({ host, port, proxyProtocol, check, observe }: HealthTarget) =>
    JSON.stringify([host, port, proxyProtocol, check, observe]);
  return settings(a) === settings(b) && a.traffic === b.traffic;
}
