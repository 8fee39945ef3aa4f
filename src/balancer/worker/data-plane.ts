/**
 * The data plane of one worker thread: one epoll loop, its listeners, its connections, and the memory it shares.
 *
 * Nothing here awaits. The loop stays in `epoll_wait`; it goes back to the runtime's own event loop only when control says
 * through the wake-up descriptor that there is mail, and once a second.
 */
import { sys } from "../../os/libc.ts";
import { type MappedMemory, memoryBuffer } from "../../os/memory.ts";
import { type Pollable, Poller, READABLE } from "../../os/poller.ts";
import type { TokenKey } from "../../protocols/rdp/token.ts";
import type { Candidate } from "../candidate.ts";
import type { Client } from "../client.ts";
import { DEFAULT_MASK, MaskedSource } from "../masked-source.ts";
import { StickyCookies } from "../persistence/sticky-cookies.ts";
import type { Plan } from "../plan.ts";
import { PoolRuntime, type Shared } from "../pool-runtime.ts";
import { Columns } from "../shared/columns.ts";
import { Fingerprinter } from "../shared/fingerprint.ts";
import type { MemoryLayout } from "../shared/layout.ts";
import { Ledger } from "../shared/ledger.ts";
import { Scoreboard } from "../shared/scoreboard.ts";
import type { ServerId } from "../shared/server-id.ts";
import { REFUSED_CONNECTIONS, SourceTable } from "../shared/sources.ts";
import { StickyTable } from "../shared/sticky.ts";
import { RefusalCode } from "../shared/words.ts";
import type { Arrival } from "./arrival.ts";
import type { Accepting, Unfinished, WorkerContext } from "./context.ts";
import { Journal } from "./journal.ts";
import { Listener } from "./listener.ts";
import type { FromWorker } from "./messages.ts";
import { PoolQueue } from "./queue.ts";
import { ServiceRuntime } from "./service.ts";
import { Timers } from "./timers.ts";
import { TlsTargets } from "./tls/client-context.ts";
import type { TlsFailure } from "./tls/failures.ts";
import { SiteStore } from "./tls/sites.ts";
import { RelayTools } from "./way.ts";

/** The longest sleep: heart and deadlines want to be looked at. */
const TURN_MS = 100;
const MAIL_EVERY_MS = 1000;
/** Control hears of one server's TLS again after this long. */
const TELL_AGAIN_MS = 60_000;
/** Of a queue, when one place may be free. They may wait for different servers; the others are asked within TURN_MS. */
const FIRST_ASKED = 32;
/** Kinds of fingerprints in the source table: what a source has open, and what it has asked for. */
const SOURCE_KIND = 0x53;
const REQUESTS_KIND = 0x52;

/** What control gives a worker at its start. */
export interface WorkerBirth {
  readonly memory: MappedMemory;
  readonly layout: MemoryLayout;
  /** Which of the two processes that may share the memory: 0 or 1. */
  readonly process: number;
  readonly column: number;
  /** Of the column: with another one this worker has to stop. */
  readonly epoch: number;
  /** When the process began, unix seconds: ids of connections are unique over restarts. */
  readonly startSec: number;
  /** Descriptors (eventfd) that wake the workers of this process, by column. */
  readonly wakes: readonly { readonly column: number; readonly fd: number }[];
  readonly plan: Plan;
}

