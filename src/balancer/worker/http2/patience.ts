/** How much one connection may ask for that brings nothing forward. */
import { PATIENCE, PATIENCE_A_SECOND } from "./limits.ts";

export class Patience {
  #left = PATIENCE;
  #atMs: number;

  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /** @returns whether there was enough left. */
  spend(cost: number, nowMs: number): boolean {
    if (nowMs > this.#atMs) {
      this.#left = Math.min(PATIENCE, this.#left + ((nowMs - this.#atMs) / 1000) * PATIENCE_A_SECOND);
      this.#atMs = nowMs;
    }
    this.#left -= cost;
    return this.#left >= 0;
  }
}
