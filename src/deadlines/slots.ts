/** At most so many at once; the others wait their turn, first come, first served. */
export class Slots {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(slots: number) {
    this.#free = slots;
  }

  /** Runs `begin` now or when a slot is free. The result gives the slot back, or leaves the queue; once. */
  take(begin: () => void): () => void {
    let state: "waiting" | "running" | "over" = "waiting";
    const start = () => {
      state = "running";
      begin();
    };
    if (this.#free > 0) {
      this.#free--;
      start();
    } else this.#waiting.add(start);
    return () => {
      if (state === "running") this.#giveBack();
      this.#waiting.delete(start);
      state = "over";
    };
  }

  #giveBack(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