export class DataPlane implements WorkerContext {
  readonly poller = new Poller();
  readonly tools = new RelayTools();
  readonly sites = new SiteStore();
  readonly targets = new TlsTargets();
  readonly timers: Timers;
  readonly board: Scoreboard;
  readonly sticky: StickyTable;
  readonly sources: SourceTable;
  readonly ledger: Ledger;
  readonly journal: Journal;
  readonly column: number;
  /** This turn's time: monotonic, unix milliseconds, unix seconds. */
  nowMs = 0;
  unixMs = 0;
  nowSec = 0;
  connections = 0;
  windingDown = false;
  /** Control has written, or it is time to look. */
  mail = false;
  #mailedMs = 0;
  readonly #columns: Columns;
  readonly #epoch: number;
  readonly #wakes = new Map<number, number>();
  readonly #wakeBytes = new BigUint64Array([1n]);
  readonly #random: () => number;
  readonly #tell: (message: FromWorker) => void;
  /** When control was last told of a server whose TLS fails. */
  readonly #tlsFailures = new Map<ServerId, number>();
  #keys: Pick<Plan, "fingerprintKey" | "tokenKeys"> = { fingerprintKey: new Uint8Array(16), tokenKeys: [] };
  #fingerprinter = new Fingerprinter(this.#keys.fingerprintKey);
  /** Made of the keys, for pools. */
  #shared: Shared | null = null;
  /** By slot. */
  #pools = new Map<number, PoolRuntime>();
  readonly #maskedSource = new MaskedSource(DEFAULT_MASK);
  readonly #sourceKey = new Int32Array(4);
  #listeners = new Map<number, Listener>();
  /** By slot. */
  #services = new Map<number, ServiceRuntime>();
  readonly #queues = new Map<number, PoolQueue>();
  readonly #open = new Map<number, Arrival>();
  #unfinished: Unfinished[] = [];
  #acceptLater: Accepting[] = [];
  #roomMayBe = false;
  #servedMs = 0;

