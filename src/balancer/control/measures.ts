/** Reads a pool's time histograms out of the scoreboard. */
import type { PoolView } from "../shared/pool-view.ts";
import { HISTOGRAM_SECONDS } from "../shared/words.ts";
import type { Histogram } from "./balancer.ts";

/** The histogram whose count is at `counter` (PoolCounter.CONNECT_COUNT or QUEUE_COUNT), over all workers. */
export function readHistogram(pool: PoolView, counter: number): Histogram {
  return {
    count: pool.total(counter),
    sum: pool.total(counter + 1),
    buckets: Array.from({ length: HISTOGRAM_SECONDS.length + 1 }, (_, bucket) => pool.total(counter + 2 + bucket)),
  };
}
