/** The servers of a pool by the keyed fingerprints that tokens and cookies call them (protocols/rdp/token.ts). */
import type { Candidate } from "../candidate.ts";

export class ServersByFingerprint {
  readonly #byLow: ReadonlyMap<number, readonly Candidate[]>;

  constructor(servers: readonly Candidate[]) {
    this.#byLow = groupByNumber(servers, (server) => server.plan.tokenLow | 0);
  }

  /** The server of that fingerprint, in two halves, signed or unsigned. */
  find(high: number, low: number): Candidate | undefined {
    const alike = this.#byLow.get(low | 0);
    if (alike === undefined) return undefined;
    for (let i = 0; i < alike.length; i++) if ((alike[i]!.plan.tokenHigh | 0) === (high | 0)) return alike[i];
    return undefined;
  }
}

/** Groups by a number that few share; the rest is compared. In the order of the file. */
export function groupByNumber(
  servers: readonly Candidate[],
  keyOf: (server: Candidate) => number,
): Map<number, Candidate[]> {
  return Map.groupBy(servers, keyOf);
}
