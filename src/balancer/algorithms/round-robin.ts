import { algorithm } from "./algorithm.ts";
import { takeNextTurn } from "./turn.ts";

/** Each in its turn, as often as its weight says: a, b, c, a, b, c when weights are equal, over all workers. O(servers). */
export const roundRobin = algorithm({
  name: "round-robin",
  prepare: ({ servers, pool }) => ({
    pick(request, tried, nowSec) {
      return takeNextTurn(servers, pool, request, tried, nowSec);
    },
  }),
});
