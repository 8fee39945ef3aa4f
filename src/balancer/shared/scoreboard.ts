/**
 * The scoreboard: each server's state, weight, load and connections, and the counters of servers, services and pools, in
 * memory that all workers, control and (during a takeover) a second process see at once.
 *
 * Who writes what: control writes the server words; a worker writes only its own column (so a dead worker is subtracted by
 * retiring its column). The exceptions are one shared cursor for each server (stride of round-robin) and the moving average
 * of the connect time, which every worker may write and where a lost update does no harm.
 */
import { FORGOTTEN_WORDS, ForgottenView } from "./forgotten.ts";
import {
  HEADER_WORDS,
  MAX_COLUMNS,
  MAX_POOLS,
  MAX_SERVERS,
  MAX_SERVICES,
  type MemoryLayout,
  POOL_COLUMN_WORDS,
  POOL_COUNTERS,
  POOL_WORDS,
  RETIRED_COLUMN,
  SERVER_COLUMN_WORDS,
  SERVER_COUNTERS,
  SERVER_WORDS,
  SERVICE_COLUMN_WORDS,
  SERVICE_COUNTERS,
} from "./layout.ts";
import { PoolView } from "./pool-view.ts";
import { type ServerId, serverId } from "./server-id.ts";
import { GENERATION, ServerView } from "./server-view.ts";
import { SERVICE_OPEN, ServiceCounter, ServiceView } from "./service-view.ts";
import { EndCode } from "./words.ts";

const COLUMNS_IN_USE = 3;

/** The shared words, mapped in this thread. `column` is where this thread counts. */
export class Scoreboard {
  readonly header: Int32Array;
  readonly #servers: Int32Array;
  readonly #serverColumns: Int32Array;
  readonly #serverCounters: Float64Array;
  readonly #serviceColumns: Int32Array;
  readonly #serviceCounters: Float64Array;
  readonly #poolWords: Int32Array;
  readonly #poolColumns: Int32Array;
  readonly #poolCounters: Float64Array;
  readonly #poolForgotten: Int32Array;
  readonly column: number;

  constructor(memory: ArrayBuffer, layout: MemoryLayout, column: number) {
    this.column = column;
    this.header = new Int32Array(memory, layout.header, HEADER_WORDS);
    this.#servers = new Int32Array(memory, layout.servers, MAX_SERVERS * SERVER_WORDS);
    this.#serverColumns = new Int32Array(memory, layout.serverColumns, MAX_COLUMNS * MAX_SERVERS * SERVER_COLUMN_WORDS);
    this.#serverCounters = new Float64Array(memory, layout.serverCounters, MAX_COLUMNS * MAX_SERVERS * SERVER_COUNTERS);
    this.#serviceColumns = new Int32Array(
      memory,
      layout.serviceColumns,
      MAX_COLUMNS * MAX_SERVICES * SERVICE_COLUMN_WORDS,
    );
    this.#serviceCounters = new Float64Array(
      memory,
      layout.serviceCounters,
      MAX_COLUMNS * MAX_SERVICES * SERVICE_COUNTERS,
    );
    this.#poolWords = new Int32Array(memory, layout.poolWords, MAX_POOLS * POOL_WORDS);
    this.#poolColumns = new Int32Array(memory, layout.poolColumns, MAX_COLUMNS * MAX_POOLS * POOL_COLUMN_WORDS);
    this.#poolForgotten = new Int32Array(memory, layout.poolForgotten, MAX_POOLS * FORGOTTEN_WORDS);
    this.#poolCounters = new Float64Array(memory, layout.poolCounters, MAX_COLUMNS * MAX_POOLS * POOL_COUNTERS);
  }

  /** One more than the highest column that any worker has used: sums need not go further. */
  columnsInUse(): number {
    return Atomics.load(this.header, COLUMNS_IN_USE);
  }

  /** Control only: sums reach at least up to `column` from now on. */
  useColumn(column: number): void {
    if (column >= Atomics.load(this.header, COLUMNS_IN_USE)) Atomics.store(this.header, COLUMNS_IN_USE, column + 1);
  }

  /** A server by its slot. Any thread; the view is light and may be kept. */
  server(id: ServerId): ServerView {
    return new ServerView(this, this.#servers, this.#serverColumns, this.#serverCounters, id, this.column);
  }

  /** A service by its slot. */
  service(slot: number): ServiceView {
    return new ServiceView(this, this.#serviceColumns, this.#serviceCounters, slot, this.column);
  }

  /** A pool by its slot. */
  pool(slot: number): PoolView {
    return new PoolView(this, this.#poolWords, this.#poolColumns, this.#poolCounters, slot, this.column);
  }

  /** What a pool, by its slot, has had forgotten. */
  forgotten(slot: number): ForgottenView {
    return new ForgottenView(this.#poolForgotten, slot);
  }

  /** The generation of a slot now, 0 before its first use. Control. */
  generationOf(slot: number): number {
    return Atomics.load(this.#servers, slot * SERVER_WORDS + GENERATION);
  }

  /** Control only: takes a free slot for a new server, with a generation of its own and all words zero. */
  claimServer(slot: number): ServerId {
    const at = slot * SERVER_WORDS;
    const generation = (Atomics.load(this.#servers, at + GENERATION) % 0x7ffff) + 1;
    for (let word = 0; word < SERVER_WORDS; word++) Atomics.store(this.#servers, at + word, 0);
    for (let column = 0; column < MAX_COLUMNS; column++) {
      const counters = (column * MAX_SERVERS + slot) * SERVER_COUNTERS;
      this.#serverCounters.fill(0, counters, counters + SERVER_COUNTERS);
    }
    Atomics.store(this.#servers, at + GENERATION, generation);
    return serverId(slot, generation);
  }

  /** Control only, after the worker of `column` is gone: what was open has ended with it, its totals stay counted. */
  retireColumn(column: number): void {
    for (let service = column * MAX_SERVICES; service < (column + 1) * MAX_SERVICES; service++) {
      const open = Atomics.load(this.#serviceColumns, service * SERVICE_COLUMN_WORDS + SERVICE_OPEN);
      this.#serviceCounters[service * SERVICE_COUNTERS + ServiceCounter.ENDED + EndCode["worker-lost"]]! += open;
    }
    retire(this.#serverCounters, column, MAX_SERVERS * SERVER_COUNTERS);
    retire(this.#serviceCounters, column, MAX_SERVICES * SERVICE_COUNTERS);
    retire(this.#poolCounters, column, MAX_POOLS * POOL_COUNTERS);
    zero(this.#serverColumns, column, MAX_SERVERS * SERVER_COLUMN_WORDS);
    zero(this.#serviceColumns, column, MAX_SERVICES * SERVICE_COLUMN_WORDS);
    zero(this.#poolColumns, column, MAX_POOLS * POOL_COLUMN_WORDS);
  }
}

function retire(counters: Float64Array, column: number, length: number): void {
  const from = column * length;
  const to = RETIRED_COLUMN * length;
  for (let at = 0; at < length; at++) {
    const value = counters[from + at]!;
    if (value === 0) continue;
    counters[to + at]! += value;
    counters[from + at] = 0;
  }
}

function zero(words: Int32Array, column: number, length: number): void {
  for (let at = column * length; at < (column + 1) * length; at++) Atomics.store(words, at, 0);
}
