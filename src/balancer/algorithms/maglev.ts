/**
 * Picking by a key with a Maglev table (Eisenbud and others, "Maglev", NSDI 2016, 3.4): the same key finds the same server
 * on every worker and balancer that has the same file, without memory, and a server's leaving moves few other keys.
 */
import type { Candidate, TriedSet } from "../candidate.ts";
import { WEIGHT_UNIT } from "../shared/server-view.ts";
import { type PickRequest, usableWeight } from "./algorithm.ts";
import { hashBytes, share } from "./hashing.ts";

/** Prime, so that any step visits every place. */
export const TABLE_SIZE = 65_537;

// Seeds of independent hashes: two of a server's name, two of a key.
const OFFSET_SEED = 1;
const STEP_SEED = 2;
const KEY_SEED = 3;
const ORDER_SEED = 4;
/** Places that a key tries before all servers are compared. With half of the servers down, one key in 4 billion needs more. */
const MAX_PROBES = 32;

/** The table of some servers: built from their names and the weights of the file, and from nothing that changes. */
export class MaglevTable {
  readonly #servers: readonly Candidate[];
  /** Position in `#servers` of each place. */
  readonly #places: Uint16Array;
  readonly #names: Int32Array;

  constructor(servers: readonly Candidate[]) {
    this.#servers = servers;
    this.#places = buildPlaces(servers);
    this.#names = Int32Array.from(servers, (candidate) => hashName(candidate, STEP_SEED));
  }

  /**
   * The server of the key `bytes[from, to)`. A key whose server is not usable tries further places, in an order of its
   * own: only the clients of that server move, over all others by weight, and they come back with it.
   */
  find(
    bytes: Uint8Array,
    from: number,
    to: number,
    request: PickRequest,
    tried: TriedSet,
    nowSec: number,
  ): Candidate | null {
    const hash = hashBytes(bytes, from, to, KEY_SEED);
    const step = hashBytes(bytes, from, to, ORDER_SEED);
    const stride = ((step >>> 0) % (TABLE_SIZE - 1)) + 1;
    let place = (hash >>> 0) % TABLE_SIZE;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const position = this.#places[place]!;
      const candidate = this.#servers[position]!;
      const weight = usableWeight(candidate, request, tried, nowSec);
      // A server in its slow start (or slowed by its agent) takes a part of the keys that come by, always the same ones.
      if (weight > 0 && share((step + probe) ^ this.#names[position]!) * candidate.plan.weight * WEIGHT_UNIT < weight) {
        return candidate;
      }
      place = (place + stride) % TABLE_SIZE;
    }
    return this.#compareAll(hash, request, tried, nowSec);
  }

  /** Weighted rendezvous hashing (Thaler and Ravishankar, 1998): for when few of the servers are usable. O(servers). */
  #compareAll(hash: number, request: PickRequest, tried: TriedSet, nowSec: number): Candidate | null {
    let best: Candidate | null = null;
    let bestScore = 0;
    for (let i = 0; i < this.#servers.length; i++) {
      const weight = usableWeight(this.#servers[i]!, request, tried, nowSec);
      if (weight === 0) continue;
      const score = -weight / Math.log(share(hash ^ this.#names[i]!));
      if (best !== null && score <= bestScore) continue;
      best = this.#servers[i]!;
      bestScore = score;
    }
    return best;
  }
}

function hashName(candidate: Candidate, seed: number): number {
  const bytes = new TextEncoder().encode(candidate.plan.name);
  return hashBytes(bytes, 0, bytes.length, seed);
}

/** Servers take free places in turn, each along its own order; one with half the weight takes every second turn. */
function buildPlaces(servers: readonly Candidate[]): Uint16Array {
  const places = new Uint16Array(TABLE_SIZE);
  const taken = new Uint8Array(TABLE_SIZE);
  const next = Float64Array.from(servers, (candidate) => (hashName(candidate, OFFSET_SEED) >>> 0) % TABLE_SIZE);
  const steps = Float64Array.from(
    servers,
    (candidate) => ((hashName(candidate, STEP_SEED) >>> 0) % (TABLE_SIZE - 1)) + 1,
  );
  const heaviest = Math.max(...servers.map((candidate) => candidate.plan.weight));
  const due = new Float64Array(servers.length);
  for (let left = TABLE_SIZE; left > 0; ) {
    for (let i = 0; i < servers.length && left > 0; i++) {
      due[i]! += servers[i]!.plan.weight / heaviest;
      if (due[i]! < 1) continue;
      due[i]! -= 1;
      let place = next[i]!;
      while (taken[place] === 1) place = (place + steps[i]!) % TABLE_SIZE;
      taken[place] = 1;
      places[place] = i;
      next[i] = (place + steps[i]!) % TABLE_SIZE;
      left--;
    }
  }
  return places;
}
