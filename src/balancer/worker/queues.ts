/** The queues of this worker's pools, and the word from worker to worker that a place at a server may be free. */
import { sys } from "../../os/libc.ts";
import type { PoolRuntime } from "../pool-runtime.ts";
import { PoolQueue } from "./queue.ts";

/** Everyone who waits is asked this often, however busy the worker is. */
const EVERYONE_MS = 100;
/** Of a queue, when one place may be free. They may wait for different servers; the others are asked within EVERYONE_MS. */
const FIRST_ASKED = 32;

export class Queues {
  readonly #column: number;
  readonly #bells: ReadonlyMap<number, number>;
  readonly #ring = new BigUint64Array([1n]);
  /** By slot. */
  readonly #queues = new Map<number, PoolQueue>();
  #room = false;
  #servedMs = 0;

  /** `column`: of this worker. `bells`: descriptors (eventfd) that wake the workers of this process, by column. */
  constructor(column: number, bells: ReadonlyMap<number, number>) {
    this.#column = column;
    this.#bells = bells;
  }

  /** Somebody here is to be asked in this turn. */
  get haveRoom(): boolean {
    return this.#room;
  }

  /** The queue of a pool in this worker. */
  of(pool: PoolRuntime): PoolQueue {
    let queue = this.#queues.get(pool.plan.id);
    if (queue === undefined) {
      queue = new PoolQueue(pool.view);
      this.#queues.set(pool.plan.id, queue);
    }
    return queue;
  }

  /** A place at a server of this pool is free: whoever has waited longest, in whichever worker, may have it. */
  roomMayBe(pool: PoolRuntime): void {
    const column = pool.view.longestWaiting();
    if (column < 0) return;
    if (column === this.#column) return this.rung();
    // A column of another process has no descriptor here: that worker looks by itself within EVERYONE_MS.
    const bell = this.#bells.get(column);
    if (bell !== undefined) sys.write(bell, this.#ring, 8);
  }

  /** Another worker has said so. */
  rung(): void {
    this.#room = true;
  }

  /**
   * Asks the first who wait as soon as there may be room, and everyone each EVERYONE_MS: nobody tells of a server that came
   * up or got a higher limit, of room that was left between deciding and queueing up, or (in the other process of a
   * takeover) of room at all. Each turn.
   */
  serve(nowMs: number): void {
    const everyone = nowMs - this.#servedMs >= EVERYONE_MS;
    if (!everyone && !this.#room) return;
    this.#room = false;
    if (everyone) this.#servedMs = nowMs;
    for (const queue of this.#queues.values()) queue.serve(everyone ? queue.length : FIRST_ASKED);
  }
}
