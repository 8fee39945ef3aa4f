/**
 * The scoreboard: each server's state, weight, load and connections, and the counters of servers, services and pools, in
 * memory that all workers, control and (during a takeover) a second process see at once.
 *
 * Who writes what: control writes the server words; a worker writes only its own column (so a dead worker is subtracted by
 * retiring its column). The exceptions are one shared cursor for each server (stride of round-robin) and the moving average
 * of the connect time, which every worker may write and where a lost update does no harm.
 */
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
import { ENDS, EndCode, HISTOGRAM_SECONDS, REFUSALS, ServerState } from "./words.ts";

declare const serverBrand: unique symbol;
/** A server of a pool: slot in the low 12 bits, the slot's generation above. Stays the same over reloads. */
export type ServerId = number & { readonly [serverBrand]: true };

const SLOT_BITS = 12;
const SLOT_MASK = (1 << SLOT_BITS) - 1;

/** The slot of a server id. */
export const slotOf = (id: ServerId): number => id & SLOT_MASK;
/** The id of a slot in one generation (1 to 524,287). */
export const serverId = (slot: number, generation: number): ServerId => ((generation << SLOT_BITS) | slot) as ServerId;

// Words of a server.
const GENERATION = 0;
const STATE = 1;
const WEIGHT = 2;
const RAMP_SEC = 3;
const RAMP_LENGTH_SEC = 4;
const LOAD = 5;
const LIMIT = 6;
const CONNECT_MICROS = 7;
const PASS = 8;
const FAILURES = 9;
const LAST_KNOWN = 10;

// Words of a server in a worker's column.
const CONNECTIONS = 0;
const QUEUED = 1;

/** A server's counters: positions in a worker's column. */
export const ServerCounter = { TOTAL: 0, BYTES_IN: 1, BYTES_OUT: 2, FAILURES: 3 } as const;

// Words of a service in a worker's column.
const SERVICE_OPEN = 0;

/** A service's counters: positions in a worker's column. */
export const ServiceCounter = {
  TOTAL: 0,
  BYTES_IN: 1,
  BYTES_OUT: 2,
  /** + position in RECOGNISED_BY */
  RECOGNISED: 3,
  /** + position in REFUSALS */
  REFUSED: 8,
  /** + position in ENDS */
  ENDED: 8 + REFUSALS.length,
} as const;
if (ServiceCounter.ENDED + ENDS.length > SERVICE_COUNTERS) throw new Error("SERVICE_COUNTERS is too small");

// Words of a pool: shared, then in a worker's column.
const POOL_PASS = 0;
const POOL_CURSOR = 1;
const POOL_TICKET = 2;
const POOL_QUEUED = 0;
const POOL_QUEUE_HEAD = 1;

/** A pool's counters: positions in a worker's column. */
export const PoolCounter = {
  /** + position in RETURNS */
  RETURNS: 0,
  CONNECT_COUNT: 5,
  CONNECT_SECONDS: 6,
  /** + bucket */
  CONNECT_BUCKET: 7,
  QUEUE_COUNT: 20,
  QUEUE_SECONDS: 21,
  /** + bucket */
  QUEUE_BUCKET: 22,
} as const;
if (PoolCounter.QUEUE_BUCKET + HISTOGRAM_SECONDS.length + 1 > POOL_COUNTERS)
  throw new Error("POOL_COUNTERS is too small");

/** Weights are held in 256ths, so that an agent's percentage or a slow start can make a small weight smaller. */
export const WEIGHT_UNIT = 256;
/** A load at which a server gets no new client. */
export const OVERLOAD = 99;
const STRIDE = 1 << 20;
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

/** One server's words. Methods say who may call them; "any" is any thread. */
export class ServerView {
  readonly id: ServerId;
  readonly #board: Scoreboard;
  readonly #words: Int32Array;
  readonly #columns: Int32Array;
  readonly #counters: Float64Array;
  readonly #at: number;
  readonly #slot: number;
  readonly #mine: number;
  readonly #mineCounters: number;

  constructor(
    board: Scoreboard,
    words: Int32Array,
    columns: Int32Array,
    counters: Float64Array,
    id: ServerId,
    column: number,
  ) {
    this.id = id;
    this.#board = board;
    this.#words = words;
    this.#columns = columns;
    this.#counters = counters;
    this.#slot = slotOf(id);
    this.#at = this.#slot * SERVER_WORDS;
    this.#mine = (column * MAX_SERVERS + this.#slot) * SERVER_COLUMN_WORDS;
    this.#mineCounters = (column * MAX_SERVERS + this.#slot) * SERVER_COUNTERS;
  }

