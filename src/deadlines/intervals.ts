/** What is done at fixed intervals and asks nobody anything. For questions that take their time: repeat.ts. */
import type { Timing } from "./timing.ts";

export class Intervals {
  readonly #timing: Timing;
  readonly #planned = new Set<() => void>();
  #stopped = false;

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  /** Does `what` each `ms` milliseconds, the first time after one interval. The next is planned when `what` has returned. */
  every(ms: number, what: () => void): void {
    if (this.#stopped) return;
    const cancel = this.#timing.after(ms, () => {
      this.#planned.delete(cancel);
      what();
      this.every(ms, what);
    });
    this.#planned.add(cancel);
  }

  /** For good. */
  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#planned) cancel();
    this.#planned.clear();
  }
}
