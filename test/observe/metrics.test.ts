import { describe, expect, test } from "bun:test";
import { ENDS, REFUSALS } from "../../src/balancer/shared/words.ts";
import { MAX_SERIES, metricsText, readScopes } from "../../src/observe/metrics.ts";
import { FakeBalancer, report, server } from "../api/fake-balancer.ts";
import { type Family, readPrometheus } from "./prometheus-check.ts";

const balancer = new FakeBalancer();

function value(families: Map<string, Family>, name: string, labels: Record<string, string> = {}): number | undefined {
  const wanted = Object.entries(labels);
  const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ""));
  return family?.series.find(
    (series) => series.name === name && wanted.every(([key, text]) => series.labels[key] === text),
  )?.value;
}

describe("the metrics page", () => {
  const families = readPrometheus(metricsText(balancer));

  test("has the figures of services, pools and servers", () => {
    expect(value(families, "holdfast_service_connections", { service: "desktops" })).toBe(190);
    expect(value(families, "holdfast_service_connections_total", { service: "desktops" })).toBe(12_431);
    expect(value(families, "holdfast_service_recognised_total", { by: "user" })).toBe(4_000);
    expect(value(families, "holdfast_pool_returns_total", { pool: "rds", result: "own" })).toBe(4_311);
    expect(value(families, "holdfast_pool_servers", { pool: "rds", state: "draining" })).toBe(1);
    expect(value(families, "holdfast_server_up", { server: "rds1" })).toBe(1);
    expect(value(families, "holdfast_server_up", { server: "rds3" })).toBe(0);
    expect(value(families, "holdfast_server_draining", { server: "rds2" })).toBe(1);
    expect(value(families, "holdfast_server_sessions", { server: "rds2", state: "disconnected" })).toBe(3);
    expect(value(families, "holdfast_server_load_ratio", { server: "rds1" })).toBe(0.34);
    expect(value(families, "holdfast_server_failures_total", { server: "rds3", kind: "check" })).toBe(180);
    expect(value(families, "holdfast_config_last_reload_success")).toBe(1);
    expect(value(families, "holdfast_worker_restarts_total", { reason: "threw" })).toBe(0);
    expect(value(families, "holdfast_worker_restarts_total", { reason: "hung" })).toBe(1);
  });

  test("sums the buckets of a histogram up", () => {
    const bucket = (le: string) => value(families, "holdfast_pool_connect_duration_seconds_bucket", { le });
    expect([bucket("0.001"), bucket("0.0025"), bucket("0.025"), bucket("10"), bucket("+Inf")]).toEqual([
      5, 8, 9, 9, 11,
    ]);
    expect(value(families, "holdfast_pool_connect_duration_seconds_sum", { pool: "rds" })).toBe(30.5);
  });

  test("known label sets are there from the start with 0", () => {
    expect(families.get("holdfast_service_ended_total")!.series).toHaveLength(ENDS.length);
    expect(families.get("holdfast_service_refused_total")!.series).toHaveLength(REFUSALS.length);
    expect(value(families, "holdfast_service_ended_total", { end: "queue-full" })).toBe(0);
  });

  test("says when a certificate ends, and what was lost for want of room", () => {
    expect(value(families, "holdfast_certificate_expiry_timestamp_seconds")!).toBeGreaterThan(0);
    expect(value(families, "holdfast_records_dropped_total")).toBe(3);
    expect(value(families, "holdfast_log_lines_dropped_total")).toBe(2);
    expect(value(families, "holdfast_sources_untracked_total")).toBe(1);
    expect(value(families, "holdfast_sticky_contended_total")).toBe(0);
  });

  test("only services of HTTP have figures of requests, and only those with TLS figures of handshakes", () => {
    const withWeb = new FakeBalancer();
    withWeb.state = (now) => {
      const status = report(now);
      const [desktops] = status.services;
      const http = {
        requestsPerSec: 812.4,
        responses: { "2xx": 9_000, none: 2 },
        serverConnections: { new: 3, reused: 9 },
      };
      status.services.push({ ...desktops!, name: "web", protocol: "http", http, handshakes: { full: 7, resumed: 40 } });
      return status;
    };
    const duration = { buckets: [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4], count: 7, sum: 99.5 };
    const measures = withWeb.measures();
    withWeb.measures = () => ({ ...measures, requests: { web: duration } });
    const page = readPrometheus(metricsText(withWeb));
    expect(value(page, "holdfast_service_responses_total", { service: "web", class: "2xx" })).toBe(9_000);
    expect(value(page, "holdfast_service_responses_total", { service: "web", class: "none" })).toBe(2);
    expect(value(page, "holdfast_service_responses_total", { service: "web", class: "5xx" })).toBe(0);
    expect(value(page, "holdfast_service_request_duration_seconds_bucket", { le: "0.0025" })).toBe(3);
    expect(value(page, "holdfast_service_request_duration_seconds_count", { service: "web" })).toBe(7);
    expect(value(page, "holdfast_service_server_connections_total", { connection: "reused" })).toBe(9);
    expect(value(page, "holdfast_service_tls_handshakes_total", { result: "resumed" })).toBe(40);
    expect(value(page, "holdfast_service_tls_handshakes_total", { result: "failed" })).toBe(0);
    expect(metricsText(withWeb)).not.toMatch(/_(responses|handshakes|request_duration)\w*\{service="desktops"/);
  });

  test("says what the kernel knows of the process", () => {
    expect(value(families, "process_resident_memory_bytes")!).toBeGreaterThan(1_000_000);
    expect(value(families, "process_open_fds")!).toBeGreaterThan(2);
    const startedAgo = Date.now() / 1000 - value(families, "process_start_time_seconds")!;
    expect(startedAgo).toBeGreaterThan(-2);
    expect(startedAgo).toBeLessThan(600);
  });

  test("a server that the file no longer names vanishes", () => {
    const without = new FakeBalancer();
    without.state = (now) => {
      const status = report(now);
      status.pools[0]!.servers.pop();
      return status;
    };
    expect(metricsText(without)).not.toContain("rds3");
    expect(metricsText(balancer)).toContain("rds3");
  });

  test("a name with quotes, backslashes and line ends cannot break the page", () => {
    const hostile = new FakeBalancer();
    const name = 'a"b\\c\nd';
    hostile.state = (now) => ({ ...report(now), services: [{ ...report(now).services[0]!, name }] });
    expect(value(readPrometheus(metricsText(hostile)), "holdfast_service_connections", { service: name })).toBe(190);
  });
});

describe("how large the page may become", () => {
  test("scope leaves out the rest", () => {
    const families = readPrometheus(metricsText(balancer, readScopes("pool")!));
    expect([...families.keys()].some((name) => name.startsWith("holdfast_server_"))).toBe(false);
    expect([...families.keys()].some((name) => name.startsWith("holdfast_service_"))).toBe(false);
    expect(families.has("holdfast_pool_queue_length")).toBe(true);
  });

  test("a word that is no scope is refused", () => {
    expect(readScopes("pool,servers")).toBeNull();
    expect(readScopes("")).toEqual(readScopes("process,service,pool,server"));
  });

  test("too many servers are left out, and the page says how many series that were", () => {
    const large = new FakeBalancer();
    large.state = (now) => {
      const status = report(now);
      status.pools[0]!.servers = Array.from({ length: 2_000 }, (_, i) => server(`s${i}`));
      return status;
    };
    const families = readPrometheus(metricsText(large));
    expect(families.has("holdfast_server_up")).toBe(false);
    expect(value(families, "holdfast_metrics_omitted_series")).toBe(26_000);
    const series = [...families.values()].reduce((sum, family) => sum + family.series.length, 0);
    expect(series).toBeLessThan(MAX_SERIES);
    expect(value(readPrometheus(metricsText(balancer)), "holdfast_metrics_omitted_series")).toBe(0);
  });
});
