/**
 * Who owns each open file descriptor of a process, and which source it counts against: what control needs to close and
 * give back what a dead worker left behind. One part for each of the two processes of a takeover.
 */
import { LEDGER_WORDS, MAX_PROCESSES, type MemoryLayout } from "./layout.ts";

// Words of a descriptor, each + 1 so that 0 is nobody.
const OWNER = 0;
const SOURCE = 1;

/** The ledger of one process, seen from any of its threads. */
export class Ledger {
  readonly #words: Int32Array;
  readonly #files: number;

  /** `process`: 0 or 1. */
  constructor(memory: ArrayBuffer, layout: MemoryLayout, process: number) {
    if (process < 0 || process >= MAX_PROCESSES) throw new RangeError("a process is 0 or 1");
    const length = layout.files * LEDGER_WORDS;
    this.#words = new Int32Array(memory, layout.ledgers + process * length * 4, length);
    this.#files = layout.files;
  }

  /** Worker: it has opened `fd`. @returns false for a descriptor beyond the ledger: close it, nobody else would. */
  own(fd: number, column: number): boolean {
    if (fd >= this.#files) return false;
    Atomics.store(this.#words, fd * LEDGER_WORDS + SOURCE, 0);
    Atomics.store(this.#words, fd * LEDGER_WORDS + OWNER, column + 1);
    return true;
  }

  /** Worker: an owned `fd` counts against this slot of the source table. */
  setSource(fd: number, slot: number): void {
    Atomics.store(this.#words, fd * LEDGER_WORDS + SOURCE, slot + 1);
  }

  /** Worker: an owned `fd` counts against no source any more. */
  clearSource(fd: number): void {
    Atomics.store(this.#words, fd * LEDGER_WORDS + SOURCE, 0);
  }

  /** Worker: before it closes `fd`; after the close another thread may own the same number. */
  disown(fd: number): void {
    if (fd >= this.#files) return;
    Atomics.store(this.#words, fd * LEDGER_WORDS + OWNER, 0);
    Atomics.store(this.#words, fd * LEDGER_WORDS + SOURCE, 0);
  }

  /** Control: visits what `column` owns, `source` -1 for none. `visit` may disown. O(files). */
  forEachOwned(column: number, visit: (fd: number, source: number) => void): void {
    for (let fd = 0; fd < this.#files; fd++) {
      if (Atomics.load(this.#words, fd * LEDGER_WORDS + OWNER) !== column + 1) continue;
      visit(fd, Atomics.load(this.#words, fd * LEDGER_WORDS + SOURCE) - 1);
    }
  }

  /** Control, when a process begins: nobody owns anything. */
  clear(): void {
    this.#words.fill(0);
  }
}
