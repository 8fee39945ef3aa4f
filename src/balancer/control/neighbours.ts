/**
 * The processes that share the memory with this one: the one that it took over from, and the one that takes over from it.
 * At most one of them at a time, because there are two places in the memory.
 */
import { join } from "node:path";
import { HoldfastError } from "../../errors.ts";
import type { Events } from "./events.ts";
import { Neighbour } from "./neighbour.ts";
import type { SharedState } from "./shared-state.ts";

export interface NeighboursOptions {
  readonly shared: SharedState;
  readonly data: string;
  readonly events: Events;
  /** Of the process that is being taken over. */
  readonly before: { readonly pid: number; readonly columns: readonly number[] } | null;
  /** Those who counted in these columns have ended; what they have told can still be read. */
  onPredecessorEnded(columns: readonly number[]): void;
  /** A process that had begun to take over has ended without having done so. */
  onCandidateEnded(): void;
}

export class Neighbours {
  readonly #options: NeighboursOptions;
  #predecessor: Neighbour | null = null;
  /** Has begun to take over, and has not committed yet. */
  #candidate: Neighbour | null = null;
  #isSuperseded = false;

  constructor(options: NeighboursOptions) {
    this.#options = options;
    const { before } = options;
    if (before !== null) this.#predecessor = this.#neighbour(before.pid, before.columns);
  }

  /** Lives on with the connections that it has; null when there is none any more. */
  get predecessor(): Neighbour | null {
    return this.#predecessor;
  }

  /** Another process has taken over: no checks, no records, no snapshots any more. */
  get isSuperseded(): boolean {
    return this.#isSuperseded;
  }

  /** Where this process listens for its successor once it was taken over. */
  get socket(): string {
    return this.#socketOf(process.pid);
  }

  /** Cleans up after those that have ended. About five times a second. */
  look(): void {
    const { events, onPredecessorEnded, onCandidateEnded } = this.#options;
    const predecessor = this.#predecessor;
    if (predecessor !== null && !predecessor.isAlive()) {
      const { pid } = predecessor;
      onPredecessorEnded(predecessor.columns);
      predecessor.cleanUp();
      this.#predecessor = null;
      events.tell("info", "takeover.finished", `process ${pid} has ended`, { predecessor: pid });
    }
    const candidate = this.#candidate;
    if (candidate !== null && !candidate.isAlive()) {
      this.#candidate = null;
      candidate.cleanUp();
      onCandidateEnded();
      events.tell("warn", "takeover.failed", `process ${candidate.pid} has not taken over; this one goes on`);
    }
  }

  /** Process `pid` begins to take over. Throws HoldfastError `api/conflict` while that cannot be. */
  begin(pid: number): void {
    this.refuseDuringTakeover();
    if (this.#predecessor !== null) {
      throw new HoldfastError(
        "api/conflict",
        `process ${this.#predecessor.pid} still has connections of an earlier takeover: try again when they have ended`,
      );
    }
    this.#candidate = this.#neighbour(pid, []);
  }

  /** The process that has begun takes over. Throws HoldfastError `api/conflict` when there is none. */
  commit(): void {
    if (this.#candidate === null) throw new HoldfastError("api/conflict", "nobody has begun to take over");
    this.#candidate = null;
    this.#isSuperseded = true;
  }

  /** For what only the process that serves may do. Throws HoldfastError `api/conflict`. */
  refuseWhenSuperseded(): void {
    if (this.#isSuperseded) throw new HoldfastError("api/conflict", "another process has taken over: ask again");
  }

  /**
   * The same, and for what must not be done from begin to commit: the other process counts on the slots and sockets that it
   * was told of.
   */
  refuseDuringTakeover(): void {
    this.refuseWhenSuperseded();
    this.look();
    if (this.#candidate !== null) {
      throw new HoldfastError("api/conflict", `process ${this.#candidate.pid} is just taking over`);
    }
  }

  #neighbour(pid: number, columns: readonly number[]): Neighbour {
    return new Neighbour(pid, columns, this.#socketOf(pid), this.#options.shared.ofOther());
  }

  #socketOf(pid: number): string {
    return join(this.#options.data, `holdfast-${pid}.sock`);
  }
}
