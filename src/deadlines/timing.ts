/** Clock, timers and randomness of everything in control that happens again and again. Passed in, so that tests move it. */
export interface Timing {
  /** Milliseconds that only go forward, for durations. */
  now(): number;
  /** Unix milliseconds, for what people read. */
  wallClock(): number;
  /** Runs `what` once after `ms`; the result cancels it. */
  after(ms: number, what: () => void): () => void;
  /** 0 <= x < 1. */
  random(): number;
}

/** The process's own clock and timers. */
export const systemTiming: Timing = {
  now: () => performance.now(),
  wallClock: () => Date.now(),
  after: (ms, what) => {
    const timer = setTimeout(what, ms);
    return () => clearTimeout(timer);
  },
  random: Math.random,
};
