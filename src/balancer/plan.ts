/**
 * What a worker needs of the configuration: numbers and slots instead of names and text. Control makes it from the file and
 * sends it as a message; a worker swaps to the newest whole plan, and connections keep the one they began with.
 */
import type { Cidr } from "../protocols/address.ts";
import type { TokenKey } from "../protocols/rdp/token.ts";
import type { ServerId } from "./shared/server-id.ts";

export type PersistenceKind = "token" | "user" | "source" | "cookie" | "header" | "query" | "host";

export interface Plan {
  readonly generation: number;
  readonly services: readonly ServicePlan[];
  readonly pools: readonly PoolPlan[];
  /** Key of fingerprints in the sticky and source tables, 16 bytes. */
  readonly fingerprintKey: Uint8Array;
  /** Keys that signed routing tokens are opened with; the first one signs. */
  readonly tokenKeys: readonly TokenKey[];
  /** Keys of TLS session tickets, newest first: the first encrypts, all decrypt. The same in every worker. */
  readonly ticketKeys: readonly Uint8Array[];
  /** Write a record for each connection's end, and for each HTTP request. */
  readonly accessLog: boolean;
  /** `combined` needs Referer and User-Agent in the record of a request. */
  readonly accessFormat: "json" | "combined";
}

export interface ServicePlan {
  /** Slot in the scoreboard. */
  readonly id: number;
  readonly name: string;
  readonly protocol: "tcp" | "rdp" | "tls" | "http";
  /** TLS with clients ends here; null: plain, or (protocol tls) passed through. */
  readonly tls: TlsPlan | null;
  /** Only for protocol http. */
  readonly http: HttpPlan | null;
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
  /** HTTP: the host without port; TLS passed through: the name the client asks for (SNI). Absent: any. */
  readonly host?: HostPattern;
  /** HTTP: the path begins with these bytes, and goes on with `/`, `?` or nothing. Absent: any. */
  readonly path?: string;
  /** HTTP: a field, its name in lower case; `value` absent: any value. */
  readonly header?: { readonly name: string; readonly value?: string };
  /** Slots of pools, best first; empty where the balancer itself answers. */
  readonly pools: readonly number[];
  /** Pinned: only this server. */
  readonly server?: ServerId;
  /** HTTP: the balancer itself answers. */
  readonly answer?: AnswerPlan;
}

/** `name` in lower case, without a last dot. A wildcard `*.name` stands for exactly one label or more in front of it. */
export interface HostPattern {
  readonly name: string;
  readonly wildcard: boolean;
}

export type AnswerPlan =
  | {
      readonly kind: "redirect";
      /** 301, 302, 303, 307 or 308. */
      readonly status: number;
      /** Absent: the request's own. `port` 0: the scheme's usual one. A `path` replaces path and query. */
      readonly scheme?: "http" | "https";
      readonly host?: string;
      readonly port: number;
      readonly path?: string;
    }
  | {
      readonly kind: "fixed";
      readonly status: number;
      readonly contentType: string;
      readonly body: Uint8Array;
      /** Whole fields besides Content-Type and Content-Length. */
      readonly fields: readonly Field[];
    };

/** A header field. */
export interface Field {
  readonly name: string;
  readonly value: string;
}

/** TLS with clients. */
export interface TlsPlan {
  /** Never empty; the first is for clients that name no server, unless one is for the address they dialled. */
  readonly certificates: readonly CertificatePlan[];
  readonly minimum: "TLSv1.2" | "TLSv1.3";
  /** OpenSSL's list for TLS 1.2 and its suites for 1.3; empty: the built-in choice. */
  readonly ciphers: string;
  readonly cipherSuites: string;
  /** In order of preference; empty: no ALPN. */
  readonly alpn: readonly ("h2" | "http/1.1")[];
  /** Certificates of clients: PEM of those who may sign them; null: clients are not asked. */
  readonly clients: { readonly ca: string; readonly required: boolean; readonly header: string } | null;
}

