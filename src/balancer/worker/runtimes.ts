/** The pools and services of the newest plan, ready to be asked. */
import type { TokenKey } from "../../protocols/rdp/token.ts";
import { StickyCookies } from "../persistence/sticky-cookies.ts";
import type { Plan } from "../plan.ts";
import { PoolRuntime, type Shared } from "../pool-runtime.ts";
import { Fingerprinter } from "../shared/fingerprint.ts";
import type { Scoreboard } from "../shared/scoreboard.ts";
import type { StickyTable } from "../shared/sticky.ts";
import { ServiceRuntime } from "./service.ts";

type Keys = Pick<Plan, "fingerprintKey" | "tokenKeys">;

export class Runtimes {
  readonly #board: Scoreboard;
  readonly #sticky: StickyTable;
  readonly #random: () => number;
  #keys: Keys;
  /** Made of the keys, for pools. */
  #shared: Shared;
  /** By slot. */
  #pools = new Map<number, PoolRuntime>();
  #services = new Map<number, ServiceRuntime>();

  /** With the keys of the first plan; `adopt` makes the rest of it. */
  constructor(board: Scoreboard, sticky: StickyTable, random: () => number, { fingerprintKey, tokenKeys }: Keys) {
    this.#board = board;
    this.#sticky = sticky;
    this.#random = random;
    this.#keys = { fingerprintKey, tokenKeys };
    this.#shared = this.#sharedBy(this.#keys);
  }

  get tokenKeys(): readonly TokenKey[] {
    return this.#keys.tokenKeys;
  }

  get fingerprinter(): Fingerprinter {
    return this.#shared.fingerprinter;
  }

  /** In the order of the plan. */
  get services(): Iterable<ServiceRuntime> {
    return this.#services.values();
  }

  /** `onPool`: one of them is ready. Hundreds of them take seconds. */
  adopt(plan: Plan, onPool: () => void): void {
    const { fingerprintKey, tokenKeys } = plan;
    const keys = { fingerprintKey, tokenKeys };
    if (!Bun.deepEquals(keys, this.#keys, true)) {
      this.#keys = keys;
      this.#shared = this.#sharedBy(keys);
      this.#pools = new Map();
    }
    this.#pools = this.#preparePools(plan, onPool);
    this.#services = new Map(
      plan.services.map((service) => {
        const view = this.#board.service(service.id);
        return [service.id, new ServiceRuntime(service, view, this.#pools)];
      }),
    );
  }

  #sharedBy({ fingerprintKey, tokenKeys }: Keys): Shared {
    return {
      board: this.#board,
      sticky: this.#sticky,
      fingerprinter: new Fingerprinter(fingerprintKey),
      random: this.#random,
      cookies: new StickyCookies(tokenKeys, this.#random),
    };
  }

  /** A pool of which nothing has changed stays as it is, because its hash tables take their time. */
  #preparePools(plan: Plan, onPool: () => void): Map<number, PoolRuntime> {
    const pools = new Map<number, PoolRuntime>();
    for (const pool of plan.pools) {
      const known = this.#pools.get(pool.id);
      const same = known !== undefined && Bun.deepEquals(known.plan, pool, true);
      pools.set(pool.id, same ? known : new PoolRuntime(pool, this.#shared));
      onPool();
    }
    return pools;
  }

  /** The service of that slot as the newest plan has it; undefined where it has gone. */
  newest(service: ServiceRuntime): ServiceRuntime | undefined {
    return this.#services.get(service.plan.id);
  }

  /** Is the pool, as it is, one of the newest plan? */
  isCurrent(pool: PoolRuntime): boolean {
    return this.#pools.get(pool.plan.id) === pool;
  }
}
