/** A service as a worker runs it: its plan, its pools ready to be asked, and what differs by protocol. */
import { localAddress, socketAddress } from "../../os/socket.ts";
import { inNetworks } from "../../protocols/address.ts";
import { MAX_PROXY_V1, MAX_WRITTEN_V2, writeProxyV1, writeProxyV2 } from "../../protocols/proxy.ts";
import { NO_SERVER_REFUSAL } from "../../protocols/rdp/connection-confirm.ts";
import type { Candidate } from "../candidate.ts";
import type { Client } from "../client.ts";
import type { PoolRuntime } from "../decide.ts";
import type { ServicePlan } from "../plan.ts";
import { saltOf } from "../shared/fingerprint.ts";
import type { ServerId } from "../shared/server-id.ts";
import type { ServiceView } from "../shared/service-view.ts";
import { EndCode } from "../shared/words.ts";
import { type RouteRuntime, Router } from "./routing.ts";

/** A whole TLS record that says why there is no handshake (RFC 8446 6). */
const alert = (description: number) => Uint8Array.of(21, 3, 3, 0, 2, 2, description);
const INTERNAL_ERROR = alert(80);
const UNRECOGNIZED_NAME = alert(112);

export class ServiceRuntime {
  readonly plan: ServicePlan;
  readonly view: ServiceView;
  readonly #noServer: Uint8Array | null = null;
  readonly #notAllowed: Uint8Array | null = null;
  /** Keeps its sources apart from those of other services. */
  readonly salt: number;
  readonly #router: Router;
  readonly #addresses = new Map<ServerId, Uint8Array>();
  readonly #header = new Uint8Array(Math.max(MAX_PROXY_V1, MAX_WRITTEN_V2));
  readonly #dialled = new Uint8Array(16);

  constructor(plan: ServicePlan, view: ServiceView, pools: ReadonlyMap<number, PoolRuntime>) {
    this.plan = plan;
    this.view = view;
    this.salt = saltOf(plan.name);
    if (plan.protocol === "rdp") this.#noServer = this.#notAllowed = NO_SERVER_REFUSAL;
    if (plan.protocol === "tls") [this.#noServer, this.#notAllowed] = [INTERNAL_ERROR, UNRECOGNIZED_NAME];
    this.#router = new Router(plan.routes, pools);
    for (const id of new Set(plan.routes.flatMap((route) => route.pools))) {
      for (const server of pools.get(id)!.plan.servers) {
        this.#addresses.set(server.id, socketAddress(server.address, plan.serverPort || server.port));
      }
    }
  }

  /** The most specific route that fits, or null. Allocates nothing. */
  routeOf(client: Client): RouteRuntime | null {
    return this.#router.route(client);
  }

  /** Is the peer one that is believed for whom it speaks? */
  trusts(address: Uint8Array): boolean {
    return inNetworks(this.plan.trust, address);
  }

  /** The kernel's form of a server's address, with the service's own port if it has one. */
  addressOf(server: Candidate): Uint8Array {
    return this.#addresses.get(server.plan.id)!;
  }

  /** Is TLS spoken with the pool's servers? Not around bytes that are TLS themselves, or agree on it (RDP). */
  tlsWith(pool: PoolRuntime): boolean {
    const { protocol } = this.plan;
    return pool.plan.tls !== null && (protocol === "http" || protocol === "tcp");
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
    switch (end) {
      case EndCode["no-server"]:
      case EndCode["connect-failed"]:
      case EndCode["queue-full"]:
      case EndCode["queue-timeout"]:
        return this.#noServer;
      case EndCode["not-allowed"]:
        return this.#notAllowed;
      default:
        return null;
    }
  }
}
