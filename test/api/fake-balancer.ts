/** A balancer that says what it is told to say: the state of the mocks, and a note of every call. */
import type {
  AdministrativeResult,
  AdministrativeState,
  Balancer,
  BalancerEvent,
  ForgetResult,
  ForgetSelector,
  Measures,
  PoolStatus,
  ReloadReport,
  ServerStatus,
  Session,
  SessionFilter,
  SessionSelector,
  StatusReport,
} from "../../src/balancer/control/balancer.ts";
import { HISTOGRAM_SECONDS } from "../../src/balancer/shared/words.ts";

/** "Now" of the picture: a quarter to three, local time is UTC in these tests. */
export const NOW = Date.parse("2026-11-21T14:35:12.000Z");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const ago = (ms: number, now = NOW) => new Date(now - ms).toISOString();

export function server(name: string, more: Partial<ServerStatus> = {}): ServerStatus {
  return {
    name,
    address: "127.0.0.1:3391",
    state: "up",
    since: ago(12 * DAY + 4 * HOUR),
    reason: "",
    by: "",
    until: null,
    weight: 100,
    backup: false,
    open: 0,
    sessions: { connected: 0, disconnected: 0 },
    connectMs: 2.1,
    total: 0,
    failures: { connect: 0, check: 0 },
    bytesIn: 0,
    bytesOut: 0,
    ...more,
  };
}

/** The state of the mock in `experience.md`: one server up, one draining, one down. */
export function report(now = NOW): StatusReport {
  const before = (ms: number) => ago(ms, now);
  return {
    node: "lb1",
    version: "0.1.0",
    pid: 4711,
    upSince: before(12 * DAY + 4 * HOUR),
    at: new Date(now).toISOString(),
    generation: { number: 7, at: before(33 * MINUTE) },
    workers: [1, 2, 3, 4].map((column) => ({
      column,
      pid: 4711,
      state: "running",
      heartbeatAgeMs: 40,
      connections: 47,
    })),
    attention: [
      { severity: "error", text: "rds/rds3 is down for 6m 12s: connection refused" },
      { severity: "warning", text: "the sticky table is 91 % full" },
    ],
    services: [
      {
        name: "desktops",
        listen: ["127.0.0.1:13389"],
        protocol: "rdp",
        state: "degraded",
        pools: ["rds"],
        sessions: 195,
        open: 190,
        newPerSec: 0.4,
        inPerSec: 1.2 * 1024 * 1024,
        outPerSec: 18.4 * 1024 * 1024,
        total: 12_431,
        bytesIn: 5_000_000,
        bytesOut: 90_000_000,
        refused: { "not-tpkt": 3 },
        ended: { "client-closed": 12_000, drained: 4 },
        recognised: { token: 10, user: 4_000, new: 8_421 },
      },
    ],
    pools: [pool(before)],
    certificates: [
      { name: "push.crt", hosts: ["push.example.test"], usedBy: ["service push"], until: ago(-90 * DAY, now) },
    ],
    ownSession: { came: 4_312, own: 4_311, ratio: 4_311 / 4_312 },
    sticky: { entries: 195, capacity: 1_048_576, evictions: { full: 0, expired: 0 } },
  };
}

function pool(before: (ms: number) => string): PoolStatus {
  return {
    name: "rds",
    algorithm: "least-connections",
    persistence: ["token", "user", "source"],
    directory: true,
    queued: 0,
    returns: { own: 4_311, server_down: 1 },
    servers: [
      server("rds1", {
        since: before(12 * DAY + 4 * HOUR),
        open: 141,
        sessions: { connected: 141, disconnected: 2 },
        load: 34,
        checkMs: 3.2,
      }),
      server("rds2", {
        state: "draining",
        since: before(3 * MINUTE),
        by: "anna",
        until: before(-(5 * MINUTE + 48_000)),
        open: 49,
        sessions: { connected: 49, disconnected: 3 },
        load: 21,
      }),
      server("rds3", {
        state: "down",
        since: before(6 * MINUTE + 12_000),
        reason: "connection refused",
        connectMs: null,
        failures: { connect: 3, check: 180 },
      }),
    ],
  };
}

