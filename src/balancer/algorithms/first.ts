import { algorithm, usableWeight } from "./algorithm.ts";

/** The first in the file that is usable and has room, so that the others can sleep. Weights say nothing. O(servers). */
export const first = algorithm({
  name: "first",
  prepare: ({ servers }) => ({
    pick(request, tried, nowSec) {
      for (let i = 0; i < servers.length; i++) {
        if (usableWeight(servers[i]!, request, tried, nowSec) > 0) return servers[i]!;
      }
      return null;
    },
  }),
});
