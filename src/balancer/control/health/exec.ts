import { check } from "./check.ts";

/** Alive: the program ends with 0. There is no shell. The last line it writes is the reason that is shown. */
export const exec = check({
  name: "exec",
  command: ({ command }, target) => ({
    argv: command,
    env: {
      HOLDFAST_POOL: target.pool,
      HOLDFAST_SERVER: target.server,
      HOLDFAST_ADDRESS: target.host,
      HOLDFAST_PORT: String(target.port),
    },
  }),
});
