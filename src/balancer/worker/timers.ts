/** Deadlines of thousands of connections: a wheel of coarse ticks, nothing allocated, setting one costs a few words. */

const TICK_MS = 64;
const SLOTS = 1024; // a turn of the wheel is 65 s; what is due later is looked at once a turn

/** What can have one deadline. The fields belong to the wheel. */
export abstract class Timed {
  timerNext: Timed | null = null;
  timerPrevious: Timed | null = null;
  timerSlot = -1;
  timerDue = 0;
  /** The deadline has passed (by less than two ticks). It is no longer set. */
  abstract onDeadline(nowMs: number): void;
}

/** The wheel. `nowMs` is the caller's monotonic clock. */
export class Timers {
  readonly #slots: (Timed | null)[] = new Array(SLOTS).fill(null);
  #tick: number;

  constructor(nowMs: number) {
    this.#tick = Math.floor(nowMs / TICK_MS);
  }

  /** Sets (or moves) the deadline of `timed`. O(1). */
  set(timed: Timed, dueMs: number): void {
    if (timed.timerSlot >= 0) this.clear(timed);
    timed.timerDue = dueMs;
    this.#link(timed, Math.max(Math.floor(dueMs / TICK_MS) + 1, this.#tick + 1));
  }

  #link(timed: Timed, tick: number): void {
    let slot = tick % SLOTS;
    // The slot that is being emptied must not grow: one tick later it is looked at again.
    if (slot === this.#tick % SLOTS) slot = (slot + 1) % SLOTS;
    const head = this.#slots[slot]!;
    timed.timerSlot = slot;
    timed.timerPrevious = null;
    timed.timerNext = head;
    if (head) head.timerPrevious = timed;
    this.#slots[slot] = timed;
  }

  /** Takes the deadline away. O(1); harmless when none is set. */
  clear(timed: Timed): void {
    if (timed.timerSlot < 0) return;
    if (timed.timerPrevious) timed.timerPrevious.timerNext = timed.timerNext;
    else this.#slots[timed.timerSlot] = timed.timerNext;
    if (timed.timerNext) timed.timerNext.timerPrevious = timed.timerPrevious;
    timed.timerNext = null;
    timed.timerPrevious = null;
    timed.timerSlot = -1;
  }

  /** Calls whoever is due at `nowMs`. Call once a turn of the loop. */
  run(nowMs: number): void {
    const last = Math.floor(nowMs / TICK_MS);
    if (last - this.#tick > SLOTS) this.#tick = last - SLOTS;
    while (this.#tick < last) {
      this.#tick++;
      const slot = this.#tick % SLOTS;
      for (let timed = this.#slots[slot]!; timed; timed = this.#slots[slot]!) {
        this.clear(timed);
        if (timed.timerDue > nowMs) this.#link(timed, Math.floor(timed.timerDue / TICK_MS) + 1);
        else timed.onDeadline(nowMs);
      }
    }
  }
}
