/**
 * The running balancer as the admin API, the metrics and the command line see it.
 *
 * Everything that `status`, `sessions` and `reload` answer is plain JSON: camelCase of the YAML's words, times as RFC 3339
 * UTC with milliseconds, durations in milliseconds, ratios from 0 to 1, "in" is from the client. Counters run since the
 * process began and count both processes of a takeover.
 */
import type { Problem } from "../../config/problem.ts";
import type { End, Handshake, RecognisedBy, Refusal, ResponseClass, Return } from "../shared/words.ts";

/** What the admin API needs of a running balancer. All methods belong to the main thread. */
export interface Balancer {
  /** Everything that `holdfast status` shows. O(servers × workers). */
  status(): StatusReport;
  /** What only the metrics need. O(pools × workers). */
  measures(): Measures;
  /** Reads the file again and applies it. A file with errors changes nothing. Calls wait for one another. */
  reload(): Promise<ReloadReport>;
  /** What a person wants of a server; the caller made sure that both names exist. Repeating it is harmless. */
  setAdministrative(
    pool: string,
    server: string,
    state: AdministrativeState,
    options: { by: string; withinMs?: number },
  ): AdministrativeResult;
  /** Sessions in a stable order. @throws HoldfastError `api/old-cursor` when the cursor means nothing any more. */
  sessions(filter: SessionFilter): SessionPage;
  /** Ends the connections of the sessions that every given key of the selector fits. */
  endSessions(selector: SessionSelector): Promise<{ ended: number }>;
  /**
   * Forgets one client's association with a server of the pool, or a share of the pool's; the caller made sure that the pool
   * exists. Live connections go on. @throws HoldfastError `api/bad-request` where the pool knows nobody by that.
   */
  forget(pool: string, selector: ForgetSelector, options: { by: string; dryRun: boolean }): ForgetResult;
  /**
   * A signed routing token that leads to this server, as `loadbalanceinfo` in an .rdp file wants it; the caller made sure that
   * both names exist. Good for the pool's lifetime unless said otherwise. @throws HoldfastError `api/token-not-followed`.
   */
  signToken(pool: string, server: string, options: { lifetimeMs?: number }): { token: string };
  /** Calls `listener` for each event from now on, until the returned function is called. */
  onEvent(listener: (event: BalancerEvent) => void): () => void;
  /** Stops listening, lets connections finish for `withinMs`, ends the rest. */
  shutdown(withinMs: number): Promise<void>;
}

export interface StatusReport {
  node: string;
  version: string;
  pid: number;
  upSince: string;
  /** When this report was made. */
  at: string;
  generation: { number: number; at: string };
  workers: WorkerStatus[];
  /** The process that this one took over from, while it still has connections. */
  predecessor?: { pid: number; connections: number };
  /** What a person should look at, worst first. */
  attention: Attention[];
  /** In the order of the file. */
  services: ServiceStatus[];
  /** In the order of the file. */
  pools: PoolStatus[];
  /** Certificates that we show, in the order of the file. */
  certificates: CertificateStatus[];
  /** Of the users who came back while they were remembered, how many landed on their own server; ratio null for none. */
  ownSession: { came: number; own: number; ratio: number | null };
  sticky: { entries: number; capacity: number; evictions: { full: number; expired: number } };
}

export interface Attention {
  severity: "error" | "warning";
  /** A sentence without a full stop: "rds/rds3 is down for 6m 12s: connection refused". */
  text: string;
}

export interface CertificateStatus {
  /** Of its file. */
  name: string;
  /** What it is for, `*.` for wildcards. */
  hosts: string[];
  /** "service push", "pool web". */
  usedBy: string[];
  until: string;
}

export interface WorkerStatus {
  column: number;
  pid: number;
  state: "running" | "starting" | "stopping";
  heartbeatAgeMs: number;
  connections: number;
}

export type ServiceState = "up" | "degraded" | "down";

export interface ServiceStatus {
  name: string;
  /** host:port, IPv6 in brackets. */
  listen: string[];
  protocol: string;
  /** Up only when every server behind it is; down when none is usable. */
  state: ServiceState;
  pools: string[];
  sessions: number;
  open: number;
  newPerSec: number;
  inPerSec: number;
  outPerSec: number;
  total: number;
  bytesIn: number;
  bytesOut: number;
  refused: Partial<Record<Refusal, number>>;
  ended: Partial<Record<End, number>>;
  recognised: Partial<Record<RecognisedBy, number>>;
  /** Only for services that speak HTTP. */
  http?: HttpStatus;
  /** TLS handshakes with clients; only where TLS ends here. */
  handshakes?: Partial<Record<Handshake, number>>;
}

export interface HttpStatus {
  requestsPerSec: number;
  /** Requests that are over, by what they were answered with. */
  responses: Partial<Record<ResponseClass, number>>;
  /** Requests that went to a server over a new connection, or over one that was open already. */
  serverConnections: { new: number; reused: number };
}

