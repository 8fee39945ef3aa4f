/** `pools`: the servers, who gets whom, and who is recognised. */
import { z } from "zod";
import { ALGORITHMS, ALL_DOWN, PROXY_PROTOCOLS } from "./choices.ts";
import { agentCheck, healthCheck } from "./health.ts";
import { persistence } from "./persistence.ts";
import { duration, positiveDuration, serverAddress } from "./quantities.ts";
import { choice, named, section, wholeNumber, yesNo } from "./section.ts";
import { share } from "./sizes.ts";
import { poolTls } from "./tls.ts";

const server = section("a server", {
  address: serverAddress.describe("Host and port: `10.0.0.1:3389`, `[fd00::1]:3389` or `name:3389`."),
  weight: wholeNumber(1, 256).prefault(100).describe("Its share beside the others: 50 gets half of what 100 gets."),
  backup: yesNo.prefault(false).describe("Used for new clients only when no other server of the pool is usable."),
  limit: wholeNumber(1, 1_000_000)
    .optional()
    .describe("Most open connections; more wait in the queue. Default: no limit."),
});

const serverOrAddress = z
  .union([serverAddress, server])
  .transform((value) => ("address" in value ? value : { address: value, weight: 100, backup: false }));

/** A pool: servers that can stand in for each other. */
export const pool = section("a pool", {
  algorithm: choice("an algorithm", ALGORITHMS)
    .prefault("least-connections")
    .describe("How a server is picked for a client that is not recognised."),
  persistence: persistence
    .optional()
    .describe("How a client who comes back is recognised. Shared by all services of the pool. Default: not at all."),
  "all-down": choice("a rule for when all servers are down", ALL_DOWN)
    .prefault("refuse")
    .describe("When every check fails: `refuse` clients, or go on with the `last-known` good servers."),
  health: healthCheck.optional().describe("How servers are checked. Default: only `observe`."),
  observe: section("`observe`", {
    failures: wholeNumber(0, 1_000)
      .prefault(3)
      .describe("So many connections to it that failed in a row and the server is down. 0 is off."),
  })
    .prefault({})
    .describe("Real connections as a check."),
  agent: agentCheck.optional().describe("A program on each server that says how loaded it is."),
  ramp: duration
    .prefault("0s")
    .describe("Slow start: a server that comes up reaches its full share after this time. `0s` is off."),
  queue: section("`queue`", {
    length: wholeNumber(0, 100_000).prefault(1_000).describe("Most clients that wait. 0: nobody waits."),
    timeout: positiveDuration.prefault("10s").describe("Longest wait."),
  })
    .prefault({})
    .describe("Clients who wait because every server is at its `limit`."),
  timeouts: section("`timeouts`", {
    connect: positiveDuration
      .prefault("4s")
      .describe("Longest time to connect to a server, its handshake of TLS included."),
    response: positiveDuration
      .prefault("60s")
      .describe("HTTP: longest wait for the head of an answer, from the end of the request."),
  })
    .prefault({})
    .describe("How long to wait for servers."),
  retries: wholeNumber(0, 10).prefault(2).describe("Other servers that are tried after a failed connect."),
  "proxy-protocol": choice("a PROXY protocol version", PROXY_PROTOCOLS)
    .prefault("off")
    .describe("Tells the servers who the client is. They must expect it."),
  tls: poolTls
    .optional()
    .describe(
      "TLS with the servers: `true` for certificates that the system trusts, or a mapping. Checks of the kind `https` follow it. Default: plain.",
    ),
  http2: yesNo
    .prefault(false)
    .describe("HTTP/2 with the servers of `http` services: over TLS where they agree to it, without TLS always."),
  "keep-alive": section("`keep-alive`", {
    connections: wholeNumber(0, 10_000)
      .prefault(64)
      .describe("Most idle connections that each worker keeps to each server. 0: none is kept."),
    idle: positiveDuration
      .prefault("30s")
      .describe("An idle connection is closed after this time. Shorter than the servers' own limit."),
  })
    .prefault({})
    .describe("HTTP: connections to servers that are kept for the next request."),
  outliers: section("`outliers`", {
    failures: wholeNumber(1, 1_000)
      .prefault(5)
      .describe("So many answers of 500 and above, or resets, in a row and the server is left out."),
    penalty: positiveDuration.prefault("30s").describe("For this long at first, and longer each time."),
    longest: positiveDuration.prefault("5m").describe("The longest penalty."),
    share: share.prefault("50%").describe("At most this share of the pool's servers is left out."),
  })
    .optional()
    .describe("HTTP: servers whose answers are bad get no new clients for a while. Default: off."),
  servers: named("`servers`", serverOrAddress).describe(
    "Name to address, or to a mapping. A server keeps its clients over reloads as long as it keeps its name.",
  ),
}).transform(({ health, ...rest }) => ({
  ...rest,
  ...(health && { health: health.check === "https" ? checkedAs(health, rest.tls) : health }),
}));

type HttpsCheck = Extract<z.output<typeof healthCheck>, { check: "https" }>;

/** A check over TLS trusts, asks for and shows what clients' connections do, unless it says otherwise. */
function checkedAs(check: HttpsCheck, tls: z.output<typeof poolTls>) {
  const { name, ca, cert, key } = tls ?? {};
  return { ...check, verify: check.verify ?? tls?.verify ?? true, name, ca, cert, key };
}

/** All pools, by name. */
export const pools = named("`pools`", pool);
