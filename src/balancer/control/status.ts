/** What `holdfast status` shows, put together from the scoreboard and what control knows. */
import type { Config, Pool, Server, Service } from "../../config/schema.ts";
import { VERSION } from "../../version.ts";
import { PoolCounter } from "../shared/pool-view.ts";
import type { Scoreboard } from "../shared/scoreboard.ts";
import { ServerCounter } from "../shared/server-view.ts";
import { ServiceCounter } from "../shared/service-view.ts";
import type { StickyTable } from "../shared/sticky.ts";
import { ENDS, HANDSHAKES, RECOGNISED_BY, REFUSALS, RESPONSE_CLASSES, RETURNS, ServerState } from "../shared/words.ts";
import type {
  Attention,
  CertificateStatus,
  PoolStatus,
  ServerStateName,
  ServerStatus,
  ServiceState,
  ServiceStatus,
  StatusReport,
  WorkerStatus,
} from "./balancer.ts";
import { certificateAttention, certificateStatus } from "./certificate-status.ts";
import type { SessionDirectory } from "./directory.ts";
import type { RateMeter } from "./rates.ts";
import { type ConditionReport, explain } from "./server-states.ts";
import type { Servers } from "./servers.ts";
import type { Slots } from "./slots.ts";

export interface StatusContext {
  readonly config: Config;
  readonly node: string;
  readonly upSinceMs: number;
  readonly nowMs: number;
  readonly generation: StatusReport["generation"];
  readonly workers: WorkerStatus[];
  readonly predecessor: { readonly pid: number; readonly connections: number } | null;
  readonly board: Scoreboard;
  readonly slots: Slots;
  readonly servers: Servers;
  readonly directory: SessionDirectory;
  readonly sticky: StickyTable;
  readonly rates: RateMeter;
  /** Addresses with the ports that the system gave. */
  listen(service: Service): string[];
}

const rfc3339 = (ms: number) => new Date(ms).toISOString();

export function makeStatus(context: StatusContext): StatusReport {
  const { config, predecessor } = context;
  const pools = Object.values(config.pools).map((pool) => poolStatus(pool, context));
  const services = Object.values(config.services).map((service) => serviceStatus(service, pools, context));
  const certificates = certificateStatus(config);
  const own = sum(pools.map((pool) => pool.returns.own ?? 0));
  const came = sum(pools.map(cameBack));
  return {
    node: context.node,
    version: VERSION,
    pid: process.pid,
    upSince: rfc3339(context.upSinceMs),
    at: rfc3339(context.nowMs),
    generation: context.generation,
    workers: context.workers,
    ...(predecessor && { predecessor }),
    attention: attention(pools, certificates, context),
    services,
    pools,
    certificates,
    ownSession: { came, own, ratio: came === 0 ? null : own / came },
    sticky: {
      entries: context.sticky.entries(),
      capacity: context.sticky.capacity,
      evictions: { ...context.sticky.evictions() },
    },
  };
}

/** Who came back while they were remembered: a client whose time was over is new. */
function cameBack({ returns }: PoolStatus): number {
  return sum(Object.entries(returns).map(([result, count]) => (result === "forgotten" ? 0 : count)));
}

function serviceStatus(service: Service, pools: readonly PoolStatus[], context: StatusContext): ServiceStatus {
  const view = context.board.service(context.slots.service(service.name));
  const names = [...new Set(service.routes.flatMap((route) => route.pool))];
  const mine = pools.filter((pool) => names.includes(pool.name));
  const rates = context.rates.of(service.name);
  const count = (from: number, words: readonly string[]) =>
    Object.fromEntries(words.map((word, index) => [word, view.total(from + index)]));
  return {
    name: service.name,
    listen: context.listen(service),
    protocol: service.protocol,
    state: serviceState(mine.flatMap((pool) => pool.servers)),
    pools: names,
    sessions: context.directory.countOf(service.name),
    open: view.open(),
    newPerSec: rates.newPerSec,
    inPerSec: rates.inPerSec,
    outPerSec: rates.outPerSec,
    total: view.total(ServiceCounter.TOTAL),
    bytesIn: view.total(ServiceCounter.BYTES_IN),
    bytesOut: view.total(ServiceCounter.BYTES_OUT),
    refused: count(ServiceCounter.REFUSED, REFUSALS),
    ended: count(ServiceCounter.ENDED, ENDS),
    recognised: count(ServiceCounter.RECOGNISED, RECOGNISED_BY),
    ...(service.protocol === "http" && {
      http: {
        requestsPerSec: rates.requestsPerSec,
        responses: count(ServiceCounter.RESPONSES, RESPONSE_CLASSES),
        serverConnections: { new: view.total(ServiceCounter.DIALLED), reused: view.total(ServiceCounter.REUSED) },
      },
    }),
    ...(service.tls && { handshakes: count(ServiceCounter.HANDSHAKES, HANDSHAKES) }),
  };
}

