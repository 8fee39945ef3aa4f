/** The pool's round, by stride scheduling: all workers share its turn, so that they go on where another left off. */
import type { Candidate, TriedSet } from "../candidate.ts";
import type { PoolView } from "../shared/pool-view.ts";
import { type PickRequest, usableWeight } from "./algorithm.ts";

/**
 * Takes the turn of the usable server that has waited longest for its weight; ties: first in the file. Smooth, and exact in
 * the long run for any weights (Waldspurger and Weihl, "Stride Scheduling", 1995). O(servers).
 */
export function takeNextTurn(
  servers: readonly Candidate[],
  pool: PoolView,
  request: PickRequest,
  tried: TriedSet,
  nowSec: number,
): Candidate | null {
  const poolTurn = pool.turn();
  let best: Candidate | null = null;
  let bestTurn = 0;
  for (let i = 0; i < servers.length; i++) {
    const candidate = servers[i]!;
    const weight = usableWeight(candidate, request, tried, nowSec);
    if (weight === 0) continue;
    const turn = candidate.view.nextTurn(poolTurn, weight);
    if (best !== null && turn >= bestTurn) continue;
    best = candidate;
    bestTurn = turn;
  }
  if (best !== null) takeTurn(best, pool, poolTurn, bestTurn);
  return best;
}

/** Writes that `candidate` had the turn that `nextTurn` gave for `poolTurn`. */
export function takeTurn(candidate: Candidate, pool: PoolView, poolTurn: number, turn: number): void {
  // The pool first: a server is then never ahead of its pool, which would look like a turn left from before a wrap.
  pool.setTurn(poolTurn + turn);
  candidate.view.takeTurn(poolTurn, turn);
}