export interface PoolStatus {
  name: string;
  algorithm: string;
  persistence: string[];
  /** Does a session directory confirm the sessions of this pool? Otherwise `remembered` is all that is known. */
  directory: boolean;
  queued: number;
  returns: Partial<Record<Return, number>>;
  servers: ServerStatus[];
}

/** A server's state as people see it; closed list, most usable first. */
export const SERVER_STATES = [
  "up",
  "starting",
  "full",
  "overloaded",
  "ejected",
  "draining",
  "maintenance",
  "unknown",
  "down",
] as const;
export type ServerStateName = (typeof SERVER_STATES)[number];

export interface ServerStatus {
  name: string;
  /** host:port as in the file. */
  address: string;
  state: ServerStateName;
  /** When the state began. */
  since: string;
  /** Why: "connection refused"; empty when there is nothing to say. */
  reason: string;
  /** The person who set the administrative state; empty when nobody did. */
  by: string;
  /** When what is left of a drain is ended; null for never. */
  until: string | null;
  weight: number;
  /** 0 to 100 as the agent said; absent without an agent. */
  load?: number;
  backup: boolean;
  /** Most connections at once; absent for no limit. */
  limit?: number;
  open: number;
  sessions: { connected: number; disconnected: number };
  /** Stickiness entries that lead here, and when the last of them is forgotten; absent when they were not counted. */
  remembered?: { count: number; until: string | null };
  /** Moving average of the connect time; null before the first. */
  connectMs: number | null;
  /** How long the last health check took; absent without one. */
  checkMs?: number;
  total: number;
  failures: { connect: number; check: number };
  bytesIn: number;
  bytesOut: number;
}

/** Counts of durations. `buckets[i]` holds what was at most HISTOGRAM_SECONDS[i]; the last one all that was longer. */
export interface Histogram {
  buckets: number[];
  count: number;
  /** Seconds. */
  sum: number;
}

export interface Measures {
  reloads: { success: number; failure: number };
  /** Of the last reload, or of the start. */
  lastReload: { success: boolean; at: string };
  /** By reason: "threw", "hung". */
  workerRestarts: Record<string, number>;
  /** By the pool's name. */
  pools: Record<string, { connect: Histogram; queue: Histogram }>;
  /** By the name of a service that speaks HTTP: from a request's first byte to the last of its answer. */
  requests: Record<string, Histogram>;
  /** What was not done because there was no room or time for it. */
  lost: {
    /** Records of connections and requests that found their ring full. */
    records: number;
    /** Lines of the log that its reader was too slow for. */
    logLines: number;
    /** Connections that were admitted without being counted for their source. */
    untrackedSources: number;
    /** Writes to the sticky table that were given up. */
    stickyWrites: number;
  };
}

export interface ReloadReport {
  ok: boolean;
  /** The generation that runs now; unchanged after a failure. */
  generation: { number: number; at: string };
  /** "2 servers added, 1 weight changed, 3 listeners kept, 1,204 connections untouched" */
  summary: string;
  problems: Problem[];
}

export type AdministrativeState = "ready" | "drain" | "maintenance";

export interface AdministrativeResult {
  pool: string;
  server: string;
  state: AdministrativeState;
  by: string;
  /** Since when. */
  at: string;
  /** When what is left is ended; null for never. */
  ends: string | null;
  /** Who is still there. */
  stays: { open: number; connected: number; disconnected: number };
}

export interface SessionFilter {
  pool?: string;
  server?: string;
  user?: string;
  state?: "connected" | "disconnected";
  /** 1 to 1,000. */
  limit: number;
  /** `next` of the page before. */
  cursor?: string;
}

export interface SessionPage {
  items: Session[];
  /** Where the next page begins; null at the end. */
  next: string | null;
}

export interface Session {
  id: string;
  user: string;
  state: "connected" | "disconnected";
  service: string;
  pool: string;
  server: string;
  since: string;
  lastSeen: string;
  /** The client's address. */
  from: string;
  recognisedBy: RecognisedBy;
  /** Id of the open connection: the one in the access log. */
  connection?: string;
  bytesIn: number;
  bytesOut: number;
}

export interface SessionSelector {
  id?: string;
  user?: string;
  pool?: string;
  server?: string;
}

/** Whom to forget: exactly one of these. */
export interface ForgetSelector {
  user?: string;
  /** An address; with a mask, all who share it. */
  source?: string;
  /** The value of a sticky cookie of ours, or of one that was learned. */
  cookie?: string;
  /** The value of the pool's header, or of its parameter. */
  header?: string;
  query?: string;
  host?: string;
  /** Of all whom the pool remembers, above 0 up to 1. */
  share?: number;
}

export interface ForgetResult {
  pool: string;
  /** Entries of the sticky table, or 1 for a single cookie. */
  forgotten: number;
  /** Of the cookies of ours that browsers have, which nobody can count; absent where there are none. */
  shareOfCookies?: number;
  /** Nothing was done. */
  dryRun: boolean;
}

/** `event` is a stable word (`server.down`, `config.reloaded`), `msg` a sentence; the rest belongs to the event. */
export interface BalancerEvent {
  time: string;
  event: string;
  msg: string;
  [detail: string]: unknown;
}
