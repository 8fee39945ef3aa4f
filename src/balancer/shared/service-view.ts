/** A service in the scoreboard: its open connections and counters. */
import { MAX_SERVICES, SERVICE_COLUMN_WORDS, SERVICE_COUNTERS } from "./layout.ts";
import { type ColumnCount, sumCounters } from "./sums.ts";
import { ENDS, HANDSHAKES, HISTOGRAM_SECONDS, RECOGNISED_BY, REFUSALS, RESPONSE_CLASSES } from "./words.ts";

// Words of a service in a worker's column.
export const SERVICE_OPEN = 0;

/** A service's counters: positions in a worker's column. */
export const ServiceCounter = {
  TOTAL: 0,
  BYTES_IN: 1,
  BYTES_OUT: 2,
  /** + position in RECOGNISED_BY */
  RECOGNISED: 3,
  /** + position in REFUSALS */
  REFUSED: 16,
  /** + position in ENDS. Not right behind the refusals: one more of them must not move what two processes share. */
  ENDED: 64,
  /** HTTP: + position in RESPONSE_CLASSES */
  RESPONSES: 104,
  /** HTTP: requests that are over, how long they took in all, and + bucket. Without those that became tunnels. */
  REQUEST_COUNT: 110,
  REQUEST_SECONDS: 111,
  REQUEST_BUCKET: 112,
  /** HTTP: requests that went to a server over a new connection, or over one that was open already. */
  DIALLED: 125,
  REUSED: 126,
  /** TLS with clients: + position in HANDSHAKES */
  HANDSHAKES: 128,
} as const;
if (ServiceCounter.ENDED + ENDS.length > ServiceCounter.RESPONSES)
  throw new Error("ServiceCounter.RESPONSES is too low");
if (ServiceCounter.REQUEST_BUCKET + HISTOGRAM_SECONDS.length + 1 > ServiceCounter.DIALLED)
  throw new Error("ServiceCounter.DIALLED is too low");
if (ServiceCounter.REFUSED + REFUSALS.length > ServiceCounter.ENDED) throw new Error("ServiceCounter.ENDED is too low");
if (ServiceCounter.RECOGNISED + RECOGNISED_BY.length > ServiceCounter.REFUSED)
  throw new Error("ServiceCounter.REFUSED is too low");
if (ServiceCounter.HANDSHAKES + HANDSHAKES.length > SERVICE_COUNTERS) throw new Error("SERVICE_COUNTERS is too small");

/** One service's words. */
export class ServiceView {
  readonly #board: ColumnCount;
  readonly #columns: Int32Array;
  readonly #counters: Float64Array;
  readonly #slot: number;
  readonly #mine: number;
  readonly #mineCounters: number;

  constructor(board: ColumnCount, columns: Int32Array, counters: Float64Array, slot: number, column: number) {
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

  /** Worker: an HTTP request is over, answered with `status` (0: with nothing) after so many seconds. */
  answered(status: number, seconds: number): void {
    const at = this.#mineCounters;
    this.#counters[at + ServiceCounter.RESPONSES + classOf(status)]! += 1;
    // How long a tunnel was open says nothing of how fast anybody answers.
    if (status === SWITCHING_PROTOCOLS) return;
    this.#counters[at + ServiceCounter.REQUEST_COUNT]! += 1;
    this.#counters[at + ServiceCounter.REQUEST_SECONDS]! += seconds;
    let bucket = 0;
    while (bucket < HISTOGRAM_SECONDS.length && seconds > HISTOGRAM_SECONDS[bucket]!) bucket++;
    this.#counters[at + ServiceCounter.REQUEST_BUCKET + bucket]! += 1;
  }

  /** HTTP requests that are over, tunnels among them, over all workers. Any. */
  requests(): number {
    let total = 0;
    for (let i = 0; i < RESPONSE_CLASSES.length; i++) total += this.total(ServiceCounter.RESPONSES + i);
    return total;
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

const SWITCHING_PROTOCOLS = 101;

/** Position in RESPONSE_CLASSES. */
function classOf(status: number): number {
  return status >= 100 && status < 600 ? Math.floor(status / 100) : 0;
}
