/** What a piece of work costs each balancer. */
import { cpuBetween, readCpu } from "./process.ts";
import type { Running } from "./rig.ts";

/** What is still under way when the load has its last byte: closing. Long enough for every balancer to be done. */
const SETTLE_MS = 30;

/**
 * A round's CPU work is done in so many parts, the balancers taking turns at each. A machine that others use changes from
 * second to second: on a busy one, the ratio of the same two relays differed by 0.16 between two runs in turns of half a
 * second, and by 0.01 in turns of an eighth.
 */
export const SLICES = 4;

export interface Work {
  /** Nanoseconds. */
  cpu: number;
  seconds: number;
}

/** What surrounds a part and is not counted: opening connections before it, closing them behind it. */
export interface Around {
  before: (one: Running) => Promise<unknown>;
  after: () => Promise<unknown>;
}

/** Each balancer's work of a round in parts, taken in turns; the sum for each. */
export async function inSlices(
  takers: Running[],
  run: (one: Running) => Promise<{ seconds: number }>,
  around?: Around,
  slices = SLICES,
): Promise<Map<Running, Work>> {
  const sums = new Map<Running, Work>(takers.map((one) => [one, { cpu: 0, seconds: 0 }]));
  for (let slice = 0; slice < slices; slice++) {
    for (const [one, sum] of sums) {
      await named(one, async () => {
        await around?.before(one);
        const { cpu, seconds } = await measured(one, run);
        await around?.after();
        sum.cpu += cpu;
        sum.seconds += seconds;
      });
    }
  }
  return sums;
}

/** Does a piece of work; the CPU time that the balancer has spent on it. */
export async function measured<R extends { seconds: number }>(
  one: Running,
  run: (one: Running) => Promise<R>,
): Promise<R & Work> {
  const before = readCpu(one.pids);
  const answer = await run(one);
  await Bun.sleep(SETTLE_MS);
  return { ...answer, cpu: cpuBetween(before, readCpu(one.pids)) };
}

/** An error says whose it is. */
export async function named<R>(one: Running, work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    throw new Error(`${one.peer.name}: ${error instanceof Error ? error.message : error}`);
  }
}
