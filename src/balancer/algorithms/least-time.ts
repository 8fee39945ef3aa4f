import type { Candidate } from "../candidate.ts";
import { algorithm, usableWeight } from "./algorithm.ts";
import { Fewest } from "./fewest.ts";
import { takeNextTurn } from "./turn.ts";

/** One client in so many goes by turn, or a server that was slow once would never be measured again. */
const BY_TURN_EVERY = 64;

/**
 * Shortest connect time (moving average) times connections for each unit of weight. A server that was never measured gets
 * one client at once; until that connect has ended, it counts as the slowest of the others. O(servers).
 */
export const leastTime = algorithm({
  name: "least-time",
  prepare: ({ servers, pool }) => {
    const fewest = new Fewest(pool);
    return {
      pick(request, tried, nowSec) {
        if (pool.nextCursor() % BY_TURN_EVERY === BY_TURN_EVERY - 1) {
          return takeNextTurn(servers, pool, request, tried, nowSec);
        }
        const slowest = slowestOf(servers);
        fewest.begin();
        for (let i = 0; i < servers.length; i++) {
          const candidate = servers[i]!;
          const weight = usableWeight(candidate, request, tried, nowSec);
          if (weight === 0) continue;
          const connections = candidate.view.connections();
          let micros = candidate.view.connectMicros();
          if (micros === 0) micros = connections === 0 ? 1 : slowest;
          fewest.offer(candidate, micros * (connections + 1), weight);
        }
        return fewest.take();
      },
    };
  },
});

/** The longest average of any server, 1 where none was measured. */
function slowestOf(servers: readonly Candidate[]): number {
  let slowest = 1;
  for (let i = 0; i < servers.length; i++) slowest = Math.max(slowest, servers[i]!.view.connectMicros());
  return slowest;
}
