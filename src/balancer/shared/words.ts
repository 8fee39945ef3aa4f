/** The closed lists whose positions are numbers in shared memory, in plans and in records. Append only. */

/** What a server may take, as deciding sees it. */
export const ServerState = {
  FREE: 0,
  READY: 1,
  DRAINING: 2,
  OVERLOADED: 3,
  DOWN: 4,
  MAINTENANCE: 5,
} as const;
export type ServerState = (typeof ServerState)[keyof typeof ServerState];

/** How a connection's server was found. */
export const RECOGNISED_BY = ["new", "token", "user", "source", "route", "cookie", "header", "query", "host"] as const;
export type RecognisedBy = (typeof RECOGNISED_BY)[number];
export const Recognised = {
  NEW: 0,
  TOKEN: 1,
  USER: 2,
  SOURCE: 3,
  ROUTE: 4,
  COOKIE: 5,
  HEADER: 6,
  QUERY: 7,
  HOST: 8,
} as const;

/** Why a connection ended, or an HTTP request. */
export const ENDS = [
  "client-closed",
  "server-closed",
  "client-reset",
  "server-reset",
  "connect-failed",
  "no-server",
  "queue-timeout",
  "queue-full",
  "first-bytes-timeout",
  "idle-timeout",
  "limit",
  "bad-protocol",
  "not-allowed",
  "taken-over",
  "drained",
  "ended-by-admin",
  "server-down",
  "worker-lost",
  "shutdown",
  "tls-failed",
  // Only of an HTTP request: it was answered, and neither side closed.
  "complete",
  // Of an HTTP request, and of the connection whose last one it was: the request's body was too slow (408), the server did
  // not begin to answer in time (504), or what it answered is no HTTP that could be passed on (502).
  "body-timeout",
  "response-timeout",
  "bad-answer",
] as const;
export type End = (typeof ENDS)[number];

/** A connection's ending as the number that counters and records carry. */
export const EndCode = Object.fromEntries(ENDS.map((end, code) => [end, code])) as Record<End, number>;

/** Why a client was refused before it reached a server, counted for each service. */
export const REFUSALS = [
  "not-tpkt",
  "preconnection-blob",
  "too-short",
  "too-long",
  "bad-length",
  "not-connection-request",
  "bad-text",
  "no-line-end",
  "bad-negotiation",
  "first-bytes-timeout",
  "closed-early",
  "bad-proxy-header",
  "limit-service",
  "limit-source",
  "limit-rate",
  "no-server",
  "queue-full",
  "queue-timeout",
  "connect-failed",
  "no-route",
  "no-files",
  "token-unknown-server",
  "token-invalid",
  "cookie-unknown-server",
  "cookie-invalid",
  "bad-client-hello",
  "tls-failed",
  "bad-request",
] as const;
export type Refusal = (typeof REFUSALS)[number];
export const RefusalCode = Object.fromEntries(REFUSALS.map((reason, code) => [reason, code])) as Record<
  Refusal,
  number
>;

/** What became of a client who was remembered: the own-session figure. */
export const RETURNS = ["own", "server_down", "drained", "full", "forgotten"] as const;
export type Return = (typeof RETURNS)[number];
export const ReturnCode = Object.fromEntries(RETURNS.map((result, code) => [result, code])) as Record<Return, number>;

/** Why a new client is not where an earlier one would have been, for the access log's endDetail and "why rds2?". */
export const REASONS = [
  "",
  "known server is down",
  "known server is in maintenance",
  "known server is full",
  "token names no server of this pool",
  "token is not valid",
  "user name may be cut",
  "forgotten after idle or lifetime",
  "known server left the pool",
  "every check failed: last known state used",
  "cookie is not valid",
  "cookie names no server of this pool",
] as const;
export const Reason = {
  NONE: 0,
  SERVER_DOWN: 1,
  SERVER_MAINTENANCE: 2,
  SERVER_FULL: 3,
  TOKEN_UNKNOWN_SERVER: 4,
  TOKEN_INVALID: 5,
  USER_MAY_BE_CUT: 6,
  FORGOTTEN: 7,
  SERVER_GONE: 8,
  LAST_KNOWN: 9,
  COOKIE_INVALID: 10,
  COOKIE_UNKNOWN_SERVER: 11,
} as const;

/** Upper bounds of the time histograms, seconds; one more bucket is open. */
export const HISTOGRAM_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10] as const;

/** What HTTP requests were answered with, by the first digit of the status; `none`: the client left, or was cut off. */
export const RESPONSE_CLASSES = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"] as const;
export type ResponseClass = (typeof RESPONSE_CLASSES)[number];

/** How TLS handshakes with clients went. */
export const HANDSHAKES = ["full", "resumed", "failed"] as const;
export type Handshake = (typeof HANDSHAKES)[number];
export const HandshakeCode = { FULL: 0, RESUMED: 1, FAILED: 2 } as const;
