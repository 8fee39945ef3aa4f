/** The comparison behind every "least": cost for each unit of weight, and whose turn it is among equals. */
import type { Candidate } from "../candidate.ts";
import type { PoolView } from "../shared/pool-view.ts";
import { takeTurn } from "./turn.ts";

/**
 * The candidate with the least cost for its weight, of those offered since `begin`. Equals take turns in the pool's round:
 * an idle pool hands its clients around instead of sending all to the first of the file. One for each picker; reused.
 */
export class Fewest {
  readonly #pool: PoolView;
  #best: Candidate | null = null;
  #cost = 0;
  #weight = 0;
  #poolTurn = 0;

  constructor(pool: PoolView) {
    this.#pool = pool;
  }

  begin(): void {
    this.#best = null;
    this.#poolTurn = this.#pool.turn();
  }

  /** `cost` must be above 0, or the weight would say nothing. */
  offer(candidate: Candidate, cost: number, weight: number): void {
    if (this.#best !== null) {
      // cost / weight < #cost / #weight without a division, so that equal costs are exactly equal.
      const difference = cost * this.#weight - this.#cost * weight;
      if (difference > 0 || (difference === 0 && !this.#isBefore(candidate, weight))) return;
    }
    this.#best = candidate;
    this.#cost = cost;
    this.#weight = weight;
  }

  #isBefore(candidate: Candidate, weight: number): boolean {
    const turn = candidate.view.nextTurn(this.#poolTurn, weight);
    return turn < this.#best!.view.nextTurn(this.#poolTurn, this.#weight);
  }

  /** The best of those offered, who has now had its turn; null if there was none. */
  take(): Candidate | null {
    const best = this.#best;
    if (best !== null) takeTurn(best, this.#pool, this.#poolTurn, best.view.nextTurn(this.#poolTurn, this.#weight));
    this.#best = null;
    return best;
  }
}
