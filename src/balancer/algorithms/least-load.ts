import { algorithm, usableWeight } from "./algorithm.ts";
import { Draw, lessUsed } from "./draw.ts";
import { Fewest } from "./fewest.ts";

const FULL_LOAD = 100;

/**
 * The least loaded, as the agents say. Readings are seconds old, so always taking the lowest would send every client until
 * the next reading to one server. Instead two are drawn, each with a chance of what it has left (100 less its load) times
 * its weight, and the less loaded of the two is taken: of 10 and 90, the second gets one client in a hundred. Where all
 * loads are the same, or there are no agents: fewest connections. O(servers).
 */
export const leastLoad = algorithm({
  name: "least-load",
  prepare: ({ servers, pool, random }) => {
    const lot = new Draw(servers, random);
    const fewest = new Fewest(pool);
    return {
      pick(request, tried, nowSec) {
        lot.begin();
        fewest.begin();
        let lowest = FULL_LOAD;
        let highest = 0;
        for (let i = 0; i < servers.length; i++) {
          const candidate = servers[i]!;
          const weight = usableWeight(candidate, request, tried, nowSec);
          if (weight === 0) continue;
          const load = candidate.view.load();
          lowest = Math.min(lowest, load);
          highest = Math.max(highest, load);
          lot.add(i, weight * Math.max(1, FULL_LOAD - load));
          fewest.offer(candidate, candidate.view.connections() + 1, weight);
        }
        if (lowest >= highest) return fewest.take();
        const first = lot.draw()!;
        const second = lot.draw()!;
        const difference = first.view.load() - second.view.load();
        if (difference === 0) return lessUsed(first, second, nowSec);
        return difference < 0 ? first : second;
      },
    };
  },
});