const USABLE: readonly ServerStateName[] = ["up", "starting", "full", "overloaded", "ejected", "draining"];

function serviceState(servers: readonly ServerStatus[]): ServiceState {
  if (servers.every(({ state }) => state === "up")) return "up"; // without servers, it answers by itself
  return servers.some(({ state }) => USABLE.includes(state)) ? "degraded" : "down";
}

function poolStatus(pool: Pool, context: StatusContext): PoolStatus {
  const view = context.board.pool(context.slots.pool(pool.name));
  return {
    name: pool.name,
    algorithm: pool.algorithm,
    persistence: [...(pool.persistence?.by ?? [])],
    directory: pool.persistence?.directory !== undefined,
    queued: view.queued(),
    returns: Object.fromEntries(RETURNS.map((word, index) => [word, view.total(PoolCounter.RETURNS + index)])),
    servers: Object.values(pool.servers).map((server) => serverStatus(pool, server, context)),
  };
}

function serverStatus(pool: Pool, server: Server, context: StatusContext): ServerStatus {
  const name = `${pool.name}/${server.name}`;
  const view = context.servers.view(name)!;
  const condition = context.servers.condition(name)!;
  const health = context.servers.health(pool.name, server.name);
  const { administrative } = condition.axes;
  const open = view.connections();
  const limit = view.limit();
  const connectMicros = view.connectMicros();
  const { host, port } = server.address;
  return {
    name: server.name,
    address: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`,
    state: condition.state === ServerState.READY && limit > 0 && open >= limit ? "full" : condition.word,
    since: rfc3339(condition.sinceMs),
    reason: condition.reason,
    by: administrative.state === "ready" ? "" : administrative.by,
    until: administrative.untilMs === undefined ? null : rfc3339(administrative.untilMs),
    weight: server.weight,
    ...(pool.agent && { load: view.load() }),
    backup: server.backup,
    ...(limit > 0 && { limit }),
    open,
    sessions: context.directory.counts(pool.name, server.name),
    connectMs: connectMicros === 0 ? null : connectMicros / 1000,
    ...(health?.last && { checkMs: health.last.durationMs }),
    total: view.total(ServerCounter.TOTAL),
    failures: { connect: view.total(ServerCounter.FAILURES), check: health?.failed ?? 0 },
    bytesIn: view.total(ServerCounter.BYTES_IN),
    bytesOut: view.total(ServerCounter.BYTES_OUT),
  };
}

function attention(
  pools: readonly PoolStatus[],
  certificates: readonly CertificateStatus[],
  context: StatusContext,
): Attention[] {
  const found = certificateAttention(certificates, context.nowMs);
  for (const pool of pools) {
    for (const server of pool.servers) {
      const condition = context.servers.condition(`${pool.name}/${server.name}`)!;
      if (server.state === "down") found.push({ severity: "error", text: sentence(pool, server, condition, context) });
      const failing = context.servers.agent(pool.name, server.name)?.failing;
      if (failing !== undefined) {
        found.push({
          severity: "warning",
          text: `the agent of ${pool.name}/${server.name} does not answer: ${failing.reason}`,
        });
      }
    }
  }
  return found.sort((a, b) => Number(b.severity === "error") - Number(a.severity === "error"));
}

function sentence(pool: PoolStatus, server: ServerStatus, condition: ConditionReport, context: StatusContext): string {
  return `${pool.name}/${server.name} is ${explain(condition, context.nowMs)}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
