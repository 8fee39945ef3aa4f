/** The health of one server: checks it on schedule, counts rise and fall, and believes real traffic that cannot connect. */

import { Repeat } from "../../../deadlines/repeat.ts";
import type { Slots } from "../../../deadlines/slots.ts";
import type { Timing } from "../../../deadlines/timing.ts";
import type { HealthCheck, Target, Verdict } from "./check.ts";
import type { Probe, probe } from "./probe.ts";
import { type Health, RiseFall } from "./rise-fall.ts";

/** Without a check in the file, a server that real traffic found dead is connected to until it answers again. */
const RECOVERY_CHECK: HealthCheck = { check: "tcp", every: 2_000, timeout: 1_000, fall: 1, rise: 2 };

/** A server went up or down. */
export interface HealthChange {
  readonly pool: string;
  readonly server: string;
  readonly up: boolean;
  /** What was seen, in words: "connection refused". */
  readonly reason: string;
  /** Unix milliseconds. */
  readonly sinceMs: number;
  /** Who saw it: a check, or connections of clients. */
  readonly by: "check" | "traffic";
}

/** What is known about a server's health, for status and metrics. */
export interface HealthReport {
  readonly health: Health;
  readonly reason: string;
  /** Unix milliseconds of the last change; 0 before the first result. */
  readonly sinceMs: number;
  readonly by: "check" | "traffic";
  /** Checks that failed, ever. */
  readonly failed: number;
  /** Absent before the first check has ended. */
  readonly last?: {
    readonly alive: boolean;
    readonly reason: string;
    /** Unix milliseconds when it ended. */
    readonly atMs: number;
    readonly durationMs: number;
  };
}

/** The part of a ServerView that counts connects of real traffic. */
export interface TrafficFailures {
  failuresInRow(): number;
  forgetFailures(): void;
}

/** What a runner is told of its server. */
export interface HealthTarget extends Target {
  /** Absent: no check in the file; up until traffic says otherwise. */
  readonly check: HealthCheck | undefined;
  /** So many failed connects in a row and it is down at once; 0 is off. */
  readonly observe: number;
  readonly traffic: TrafficFailures;
  /** What was known before, by an earlier runner or process: rise and fall go on from there. Default: unknown. */
  readonly before?: HealthReport;
}

export interface HealthDeps {
  readonly timing: Timing;
  readonly probe: typeof probe;
  onChange(change: HealthChange): void;
}

/** Checks one server until it is stopped. */
export class HealthRunner {
  readonly target: HealthTarget;
  readonly #deps: HealthDeps;
  readonly #slots: Slots;
  readonly #check: HealthCheck;
  readonly #riseFall: RiseFall;
  #report: HealthReport;
  #repeat: Repeat | undefined;

  constructor(target: HealthTarget, slots: Slots, deps: HealthDeps) {
    this.target = target;
    this.#deps = deps;
    this.#slots = slots;
    this.#check = target.check ?? RECOVERY_CHECK;
    this.#report = target.before ?? {
      health: "unknown",
      reason: "not checked yet",
      sinceMs: 0,
      by: "check",
      failed: 0,
    };
    this.#riseFall = new RiseFall(this.#check.rise, this.#check.fall, this.#report.health);
    // With nothing to wait for, it is up at once.
    if (target.check === undefined && this.#report.health === "unknown") {
      this.#riseFall.force("up");
      this.#change(true, "not checked", "check");
    } else this.#schedule();
  }

  /** Looks at real traffic: to be called about every 100 ms. */
  observe(): void {
    const { observe, traffic } = this.target;
    if (observe === 0 || this.#riseFall.health() === "down") return;
    const failures = traffic.failuresInRow();
    if (failures < observe) return;
    this.#riseFall.force("down");
    const reason = failures === 1 ? "a connect failed" : `${failures} connects in a row failed`;
    this.#change(false, reason, "traffic");
  }

  report(): HealthReport {
    return this.#report;
  }

  stop(): void {
    this.#repeat?.stop();
    this.#repeat = undefined;
  }

  /** Runs checks while there is something to find out: always with a check in the file, else only while it is down. */
  #schedule(): void {
    const wanted = this.target.check !== undefined || this.#riseFall.health() === "down";
    if (!wanted) this.stop();
    else if (this.#repeat === undefined) {
      this.#repeat = new Repeat({
        timing: this.#deps.timing,
        slots: this.#slots,
        begin: () => this.#begin(),
        interval: () => this.#interval(),
      });
    }
  }

  /**
   * Half of `every` while the last result speaks against the present health: with a `timeout` of at most half of `every`,
   * a server that hangs is down after `every` x `fall`, its timeouts included.
   */
  #interval(): number {
    return this.#riseFall.wavering() ? this.#check.every / 2 : this.#check.every;
  }

  #begin(): Probe {
    const { timing } = this.#deps;
    const began = timing.now();
    let cancelled = false;
    const probe = this.#deps.probe(this.#check, this.target, timing);
    const done = probe.done.then((verdict) => {
      if (!cancelled) this.#result(verdict, timing.now() - began);
      return verdict;
    });
    return {
      done,
      cancel: () => {
        cancelled = true;
        probe.cancel();
      },
    };
  }

  #result(verdict: Verdict, durationMs: number): void {
    const last = { ...verdict, atMs: this.#deps.timing.wallClock(), durationMs };
    this.#report = { ...this.#report, last, failed: this.#report.failed + (verdict.alive ? 0 : 1) };
    if (this.#riseFall.result(verdict.alive)) this.#change(verdict.alive, verdict.reason, "check");
  }

  #change(up: boolean, reason: string, by: "check" | "traffic"): void {
    const sinceMs = this.#deps.timing.wallClock();
    this.#report = { ...this.#report, health: up ? "up" : "down", reason, sinceMs, by };
    this.target.traffic.forgetFailures();
    this.#schedule();
    const { pool, server } = this.target;
    this.#deps.onChange({ pool, server, up, reason, sinceMs, by });
  }
}
