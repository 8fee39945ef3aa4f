/** A real worker thread with a plan of its own: services on free ports of 127.0.0.1, without the rest of a balancer. */
import { Worker } from "node:worker_threads";
import type { Plan, PoolPlan, ServicePlan } from "../../../src/balancer/plan.ts";
import { Columns } from "../../../src/balancer/shared/columns.ts";
import { Scoreboard } from "../../../src/balancer/shared/scoreboard.ts";
import { type ServerId, slotOf } from "../../../src/balancer/shared/server-id.ts";
import { WEIGHT_UNIT } from "../../../src/balancer/shared/server-view.ts";
import { ServiceCounter } from "../../../src/balancer/shared/service-view.ts";
import {
  ENDS,
  type End,
  EndCode,
  REFUSALS,
  type Refusal,
  RefusalCode,
  ServerState,
} from "../../../src/balancer/shared/words.ts";
import type { WorkerBirth } from "../../../src/balancer/worker/data-plane.ts";
import type { EndSelector, FromWorker, ToWorker } from "../../../src/balancer/worker/messages.ts";
import { sys } from "../../../src/os/libc.ts";
import { bindListener, listen, localPort } from "../../../src/os/socket.ts";
import { parseAddress } from "../../../src/protocols/address.ts";
import { PERSISTENCE, type Persistence, POOL, SERVICE } from "../rig.ts";
import { testMemory } from "../shared/shared-memory.ts";

const LOOPBACK = parseAddress("127.0.0.1")!;
const NONBLOCK = 0o4000;
const NOW_SEC = 1_800_000_000;
/** Nothing tells when a figure changes: it is looked at again after this long, and for no longer than that. */
const BETWEEN_LOOKS_MS = 5;
const WITHIN_MS = 5_000;

/** Its servers are ports of 127.0.0.1, by name. */
export interface PoolSketch extends Partial<Omit<PoolPlan, "id" | "name" | "servers" | "persistence">> {
  readonly servers: Readonly<Record<string, number>>;
  readonly persistence?: Partial<Persistence>;
  /** The host that TLS with the servers verifies. */
  readonly host?: string;
}

/** Without `routes` everyone goes to the first pool. */
export interface ServiceSketch extends Partial<Omit<ServicePlan, "id" | "name" | "listeners" | "routes">> {
  readonly routes?: readonly RouteSketch[];
}

export type RouteSketch = Omit<ServicePlan["routes"][number], "pools"> & { readonly pools: readonly string[] };

export interface PlanSketch {
  readonly pools: Readonly<Record<string, PoolSketch>>;
  readonly services: Readonly<Record<string, ServiceSketch>>;
  readonly ticketKeys?: readonly Uint8Array[];
}

export class WorkerRig {
  readonly #memory = testMemory({ files: 8192 });
  readonly #board: Scoreboard;
  readonly #columns: Columns;
  readonly #column: number;
  readonly #wake = sys.eventfd(0, NONBLOCK);
  readonly #bell = new BigUint64Array([1n]);
  readonly #listeners = new Map<string, number>();
  readonly #ids = new Map<string, number>();
  readonly #heard: ((message: FromWorker) => void)[] = [];
  #thread: Worker | undefined;
  #exited = Promise.resolve();
  #generation = 0;
  #pools: readonly string[] = [];

  private constructor() {
    const { buffer, layout } = this.#memory;
    this.#board = new Scoreboard(buffer, layout, 1);
    this.#columns = new Columns(buffer, layout);
    // The first column is this thread's own, as control has one.
    this.#columns.claim(process.pid);
    this.#column = this.#columns.claim(process.pid);
    this.#board.useColumn(this.#column);
  }

