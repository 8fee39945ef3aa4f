import { algorithm, usableWeight } from "./algorithm.ts";
import { Draw, lessUsed } from "./draw.ts";

/**
 * Best of two: two servers drawn by weight, and the one with fewer connections for its weight (Mitzenmacher, "The Power of
 * Two Choices", 2001). Balances nearly as well as least-connections and never sends a burst to one server. O(servers).
 */
export const random = algorithm({
  name: "random",
  prepare: (setting) => {
    const { servers } = setting;
    const lot = new Draw(servers, setting.random);
    return {
      pick(request, tried, nowSec) {
        lot.begin();
        for (let i = 0; i < servers.length; i++) {
          const weight = usableWeight(servers[i]!, request, tried, nowSec);
          if (weight > 0) lot.add(i, weight);
        }
        const first = lot.draw();
        return first === null ? null : lessUsed(first, lot.draw()!, nowSec);
      },
    };
  },
});
