/** A pool as a worker uses it: the plan with its servers' words, its algorithm and its persistence made ready. */

import type { Span } from "../protocols/http1/fields.ts";
import type { ResponseHead } from "../protocols/http1/response.ts";
import type { Picker } from "./algorithms/algorithm.ts";
import { algorithmNamed } from "./algorithms/index.ts";
import { Candidate } from "./candidate.ts";
import type { Client } from "./client.ts";
import { DEFAULT_MASK, type SourceMask } from "./masked-source.ts";
import { persistenceNamed } from "./persistence/index.ts";
import type { Recogniser } from "./persistence/persistence.ts";
import type { StickyCookies } from "./persistence/sticky-cookies.ts";
import type { PoolPlan } from "./plan.ts";
import { type Fingerprinter, saltOf } from "./shared/fingerprint.ts";
import type { PoolView } from "./shared/pool-view.ts";
import type { Scoreboard } from "./shared/scoreboard.ts";
import type { ServerId } from "./shared/server-id.ts";
import type { StickyTable } from "./shared/sticky.ts";

/** The table learns that a connected client is there this often, or twice in the time after which it would be forgotten. */
const TOUCH_MS = 60_000;

/** What a worker shares out to its pools. */
export interface Shared {
  readonly board: Scoreboard;
  readonly sticky: StickyTable;
  readonly fingerprinter: Fingerprinter;
  /** Even in [0, 1). */
  readonly random: () => number;
  /** Signs and opens sticky cookies. */
  readonly cookies: StickyCookies;
}

/** Primaries or backups: servers among which the algorithm picks. */
export interface Tier {
  readonly servers: readonly Candidate[];
  readonly picker: Picker;
}

/** A way of recognising, and its position in RECOGNISED_BY. */
export interface Kind {
  readonly code: number;
  readonly recogniser: Recogniser;
}

export class PoolRuntime {
  readonly plan: PoolPlan;
  readonly view: PoolView;
  /** All servers, in the order of the file. */
  readonly candidates: readonly Candidate[];
  /** Primaries, then backups; a part without servers is left out. */
  readonly tiers: readonly Tier[];
  /** Best first; empty without persistence. */
  readonly kinds: readonly Kind[];
  /** How often a connected client is to be touched. */
  readonly touchMs: number;
  /** HTTP: most bytes of `writeFields`; 0: it never writes any. */
  readonly fieldBytes: number;
  readonly #byId: ReadonlyMap<number, Candidate>;

  /** Throws for an algorithm or persistence that does not exist, which the schema does not let through. */
  constructor(plan: PoolPlan, shared: Shared) {
    this.plan = plan;
    this.view = shared.board.pool(plan.id);
    this.candidates = plan.servers.map((server, index) => new Candidate(server, shared.board.server(server.id), index));
    this.#byId = new Map(this.candidates.map((candidate) => [candidate.plan.id, candidate]));
    this.tiers = this.#prepareTiers(shared);
    this.kinds = this.#prepareKinds(shared);
    this.fieldBytes = this.kinds.reduce((bytes, { recogniser }) => bytes + (recogniser.fieldBytes ?? 0), 0);
    this.touchMs = Math.min(TOUCH_MS, (plan.persistence?.idleSec || Number.POSITIVE_INFINITY) * 500);
  }

  /** The server of that id, if the pool still has it. */
  find(id: ServerId): Candidate | undefined {
    return this.#byId.get(id);
  }

  /** The client is on `server` now: every way of recognising the client learns it. */
  remember(client: Client, server: ServerId, nowSec: number): void {
    for (let i = 0; i < this.kinds.length; i++) this.kinds[i]!.recogniser.remember(client, server, nowSec);
  }

  /** The client is still there. */
  touch(client: Client, nowSec: number): void {
    for (let i = 0; i < this.kinds.length; i++) this.kinds[i]!.recogniser.touch(client, nowSec);
  }

  /**
   * HTTP: writes whole field lines (a sticky cookie) for the answer of `server` to `client.request` at `out[at]`, at most
   * `fieldBytes`. @returns the position behind them.
   */
  writeFields(client: Client, server: Candidate, secure: boolean, nowSec: number, out: Uint8Array, at: number): number {
    let end = at;
    for (let i = 0; i < this.kinds.length; i++) {
      const { recogniser } = this.kinds[i]!;
      if (recogniser.writeFields !== undefined) end = recogniser.writeFields(client, server, secure, nowSec, out, end);
    }
    return end;
  }

  /** HTTP: the part of a Cookie field of `client.request` that servers must not see; a pool has one cookie at most. */
  hide(client: Client, out: Span): void {
    for (let i = 0; i < this.kinds.length; i++) this.kinds[i]!.recogniser.hide?.(client, out);
  }

  /** HTTP: `server` has answered `client.request` with this head. */
  learn(client: Client, server: Candidate, bytes: Uint8Array, head: ResponseHead, nowSec: number): void {
    for (let i = 0; i < this.kinds.length; i++) this.kinds[i]!.recogniser.learn?.(client, server, bytes, head, nowSec);
  }

  #prepareTiers({ random }: Shared): Tier[] {
    const member = algorithmNamed(this.plan.algorithm);
    if (member === undefined) throw new Error(`there is no algorithm ${this.plan.algorithm}`);
    const primaries = this.candidates.filter((candidate) => !candidate.plan.backup);
    const backups = this.candidates.filter((candidate) => candidate.plan.backup);
    const setting = { pool: this.view, mask: maskOf(this.plan), random };
    return [primaries, backups]
      .filter((servers) => servers.length > 0)
      .map((servers) => ({ servers, picker: member.prepare({ ...setting, servers }) }));
  }

  #prepareKinds({ board, sticky: table, fingerprinter, cookies }: Shared): Kind[] {
    const { persistence } = this.plan;
    if (persistence === null) return [];
    const { idleSec, lifetimeSec } = persistence;
    const [servers, salt, mask] = [this.candidates, saltOf(this.plan.name), maskOf(this.plan)];
    const forgotten = board.forgotten(this.plan.id);
    return persistence.by.map((name) => {
      const member = persistenceNamed(name);
      if (member === undefined) throw new Error(`there is no persistence ${name}`);
      const limits = { salt, idleSec, lifetimeSec, mask };
      const setting = { servers, table, fingerprinter, cookies, forgotten, plan: persistence, ...limits };
      return { code: member.code, recogniser: member.prepare(setting) };
    });
  }
}

function maskOf({ persistence }: PoolPlan): SourceMask {
  return persistence === null ? DEFAULT_MASK : { ipv4: persistence.maskIpv4, ipv6: persistence.maskIpv6 };
}
