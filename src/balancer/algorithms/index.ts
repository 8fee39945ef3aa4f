/** The list of algorithms. A new one is a file of this folder, a line here and its name in `config/choices.ts`. */
import type { AlgorithmName } from "../../config/choices.ts";
import type { Algorithm } from "./algorithm.ts";
import { first } from "./first.ts";
import { hash } from "./hash.ts";
import { leastConnections } from "./least-connections.ts";
import { leastLoad } from "./least-load.ts";
import { leastTime } from "./least-time.ts";
import { random } from "./random.ts";
import { roundRobin } from "./round-robin.ts";
import { sourceHash } from "./source-hash.ts";
import { uriHash } from "./uri-hash.ts";

export const ALGORITHMS: readonly Algorithm[] = [
  roundRobin,
  leastConnections,
  leastLoad,
  leastTime,
  random,
  sourceHash,
  uriHash,
  hash,
  first,
];

export const ALGORITHM_NAMES: readonly AlgorithmName[] = ALGORITHMS.map((member) => member.name);

/** The algorithm of that name; undefined if there is none. */
export function algorithmNamed(name: string): Algorithm | undefined {
  return ALGORITHMS.find((member) => member.name === name);
}
