/**
 * Who counts where: a column for each worker of both processes of a takeover, with its heartbeat.
 *
 * Control claims, evicts and frees; the worker only beats. Each worker is born into the column's epoch of that time, and
 * evicting begins the next one. A worker that finds another epoch than its own stops before it touches another descriptor:
 * control may be closing them, or the next worker of the column may have them already.
 */
import { COLUMN_WORDS, MAX_COLUMNS, type MemoryLayout, RETIRED_COLUMN } from "./layout.ts";

const STATE = 0;
const PID = 1;
const BEAT = 2;
const CONNECTIONS = 3;
const EPOCH = 4;

const FREE = 0;
const RUNNING = 1;

export class Columns {
  readonly #words: Int32Array;

  constructor(memory: ArrayBuffer, layout: MemoryLayout) {
    this.#words = new Int32Array(memory, layout.columns, MAX_COLUMNS * COLUMN_WORDS);
  }

  /** Control: takes a free column for a worker of process `pid`. @returns -1 when there is none. */
  claim(pid: number): number {
    for (let column = RETIRED_COLUMN + 1; column < MAX_COLUMNS; column++) {
      const at = column * COLUMN_WORDS;
      if (Atomics.compareExchange(this.#words, at + STATE, FREE, RUNNING) !== FREE) continue;
      Atomics.store(this.#words, at + PID, pid);
      return column;
    }
    return -1;
  }

  /** Control: the worker of this column has to stop, however late it finds out. */
  evict(column: number): void {
    Atomics.add(this.#words, column * COLUMN_WORDS + EPOCH, 1);
  }

  /** The epoch into which a worker of this column is born now. Any. */
  epoch(column: number): number {
    return Atomics.load(this.#words, column * COLUMN_WORDS + EPOCH);
  }

  /** Control: nobody counts here any more. The epoch goes on: a thread that wakes up late must not find its own again. */
  free(column: number): void {
    // The state last: another process may claim the column the moment it is free.
    for (let word = COLUMN_WORDS - 1; word >= STATE; word--) {
      if (word !== EPOCH) Atomics.store(this.#words, column * COLUMN_WORDS + word, 0);
    }
  }

  /** Worker: alive, once a turn, with so many connections. */
  beat(column: number, connections: number): void {
    const at = column * COLUMN_WORDS;
    Atomics.add(this.#words, at + BEAT, 1);
    Atomics.store(this.#words, at + CONNECTIONS, connections);
  }

  /** A number that changes with each beat. Any. */
  beats(column: number): number {
    return Atomics.load(this.#words, column * COLUMN_WORDS + BEAT);
  }

  /** Open connections of the worker, at its last beat. Any. */
  connections(column: number): number {
    return Atomics.load(this.#words, column * COLUMN_WORDS + CONNECTIONS);
  }

  /** The process of the worker; 0: the column is free. Any. */
  pid(column: number): number {
    return Atomics.load(this.#words, column * COLUMN_WORDS + PID);
  }

  /** All columns that a process counts in. Control. */
  *ofProcess(pid: number): Iterable<number> {
    for (let column = RETIRED_COLUMN + 1; column < MAX_COLUMNS; column++) if (this.pid(column) === pid) yield column;
  }
}
