/** The words that the YAML accepts where it offers a choice, and the words people bring from elsewhere. Imports nothing. */

/** What a service may speak. */
export const PROTOCOLS = ["tcp", "rdp", "tls", "http"] as const;

/** How a pool picks a server for a client it does not know. Held against `balancer/algorithms/` by a test. */
export const ALGORITHMS = [
  "round-robin",
  "least-connections",
  "least-load",
  "least-time",
  "random",
  "source-hash",
  "uri-hash",
  "hash",
  "first",
] as const;

/** How a pool recognises a client. */
export const RECOGNISED_BY = ["token", "user", "source", "cookie", "header", "query", "host"] as const;

/** Kinds of health check. */
export const HEALTH_CHECKS = ["tcp", "rdp", "http", "https", "exec"] as const;

/** Kinds of load agent. */
export const AGENT_KINDS = ["number", "text"] as const;

export const ON_DOWN = ["forget", "keep"] as const;
export const ALL_DOWN = ["refuse", "last-known"] as const;
export const PROXY_PROTOCOLS = ["off", "v1", "v2"] as const;
export const DIRECTORIES = ["memory"] as const;
export const TLS_VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;
export const ALPN = ["h2", "http/1.1"] as const;
export const FORWARDED = ["replace", "append", "off"] as const;
export const COOKIE_MODES = ["insert", "learn", "prefix"] as const;
export const SAME_SITE = ["lax", "strict", "none"] as const;
export const LOG_FORMATS = ["json", "combined"] as const;
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export const LOG_USERS = ["plain", "fingerprint"] as const;

export type Protocol = (typeof PROTOCOLS)[number];
export type AlgorithmName = (typeof ALGORITHMS)[number];
export type RecognisedByName = (typeof RECOGNISED_BY)[number];

/** Choices and keys that Holdfast plans and this version does not have, so that the message can say so. */
export const NOT_YET: ReadonlySet<string> = new Set([...["nat", "udp", "broker", "gateway", "cluster", "ports"]]);

/** Words of other balancers and the key that means the same here. Used for suggestions only. */
export const SYNONYMS: ReadonlyMap<string, string | readonly string[]> = new Map<string, string | readonly string[]>([
  ["backend", "pool"],
  ["backends", "pools"],
  ["upstream", "pool"],
  ["upstreams", "pools"],
  ["frontend", "services"],
  ["frontends", "services"],
  ["virtual-services", "services"],
  ["real-servers", "servers"],
  ["members", "servers"],
  ["nodes", "servers"],
  ["balance", "algorithm"],
  ["method", "algorithm"],
  ["scheduler", "algorithm"],
  ["sticky", "persistence"],
  ["stickiness", "persistence"],
  ["affinity", "persistence"],
  ["bind", "listen"],
  ["mode", "protocol"],
  ["maxconn", "limit"],
  ["max-connections", "limit"],
  ["slow-start", "ramp"],
  ["slowstart", "ramp"],
  ["interval", "every"],
  ["inter", "every"],
  ["health-check", "health"],
  ["healthcheck", "health"],
  ["send-proxy", "proxy-protocol"],
  ["roundrobin", "round-robin"],
  ["rr", "round-robin"],
  ["wrr", "round-robin"],
  ["leastconn", "least-connections"],
  ["least-conn", "least-connections"],
  ["wlc", "least-connections"],
  ["lc", "least-connections"],
  ["adaptive", "least-load"],
  ["ip-hash", "source-hash"],
  ["source-ip", "source"],
  ["ssl", ["https", "tls"]],
  ["certificate", "cert"],
  ["crt", "cert"],
  ["private-key", "key"],
  ["certs", "certificates"],
  ["min-version", "minimum"],
  ["ssl-min-ver", "minimum"],
  ["client-ca", "clients"],
  ["server-name", ["host", "sni"]],
  ["hostname", ["host", "sni"]],
  ["location", "path"],
  ["acl", "routes"],
  ["rules", "routes"],
  ["return", "respond"],
  ["errorfile", "sorry"],
  ["error-page", "sorry"],
  ["forwardfor", "forwarded"],
  ["x-forwarded-for", "forwarded"],
  ["rate-limit", "limits"],
  ["strict-transport-security", "hsts"],
  ["proxy-pass", "pool"],
  ["default-backend", "pool"],
  ["ip", "source"],
]);
