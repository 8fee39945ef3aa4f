/** `pools`: the servers, who gets whom, and who is recognised. */
import { z } from "zod";
import { ALGORITHMS, ALL_DOWN, DIRECTORIES, ON_DOWN, PROXY_PROTOCOLS, RECOGNISED_BY } from "./choices.ts";
import { agentCheck, healthCheck } from "./health.ts";
import { duration, positiveDuration, serverAddress } from "./quantities.ts";
import { choice, named, oneOrMany, section, wholeNumber, yesNo } from "./section.ts";

const persistence = section("`persistence`", {
  by: oneOrMany(choice("a kind of persistence", RECOGNISED_BY), 3).describe(
    "How a client is recognised, best first: `token` (the routing token that an RDP client sends), `user` (the name in its cookie), `source` (its address). The first that names a usable server wins.",
  ),
  idle: positiveDuration.prefault("8h").describe("A client is forgotten this long after it was last seen."),
  lifetime: positiveDuration
    .prefault("24h")
    .describe("A client is never remembered longer than this, and a signed routing token is followed no longer."),
  mask: section("`mask`", {
    ipv4: wholeNumber(0, 32).prefault(32).describe("Leading bits of an IPv4 address that count."),
    ipv6: wholeNumber(0, 128).prefault(64).describe("Leading bits of an IPv6 address that count."),
  })
    .prefault({})
    .describe("How much of the address tells clients apart, for `source`."),
  "on-down": choice("a rule for the clients of a dead server", ON_DOWN)
    .prefault("forget")
    .describe(
      "A dead server's clients: they get another server; `forget` makes that one theirs, `keep` takes them back when the first one is back.",
    ),
  directory: choice("a session directory", DIRECTORIES)
    .optional()
    .describe("Who knows where sessions are. `memory`: what this balancer has seen."),
});

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
    connect: positiveDuration.prefault("4s").describe("Longest time to connect to a server."),
  })
    .prefault({})
    .describe("How long to wait for servers."),
  retries: wholeNumber(0, 10).prefault(2).describe("Other servers that are tried after a failed connect."),
  "proxy-protocol": choice("a PROXY protocol version", PROXY_PROTOCOLS)
    .prefault("off")
    .describe("Tells the servers who the client is. They must expect it."),
  servers: named("`servers`", serverOrAddress).describe(
    "Name to address, or to a mapping. A server keeps its clients over reloads as long as it keeps its name.",
  ),
});

/** All pools, by name. */
export const pools = named("`pools`", pool);
