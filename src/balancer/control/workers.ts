/**
 * The worker threads: started, given their plans, watched by their heartbeats, replaced.
 *
 * One that throws or hangs is ended within a second. Its descriptors are closed by the ledger, so its connections end; its
 * column is retired, so its counts stay right; its listening sockets stay open, so its queue waits for the replacement.
 */
import { Worker } from "node:worker_threads";
import type { Timing } from "../../deadlines/timing.ts";
import { bug } from "../../errors.ts";
import { sys } from "../../os/libc.ts";
import type { MappedMemory } from "../../os/memory.ts";
import { IS_EXECUTABLE } from "../../program.ts";
import type { Plan } from "../plan.ts";
import type { Columns } from "../shared/columns.ts";
import type { MemoryLayout } from "../shared/layout.ts";
import type { WorkerBirth } from "../worker/data-plane.ts";
import type { EndSelector, FromWorker, ToWorker } from "../worker/messages.ts";
import type { WorkerStatus } from "./balancer.ts";
import { cleanUpAfter, type SharedParts } from "./left-behind.ts";
import type { OpenNumbers } from "./records.ts";

/** The worker's entry. In the executable all modules are one file, and build.ts puts this entry beside it. */
const WORKER = new URL(IS_EXECUTABLE ? "balancer/worker/main.js" : "../worker/main.ts", import.meta.url);
/** Heartbeats are looked at this often; a worker's own longest sleep is 100 ms. */
const WATCH_MS = 100;
/** Without a beat for this long it hangs. */
const HUNG_MS = 600;
/** A new worker may take this long to its first beat. */
const START_MS = 10_000;
/** After `terminate` the thread may still be in a system call, the longest of which lasts 100 ms. */
const GRACE_MS = 150;
const EFD_FLAGS = 0o2000000 | 0o4000;

/** A worker that has failed. */
export interface Lost {
  readonly column: number;
  readonly why: "threw" | "hung";
  readonly message: string;
  /** That it had, and that have ended with it. */
  readonly connections: number;
}

/** What all workers of this process share. */
export interface WorkersContext extends SharedParts {
  readonly memory: MappedMemory;
  readonly layout: MemoryLayout;
  readonly process: number;
  readonly pid: number;
  readonly columns: Columns;
  readonly timing: Timing;
  readonly startSec: number;
  /** The newest plan of a worker (0, 1, …). */
  plan(worker: number): Plan;
  /** A worker was lost, its connections have ended; the next one is about to begin. */
  onLost(lost: Lost): void;
  /** TLS with a server fails, as some worker has found. */
  onServerTlsFailed(pool: string, server: string, reason: string, detail: string): void;
}

class Slot {
  readonly index: number;
  readonly column: number;
  readonly wake: number;
  thread: Worker | null = null;
  state: WorkerStatus["state"] = "starting";
  generation = 0;
  beats = 0;
  beatMs = 0;

  constructor(index: number, column: number) {
    this.index = index;
    this.column = column;
    this.wake = sys.eventfd(0, EFD_FLAGS);
  }
}

export class Workers {
  readonly #context: WorkersContext;
  readonly #slots: Slot[];
  readonly #restarts = { threw: 0, hung: 0 };
  readonly #bell = new BigUint64Array([1n]);
  readonly #answers = new Map<string, (message: FromWorker) => void>();
  #request = 0;
  #waiting: { generation: number; done: () => void }[] = [];
  #stopWatching: (() => void) | null = null;
  #watchedMs = Number.POSITIVE_INFINITY;
  #ended = false;
  #listening = true;