  /** `tell`: what control hears between two answers. */
  constructor(birth: WorkerBirth, random: () => number, tell: (message: FromWorker) => void = () => {}) {
    const buffer = memoryBuffer(birth.memory);
    const { layout, column } = birth;
    this.column = column;
    this.#epoch = birth.epoch;
    this.#random = random;
    this.#tell = tell;
    this.board = new Scoreboard(buffer, layout, column);
    this.sticky = new StickyTable(buffer, layout, column);
    this.sources = new SourceTable(buffer, layout, column);
    this.ledger = new Ledger(buffer, layout, birth.process);
    this.journal = new Journal(buffer, layout, column, birth.startSec);
    this.#columns = new Columns(buffer, layout);
    this.#tellTime();
    this.timers = new Timers(this.nowMs);
    this.tools.pipes.own = (fd) => this.ledger.own(fd, column);
    this.tools.pipes.disown = (fd) => this.ledger.disown(fd);
    this.ledger.own(this.poller.fd, column);
    for (const wake of birth.wakes) this.#wakes.set(wake.column, wake.fd);
    this.poller.add(this.#wakes.get(column)!, READABLE, new Mailbox(this, this.#wakes.get(column)!));
    this.adopt(birth.plan);
  }

  /** One turn: wait, serve what is ready, then deadlines and queues. @returns false when this worker has to stop. */
  turn(): boolean {
    const busy = this.#unfinished.length > 0 || this.#roomMayBe || this.#mayAccept();
    const ready = this.poller.wait(busy ? 0 : TURN_MS);
    if (this.#columns.epoch(this.column) !== this.#epoch) return false;
    this.#tellTime();
    if (ready > 0) this.poller.dispatch(ready);
    if (this.#unfinished.length > 0) this.#goOn();
    if (this.#acceptLater.length > 0) this.#acceptAgain();
    this.timers.run(this.nowMs);
    this.#serveQueues();
    this.beat();
    if (this.nowMs - this.#mailedMs > MAIL_EVERY_MS) this.mail = true;
    return true;
  }

  /** Alive. Once a turn, and within anything that may last longer than control waits for a beat. */
  beat(): void {
    this.#columns.beat(this.column, this.connections);
  }

  /** Mail is being looked at. */
  mailRead(): void {
    this.mail = false;
    this.#mailedMs = this.nowMs;
  }

  #tellTime(): void {
    this.nowMs = performance.now();
    this.unixMs = Date.now();
    this.nowSec = Math.floor(this.unixMs / 1000);
  }

  // Plans

  get tokenKeys(): readonly TokenKey[] {
    return this.#keys.tokenKeys;
  }

  /** Goes over to a new plan. Listeners that stay keep their sockets; connections keep the plan they began with. */
  adopt(plan: Plan): void {
    this.journal.everyEnd = plan.accessLog;
    this.journal.requests.everyRequest = plan.accessLog;
    this.journal.requests.withAgent = plan.accessFormat === "combined";
    this.sites.adopt(plan);
    this.targets.adopt(plan);
    const pools = this.#preparePools(plan);
    const listeners = new Map<number, Listener>();
    this.#services = new Map();
    for (const service of plan.services) {
      const runtime = new ServiceRuntime(service, this.board.service(service.id), pools);
      this.#services.set(service.id, runtime);
      for (const fd of service.listeners) {
        const listener = this.#listeners.get(fd) ?? this.#listen(fd, runtime);
        listener.service = runtime;
        listeners.set(fd, listener);
      }
    }
    for (const fd of this.#listeners.keys()) if (!listeners.has(fd)) this.poller.remove(fd);
    this.#listeners = listeners;
    // What would ask for its service's newest plan has none any more.
    for (const arrival of [...this.#open.values()]) {
      if (!this.#services.has(arrival.service.plan.id)) arrival.windDown();
    }
    // What had stopped listening does so again: the process that was to take over has failed.
    if (listeners.size > 0) this.windingDown = false;
  }

  /** A pool of which nothing has changed stays as it is: the hash tables of hundreds of them take seconds. */
  #preparePools(plan: Plan): Map<number, PoolRuntime> {
    const { fingerprintKey, tokenKeys } = plan;
    const keys = { fingerprintKey, tokenKeys };
    if (this.#shared === null || !Bun.deepEquals(keys, this.#keys, true)) {
      this.#keys = keys;
      this.#fingerprinter = new Fingerprinter(fingerprintKey);
      this.#pools = new Map();
      this.#shared = {
        board: this.board,
        sticky: this.sticky,
        fingerprinter: this.#fingerprinter,
        random: this.#random,
        cookies: new StickyCookies(tokenKeys, this.#random),
      };
    }
    const pools = new Map<number, PoolRuntime>();
    for (const pool of plan.pools) {
      const known = this.#pools.get(pool.id);
      const same = known !== undefined && Bun.deepEquals(known.plan, pool, true);
      pools.set(pool.id, same ? known : new PoolRuntime(pool, this.#shared));
      this.beat();
    }
    this.#pools = pools;
    return pools;
  }

  #listen(fd: number, service: ServiceRuntime): Listener {
    const listener = new Listener(this, fd, service, (arrival) => this.#began(arrival));
    this.poller.add(fd, READABLE, listener);
    return listener;
  }

  /** Takes no new connections any more, nor new requests of those there are. The sockets are control's to close. */
  stopListening(): void {
    for (const fd of this.#listeners.keys()) this.poller.remove(fd);
    this.#listeners = new Map();
    this.windingDown = true;
    for (const arrival of [...this.#open.values()]) arrival.windDown();
  }

  // Connections

  #began(arrival: Arrival): void {
    this.connections++;
    this.#open.set(arrival.number, arrival);
  }

  ended({ number }: { readonly number: number }): void {
    this.connections--;
    this.#open.delete(number);
  }

  serverTlsFailed({ plan: pool }: PoolRuntime, { plan: server }: Candidate, { reason, detail }: TlsFailure): void {
    const toldMs = this.#tlsFailures.get(server.id) ?? Number.NEGATIVE_INFINITY;
    if (this.nowMs - toldMs < TELL_AGAIN_MS) return;
    this.#tlsFailures.set(server.id, this.nowMs);
    this.#tell({ kind: "server-tls-failed", pool: pool.name, server: server.name, reason, detail });
  }

  newest(service: ServiceRuntime): ServiceRuntime {
    return this.#services.get(service.plan.id) ?? service;
  }

  isCurrent(pool: PoolRuntime): boolean {
    return this.#pools.get(pool.plan.id) === pool;
  }

  /** All open connections of clients, whatever serves them. */
  open(): Iterable<Arrival> {
    return this.#open.values();
  }

  // What goes on in the next turn

  unfinished(connection: Unfinished): void {
    this.#unfinished.push(connection);
  }

  #goOn(): void {
    const unfinished = this.#unfinished;
    this.#unfinished = [];
    for (const connection of unfinished) connection.goOn();
  }

  acceptLater(listener: Accepting): void {
    // Without descriptors every client who connects brings it here again.
    if (!this.#acceptLater.includes(listener)) this.#acceptLater.push(listener);
  }

  #mayAccept(): boolean {
    for (const { restUntilMs } of this.#acceptLater) if (restUntilMs <= this.nowMs) return true;
    return false;
  }

  #acceptAgain(): void {
    const later = this.#acceptLater;
    this.#acceptLater = [];
    for (const listener of later) {
      if (this.#listeners.get(listener.fd) !== listener) continue;
      if (listener.restUntilMs > this.nowMs) this.#acceptLater.push(listener);
      else listener.onReady();
    }
  }

  // Queues

  queueOf(pool: PoolRuntime): PoolQueue {
    let queue = this.#queues.get(pool.plan.id);
    if (queue === undefined) {
      queue = new PoolQueue(pool.view);
      this.#queues.set(pool.plan.id, queue);
    }
    return queue;
  }

  roomMayBe(pool: PoolRuntime): void {
    const column = pool.view.longestWaiting();
    if (column < 0) return;
    if (column === this.column) {
      this.#roomMayBe = true;
      return;
    }
    // A column of another process has no descriptor here: that worker looks by itself within a turn.
    const fd = this.#wakes.get(column);
    if (fd !== undefined) sys.write(fd, this.#wakeBytes, 8);
  }

  /**
   * Asks the first who wait as soon as there may be room, and everyone each TURN_MS, however busy this worker is: nobody
   * tells of a server that came up or got a higher limit, of room that was left between deciding and queueing up, or (in
   * the other process of a takeover) of room at all.
   */
  #serveQueues(): void {
    const everyone = this.nowMs - this.#servedMs >= TURN_MS;
    if (!everyone && !this.#roomMayBe) return;
    this.#roomMayBe = false;
    if (everyone) this.#servedMs = this.nowMs;
    for (const queue of this.#queues.values()) queue.serve(everyone ? queue.length : FIRST_ASKED);
  }

  /** Control or another worker has rung. */
  woken(): void {
    this.mail = true;
    this.#roomMayBe = true;
  }

  // Sources

  admitSource(service: ServiceRuntime, client: Client): number {
    const { connectionsPerSource, newPerSource, newPerSourceMs } = service.plan.limits;
    return this.#admit(SOURCE_KIND, service, client, connectionsPerSource, newPerSource, newPerSourceMs);
  }

  admitRequest(service: ServiceRuntime, client: Client): number {
    const { concurrentPerSource, requestsPerSource, requestsPerSourceMs } = service.plan.http!.limits;
    return this.#admit(REQUESTS_KIND, service, client, concurrentPerSource, requestsPerSource, requestsPerSourceMs);
  }

  #admit(kind: number, service: ServiceRuntime, client: Client, most: number, maxNew: number, perMs: number): number {
    const source = this.#maskedSource.of(client);
    this.#fingerprinter.of(service.salt, kind, source, 0, source.length, this.#sourceKey);
    return this.sources.admit(this.#sourceKey, most, maxNew, perMs, this.unixMs);
  }

  sourceRefusal(slot: number): number {
    return slot === REFUSED_CONNECTIONS ? RefusalCode["limit-source"] : RefusalCode["limit-rate"];
  }
}

/** The wake-up descriptor of this worker. */
class Mailbox implements Pollable {
  readonly #plane: DataPlane;
  readonly #fd: number;
  readonly #count = new BigUint64Array(1);

  constructor(plane: DataPlane, fd: number) {
    this.#plane = plane;
    this.#fd = fd;
  }

  onReady(): void {
    sys.read(this.#fd, this.#count, 8);
    this.#plane.woken();
  }
}
