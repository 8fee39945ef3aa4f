/** Pools on a scoreboard and a sticky table of their own, without sockets, for tests of deciding. */
import type { Candidate } from "../../src/balancer/candidate.ts";
import { type Client, newClient } from "../../src/balancer/client.ts";
import { StickyCookies } from "../../src/balancer/persistence/sticky-cookies.ts";
import type { PoolPlan, ServerPlan, ServicePlan } from "../../src/balancer/plan.ts";
import { PoolRuntime } from "../../src/balancer/pool-runtime.ts";
import { Fingerprinter } from "../../src/balancer/shared/fingerprint.ts";
import { memoryLayout } from "../../src/balancer/shared/layout.ts";
import { Scoreboard } from "../../src/balancer/shared/scoreboard.ts";
import { WEIGHT_UNIT } from "../../src/balancer/shared/server-view.ts";
import { StickyTable } from "../../src/balancer/shared/sticky.ts";
import { ServerState } from "../../src/balancer/shared/words.ts";
import { parseAddress } from "../../src/protocols/address.ts";
import { RequestHead, readRequestHead } from "../../src/protocols/http1/request.ts";
import { seeded } from "../seeded.ts";

export const NOW = 1_800_000_000;

export interface ServerSketch {
  address?: string;
  port?: number;
  weight?: number;
  backup?: boolean;
  limit?: number;
  tokenHigh?: number;
  tokenLow?: number;
}

export type Persistence = NonNullable<PoolPlan["persistence"]>;

export interface PoolSketch extends Partial<Omit<PoolPlan, "servers" | "persistence" | "id">> {
  servers: Record<string, ServerSketch>;
  persistence?: Partial<Persistence> | null;
}

/** As the schema completes it. */
export const PERSISTENCE: Persistence = {
  by: ["token", "user", "source"],
  idleSec: 8 * 3600,
  lifetimeSec: 24 * 3600,
  maskIpv4: 32,
  maskIpv6: 64,
  onDown: "forget",
  name: "",
  mode: "insert",
  sameSite: "lax",
  secure: true,
  domain: "",
};

/** What a pool has besides names, servers and persistence, as the schema completes it. */
export const POOL = {
  allDown: "refuse",
  queue: { length: 100, timeoutMs: 10_000 },
  connectTimeoutMs: 4_000,
  responseTimeoutMs: 60_000,
  retries: 2,
  sendProxy: "off",
  tls: null,
  http2: false,
  keepAlive: { connections: 0, idleMs: 0 },
  outliers: null,
} satisfies Partial<PoolPlan>;

/** What a service has besides its name, protocol, listeners and routes. */
export const SERVICE = {
  tls: null,
  http: null,
  timeouts: { request: 1_000, idle: 60_000, halfClose: 1_000 },
  limits: { connections: 0, connectionsPerSource: 0, newPerSource: 0, newPerSourceMs: 0 },
  trust: [],
  acceptProxy: false,
  serverPort: 0,
} satisfies Partial<ServicePlan>;

export class Rig {
  readonly board: Scoreboard;
  readonly sticky: StickyTable;
  readonly fingerprinter = new Fingerprinter(new Uint8Array(16).fill(7));
  readonly random: () => number;
  readonly cookies: StickyCookies;
  readonly #memory: ArrayBuffer;
  readonly #layout = memoryLayout({ stickyEntries: 4096, sourceEntries: 1024, files: 64 });
  #slots = 0;
  #pools = 0;

  constructor(seed = 1) {
    this.random = seeded(seed);
    this.cookies = new StickyCookies([{ id: 1, secret: new Uint8Array(32).fill(9) }], this.random);
    // What lies behind the tables is not used here.
    this.#memory = new ArrayBuffer(this.#layout.rings);
    this.board = new Scoreboard(this.#memory, this.#layout, 1);
    this.board.useColumn(1);
    this.sticky = new StickyTable(this.#memory, this.#layout, 1);
  }

  /** The same words as another worker sees them. */
  boardOf(column: number): Scoreboard {
    this.board.useColumn(column);
    return new Scoreboard(this.#memory, this.#layout, column);
  }

  /** A pool whose servers are all ready. */
  pool({ servers, persistence = null, ...rest }: PoolSketch): PoolRuntime {
    const id = this.#pools++;
    const plan: PoolPlan = {
      name: `pool${id}`,
      algorithm: "round-robin",
      ...POOL,
      ...rest,
      id,
      persistence: persistence === null ? null : { ...PERSISTENCE, ...persistence },
      servers: Object.entries(servers).map(([name, sketch]) => this.#server(name, sketch)),
    };
    return this.prepare(plan);
  }

  /** A plan as a worker makes it ready. */
  prepare(plan: PoolPlan, board = this.board): PoolRuntime {
    return new PoolRuntime(plan, {
      board,
      sticky: this.sticky,
      fingerprinter: this.fingerprinter,
      random: this.random,
      cookies: this.cookies,
    });
  }

  #server(name: string, sketch: ServerSketch): ServerPlan {
    const slot = this.#slots++;
    const plan: ServerPlan = {
      id: this.board.claimServer(slot),
      name,
      address: parseAddress(sketch.address ?? `10.9.${slot >> 8}.${slot & 255}`)!,
      port: sketch.port ?? 3389,
      weight: sketch.weight ?? 100,
      backup: sketch.backup ?? false,
      host: "",
      tokenHigh: sketch.tokenHigh ?? slot + 1,
      tokenLow: sketch.tokenLow ?? 0xf000_0000 + slot,
    };
    const view = this.board.server(plan.id);
    view.setWeight(plan.weight * WEIGHT_UNIT, 0);
    view.setLimit(sketch.limit ?? 0);
    view.setState(ServerState.READY, NOW);
    return plan;
  }
}

/** The server of that name. */
export function serverOf(pool: PoolRuntime, name: string): Candidate {
  const candidate = pool.candidates.find(({ plan }) => plan.name === name);
  if (candidate === undefined) throw new Error(`the pool has no server ${name}`);
  return candidate;
}

/** Puts `count` more connections on a server. */
export function occupy(candidate: Candidate, count: number): void {
  for (let i = 0; i < count; i++) if (!candidate.view.reserve()) throw new Error("the server is full");
}

export function clientFrom(source: string, user = "", more: Partial<Client> = {}): Client {
  const bytes = new TextEncoder().encode(user);
  return {
    ...newClient(),
    source: parseAddress(source)!,
    user: bytes,
    userLength: bytes.length,
    userMayBeCut: bytes.length === 9,
    ...more,
  };
}

/** A client with the head of an HTTP request: its lines, the first of them `GET / HTTP/1.1` if none is given. */
export function asks(lines: readonly string[], source = "10.0.0.1"): Client {
  const [first = "GET / HTTP/1.1", ...fields] = lines;
  const hosted = fields.some((field) => /^host:/i.test(field)) ? fields : ["Host: web.test", ...fields];
  const bytes = Buffer.from([first, ...hosted, "", ""].join("\r\n"));
  const head = new RequestHead();
  const used = readRequestHead(bytes, 0, bytes.length, { head: 8192, target: 4096, fields: 64 }, head);
  if (used !== bytes.length) throw new Error(`not a request: ${used}`);
  return clientFrom(source, "", { request: { bytes, head } });
}

/** Client number `n`, each from its own address. */
export function nthClient(n: number): Client {
  return clientFrom(`100.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`);
}
