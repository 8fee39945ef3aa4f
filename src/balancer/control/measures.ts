/** Reads time histograms out of the scoreboard. */
import { HISTOGRAM_SECONDS } from "../shared/words.ts";
import type { Histogram } from "./balancer.ts";

/**
 * The histogram of a pool or service whose count is at `counter` (PoolCounter.CONNECT_COUNT or QUEUE_COUNT,
 * ServiceCounter.REQUEST_COUNT), over all workers.
 */
export function readHistogram(view: { total(counter: number): number }, counter: number): Histogram {
  return {
    count: view.total(counter),
    sum: view.total(counter + 1),
    buckets: Array.from({ length: HISTOGRAM_SECONDS.length + 1 }, (_, bucket) => view.total(counter + 2 + bucket)),
  };
}
