import { check } from "./check.ts";

/** Alive: the server accepts a connection. Nothing is sent. */
export const tcp = check({
  name: "tcp",
  ask: () => ({
    send: new Uint8Array(0),
    limit: 1,
    judge: () => ({ alive: true, reason: "connected" }),
  }),
});
