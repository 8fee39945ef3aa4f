/**
 * The metrics page: what Prometheus scrapes.
 *
 * Labels come from the configuration or from a closed list, never from a client. Every label set that can be known is there
 * from the start with 0; what the file no longer names vanishes with the next scrape. Written from `status()` at each
 * scrape: nothing is counted twice and nothing has to be registered.
 */
import {
  type Balancer,
  type Measures,
  type PoolStatus,
  SERVER_STATES,
  type ServerStatus,
  type ServiceStatus,
  type StatusReport,
} from "../balancer/control/balancer.ts";
import {
  ENDS,
  HANDSHAKES,
  HISTOGRAM_SECONDS,
  RECOGNISED_BY,
  REFUSALS,
  RESPONSE_CLASSES,
  RETURNS,
} from "../balancer/shared/words.ts";
import { processFigures } from "./process.ts";
import { PrometheusText } from "./prometheus.ts";

/** What a scrape may be limited to (`?scope=service,pool`). */
export const SCOPES = ["process", "service", "pool", "server"] as const;
export type Scope = (typeof SCOPES)[number];

/** Beyond this many series the server scope is left out: a scrape must stay small enough to be worth having. */
export const MAX_SERIES = 10_000;
const SERIES_PER_SERVER = 13;

const WORKER_RESTART_REASONS = ["threw", "hung"];

/** One scrape of everything in `scopes`. */
export function metricsText(balancer: Balancer, scopes: ReadonlySet<Scope> = new Set(SCOPES)): string {
  const status = balancer.status();
  const measures = balancer.measures();
  const text = new PrometheusText();
  if (scopes.has("process")) processMetrics(text, status, measures);
  if (scopes.has("service")) {
    serviceMetrics(text, status.services);
    httpMetrics(text, status.services, measures);
  }
  if (scopes.has("pool")) poolMetrics(text, status, measures);
  let omitted = 0;
  if (scopes.has("server")) {
    const servers = status.pools.reduce((count, pool) => count + pool.servers.length, 0);
    if (text.series() + servers * SERIES_PER_SERVER > MAX_SERIES) omitted = servers * SERIES_PER_SERVER;
    else serverMetrics(text, status.pools);
  }
  gauge(
    text,
    "holdfast_metrics_omitted_series",
    "Series left out of this scrape because there would be too many.",
    omitted,
  );
  return text.toString();
}

/** Reads `?scope=service,pool`; nothing asked is everything. Null when a word is no scope. */
export function readScopes(query: string | undefined): ReadonlySet<Scope> | null {
  if (query === undefined || query === "") return new Set(SCOPES);
  const words = query.split(",");
  return words.every((word): word is Scope => (SCOPES as readonly string[]).includes(word)) ? new Set(words) : null;
}

function gauge(text: PrometheusText, name: string, help: string, value: number): void {
  text.family(name, "gauge", help);
  text.value({}, value);
}

function counter(text: PrometheusText, name: string, help: string, value: number): void {
  text.family(name, "counter", help);
  text.value({}, value);
}

function processMetrics(text: PrometheusText, status: StatusReport, measures: Measures): void {
  text.family("holdfast_build_info", "gauge", "What is running; always 1.");
  text.value({ version: status.version, runtime: `bun ${Bun.version}` }, 1);
  gauge(
    text,
    "holdfast_config_last_reload_success",
    "Was the last start or reload applied?",
    measures.lastReload.success ? 1 : 0,
  );
  gauge(
    text,
    "holdfast_config_last_reload_success_timestamp_seconds",
    "When the running configuration was applied.",
    Date.parse(status.generation.at) / 1000,
  );
  text.family("holdfast_config_reloads_total", "counter", "Reloads by result.");
  text.value({ result: "success" }, measures.reloads.success);
  text.value({ result: "failure" }, measures.reloads.failure);
  text.family("holdfast_worker_restarts_total", "counter", "Workers that were replaced, by reason.");
  for (const reason of new Set([...WORKER_RESTART_REASONS, ...Object.keys(measures.workerRestarts)])) {
    text.value({ reason }, measures.workerRestarts[reason] ?? 0);
  }
  text.family("holdfast_worker_heartbeat_age_seconds", "gauge", "Time since a worker's last heartbeat.");
  for (const worker of status.workers) text.value({ worker: String(worker.column) }, worker.heartbeatAgeMs / 1000);
  text.family("holdfast_certificate_expiry_timestamp_seconds", "gauge", "When a certificate for clients ends.");
  for (const { name, until } of status.certificates) text.value({ name }, Date.parse(until) / 1000);
  const { lost } = measures;
  counter(text, "holdfast_records_dropped_total", "Records for the log that found no room.", lost.records);
  counter(text, "holdfast_log_lines_dropped_total", "Lines that the log's reader was too slow for.", lost.logLines);
  counter(
    text,
    "holdfast_sources_untracked_total",
    "Connections that were admitted uncounted for their source.",
    lost.untrackedSources,
  );
  kernelMetrics(text);
}

