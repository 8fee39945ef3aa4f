/** What only the metrics show: histograms, and what was lost or done again. */
import type { Config } from "../../config/schema.ts";
import { PoolCounter } from "../shared/pool-view.ts";
import { ServiceCounter } from "../shared/service-view.ts";
import { HISTOGRAM_SECONDS } from "../shared/words.ts";
import type { Histogram, Measures } from "./balancer.ts";
import type { Output } from "./output.ts";
import type { Reloads } from "./reloads.ts";
import type { Sessions } from "./sessions.ts";
import type { SharedState } from "./shared-state.ts";
import type { Slots } from "./slots.ts";
import type { Workers } from "./workers.ts";

export interface MeasuresContext {
  readonly config: Config;
  readonly shared: SharedState;
  readonly slots: Slots;
  readonly reloads: Reloads;
  readonly sessions: Sessions;
  readonly workers: Workers;
  readonly output: Output;
}

export function makeMeasures(context: MeasuresContext): Measures {
  const { config, shared, slots, reloads, sessions, workers, output } = context;
  const { board, sources, sticky } = shared;
  const pools = Object.values(config.pools).map(({ name }) => {
    const view = board.pool(slots.pool(name));
    const histograms = {
      connect: readHistogram(view, PoolCounter.CONNECT_COUNT),
      queue: readHistogram(view, PoolCounter.QUEUE_COUNT),
    };
    return [name, histograms] as const;
  });
  const http = Object.values(config.services).filter(({ protocol }) => protocol === "http");
  const requests = http.map(({ name }) => {
    const view = board.service(slots.service(name));
    return [name, readHistogram(view, ServiceCounter.REQUEST_COUNT)] as const;
  });
  return {
    ...reloads.measures(),
    workerRestarts: { ...workers.restarts },
    pools: Object.fromEntries(pools),
    requests: Object.fromEntries(requests),
    lost: {
      records: sessions.dropped(),
      logLines: output.dropped(),
      untrackedSources: sources.untracked(),
      stickyWrites: sticky.contended(),
    },
  };
}

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