  constructor(count: number, context: WorkersContext) {
    this.#context = context;
    this.#slots = Array.from({ length: count }, (_, index) => {
      const column = context.columns.claim(context.pid);
      if (column < 0) bug("there is no column left for a worker");
      context.board.useColumn(column);
      return new Slot(index, column);
    });
  }

  /** How often a worker was replaced, and why. */
  get restarts(): Readonly<Record<Lost["why"], number>> {
    return this.#restarts;
  }

  /** Columns of this process's workers. */
  get columns(): readonly number[] {
    return this.#slots.map(({ column }) => column);
  }

  /** Starts all; `listening` false: without listeners, until `listen`. Resolves when each serves; rejects when one cannot. */
  async start(listening = true): Promise<void> {
    this.#listening = listening;
    const first = this.#context.plan(0).generation;
    for (const slot of this.#slots) this.#spawn(slot);
    this.#watch();
    await this.#served(first, START_MS);
  }

  #spawn(slot: Slot): void {
    const { memory, layout, process, startSec, timing } = this.#context;
    const birth: WorkerBirth = {
      memory,
      layout,
      process,
      startSec,
      column: slot.column,
      epoch: this.#context.columns.epoch(slot.column),
      wakes: this.#slots.map(({ column, wake }) => ({ column, fd: wake })),
      plan: this.#plan(slot),
    };
    slot.state = "starting";
    slot.beatMs = timing.now();
    const thread = new Worker(WORKER, { workerData: birth });
    slot.thread = thread;
    thread.on("message", (message: FromWorker) => this.#onMessage(slot, message));
    thread.on("error", (error: Error) => this.#lost(slot, thread, "threw", error.stack ?? String(error)));
    thread.on("exit", () => this.#lost(slot, thread, "threw", "the thread ended"));
  }

  #plan(slot: Slot): Plan {
    const plan = this.#context.plan(slot.index);
    return this.#listening ? plan : withoutListeners(plan);
  }

  #onMessage(slot: Slot, message: FromWorker): void {
    switch (message.kind) {
      case "ready":
        slot.state = "running";
        slot.generation = message.generation;
        return this.#checkServed();
      case "server-tls-failed":
        return this.#context.onServerTlsFailed(message.pool, message.server, message.reason, message.detail);
      case "ended":
      case "connections":
        this.#answers.get(`${slot.index} ${message.request}`)?.(message);
    }
  }

  #served(generation: number, withinMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#context.timing.after(withinMs, () => {
        this.#waiting = this.#waiting.filter((waiting) => waiting !== entry);
        reject(new Error(`not every worker served the new configuration within ${withinMs} ms`));
      });
      const entry = {
        generation,
        done: () => {
          cancel();
          resolve();
        },
      };
      this.#waiting.push(entry);
      this.#checkServed();
    });
  }

  #checkServed(): void {
    const lowest = Math.min(...this.#slots.map(({ generation }) => generation));
    const done = this.#waiting.filter(({ generation }) => generation <= lowest);
    this.#waiting = this.#waiting.filter(({ generation }) => generation > lowest);
    for (const waiting of done) waiting.done();
  }

  #tell(slot: Slot, message: ToWorker): void {
    slot.thread?.postMessage(message);
    sys.write(slot.wake, this.#bell, 8);
  }

  /** Sends everyone its newest plan; resolves when each works by it. */
  async adopt(generation: number): Promise<void> {
    for (const slot of this.#slots) this.#tell(slot, { kind: "plan", plan: this.#plan(slot) });
    await this.#served(generation, START_MS);
  }

  /** Workers that were started without listeners accept connections from now on. */
  listen(): void {
    this.#listening = true;
    for (const slot of this.#slots) this.#tell(slot, { kind: "plan", plan: this.#plan(slot) });
  }

  /** No worker accepts connections any more; those there are live on. Resolves when all have let go. */
  async stopListening(): Promise<void> {
    this.#listening = false;
    // An answer to a later message says that the earlier one was read.
    for (const slot of this.#slots) this.#tell(slot, { kind: "stop-listening" });
    await this.list();
  }

  /** Ends connections. @returns how many. */
  async end(which: EndSelector, end: number): Promise<number> {
    const answers = await this.#ask((request) => ({ kind: "end", request, which, end }));
    return answers.reduce((sum, answer) => sum + (answer.kind === "ended" ? answer.count : 0), 0);
  }

  /** The open connections of every worker that answers. */
  async list(): Promise<OpenNumbers[]> {
    const answers = await this.#ask((request) => ({ kind: "list", request }));
    return answers.flatMap((answer, index) =>
      answer.kind === "connections" ? { column: this.#slots[index]!.column, numbers: answer.numbers } : [],
    );
  }

  /** Makes the worker of a column tell again of users' connections that control has not heard of. */
  tellAgain({ column, numbers }: OpenNumbers): void {
    const slot = this.#slots.find((candidate) => candidate.column === column);
    if (slot !== undefined) this.#tell(slot, { kind: "tell-again", numbers });
  }

  /** Asks every worker; one that is lost meanwhile answers with nothing. */
  #ask(message: (request: number) => ToWorker): Promise<FromWorker[]> {
    if (this.#ended) return Promise.resolve([]);
    const request = ++this.#request;
    return Promise.all(
      this.#slots.map(
        (slot) =>
          new Promise<FromWorker>((resolve) => {
            const key = `${slot.index} ${request}`;
            const nothing: FromWorker = { kind: "ended", request, count: 0 };
            const finish = (answer: FromWorker) => {
              cancel();
              this.#answers.delete(key);
              resolve(answer);
            };
            const cancel = this.#context.timing.after(HUNG_MS * 2, () => finish(nothing));
            this.#answers.set(key, finish);
            this.#tell(slot, message(request));
          }),
      ),
    );
  }

  /** For rehearsals: the worker breaks on purpose. */
  rehearse(worker: number, how: "throw" | "hang"): void {
    const slot = this.#slots[worker];
    if (slot) this.#tell(slot, { kind: "break", how });
  }

  report(): WorkerStatus[] {
    const { columns, pid, timing } = this.#context;
    const now = timing.now();
    return this.#slots.map(({ column, state, beatMs }) => ({
      column,
      pid,
      state,
      heartbeatAgeMs: Math.max(0, now - beatMs),
      connections: columns.connections(column),
    }));
  }

  // Watching

  #watch(): void {
    const { columns, timing } = this.#context;
    const now = timing.now();
    // When this thread is late itself, the machine is short of time: that is no worker's fault.
    const late = Math.max(0, now - this.#watchedMs - 2 * WATCH_MS);
    this.#watchedMs = now;
    for (const slot of this.#slots) {
      slot.beatMs += late;
      const beats = columns.beats(slot.column);
      if (beats !== slot.beats) {
        slot.beats = beats;
        slot.beatMs = now;
      } else if (slot.thread !== null && now - slot.beatMs > (slot.state === "running" ? HUNG_MS : START_MS)) {
        this.#lost(slot, slot.thread, "hung", `no heartbeat for ${Math.round(now - slot.beatMs)} ms`);
      }
    }
    if (!this.#ended) this.#stopWatching = timing.after(WATCH_MS, () => this.#watch());
  }

  #lost(slot: Slot, thread: Worker, why: Lost["why"], message: string): void {
    if (slot.thread !== thread) return; // told before
    const { columns, timing } = this.#context;
    slot.thread = null;
    slot.state = "stopping";
    slot.generation = 0;
    if (this.#ended) return;
    const connections = columns.connections(slot.column);
    columns.evict(slot.column);
    void thread.terminate();
    timing.after(GRACE_MS, () => {
      if (this.#ended) return;
      this.#cleanUp(slot);
      this.#restarts[why]++;
      // Before the next worker of this column tells of connections of its own.
      this.#context.onLost({ column: slot.column, why, message, connections });
      this.#spawn(slot);
    });
  }

  /** Everything that the thread held. */
  #cleanUp({ column }: Slot): void {
    cleanUpAfter(column, this.#context, (fd) => sys.close(fd));
  }

  /** Ends all threads and gives their columns back. Their connections end with them. */
  async stop(): Promise<void> {
    this.#ended = true;
    this.#stopWatching?.();
    // Nobody answers any more: who still asks does not have to wait for that.
    for (const answer of [...this.#answers.values()]) answer({ kind: "ended", request: 0, count: 0 });
    const threads = this.#slots.map(({ thread }) => thread);
    for (const slot of this.#slots) {
      slot.thread = null;
      this.#context.columns.evict(slot.column);
      sys.write(slot.wake, this.#bell, 8);
    }
    await Promise.all(threads.map((thread) => thread?.terminate()));
    await new Promise<void>((resolve) => this.#context.timing.after(GRACE_MS, resolve));
    for (const slot of this.#slots) {
      this.#cleanUp(slot);
      this.#context.columns.free(slot.column);
      sys.close(slot.wake);
    }
  }
}

/** Before listening has begun, and after it has stopped, a worker takes care of nothing new. */
function withoutListeners(plan: Plan): Plan {
  return { ...plan, services: plan.services.map((service) => ({ ...service, listeners: [] })) };
}
