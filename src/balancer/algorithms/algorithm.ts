/**
 * What an algorithm is: how a pool picks a server for a client whom nobody recognised.
 *
 * Each member is one file with one value of the same shape. `prepare` runs in each worker, at load and when the members of
 * the pool change, for the primaries and for the backups apart; `pick` runs for each new client and allocates nothing.
 */
import type { AlgorithmName } from "../../config/choices.ts";
import type { Candidate, TriedSet } from "../candidate.ts";
import type { Client } from "../client.ts";
import type { SourceMask } from "../masked-source.ts";
import type { PoolView } from "../shared/pool-view.ts";

export interface Algorithm {
  /** As the YAML has it. */
  readonly name: AlgorithmName;
  prepare(setting: Setting): Picker;
}

/** What `prepare` is given. */
export interface Setting {
  /** In the order of the file; at least one. */
  readonly servers: readonly Candidate[];
  readonly pool: PoolView;
  /** Leading bits of a source that count, for those who go by it. */
  readonly mask: SourceMask;
  /** Even in [0, 1). */
  readonly random: () => number;
}

export interface Picker {
  /**
   * The server for this client, or null when none may take it. Never one that is in `tried`, full, of weight 0 or not
   * ready. Asked again after a failed connect, with that server in `tried`.
   */
  pick(request: PickRequest, tried: TriedSet, nowSec: number): Candidate | null;
}

/** Who wants a server. One reused object. */
export interface PickRequest {
  client: Client;
  /** All checks fail: those that were usable before count as ready (`all-down: last-known`). */
  lastKnown: boolean;
}

/** Declares a member. */
export function algorithm(member: Algorithm): Algorithm {
  return member;
}

/**
 * What a server may take of the pool's new clients now: its weight in WEIGHT_UNITs (slow start and agent included), or 0
 * when this client must not get it.
 */
export function usableWeight(candidate: Candidate, request: PickRequest, tried: TriedSet, nowSec: number): number {
  const view = candidate.view;
  if (!(request.lastKnown ? view.wasUsable() : view.takesNew())) return 0;
  if (tried.has(candidate.plan.id) || !view.hasRoom()) return 0;
  return view.weight(nowSec);
}