function kernelMetrics(text: PrometheusText): void {
  const figures = processFigures();
  if (figures === null) return;
  text.family("process_cpu_seconds_total", "counter", "User and system CPU time of the process.");
  text.value({}, figures.cpuSeconds);
  gauge(text, "process_resident_memory_bytes", "Resident memory.", figures.residentBytes);
  gauge(text, "process_virtual_memory_bytes", "Virtual memory.", figures.virtualBytes);
  gauge(text, "process_open_fds", "Open file descriptors.", figures.openFiles);
  gauge(text, "process_max_fds", "Most file descriptors that may be open.", figures.maxFiles);
  gauge(text, "process_start_time_seconds", "When the process began.", figures.startedSec);
}

function serviceMetrics(text: PrometheusText, services: readonly ServiceStatus[]): void {
  const each = (
    name: string,
    type: "counter" | "gauge",
    help: string,
    write: (service: ServiceStatus, labels: { service: string }) => void,
  ) => {
    text.family(`holdfast_service_${name}`, type, help);
    for (const service of services) write(service, { service: service.name });
  };
  each("connections", "gauge", "Open connections.", (s, labels) => text.value(labels, s.open));
  each("connections_total", "counter", "Connections taken.", (s, labels) => text.value(labels, s.total));
  each("received_bytes_total", "counter", "Bytes from clients.", (s, labels) => text.value(labels, s.bytesIn));
  each("sent_bytes_total", "counter", "Bytes to clients.", (s, labels) => text.value(labels, s.bytesOut));
  each("refused_total", "counter", "Clients refused before they reached a server, by reason.", (s, labels) => {
    for (const reason of REFUSALS) text.value({ ...labels, reason }, s.refused[reason] ?? 0);
  });
  each("ended_total", "counter", "Connections that ended, by how.", (s, labels) => {
    for (const end of ENDS) text.value({ ...labels, end }, s.ended[end] ?? 0);
  });
  each("recognised_total", "counter", "Connections by what their client was recognised by.", (s, labels) => {
    for (const by of RECOGNISED_BY) text.value({ ...labels, by }, s.recognised[by] ?? 0);
  });
}

/** What only services of HTTP have, and those where TLS ends. */
function httpMetrics(text: PrometheusText, services: readonly ServiceStatus[], measures: Measures): void {
  text.family("holdfast_service_responses_total", "counter", "HTTP requests that are over, by class of their status.");
  for (const { name: service, http } of services) {
    for (const of of http ? RESPONSE_CLASSES : []) text.value({ service, class: of }, http!.responses[of] ?? 0);
  }
  text.family(
    "holdfast_service_request_duration_seconds",
    "histogram",
    "From a request's first byte to the last of its answer, tunnels left out.",
  );
  for (const { name: service } of services) {
    const times = measures.requests[service];
    if (times !== undefined) text.histogram({ service }, HISTOGRAM_SECONDS, times.buckets, times.sum);
  }
  text.family(
    "holdfast_service_server_connections_total",
    "counter",
    "HTTP requests by whether their connection to the server was new.",
  );
  for (const { name: service, http } of services) {
    if (http === undefined) continue;
    text.value({ service, connection: "new" }, http.serverConnections.new);
    text.value({ service, connection: "reused" }, http.serverConnections.reused);
  }
  text.family("holdfast_service_tls_handshakes_total", "counter", "TLS handshakes with clients, by result.");
  for (const { name: service, handshakes } of services) {
    for (const result of handshakes ? HANDSHAKES : []) text.value({ service, result }, handshakes![result] ?? 0);
  }
}

