/** `services`: where clients connect, and which pool they are sent to. */
import { z } from "zod";
import { PROTOCOLS, type Protocol } from "./choices.ts";
import { listenAddress, network, positiveDuration, rate } from "./quantities.ts";
import { choice, named, oneOrMany, reference, section, text, wholeNumber, yesNo } from "./section.ts";

/** Without `timeouts.idle`: a quiet remote desktop is a user at lunch, a quiet TCP connection is more likely forgotten. */
const IDLE_MS: Readonly<Record<Protocol, number>> = { tcp: 3_600_000, rdp: 12 * 3_600_000 };

const poolList = oneOrMany(reference("the name of a pool"), 16);

const route = section("a route", {
  source: oneOrMany(network, 256).optional().describe("Only for clients from these networks. Default: everyone."),
  collection: text("the name of a collection", 128)
    .optional()
    .describe("Only for RDP clients whose routing token names this collection (`tsv://`)."),
  pool: poolList.describe("The pool, or several, best first: the first that has a usable server."),
  server: reference("the name of a server")
    .optional()
    .describe("Always this server of the pool, also while it drains."),
});

const timeouts = section("`timeouts`", {
  request: positiveDuration
    .prefault("10s")
    .describe("Longest wait for what tells who the client is: the RDP request, the PROXY header."),
  idle: positiveDuration
    .optional()
    .describe(
      "A connection that is silent both ways for this long is ended. Default: `12h` for `rdp`, `1h` for `tcp`.",
    ),
  "half-close": positiveDuration
    .prefault("30s")
    .describe("Longest silence of the other side once one side has finished sending."),
});

const limits = section("`limits`", {
  connections: wholeNumber(1, 10_000_000).optional().describe("Most open connections. Default: no limit."),
  "connections-per-source": wholeNumber(1, 1_000_000)
    .optional()
    .describe("Most open connections of one client address (of IPv6, its /64). Default: no limit."),
  "new-per-source": rate
    .optional()
    .describe("Most new connections of one client address (of IPv6, its /64), such as `50/s`. Default: no limit."),
});

/** A service: addresses, a protocol, and the way to the pools. */
export const service = section("a service", {
  listen: oneOrMany(listenAddress, 64).describe(
    "Where clients connect: `10.0.0.1:3389`, `[::1]:3389`, `:3389` for every address of the machine, or a list. Port 0: the system picks one.",
  ),
  protocol: choice("a protocol", PROTOCOLS)
    .prefault("tcp")
    .describe("What is spoken: `tcp` relays anything, `rdp` reads the first request of a remote desktop client."),
  pool: poolList.optional().describe("The pool, or several, best first. With `routes`: for whom no route is."),
  routes: z
    .array(route)
    .min(1)
    .max(1_000)
    .meta({ title: "a list of routes" })
    .optional()
    .describe("Which clients go where; the most specific route wins, whatever the order."),
  "server-port": wholeNumber(1, 65_535).optional().describe("Connect to this port of the server instead of its own."),
  timeouts: timeouts.prefault({}).describe("How long to wait for clients."),
  limits: limits.prefault({}).describe("How much a service, or one client, may use."),
  trust: oneOrMany(network, 256, 0)
    .prefault([])
    .describe("Networks whose PROXY headers are believed. The client behind them is the `source`."),
  "accept-proxy": yesNo
    .prefault(false)
    .describe("Connections from `trust` begin with a PROXY header, v1 or v2. Others must not have one."),
}).transform(({ pool, routes, timeouts, ...rest }) => ({
  ...rest,
  routes: [...(routes ?? []), ...(pool === undefined ? [] : [{ pool } satisfies z.output<typeof route>])],
  timeouts: { ...timeouts, idle: timeouts.idle ?? IDLE_MS[rest.protocol] },
}));

/** All services, by name. */
export const services = named("`services`", service);
