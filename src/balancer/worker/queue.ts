/** Clients of one pool that wait in this worker until a server has room, in the order of their tickets. */
import type { PoolView } from "../shared/pool-view.ts";

/** Somebody who waits. */
export interface Waiting {
  /** Place in the queue of all workers; 0: none. */
  ticket: number;
  /** There may be room now. @returns whether it no longer waits; it has taken itself out of the queue then. */
  tryAgain(): boolean;
}

export class PoolQueue {
  readonly #pool: PoolView;
  readonly #waiting: Waiting[] = [];

  constructor(pool: PoolView) {
    this.#pool = pool;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** Puts a connection at the end. The bound is the caller's. */
  add(connection: Waiting): void {
    connection.ticket = this.#pool.takeTicket();
    this.#waiting.push(connection);
    this.#publish();
  }

  /** Takes a connection out, wherever it stands. */
  remove(connection: Waiting): void {
    const at = this.#waiting.indexOf(connection);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    this.#publish();
  }

  /** There may be room: the first `most` are asked in order, because they may wait for different servers. */
  serve(most: number): void {
    let at = 0;
    for (let left = most; left > 0 && at < this.#waiting.length; left--) {
      // Who leaves takes itself out of the list.
      if (!this.#waiting[at]!.tryAgain()) at++;
    }
  }

  #publish(): void {
    this.#pool.setQueue(this.#waiting.length, this.#waiting[0]?.ticket ?? 0);
  }
}