function poolMetrics(text: PrometheusText, status: StatusReport, measures: Measures): void {
  const pools = status.pools;
  text.family("holdfast_pool_returns_total", "counter", "Clients who were remembered, by where they landed.");
  for (const pool of pools) {
    for (const result of RETURNS) text.value({ pool: pool.name, result }, pool.returns[result] ?? 0);
  }
  text.family("holdfast_pool_servers", "gauge", "Servers of the pool, by state.");
  for (const pool of pools) {
    for (const state of SERVER_STATES) {
      const count = pool.servers.reduce((sum, server) => sum + (server.state === state ? 1 : 0), 0);
      text.value({ pool: pool.name, state }, count);
    }
  }
  text.family("holdfast_pool_queue_length", "gauge", "Clients that wait for a server.");
  for (const pool of pools) text.value({ pool: pool.name }, pool.queued);
  const none = { buckets: [], count: 0, sum: 0 };
  text.family("holdfast_pool_queue_duration_seconds", "histogram", "How long clients waited for a server.");
  for (const { name } of pools) {
    const { buckets, sum } = measures.pools[name]?.queue ?? none;
    text.histogram({ pool: name }, HISTOGRAM_SECONDS, buckets, sum);
  }
  text.family("holdfast_pool_connect_duration_seconds", "histogram", "How long connecting to a server took.");
  for (const { name } of pools) {
    const { buckets, sum } = measures.pools[name]?.connect ?? none;
    text.histogram({ pool: name }, HISTOGRAM_SECONDS, buckets, sum);
  }
  gauge(text, "holdfast_sticky_entries", "Entries of the sticky table.", status.sticky.entries);
  text.family("holdfast_sticky_evictions_total", "counter", "Entries that left the sticky table, by reason.");
  for (const [reason, count] of Object.entries(status.sticky.evictions)) text.value({ reason }, count);
  counter(
    text,
    "holdfast_sticky_contended_total",
    "Writes to the sticky table that were given up.",
    measures.lost.stickyWrites,
  );
}

function serverMetrics(text: PrometheusText, pools: readonly PoolStatus[]): void {
  type Write = (server: ServerStatus, labels: { pool: string; server: string }) => void;
  const each = (name: string, type: "counter" | "gauge", help: string, write: Write) => {
    text.family(`holdfast_server_${name}`, type, help);
    for (const pool of pools) {
      for (const server of pool.servers) write(server, { pool: pool.name, server: server.name });
    }
  };
  const flag = (yes: boolean) => (yes ? 1 : 0);
  each("up", "gauge", "May anybody reach it? 0 while it is down, in maintenance or not yet checked.", (s, labels) =>
    text.value(labels, flag(s.state !== "down" && s.state !== "unknown" && s.state !== "maintenance")),
  );
  each("draining", "gauge", "Only clients it knows reach it.", (s, labels) =>
    text.value(labels, flag(s.state === "draining")),
  );
  each("maintenance", "gauge", "Nobody reaches it, by a person's wish.", (s, labels) =>
    text.value(labels, flag(s.state === "maintenance")),
  );
  each("ejected", "gauge", "Left out for bad answers: only clients it knows reach it.", (s, labels) =>
    text.value(labels, flag(s.state === "ejected")),
  );
  each("connections", "gauge", "Open connections.", (s, labels) => text.value(labels, s.open));
  each("sessions", "gauge", "Sessions, by state.", (s, labels) => {
    text.value({ ...labels, state: "connected" }, s.sessions.connected);
    text.value({ ...labels, state: "disconnected" }, s.sessions.disconnected);
  });
  each("weight", "gauge", "Its weight now.", (s, labels) => text.value(labels, s.weight));
  each("load_ratio", "gauge", "Load that its agent reported, 0 to 1.", (s, labels) => {
    if (s.load !== undefined) text.value(labels, s.load / 100);
  });
  each("failures_total", "counter", "Failed connects and checks.", (s, labels) => {
    text.value({ ...labels, kind: "connect" }, s.failures.connect);
    text.value({ ...labels, kind: "check" }, s.failures.check);
  });
  each("check_duration_seconds", "gauge", "How long its last health check took.", (s, labels) => {
    if (s.checkMs !== undefined) text.value(labels, s.checkMs / 1000);
  });
}