const noTimes = () => ({ buckets: new Array<number>(HISTOGRAM_SECONDS.length + 1).fill(0), count: 0, sum: 0 });

export class FakeBalancer implements Balancer {
  now: () => number = () => NOW;
  /** What `status` answers; change it to make something happen. */
  state: (now: number) => StatusReport = report;
  reloadReport: ReloadReport = {
    ok: true,
    generation: { number: 8, at: ago(0) },
    summary: "2 servers added, 1 weight changed, 3 listeners kept, 1,204 connections untouched",
    problems: [],
  };
  sessionList: Session[] = [];
  readonly calls: string[] = [];
  readonly listeners = new Set<(event: BalancerEvent) => void>();

  status(): StatusReport {
    return this.state(this.now());
  }

  measures(): Measures {
    const connect = { buckets: [5, 3, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2], count: 11, sum: 30.5 };
    return {
      reloads: { success: 6, failure: 1 },
      lastReload: { success: true, at: ago(33 * MINUTE) },
      workerRestarts: { hung: 1 },
      pools: { rds: { connect, queue: noTimes() } },
      requests: {},
      lost: { records: 3, logLines: 2, untrackedSources: 1, stickyWrites: 0 },
    };
  }

  async reload(): Promise<ReloadReport> {
    this.calls.push("reload");
    return this.reloadReport;
  }

  setAdministrative(
    poolName: string,
    serverName: string,
    state: AdministrativeState,
    options: { by: string; withinMs?: number },
  ): AdministrativeResult {
    this.calls.push(`${state} ${poolName}/${serverName} by ${options.by} within ${options.withinMs ?? "-"}`);
    return {
      pool: poolName,
      server: serverName,
      state,
      by: options.by,
      at: new Date(this.now()).toISOString(),
      ends: options.withinMs === undefined ? null : new Date(this.now() + options.withinMs).toISOString(),
      stays: { open: 71, connected: 71, disconnected: 3 },
    };
  }

  sessions(filter: SessionFilter): { items: Session[]; next: string | null } {
    const fits = this.sessionList.filter((session) =>
      (["pool", "server", "user", "state"] as const).every(
        (key) => filter[key] === undefined || session[key] === filter[key],
      ),
    );
    const from = filter.cursor === undefined ? 0 : Number(filter.cursor);
    const to = from + filter.limit;
    return { items: fits.slice(from, to), next: to < fits.length ? String(to) : null };
  }

  async endSessions(selector: SessionSelector): Promise<{ ended: number }> {
    this.calls.push(`end ${JSON.stringify(selector)}`);
    return { ended: 2 };
  }

  forget(poolName: string, selector: ForgetSelector, options: { by: string; dryRun: boolean }): ForgetResult {
    this.calls.push(`forget ${poolName} ${JSON.stringify(selector)} by ${options.by}${options.dryRun ? " dry" : ""}`);
    const shareOfCookies = selector.share === undefined ? {} : { shareOfCookies: selector.share };
    return {
      pool: poolName,
      forgotten: selector.share === undefined ? 1 : 39,
      ...shareOfCookies,
      dryRun: options.dryRun,
    };
  }

  signToken(poolName: string, serverName: string, options: { lifetimeMs?: number }): { token: string } {
    this.calls.push(`token ${poolName}/${serverName} ${options.lifetimeMs ?? "-"}`);
    return { token: "hf1.AbCdEf" };
  }

  onEvent(listener: (event: BalancerEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  emit(event: string, msg: string): void {
    for (const listener of this.listeners) listener({ time: ago(0), event, msg });
  }

  async shutdown(): Promise<void> {}
}

export function session(user: string, more: Partial<Session> = {}): Session {
  return {
    id: `s-${user}`,
    user,
    state: "connected",
    service: "desktops",
    pool: "rds",
    server: "rds2",
    since: ago(3 * HOUR + 10 * MINUTE, Date.now()),
    lastSeen: ago(22 * MINUTE, Date.now()),
    from: "10.1.4.22",
    recognisedBy: "token",
    bytesIn: 1,
    bytesOut: 2,
    ...more,
  };
}
