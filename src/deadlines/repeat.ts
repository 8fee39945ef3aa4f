/** Something that is done again and again: checks, questions to agents, measuring. */
import type { Slots } from "./slots.ts";
import type { Timing } from "./timing.ts";

/** The first round begins within this time, at random, so that a start does not ask everybody in the same instant. */
const FIRST_WITHIN_MS = 100;
/** Rounds are up to a tenth early, at random, so that what began together drifts apart. Never late: `every` is a promise. */
const EARLY = 0.1;
/** A round that took longer than its interval is still followed by a pause, this share of the interval. */
const LEAST_PAUSE = 0.1;

/** One round under way; its `done` never rejects, and nothing of it goes on after `cancel`. */
export interface Round {
  readonly done: Promise<unknown>;
  cancel(): void;
}

export interface RepeatOptions {
  readonly timing: Timing;
  readonly slots: Slots;
  /** Begins a round, which has a deadline of its own. */
  begin(): Round;
  /** Milliseconds from the beginning of the last round to the next; asked after each round. */
  interval(): number;
}

/** Repeats rounds, one at a time: the next is planned when the last has ended. Begins at once; `stop` is for good. */
export class Repeat {
  readonly #options: RepeatOptions;
  #stopTimer: () => void;
  #release: () => void = () => {};
  #round: Round | undefined;
  #stopped = false;

  constructor(options: RepeatOptions) {
    this.#options = options;
    const { timing } = options;
    this.#stopTimer = timing.after(timing.random() * Math.min(FIRST_WITHIN_MS, options.interval()), () =>
      this.#queue(),
    );
  }

  stop(): void {
    this.#stopped = true;
    this.#stopTimer();
    this.#release();
    this.#round?.cancel();
  }

  #queue(): void {
    const turn = this.#options.slots.take(() => {
      // The slot may be free at once, before `take` has returned.
      queueMicrotask(() => void this.#runOnce());
    });
    this.#release = turn;
  }

  async #runOnce(): Promise<void> {
    if (this.#stopped) return;
    const { timing, begin, interval } = this.#options;
    const began = timing.now();
    this.#round = begin();
    await this.#round.done;
    this.#round = undefined;
    this.#release();
    if (this.#stopped) return;
    const wanted = interval() * (1 - EARLY * timing.random());
    const pause = Math.max(wanted - (timing.now() - began), interval() * LEAST_PAUSE);
    this.#stopTimer = timing.after(pause, () => this.#queue());
  }
}
