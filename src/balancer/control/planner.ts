/** From the file to what a worker needs: names become slots, addresses bytes, what is absent a number. Pure. */
import type { Config, Pool, Route, Server, Service } from "../../config/schema.ts";
import { parseAddress } from "../../protocols/address.ts";
import { fingerprintServer, type TokenKey } from "../../protocols/rdp/token.ts";
import type { Plan, PoolPlan, RoutePlan, ServerPlan, ServicePlan } from "../plan.ts";
import { planAnswer, planHttp } from "./plan-http.ts";
import { planServerTls, planTls } from "./plan-tls.ts";
import type { Slots } from "./slots.ts";

/** What a plan needs besides the file. */
export interface PlanContext {
  readonly generation: number;
  readonly slots: Slots;
  readonly fingerprintKey: Uint8Array;
  readonly tokenKeys: readonly TokenKey[];
  /** Keys of TLS session tickets, newest first. */
  readonly ticketKeys: readonly Uint8Array[];
  /** This worker's listening sockets of a service. */
  listeners(service: Service): readonly number[];
  /** The address that a server's host has now, 16 bytes; undefined while its name is unknown. */
  addressOf(host: string): Uint8Array | undefined;
}

/** The plan of one worker. */
export function makePlan(config: Config, context: PlanContext): Plan {
  return {
    generation: context.generation,
    services: Object.values(config.services).map((service) => planService(service, context)),
    pools: Object.values(config.pools).map((pool) => planPool(pool, context)),
    fingerprintKey: context.fingerprintKey,
    tokenKeys: context.tokenKeys,
    ticketKeys: context.ticketKeys,
    accessLog: config.log.access,
    accessFormat: config.log.format,
  };
}

function planService(service: Service, context: PlanContext): ServicePlan {
  const { limits } = service;
  return {
    id: context.slots.service(service.name),
    name: service.name,
    protocol: service.protocol,
    tls: service.tls ? planTls(service.tls, service) : null,
    http: service.protocol === "http" ? planHttp(service) : null,
    listeners: context.listeners(service),
    routes: service.routes.flatMap((route) => planRoute(route, context)),
    timeouts: {
      request: service.timeouts.request,
      idle: service.timeouts.idle,
      halfClose: service.timeouts.halfClose,
    },
    limits: {
      connections: limits.connections ?? 0,
      connectionsPerSource: limits.connectionsPerSource ?? 0,
      newPerSource: limits.newPerSource?.count ?? 0,
      newPerSourceMs: limits.newPerSource?.perMs ?? 0,
    },
    trust: service.trust,
    acceptProxy: service.acceptProxy,
    serverPort: service.serverPort ?? 0,
  };
}

/** One for each host of the file's route, in the order of the file. */
function planRoute(route: Route, { slots }: PlanContext): RoutePlan[] {
  const answer = planAnswer(route);
  const plan: RoutePlan = {
    ...(route.source && { source: route.source }),
    ...(route.collection !== undefined && { collection: route.collection.toLowerCase() }),
    ...(route.path !== undefined && route.path !== "" && { path: route.path }),
    ...(route.header && {
      header: {
        name: route.header.name,
        ...(route.header.value === undefined ? {} : { value: route.header.value }),
      },
    }),
    pools: route.pool.map((name) => slots.pool(name)),
    ...(route.server !== undefined && { server: slots.server(route.pool[0]!, route.server) }),
    ...(answer && { answer }),
  };
  const hosts = route.host ?? route.sni;
  return hosts === undefined ? [plan] : hosts.map((host) => ({ ...plan, host }));
}

/** The longest time that any pool remembers who does not come, seconds; 0 when none remembers anybody. */
export function longestIdleSec(config: Config): number {
  return Object.values(config.pools).reduce(
    (longest, { persistence }) => Math.max(longest, Math.ceil((persistence?.idle ?? 0) / 1000)),
    0,
  );
}

function planPool(pool: Pool, context: PlanContext): PoolPlan {
  const { persistence } = pool;
  return {
    id: context.slots.pool(pool.name),
    name: pool.name,
    algorithm: pool.algorithm,
    persistence: persistence
      ? {
          by: persistence.by,
          idleSec: Math.ceil(persistence.idle / 1000),
          lifetimeSec: Math.ceil(persistence.lifetime / 1000),
          maskIpv4: persistence.mask.ipv4,
          maskIpv6: persistence.mask.ipv6,
          onDown: persistence.onDown,
          name: persistence.name ?? "",
          mode: persistence.mode,
          sameSite: persistence.sameSite,
          secure: persistence.secure ?? true,
          domain: persistence.domain ?? "",
        }
      : null,
    allDown: pool.allDown,
    queue: { length: pool.queue.length, timeoutMs: pool.queue.timeout },
    connectTimeoutMs: pool.timeouts.connect,
    responseTimeoutMs: pool.timeouts.response,
    retries: pool.retries,
    sendProxy: pool.proxyProtocol,
    tls: pool.tls ? planServerTls(pool.tls) : null,
    http2: pool.http2,
    keepAlive: { connections: pool.keepAlive.connections, idleMs: pool.keepAlive.idle },
    outliers: pool.outliers
      ? {
          consecutive: pool.outliers.failures,
          baseMs: pool.outliers.penalty,
          longestMs: pool.outliers.longest,
          mostShare: pool.outliers.share,
        }
      : null,
    servers: Object.values(pool.servers).flatMap((server) => planServer(pool, server, context)),
  };
}

/** A server whose name is unknown cannot be dialled: it is left out until the name is known. */
function planServer(pool: Pool, server: Server, context: PlanContext): ServerPlan[] {
  const address = context.addressOf(server.address.host);
  if (address === undefined) return [];
  const token = fingerprintServer(context.tokenKeys[0]!, pool.name, server.name);
  return [
    {
      id: context.slots.server(pool.name, server.name),
      name: server.name,
      address,
      port: server.address.port,
      backup: server.backup,
      host: parseAddress(server.address.host) === undefined ? server.address.host : "",
      weight: server.weight,
      tokenHigh: token.high,
      tokenLow: token.low,
    },
  ];
}
