/** A clock that stands still until a test moves it. */
import type { Timing } from "../../src/deadlines/timing.ts";

export class ManualTiming implements Timing {
  #now = 0;
  #timers: { at: number; what: () => void }[] = [];
  /** What `random` answers. */
  chance = 0;

  now(): number {
    return this.#now;
  }

  wallClock(): number {
    return 1_800_000_000_000 + this.#now;
  }

  random(): number {
    return this.chance;
  }

  after(ms: number, what: () => void): () => void {
    const timer = { at: this.#now + ms, what };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Timers that wait. */
  waiting(): number {
    return this.#timers.length;
  }

  /** Lets `ms` pass: runs what is due, in order, and all that promises make of it. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle();
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > until) break;
      this.#now = next.at;
      this.#timers = this.#timers.filter((other) => other !== next);
      next.what();
      await settle();
    }
    this.#now = until;
  }
}

/** Lets promises that are resolved go on. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
