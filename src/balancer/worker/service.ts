/** A service as a worker runs it: its plan, its pools ready to be asked, and what differs by protocol. */
import { localAddress, socketAddress } from "../../os/socket.ts";
import { type Cidr, inCidr } from "../../protocols/address.ts";
import { MAX_PROXY_V1, MAX_WRITTEN_V2, writeProxyV1, writeProxyV2 } from "../../protocols/proxy.ts";
import { NO_SERVER_REFUSAL } from "../../protocols/rdp/connection-confirm.ts";
import type { Candidate } from "../candidate.ts";
import type { Client } from "../client.ts";
import type { PoolRuntime } from "../decide.ts";
import type { RoutePlan, ServicePlan } from "../plan.ts";
import { saltOf } from "../shared/fingerprint.ts";
import type { ServerId } from "../shared/server-id.ts";
import type { ServiceView } from "../shared/service-view.ts";
import { EndCode } from "../shared/words.ts";

/** Where a client may go. `server` 0: not pinned. */
export interface RouteRuntime {
  readonly pools: readonly PoolRuntime[];
  readonly server: ServerId | 0;
}

export class ServiceRuntime {
  readonly plan: ServicePlan;
  readonly view: ServiceView;
  /** Keeps its sources apart from those of other services. */
  readonly salt: number;
  readonly #routes: readonly { plan: RoutePlan; runtime: RouteRuntime }[];
  readonly #addresses = new Map<ServerId, Uint8Array>();
  readonly #header = new Uint8Array(Math.max(MAX_PROXY_V1, MAX_WRITTEN_V2));
  readonly #dialled = new Uint8Array(16);

  constructor(plan: ServicePlan, view: ServiceView, pools: ReadonlyMap<number, PoolRuntime>) {
    this.plan = plan;
    this.view = view;
    this.salt = saltOf(plan.name);
    this.#routes = plan.routes
      .flatMap(oneForEachNetwork)
      .sort(mostSpecificFirst)
      .map((route) => ({
        plan: route,
        runtime: { pools: route.pools.map((id) => pools.get(id)!), server: route.server ?? (0 as const) },
      }));
    for (const { runtime } of this.#routes) {
      for (const pool of runtime.pools) {
        for (const { id, address, port } of pool.plan.servers) {
          this.#addresses.set(id, socketAddress(address, plan.serverPort || port));
        }
      }
    }
  }

  /** The most specific route that fits, or null. Allocates nothing. */
  routeOf(client: Client): RouteRuntime | null {
    for (const { plan, runtime } of this.#routes) {
      if (plan.collection !== undefined && plan.collection !== client.collection) continue;
      if (plan.source !== undefined && !isIn(plan.source, client.source)) continue;
      return runtime;
    }
    return null;
  }

  /** Is the peer one whose PROXY header is believed? */
  trusts(address: Uint8Array): boolean {
    return isIn(this.plan.trust, address);
  }

  /** The kernel's form of a server's address, with the service's own port if it has one. */
  addressOf(server: Candidate): Uint8Array {
    return this.#addresses.get(server.plan.id)!;
  }

  /** What the server gets first: a PROXY header if its pool wants one, then `rest`. */
  firstBytes(pool: PoolRuntime, client: Client, clientFd: number, rest: Uint8Array): Uint8Array {
    const { sendProxy } = pool.plan;
    if (sendProxy === "off") return rest;
    const port = localAddress(clientFd, this.#dialled);
    const write = sendProxy === "v1" ? writeProxyV1 : writeProxyV2;
    const length = write(this.#header, 0, client.source, client.sourcePort, this.#dialled, port);
    const bytes = new Uint8Array(length + rest.length);
    bytes.set(this.#header.subarray(0, length));
    bytes.set(rest, length);
    return bytes;
  }

  /** What a client is told who gets no server; null: nothing, the connection just ends. */
  refusalAnswer(end: number): Uint8Array | null {
    if (this.plan.protocol !== "rdp") return null;
    switch (end) {
      case EndCode["no-server"]:
      case EndCode["connect-failed"]:
      case EndCode["queue-full"]:
      case EndCode["queue-timeout"]:
      case EndCode["not-allowed"]:
        return NO_SERVER_REFUSAL;
      default:
        return null;
    }
  }
}

function isIn(networks: readonly Cidr[], address: Uint8Array): boolean {
  for (const network of networks) if (inCidr(network, address)) return true;
  return false;
}

/** A route is as specific as the network that the client is in, not as the longest that it names. */
function oneForEachNetwork(route: RoutePlan): RoutePlan[] {
  return route.source?.map((network) => ({ ...route, source: [network] })) ?? [route];
}

/** A collection is more specific than an address block, a longer prefix than a shorter one, anything than nothing. */
function mostSpecificFirst(a: RoutePlan, b: RoutePlan): number {
  return specificity(b) - specificity(a);
}

function specificity(route: RoutePlan): number {
  const network = route.source?.[0];
  return (route.collection === undefined ? 0 : 1000) + (network === undefined ? 0 : network.bits + 1);
}
