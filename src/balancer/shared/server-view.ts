/** A server in the scoreboard: its state, weight, load, connections and counters. */
import { MAX_SERVERS, SERVER_COLUMN_WORDS, SERVER_COUNTERS, SERVER_WORDS } from "./layout.ts";
import { type ServerId, slotOf } from "./server-id.ts";
import { type ColumnCount, sumCounters } from "./sums.ts";
import { ServerState } from "./words.ts";

// Words of a server.
/** The word of a server that the scoreboard itself writes: its slot's generation. */
export const GENERATION = 0;
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
const BAD_ANSWERS = 11;

// Words of a server in a worker's column.
const CONNECTIONS = 0;

/** A server's counters: positions in a worker's column. */
export const ServerCounter = { TOTAL: 0, BYTES_IN: 1, BYTES_OUT: 2, FAILURES: 3 } as const;

/** Weights are held in 256ths, so that an agent's percentage or a slow start can make a small weight smaller. */
export const WEIGHT_UNIT = 256;
/** A load at which a server gets no new client. */
export const OVERLOAD = 99;
const STRIDE = 1 << 20;

/** One server's words. Methods say who may call them; "any" is any thread. */
export class ServerView {
  readonly id: ServerId;
  readonly #board: ColumnCount;
  readonly #words: Int32Array;
  readonly #columns: Int32Array;
  readonly #counters: Float64Array;
  readonly #at: number;
  readonly #slot: number;
  readonly #mine: number;
  readonly #mineCounters: number;

  constructor(
    board: ColumnCount,
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

  /** Control only. READY after DOWN or MAINTENANCE begins the slow start at `nowSec`; the first READY does not. */
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
    let total = 0;
    const step = MAX_SERVERS * SERVER_COLUMN_WORDS;
    let at = this.#slot * SERVER_COLUMN_WORDS + CONNECTIONS;
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

  /** Worker: a connect failed. */
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

  /** Worker: HTTP: it has answered, well or badly. */
  answered(well: boolean): void {
    if (!well) Atomics.add(this.#words, this.#at + BAD_ANSWERS, 1);
    else if (Atomics.load(this.#words, this.#at + BAD_ANSWERS) !== 0) this.forgetBadAnswers();
  }

  /** Bad answers in a row, over all workers. Any. */
  badAnswers(): number {
    return Atomics.load(this.#words, this.#at + BAD_ANSWERS);
  }

  /** They are counted from none again. Any. */
  forgetBadAnswers(): void {
    Atomics.store(this.#words, this.#at + BAD_ANSWERS, 0);
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