  /** Any. */
  state(): ServerState {
    return Atomics.load(this.#words, this.#at + STATE) as ServerState;
  }

  /** May it take a client nobody knows? Any; at most one change old. */
  takesNew(): boolean {
    return Atomics.load(this.#words, this.#at + STATE) === ServerState.READY;
  }

  /** May it take a client who was on it before? Any. */
  takesKnown(): boolean {
    const state = Atomics.load(this.#words, this.#at + STATE);
    return state === ServerState.READY || state === ServerState.DRAINING || state === ServerState.OVERLOADED;
  }

  /** Was it usable when its checks last succeeded at all? For `all-down: last-known`. Any. */
  wasUsable(): boolean {
    return (
      Atomics.load(this.#words, this.#at + LAST_KNOWN) !== 0 &&
      Atomics.load(this.#words, this.#at + STATE) !== ServerState.MAINTENANCE
    );
  }

  /** Control only. The first time READY or leaving DOWN starts the ramp at `nowSec`. */
  setState(state: ServerState, nowSec: number): void {
    const before = Atomics.exchange(this.#words, this.#at + STATE, state);
    if (state === ServerState.READY && (before === ServerState.DOWN || before === ServerState.MAINTENANCE)) {
      Atomics.store(this.#words, this.#at + RAMP_SEC, nowSec | 0);
    }
    if (state === ServerState.DOWN) Atomics.store(this.#words, this.#at + RAMP_SEC, 0);
    else if (state !== ServerState.MAINTENANCE) Atomics.store(this.#words, this.#at + LAST_KNOWN, 1);
  }

  /** Control only: the file no longer has it. It takes nobody; its connections live on. */
  retire(): void {
    Atomics.store(this.#words, this.#at + STATE, ServerState.FREE);
    Atomics.store(this.#words, this.#at + LAST_KNOWN, 0);
  }

  /** Control only: forget that it was ever usable (its pool's other servers still answer). */
  forgetLastKnown(): void {
    Atomics.store(this.#words, this.#at + LAST_KNOWN, 0);
  }

  /** Control only. `weight` in WEIGHT_UNITs (100 in the file is 100 * 256); `rampSec` 0 for no slow start. */
  setWeight(weight: number, rampSec: number): void {
    Atomics.store(this.#words, this.#at + WEIGHT, weight);
    Atomics.store(this.#words, this.#at + RAMP_LENGTH_SEC, rampSec);
  }

  /** The weight in WEIGHT_UNITs with slow start taken into account; at least 1 unless the weight is 0. Any. */
  weight(nowSec: number): number {
    const weight = Atomics.load(this.#words, this.#at + WEIGHT);
    const from = Atomics.load(this.#words, this.#at + RAMP_SEC);
    if (from === 0) return weight;
    const length = Atomics.load(this.#words, this.#at + RAMP_LENGTH_SEC);
    const elapsed = (nowSec | 0) - from;
    if (elapsed >= length || weight === 0) return weight;
    return Math.max(1, Math.floor((weight * Math.max(1, elapsed)) / length));
  }

  /** Control only: what the agent said, 0 (idle) to 100. */
  setLoad(load: number): void {
    Atomics.store(this.#words, this.#at + LOAD, load);
  }

  /** Load that the agent reported, 0 to 100; 0 without an agent. Any. */
  load(): number {
    return Atomics.load(this.#words, this.#at + LOAD);
  }

  /** Control only: most connections at once, 0 for no limit. */
  setLimit(limit: number): void {
    Atomics.store(this.#words, this.#at + LIMIT, limit);
  }

  /** Any; 0 is no limit. */
  limit(): number {
    return Atomics.load(this.#words, this.#at + LIMIT);
  }

  /** Open connections, over all workers and both processes of a takeover. Any; O(workers). */
  connections(): number {
    return this.#sum(CONNECTIONS);
  }

  /** Clients that wait for this server. Any. */
  queued(): number {
    return this.#sum(QUEUED);
  }

  #sum(word: number): number {
    let total = 0;
    const step = MAX_SERVERS * SERVER_COLUMN_WORDS;
    let at = this.#slot * SERVER_COLUMN_WORDS + word;
    for (let left = this.#board.columnsInUse(); left > 0; left--, at += step) total += Atomics.load(this.#columns, at);
    return total;
  }

  /** Is there room for one more connection? Any; a race is settled by `reserve`. */
  hasRoom(): boolean {
    const limit = Atomics.load(this.#words, this.#at + LIMIT);
    return limit === 0 || this.connections() < limit;
  }

  /** Worker: counts one connection if the limit allows it. Never exceeds; two who race for the last place may both lose. */
  reserve(): boolean {
    Atomics.add(this.#columns, this.#mine + CONNECTIONS, 1);
    const limit = Atomics.load(this.#words, this.#at + LIMIT);
    if (limit === 0 || this.connections() <= limit) return true;
    Atomics.sub(this.#columns, this.#mine + CONNECTIONS, 1);
    return false;
  }

  /** Worker: a reserved connection has ended. */
  release(): void {
    Atomics.sub(this.#columns, this.#mine + CONNECTIONS, 1);
  }

  /** Worker: one client more (1) or less (-1) waits for this server. */
  queue(change: 1 | -1): void {
    Atomics.add(this.#columns, this.#mine + QUEUED, change);
  }

  /** Worker: adds to a counter of ServerCounter. */
  count(counter: number, by: number): void {
    this.#counters[this.#mineCounters + counter]! += by;
  }

  /** A counter of ServerCounter over all workers since the process began. Any. */
  total(counter: number): number {
    return sumCounters(
      this.#counters,
      MAX_SERVERS * SERVER_COUNTERS,
      this.#slot * SERVER_COUNTERS + counter,
      this.#board,
    );
  }

  /** Worker: a connect took this long. Moves the average by an eighth, as TCP does for its round trip (RFC 6298). */
  connected(micros: number): void {
    const before = Atomics.load(this.#words, this.#at + CONNECT_MICROS);
    const after = before === 0 ? micros : before + (micros - before) / 8;
    Atomics.store(this.#words, this.#at + CONNECT_MICROS, Math.max(1, Math.min(after, 0x7fffffff)));
    if (Atomics.load(this.#words, this.#at + FAILURES) !== 0) Atomics.store(this.#words, this.#at + FAILURES, 0);
  }

  /** Moving average of the connect time in microseconds; 0 before the first. Any. */
  connectMicros(): number {
    return Atomics.load(this.#words, this.#at + CONNECT_MICROS);
  }

  /** Worker: a connect failed. Control: 0 to begin again. */
  failed(): void {
    Atomics.add(this.#words, this.#at + FAILURES, 1);
  }

  /** Connect failures of real traffic since the last success. Any. */
  failuresInRow(): number {
    return Atomics.load(this.#words, this.#at + FAILURES);
  }

  /** Control only: a check succeeded, so failures are counted from none again. */
  forgetFailures(): void {
    Atomics.store(this.#words, this.#at + FAILURES, 0);
  }

  /**
   * Where the server stands in its pool's round (stride scheduling): the turn it would get next at this weight, relative to
   * the pool's turn. A server that was away does not claim the turns it missed. Any.
   */
  nextTurn(poolTurn: number, weight: number): number {
    const stride = ((STRIDE * WEIGHT_UNIT) / weight) | 0;
    const behind = (Atomics.load(this.#words, this.#at + PASS) - poolTurn) | 0;
    // Further ahead than a race between workers puts it: the turns wrapped while it was away, or it is new.
    if (behind > 4 * stride) return 0;
    return Math.max(behind, -stride) + stride;
  }

  /** Any worker: the server was chosen for the turn that `nextTurn` gave. */
  takeTurn(poolTurn: number, turn: number): void {
    Atomics.store(this.#words, this.#at + PASS, (poolTurn + turn) | 0);
  }
}

function sumCounters(counters: Float64Array, step: number, at: number, board: Scoreboard): number {
  let total = 0;
  for (let left = board.columnsInUse(); left > 0; left--, at += step) total += counters[at]!;
  return total;
}

/** One service's words. */
export class ServiceView {
  readonly #board: Scoreboard;
  readonly #columns: Int32Array;
  readonly #counters: Float64Array;
  readonly #slot: number;
  readonly #mine: number;
  readonly #mineCounters: number;

  constructor(board: Scoreboard, columns: Int32Array, counters: Float64Array, slot: number, column: number) {
    this.#board = board;
    this.#columns = columns;
    this.#counters = counters;
    this.#slot = slot;
    this.#mine = (column * MAX_SERVICES + slot) * SERVICE_COLUMN_WORDS;
    this.#mineCounters = (column * MAX_SERVICES + slot) * SERVICE_COUNTERS;
  }

  /** Open connections of the service over all workers. Any. */
  open(): number {
    let total = 0;
    const step = MAX_SERVICES * SERVICE_COLUMN_WORDS;
    let at = this.#slot * SERVICE_COLUMN_WORDS + SERVICE_OPEN;
    for (let left = this.#board.columnsInUse(); left > 0; left--, at += step) total += Atomics.load(this.#columns, at);
    return total;
  }

  /** Worker: counts one connection if `limit` (0: none) allows it. */
  reserve(limit: number): boolean {
    Atomics.add(this.#columns, this.#mine + SERVICE_OPEN, 1);
    if (limit === 0 || this.open() <= limit) return true;
    Atomics.sub(this.#columns, this.#mine + SERVICE_OPEN, 1);
    return false;
  }

  /** Worker: a reserved connection has ended. */
  release(): void {
    Atomics.sub(this.#columns, this.#mine + SERVICE_OPEN, 1);
  }

  /** Worker: adds to a counter of ServiceCounter. */
  count(counter: number, by: number): void {
    this.#counters[this.#mineCounters + counter]! += by;
  }

  /** A counter of ServiceCounter over all workers. Any. */
  total(counter: number): number {
    return sumCounters(
      this.#counters,
      MAX_SERVICES * SERVICE_COUNTERS,
      this.#slot * SERVICE_COUNTERS + counter,
      this.#board,
    );
  }
}

/** One pool's words: the shared cursors and the counters. */
export class PoolView {
  readonly #board: Scoreboard;
  readonly #words: Int32Array;
  readonly #columns: Int32Array;
  readonly #counters: Float64Array;
  readonly #slot: number;
  readonly #at: number;
  readonly #mine: number;
  readonly #mineCounters: number;

  constructor(
    board: Scoreboard,
    words: Int32Array,
    columns: Int32Array,
    counters: Float64Array,
    slot: number,
    column: number,
  ) {
    this.#board = board;
    this.#words = words;
    this.#columns = columns;
    this.#counters = counters;
    this.#slot = slot;
    this.#at = slot * POOL_WORDS;
    this.#mine = (column * MAX_POOLS + slot) * POOL_COLUMN_WORDS;
    this.#mineCounters = (column * MAX_POOLS + slot) * POOL_COUNTERS;
  }

  /** The turn of the pool's round-robin (see ServerView.nextTurn). Any. */
  turn(): number {
    return Atomics.load(this.#words, this.#at + POOL_PASS);
  }

  /** Any worker: the round has come to this turn. */
  setTurn(turn: number): void {
    Atomics.store(this.#words, this.#at + POOL_PASS, turn | 0);
  }

  /** A counter that all workers share: 0, 1, 2 … (wraps). */
  nextCursor(): number {
    return Atomics.add(this.#words, this.#at + POOL_CURSOR, 1) >>> 0;
  }

  /** Worker: a ticket for a place in the pool's queue, in order over all workers. Never 0. */
  takeTicket(): number {
    return (Atomics.add(this.#words, this.#at + POOL_TICKET, 1) & 0x3fffffff) + 1;
  }

  /** Worker: how many wait here and the ticket of the first of them (0: nobody). */
  setQueue(length: number, head: number): void {
    Atomics.store(this.#columns, this.#mine + POOL_QUEUED, length);
    Atomics.store(this.#columns, this.#mine + POOL_QUEUE_HEAD, head);
  }

  /** Clients that wait, over all workers. Any. */
  queued(): number {
    let total = 0;
    for (let column = this.#board.columnsInUse() - 1; column >= 0; column--) total += this.#load(column, POOL_QUEUED);
    return total;
  }

  /** The column whose first waiter has waited longest, or -1 when nobody waits. Any. */
  longestWaiting(): number {
    let best = -1;
    let bestTicket = 0;
    for (let column = this.#board.columnsInUse() - 1; column >= 0; column--) {
      const ticket = this.#load(column, POOL_QUEUE_HEAD);
      if (ticket === 0 || (best >= 0 && ((ticket - bestTicket) & 0x3fffffff) < 0x1fffffff)) continue;
      best = column;
      bestTicket = ticket;
    }
    return best;
  }

  #load(column: number, word: number): number {
    return Atomics.load(this.#columns, (column * MAX_POOLS + this.#slot) * POOL_COLUMN_WORDS + word);
  }

  /** Worker: adds to a counter of PoolCounter. */
  count(counter: number, by: number): void {
    this.#counters[this.#mineCounters + counter]! += by;
  }

  /** Worker: puts a duration into the histogram whose count is at `counter` (CONNECT_COUNT or QUEUE_COUNT). */
  observe(counter: number, seconds: number): void {
    const at = this.#mineCounters + counter;
    this.#counters[at]! += 1;
    this.#counters[at + 1]! += seconds;
    let bucket = 0;
    while (bucket < HISTOGRAM_SECONDS.length && seconds > HISTOGRAM_SECONDS[bucket]!) bucket++;
    this.#counters[at + 2 + bucket]! += 1;
  }

  /** A counter of PoolCounter over all workers. Any. */
  total(counter: number): number {
    return sumCounters(this.#counters, MAX_POOLS * POOL_COUNTERS, this.#slot * POOL_COUNTERS + counter, this.#board);
  }
}