  /** A worker that serves; stop it when the test is over. */
  static async start(sketch: PlanSketch): Promise<WorkerRig> {
    const rig = new WorkerRig();
    const { memory, layout } = rig.#memory;
    const birth: WorkerBirth = {
      memory,
      layout,
      process: 0,
      column: rig.#column,
      epoch: rig.#columns.epoch(rig.#column),
      startSec: NOW_SEC,
      wakes: [{ column: rig.#column, fd: rig.#wake }],
      plan: rig.#plan(sketch),
    };
    const thread = new Worker(new URL("../../../src/balancer/worker/main.ts", import.meta.url), { workerData: birth });
    rig.#thread = thread;
    rig.#exited = new Promise((resolve) => thread.once("exit", () => resolve()));
    thread.on("message", (message: FromWorker) => {
      for (const hear of [...rig.#heard]) hear(message);
    });
    const failed = new Promise<never>((_, reject) => thread.once("error", reject));
    await Promise.race([rig.#hear("ready"), failed]);
    return rig;
  }

  /** Another plan; services and servers of the same names stay what they are. */
  async adopt(sketch: PlanSketch): Promise<void> {
    const ready = this.#hear("ready");
    this.#tell({ kind: "plan", plan: this.#plan(sketch) });
    await ready;
  }

  /** The port that a service listens on. */
  port(service: string): number {
    return localPort(this.#listeners.get(service)!);
  }

  server(pool: string, server: string) {
    return this.#board.server(this.#ids.get(`${pool}/${server}`)! as ServerId);
  }

  /** How many wait in a pool's queue. */
  queued(pool: string): number {
    return this.#board.pool(this.#pools.indexOf(pool)).queued();
  }

  service(name: string) {
    return this.#board.service(this.#ids.get(name)!);
  }

  /** Refusals of a service, without those that did not happen. */
  refused(service: string): Partial<Record<Refusal, number>> {
    const view = this.service(service);
    return Object.fromEntries(
      REFUSALS.map((name) => [name, view.total(ServiceCounter.REFUSED + RefusalCode[name])]).filter(([, n]) => n),
    );
  }

  /** Ends of a service's connections, likewise, once all have ended. */
  async ended(service: string): Promise<Partial<Record<End, number>>> {
    const view = this.service(service);
    await this.until("its connections to end", () => view.open() === 0);
    return Object.fromEntries(
      ENDS.map((name) => [name, view.total(ServiceCounter.ENDED + EndCode[name])]).filter(([, n]) => n),
    );
  }

  /** Resolves once `isDone`; rejects when it does not come. */
  async until(what: string, isDone: () => boolean): Promise<void> {
    for (const began = performance.now(); !isDone(); await Bun.sleep(BETWEEN_LOOKS_MS)) {
      if (performance.now() - began > WITHIN_MS) throw new Error(`waited in vain for ${what}`);
    }
  }

  /** Ends connections as control does. @returns how many. */
  async end(which: EndSelector, end: End): Promise<number> {
    const ended = this.#hear("ended");
    this.#tell({ kind: "end", request: 1, which, end: EndCode[end] });
    return ((await ended) as Extract<FromWorker, { kind: "ended" }>).count;
  }

  /** The slot of a server or a service, as control names it to the worker. */
  slot(name: string): number {
    const id = this.#ids.get(name)!;
    return name.includes("/") ? slotOf(id as ServerId) : id;
  }

  stopListening(): void {
    this.#tell({ kind: "stop-listening" });
  }

  async stop(): Promise<void> {
    this.#columns.evict(this.#column);
    this.#ring();
    await this.#exited;
    for (const fd of this.#listeners.values()) sys.close(fd);
    sys.close(this.#wake);
  }

  #ring(): void {
    sys.write(this.#wake, this.#bell, 8);
  }

  #tell(message: ToWorker): void {
    this.#thread!.postMessage(message);
    this.#ring();
  }

  #hear(kind: FromWorker["kind"]): Promise<FromWorker> {
    return new Promise((resolve) => {
      const hear = (message: FromWorker) => {
        if (message.kind !== kind) return;
        this.#heard.splice(this.#heard.indexOf(hear), 1);
        resolve(message);
      };
      this.#heard.push(hear);
    });
  }

  #plan({ pools, services, ticketKeys = [] }: PlanSketch): Plan {
    const poolNames = Object.keys(pools);
    this.#pools = poolNames;
    return {
      generation: ++this.#generation,
      pools: Object.entries(pools).map(([name, pool], id) => this.#pool(id, name, pool)),
      services: Object.entries(services).map(([name, service], id) => this.#service(id, name, service, poolNames)),
      fingerprintKey: new Uint8Array(16),
      tokenKeys: [],
      ticketKeys,
      accessLog: false,
      accessFormat: "json",
    };
  }

  #pool(id: number, name: string, { servers, persistence, host = "", ...rest }: PoolSketch): PoolPlan {
    return {
      id,
      name,
      algorithm: "first",
      ...POOL,
      ...rest,
      persistence: persistence === undefined ? null : { ...PERSISTENCE, ...persistence },
      servers: Object.entries(servers).map(([server, port]) => ({
        id: this.#server(`${name}/${server}`),
        name: server,
        address: LOOPBACK,
        port,
        weight: 100,
        backup: false,
        host,
        tokenHigh: 1,
        tokenLow: 1,
      })),
    };
  }

  #server(name: string): ServerId {
    const known = this.#ids.get(name);
    if (known !== undefined) return known as ServerId;
    const id = this.#board.claimServer([...this.#ids.keys()].filter((other) => other.includes("/")).length);
    const view = this.#board.server(id);
    view.setWeight(100 * WEIGHT_UNIT, 0);
    view.setState(ServerState.READY, NOW_SEC);
    this.#ids.set(name, id);
    return id;
  }

  #service(id: number, name: string, { routes, ...rest }: ServiceSketch, pools: readonly string[]): ServicePlan {
    let listener = this.#listeners.get(name);
    if (listener === undefined) {
      listener = bindListener(LOOPBACK, 0);
      listen(listener);
      this.#listeners.set(name, listener);
    }
    this.#ids.set(name, id);
    return {
      id,
      name,
      protocol: "tcp",
      ...SERVICE,
      ...rest,
      listeners: [listener],
      routes: (routes ?? [{ pools: [pools[0]!] }]).map((route) => ({
        ...route,
        pools: route.pools.map((pool) => pools.indexOf(pool)),
      })),
    };
  }
}
