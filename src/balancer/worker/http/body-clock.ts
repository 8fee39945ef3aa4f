/** How long a request's body may take: no long silence, and a least rate over the time that we waited for the client. */
import type { HttpPlan } from "../../plan.ts";

/** Looked at so often, or more often where the silence allowed is short. */
const TICK_MS = 1_000;
/** The rate counts only after so much waiting: a body may begin slowly. */
const GRACE_MS = 5_000;

export class BodyClock {
  /** The server has said that it wants the body (100). */
  continued = false;
  #tickMs = 0;
  #bytes = 0;
  #silentMs = 0;
  #waitedMs = 0;

  /** The body begins to be awaited. */
  begin(nowMs: number): void {
    this.#tickMs = nowMs;
    this.#bytes = 0;
    this.#silentMs = 0;
    this.#waitedMs = 0;
  }

  /** When it has to be looked at next. */
  nextMs({ timeouts }: HttpPlan): number {
    return this.#tickMs + Math.min(TICK_MS, timeouts.body);
  }

  /**
   * `bytes` of the body have come by now. `ours`: it is not the client who keeps it waiting, because the server takes
   * nothing or has not said yet that it wants the body. @returns whether the client has been too slow.
   */
  isTooSlow(nowMs: number, bytes: number, ours: boolean, { timeouts, limits }: HttpPlan): boolean {
    const passedMs = nowMs - this.#tickMs;
    this.#tickMs = nowMs;
    const silent = bytes === this.#bytes;
    this.#bytes = bytes;
    this.#silentMs = silent && !ours ? this.#silentMs + passedMs : 0;
    if (ours) return false;
    this.#waitedMs += passedMs;
    if (this.#silentMs >= timeouts.body) return true;
    return this.#waitedMs > GRACE_MS && bytes * 1000 < limits.bodyRate * this.#waitedMs;
  }
}
