/**
 * What a worker needs of the configuration: numbers and slots instead of names and text. Control makes it from the file and
 * sends it as a message; a worker swaps to the newest whole plan, and connections keep the one they began with.
 */
import type { Cidr } from "../protocols/address.ts";
import type { TokenKey } from "../protocols/rdp/token.ts";
import type { ServerId } from "./shared/server-id.ts";

export type PersistenceKind = "token" | "user" | "source";

export interface Plan {
  readonly generation: number;
  readonly services: readonly ServicePlan[];
  readonly pools: readonly PoolPlan[];
  /** Key of fingerprints in the sticky and source tables, 16 bytes. */
  readonly fingerprintKey: Uint8Array;
  /** Keys that signed routing tokens are opened with; the first one signs. */
  readonly tokenKeys: readonly TokenKey[];
  /** Write a record for each connection's end. */
  readonly accessLog: boolean;
}

export interface ServicePlan {
  /** Slot in the scoreboard. */
  readonly id: number;
  readonly name: string;
  readonly protocol: "tcp" | "rdp";
  /** This worker's own listening descriptors; control keeps them open. */
  readonly listeners: readonly number[];
  readonly routes: readonly RoutePlan[];
  /** Milliseconds. */
  readonly timeouts: { readonly request: number; readonly idle: number; readonly halfClose: number };
  /** 0 is no limit. */
  readonly limits: {
    readonly connections: number;
    readonly connectionsPerSource: number;
    readonly newPerSource: number;
    readonly newPerSourceMs: number;
  };
  readonly trust: readonly Cidr[];
  /** A PROXY header comes first, from trusted addresses. */
  readonly acceptProxy: boolean;
  /** Dial this port instead of the server's own; 0: the server's. */
  readonly serverPort: number;
}

export interface RoutePlan {
  /** Absent: any source. */
  readonly source?: readonly Cidr[];
  /** RDP collection of a tsv:// token; absent: any. */
  readonly collection?: string;
  /** Slots of pools, best first. */
  readonly pools: readonly number[];
  /** Pinned: only this server. */
  readonly server?: ServerId;
}

export interface PoolPlan {
  /** Slot in the scoreboard. */
  readonly id: number;
  readonly name: string;
  readonly algorithm: string;
  readonly persistence: {
    readonly by: readonly PersistenceKind[];
    readonly idleSec: number;
    readonly lifetimeSec: number;
    /** Prefix lengths that make a source. */
    readonly maskIpv4: number;
    readonly maskIpv6: number;
    readonly onDown: "forget" | "keep";
  } | null;
  readonly allDown: "refuse" | "last-known";
  readonly queue: { readonly length: number; readonly timeoutMs: number };
  readonly connectTimeoutMs: number;
  /** How many other servers are tried after a failed connect. */
  readonly retries: number;
  readonly sendProxy: "off" | "v1" | "v2";
  readonly servers: readonly ServerPlan[];
}

export interface ServerPlan {
  readonly id: ServerId;
  readonly name: string;
  /** 16 bytes; IPv4 as ::ffff:a.b.c.d. */
  readonly address: Uint8Array;
  readonly port: number;
  /** As the file has it, 1 to 256; what an agent or a slow start makes of it stands in the scoreboard. */
  readonly weight: number;
  readonly backup: boolean;
  /** How signed routing tokens name it (protocols/rdp/token.ts), in halves. */
  readonly tokenHigh: number;
  readonly tokenLow: number;
}
