/** `services`: where clients connect, and which pool they are sent to. */
import { sorry } from "./answers.ts";
import { PROTOCOLS, type Protocol } from "./choices.ts";
import { forwarded, headers, hsts } from "./http.ts";
import { listenAddress, network, positiveDuration, rate } from "./quantities.ts";
import { poolList, type RouteOutput, routes } from "./routes.ts";
import { choice, named, oneOrMany, section, wholeNumber, yesNo } from "./section.ts";
import { size } from "./sizes.ts";
import { serviceTls } from "./tls.ts";

/** Without `timeouts.idle`: a quiet remote desktop is a user at lunch, a quiet TCP connection is more likely forgotten. */
const HOUR_MS = 3_600_000;
const IDLE_MS: Readonly<Record<Protocol, number>> = { tcp: HOUR_MS, rdp: 12 * HOUR_MS, tls: HOUR_MS, http: HOUR_MS };

const timeouts = section("`timeouts`", {
  request: positiveDuration
    .prefault("10s")
    .describe(
      "Longest wait for what tells who the client is and what it wants: the PROXY header, the RDP request, the handshake of TLS, the head of an HTTP request.",
    ),
  idle: positiveDuration
    .optional()
    .describe(
      "A connection that is silent both ways for this long is ended; over HTTP, an answer or a WebSocket. Default: `12h` for `rdp`, else `1h`.",
    ),
  "half-close": positiveDuration
    .prefault("30s")
    .describe("Longest silence of the other side once one side has finished sending."),
  "keep-alive": positiveDuration.prefault("60s").describe("HTTP: longest wait for the next request of a connection."),
  body: positiveDuration.prefault("30s").describe("HTTP: longest silence within the body of a request."),
});

const limits = section("`limits`", {
  connections: wholeNumber(1, 10_000_000).optional().describe("Most open connections. Default: no limit."),
  "connections-per-source": wholeNumber(1, 1_000_000)
    .optional()
    .describe("Most open connections of one client address (of IPv6, its /64). Default: no limit."),
  "new-per-source": rate
    .optional()
    .describe("Most new connections of one client address (of IPv6, its /64), such as `50/s`. Default: no limit."),
  "requests-per-source": rate
    .optional()
    .describe(
      "HTTP: most requests of one client address (of IPv6, its /64), such as `100/s`; more get 429. Default: no limit.",
    ),
  "concurrent-per-source": wholeNumber(1, 1_000_000)
    .optional()
    .describe("HTTP: most requests of one client address at a time; more get 429. Default: no limit."),
  head: size(1_024, 65_536).prefault("16KiB").describe("HTTP: the longest head of a request; longer ones get 431."),
  target: size(128, 65_536).prefault("8KiB").describe("HTTP: the longest path with its query; longer ones get 414."),
  fields: wholeNumber(8, 1_000).prefault(100).describe("HTTP: most fields in a head; more get 431."),
  "body-rate": size(0, 1_073_741_824)
    .prefault("100B")
    .describe("HTTP: a request whose body comes slower than this, each second on average, is ended. `0B` is off."),
  streams: wholeNumber(1, 1_000).prefault(100).describe("HTTP/2: most requests of one connection at a time."),
});

/** A service: addresses, a protocol, and the way to the pools. */
export const service = section("a service", {
  listen: oneOrMany(listenAddress, 64).describe(
    "Where clients connect: `10.0.0.1:3389`, `[::1]:3389`, `:3389` for every address of the machine, or a list. Port 0: the system picks one.",
  ),
  protocol: choice("a protocol", PROTOCOLS)
    .prefault("tcp")
    .describe(
      "What is spoken: `tcp` relays anything, `rdp` reads the first request of a remote desktop client, `http` reads every request, `tls` passes TLS on to the servers and reads only the name that the client asks for.",
    ),
  pool: poolList.optional().describe("The pool, or several, best first. With `routes`: for whom no route is."),
  routes: routes
    .optional()
    .describe("Which clients or requests go where; the most specific route wins, whatever the order."),
  tls: serviceTls.optional().describe("TLS with clients ends here. For `http` and `tcp`. Default: plain."),
  http2: yesNo.prefault(true).describe("Offers HTTP/2 to clients. Only for `http` with `tls`."),
  forwarded: forwarded
    .prefault("replace")
    .describe(
      "Tells servers the client's address in `X-Forwarded-For`, `-Proto`, `-Port` and `-Host`. `replace`: what a client says in them is taken away. `append`: what `trust` says in them stays, with its own address at the end. `off`: nothing is written, and what a client says goes on as it is. Only for `http`.",
    ),
  "request-id": yesNo
    .prefault(true)
    .describe(
      "Gives each request an `X-Request-Id`, which the log has too; one from `trust` is kept. Only for `http`.",
    ),
  headers: headers.prefault({}).describe("Fields to set and to remove. Only for `http`."),
  hsts: hsts
    .optional()
    .describe(
      "Makes browsers come back over TLS only (`Strict-Transport-Security`), for this long. Only for `http` with `tls`. Default: off.",
    ),
  sorry: sorry
    .optional()
    .describe("What a client gets when no server can be had. Only for `http`. Default: 503 and a line of text."),
  "server-port": wholeNumber(1, 65_535).optional().describe("Connect to this port of the server instead of its own."),
  timeouts: timeouts.prefault({}).describe("How long to wait for clients."),
  limits: limits.prefault({}).describe("How much a service, or one client, may use."),
  trust: oneOrMany(network, 256, 0)
    .prefault([])
    .describe(
      "Proxies in front that are believed: the client that their PROXY header names is the `source`. For `http` also the one that their `X-Forwarded-For` names, for each request (`Forwarded` where there is none and `forwarded` is `standard`). Their `X-Forwarded-…` stay with `forwarded: append`, and their `X-Request-Id` is kept.",
    ),
  "accept-proxy": yesNo
    .prefault(false)
    .describe("Connections from `trust` begin with a PROXY header, v1 or v2. Others must not have one."),
}).transform(({ pool, routes, timeouts, ...rest }) => ({
  ...rest,
  routes: [...(routes ?? []), ...(pool === undefined ? [] : [{ pool } satisfies RouteOutput])],
  timeouts: { ...timeouts, idle: timeouts.idle ?? IDLE_MS[rest.protocol] },
}));

/** All services, by name. */
export const services = named("`services`", service);
