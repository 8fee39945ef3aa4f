import { algorithm, usableWeight } from "./algorithm.ts";
import { Fewest } from "./fewest.ts";

/** Fewest connections for each unit of weight, counting the one about to be made. O(servers); equals take turns. */
export const leastConnections = algorithm({
  name: "least-connections",
  prepare: ({ servers, pool }) => {
    const fewest = new Fewest(pool);
    return {
      pick(request, tried, nowSec) {
        fewest.begin();
        for (let i = 0; i < servers.length; i++) {
          const candidate = servers[i]!;
          const weight = usableWeight(candidate, request, tried, nowSec);
          if (weight > 0) fewest.offer(candidate, candidate.view.connections() + 1, weight);
        }
        return fewest.take();
      },
    };
  },
});