export interface CertificatePlan {
  /** PEM: the certificate, then those between it and the root. */
  readonly chain: string;
  /** PEM. Never logged. */
  readonly key: string;
  /** Lower case, from subjectAltName (or the common name without one); `*.name` for wildcards. */
  readonly names: readonly string[];
  /** Only for clients without SNI who dialled this address, 16 bytes. */
  readonly address?: Uint8Array;
}

/** TLS with servers. */
export interface ServerTlsPlan {
  /** PEM of those who may sign servers' certificates; "": the system's. */
  readonly ca: string;
  /** `none` only where an administrator has said so. */
  readonly verify: "full" | "none";
  /** Sent as SNI and verified; "": the server's own host name, where it has one, or its address. */
  readonly name: string;
  readonly minimum: "TLSv1.2" | "TLSv1.3";
  /** As in TlsPlan. */
  readonly ciphers: string;
  readonly cipherSuites: string;
  /** What we show the server; null: nothing. PEM. */
  readonly certificate: { readonly chain: string; readonly key: string } | null;
}

/** What an HTTP service does besides routing. Milliseconds; 0 is no limit. */
export interface HttpPlan {
  readonly forwarded: { readonly mode: "replace" | "append" | "off"; readonly standard: boolean };
  readonly requestId: boolean;
  /** Fields to set take the place of those with their name, which are compared without case. Names to remove: lower case. */
  readonly setRequest: readonly Field[];
  readonly removeRequest: readonly string[];
  /** HSTS is one of them. */
  readonly setResponse: readonly Field[];
  readonly removeResponse: readonly string[];
  readonly limits: {
    /** Bytes of the request line and fields (431), and of the target (414); number of fields (431). */
    readonly head: number;
    readonly target: number;
    readonly fields: number;
    /** Requests of one source in `requestsPerSourceMs`, and at one time (429). */
    readonly requestsPerSource: number;
    readonly requestsPerSourceMs: number;
    readonly concurrentPerSource: number;
    /** Least bytes a second of a request's body, over the time that we waited for the client. */
    readonly bodyRate: number;
    /** Streams of one HTTP/2 connection at a time. */
    readonly streams: number;
  };
  readonly timeouts: {
    /** Between two requests of a connection. */
    readonly keepAlive: number;
    /** Silence within a request's body. */
    readonly body: number;
  };
  /** What a client gets when no server can be had: a page of the administrator's, or null for the built-in one. */
  readonly sorry: Extract<AnswerPlan, { kind: "fixed" }> | null;
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
    /** Of the cookie, header or query parameter. */
    readonly name: string;
    /** What a cookie is: our own, one that the server sets, or the server's with our prefix. */
    readonly mode: "insert" | "learn" | "prefix";
    readonly sameSite: "lax" | "strict" | "none";
    /** Our own cookie is marked `Secure` under TLS. */
    readonly secure: boolean;
    /** The cookie's Domain; "": none. */
    readonly domain: string;
  } | null;
  readonly allDown: "refuse" | "last-known";
  readonly queue: { readonly length: number; readonly timeoutMs: number };
  readonly connectTimeoutMs: number;
  /** HTTP: from the whole request until the server begins to answer. */
  readonly responseTimeoutMs: number;
  /** How many other servers are tried after a failed connect. */
  readonly retries: number;
  readonly sendProxy: "off" | "v1" | "v2";
  /** TLS with the servers; null: plain. */
  readonly tls: ServerTlsPlan | null;
  /** HTTP/2 with the servers: over TLS by ALPN, in plain text with prior knowledge. */
  readonly http2: boolean;
  /** HTTP: idle connections kept to each server by each worker, and how long. */
  readonly keepAlive: { readonly connections: number; readonly idleMs: number };
  /** HTTP: a server is left out after so many bad answers in a row; null: never. */
  readonly outliers: {
    readonly consecutive: number;
    /** The first penalty; it grows with each, up to the longest. */
    readonly baseMs: number;
    readonly longestMs: number;
    /** Of the pool's servers, 0 to 1. */
    readonly mostShare: number;
  } | null;
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
  /** As the file has it: a name, or "" where it is an address. TLS verifies it. */
  readonly host: string;
  /** How signed routing tokens name it (protocols/rdp/token.ts), in halves. */
  readonly tokenHigh: number;
  readonly tokenLow: number;
}
