/** Drawing servers by lot. */
import type { Candidate } from "../candidate.ts";

/** A lottery among servers, each with a share of the tickets. One for each picker; filled anew for each pick. */
export class Draw {
  readonly #servers: readonly Candidate[];
  readonly #random: () => number;
  /** Positions in `#servers`, and the tickets given out up to and including each. */
  readonly #positions: Uint16Array;
  readonly #upTo: Float64Array;
  #count = 0;
  #tickets = 0;

  constructor(servers: readonly Candidate[], random: () => number) {
    this.#servers = servers;
    this.#random = random;
    this.#positions = new Uint16Array(servers.length);
    this.#upTo = new Float64Array(servers.length);
  }

  begin(): void {
    this.#count = 0;
    this.#tickets = 0;
  }

  /** Puts `servers[position]` in with `share` (> 0) tickets. */
  add(position: number, share: number): void {
    this.#tickets += share;
    this.#positions[this.#count] = position;
    this.#upTo[this.#count] = this.#tickets;
    this.#count++;
  }

  /** Draws one; the same may be drawn again. Null when nobody was put in. O(log servers). */
  draw(): Candidate | null {
    if (this.#count === 0) return null;
    const ticket = this.#random() * this.#tickets;
    let low = 0;
    let high = this.#count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ticket < this.#upTo[middle]!) high = middle;
      else low = middle + 1;
    }
    return this.#servers[this.#positions[low]!]!;
  }
}

/** Of two that were drawn, the one with fewer connections for each unit of weight; equals: the first drawn. */
export function lessUsed(first: Candidate, second: Candidate, nowSec: number): Candidate {
  if (first === second) return first;
  const cost = first.view.connections() * second.view.weight(nowSec);
  return second.view.connections() * first.view.weight(nowSec) < cost ? second : first;
}
