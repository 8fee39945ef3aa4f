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
import type { Plan } from "../plan.ts";
import type { PoolRuntime } from "../pool-runtime.ts";
import { Columns } from "../shared/columns.ts";
import type { MemoryLayout } from "../shared/layout.ts";
import { Ledger } from "../shared/ledger.ts";
import { Scoreboard } from "../shared/scoreboard.ts";
import type { ServerId } from "../shared/server-id.ts";
import { SourceTable } from "../shared/sources.ts";
import { StickyTable } from "../shared/sticky.ts";
import { Admission } from "./admission.ts";
import type { Arrival } from "./arrival.ts";
import type { Accepting, Unfinished, WorkerContext } from "./context.ts";
import { Journal } from "./journal.ts";
import { Listener } from "./listener.ts";
import type { FromWorker } from "./messages.ts";
import { Queues } from "./queues.ts";
import { Runtimes } from "./runtimes.ts";
import type { ServiceRuntime } from "./service.ts";
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
  readonly queues: Queues;
  readonly admission: Admission;
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
  readonly #tell: (message: FromWorker) => void;
  readonly #runtimes: Runtimes;
  /** When control was last told of a server whose TLS fails. */
  readonly #tlsFailures = new Map<ServerId, number>();
  #listeners = new Map<number, Listener>();
  readonly #open = new Map<number, Arrival>();
  #unfinished: Unfinished[] = [];
  #acceptLater: Accepting[] = [];

  /** `tell`: what control hears between two answers. */
  constructor(birth: WorkerBirth, random: () => number, tell: (message: FromWorker) => void = () => {}) {
    const buffer = memoryBuffer(birth.memory);
    const { layout, column } = birth;
    this.column = column;
    this.#epoch = birth.epoch;
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
    const wakes = new Map(birth.wakes.map((wake) => [wake.column, wake.fd]));
    this.queues = new Queues(column, wakes);
    this.poller.add(wakes.get(column)!, READABLE, new Mailbox(this, wakes.get(column)!));
    this.#runtimes = new Runtimes(this.board, this.sticky, random, birth.plan);
    this.admission = new Admission(this.sources, this.#runtimes.fingerprinter);
    this.adopt(birth.plan);
  }

  /** One turn: wait, serve what is ready, then deadlines and queues. @returns false when this worker has to stop. */
  turn(): boolean {
    const busy = this.#unfinished.length > 0 || this.queues.haveRoom || this.#mayAccept();
    const ready = this.poller.wait(busy ? 0 : TURN_MS);
    if (this.#columns.epoch(this.column) !== this.#epoch) return false;
    this.#tellTime();
    // Hundreds of handshakes in one turn are no worker that hangs.
    for (let event = 0; event < ready; event++) {
      this.poller.tell(event);
      this.beat();
    }
    if (this.#unfinished.length > 0) this.#goOn();
    if (this.#acceptLater.length > 0) this.#acceptAgain();
    this.timers.run(this.nowMs);
    this.queues.serve(this.nowMs);
    this.beat();
    if (this.nowMs - this.#mailedMs > MAIL_EVERY_MS) this.mail = true;
    return true;
  }

  /** Alive. Behind whatever may take long: enough of it in one turn takes longer than control waits for a beat. */
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
    return this.#runtimes.tokenKeys;
  }

  /** Goes over to a new plan. Listeners that stay keep their sockets; connections keep the plan they began with. */
  adopt(plan: Plan): void {
    this.journal.everyEnd = plan.accessLog;
    this.journal.requests.everyRequest = plan.accessLog;
    this.journal.requests.withAgent = plan.accessFormat === "combined";
    this.sites.adopt(plan);
    this.targets.adopt(plan);
    const runtimes = this.#runtimes;
    runtimes.adopt(plan, () => this.beat());
    this.admission.fingerprinter = runtimes.fingerprinter;
    const listeners = new Map<number, Listener>();
    for (const service of runtimes.services) {
      for (const fd of service.plan.listeners) {
        const listener = this.#listeners.get(fd) ?? this.#listen(fd, service);
        listener.service = service;
        listeners.set(fd, listener);
      }
    }
    for (const fd of this.#listeners.keys()) if (!listeners.has(fd)) this.poller.remove(fd);
    this.#listeners = listeners;
    // What would ask for its service's newest plan has none any more.
    for (const arrival of [...this.#open.values()]) {
      if (runtimes.newest(arrival.service) === undefined) arrival.windDown();
    }
    // What had stopped listening does so again: the process that was to take over has failed.
    if (listeners.size > 0) this.windingDown = false;
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
    return this.#runtimes.newest(service) ?? service;
  }

  isCurrent(pool: PoolRuntime): boolean {
    return this.#runtimes.isCurrent(pool);
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
    for (const connection of unfinished) {
      connection.goOn();
      this.beat();
    }
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

  /** Control or another worker has rung. */
  woken(): void {
    this.mail = true;
    this.queues.rung();
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
