/**
 * The YAML that a person writes: the only source of its keys, defaults, types, JSON Schema and reference page.
 * What needs two parts of the file to be seen (a pool that a service names) is in `references.ts`.
 */
import type { z } from "zod";
import { agentRole } from "./agent-role.ts";
import { LOG_FORMATS, LOG_LEVELS, LOG_USERS } from "./choices.ts";
import { pools } from "./pool.ts";
import { listenAddress, positiveDuration } from "./quantities.ts";
import { choice, section, text, wholeNumber, yesNo } from "./section.ts";
import { services } from "./service.ts";
import { tickets } from "./tls.ts";

/** The whole file. */
export const configSchema = section("the file", {
  data: text("a folder", 4_096)
    .optional()
    .describe(
      "The folder of the state, beside the file unless it begins with `/`. Default: HOLDFAST_DATA, else `holdfast-data` where the program was started.",
    ),
  workers: wholeNumber(1, 64).optional().describe("Threads that move bytes. Default: one a core."),
  log: section("`log`", {
    level: choice("a log level", LOG_LEVELS).prefault("info").describe("The least important lines that are written."),
    access: yesNo.prefault(true).describe("Writes one line for each connection and each HTTP request."),
    format: choice("a format", LOG_FORMATS)
      .prefault("json")
      .describe("Of the lines for HTTP requests: `json`, or `combined` as web servers write it."),
    users: choice("a way to log users", LOG_USERS)
      .prefault("plain")
      .describe("User names: `plain`, or a `fingerprint` that is the same for the same user."),
    file: text("a file", 4_096).optional().describe("Where lines are appended. Default: standard output."),
  })
    .prefault({})
    .describe("What is logged, as one JSON object a line."),
  metrics: section("`metrics`", {
    listen: listenAddress.describe("Where Prometheus asks: `GET /metrics`."),
  })
    .optional()
    .describe("Figures for Prometheus. Default: off."),
  shutdown: section("`shutdown`", {
    within: positiveDuration.prefault("30s").describe("What is still open after this time is ended."),
  })
    .prefault({})
    .describe("What SIGTERM does: no new clients, and time for the connections there are."),
  tables: section("`tables`", {
    sticky: wholeNumber(1_000, 16_000_000)
      .prefault(1_000_000)
      .describe("Clients that are remembered, of all pools together. The oldest go first."),
    sources: wholeNumber(1_000, 16_000_000).prefault(100_000).describe("Client addresses that limits are counted for."),
  })
    .prefault({})
    .describe("Sizes of the tables in memory. A change needs a restart."),
  tokens: section("`tokens`", {
    "key-file": text("a file", 4_096).describe(
      "A file with at least 32 random bytes, the same on every balancer that shares clients.",
    ),
  })
    .optional()
    .describe("The key that signs routing tokens. Default: one is made in the data folder."),
  tickets: tickets
    .optional()
    .describe("The keys that TLS sessions are resumed with. Default: the balancer makes its own and changes them."),
  services: services.prefault({}).describe("Where clients connect."),
  pools: pools.prefault({}).describe("The servers."),
  agent: agentRole.optional().describe("Says how loaded this machine is, for `holdfast agent`."),
});

/** A configuration: complete and frozen, durations in milliseconds. */
export type Config = z.output<typeof configSchema>;
export type Service = Config["services"][string];
export type Route = Service["routes"][number];
export type Pool = Config["pools"][string];
export type Server = Pool["servers"][string];
export type Persistence = NonNullable<Pool["persistence"]>;
export type HealthCheck = NonNullable<Pool["health"]>;
export type AgentCheck = NonNullable<Pool["agent"]>;
export type AgentRole = NonNullable<Config["agent"]>;

/** What may be written in the file. */
export type ConfigInput = z.input<typeof configSchema>;
