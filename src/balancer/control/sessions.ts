/** Who has a session where: what the workers' records tell of it, and what people ask. */
import type { Config } from "../../config/schema.ts";
import { columnOfId, parseConnectionId } from "../shared/record.ts";
import type { SessionFilter, SessionPage, SessionSelector } from "./balancer.ts";
import { MemoryDirectory } from "./directory.ts";
import type { Output } from "./output.ts";
import { type AccessLines, type AskedWorkers, Records } from "./records.ts";
import { connectionsOf, pageOf } from "./session-pages.ts";
import type { SharedState } from "./shared-state.ts";
import type { Slots } from "./slots.ts";

/** Full rings are emptied in so many rounds at once; what comes faster waits for the next time. */
const ROUNDS = 10;

export interface SessionsOptions {
  readonly shared: SharedState;
  readonly slots: Slots;
  readonly output: Output;
  readonly accessLines: AccessLines;
  /** Unix milliseconds. */
  readonly wallClock: () => number;
  /** Whose records are read: all workers', those of the process before too. */
  columns(): readonly number[];
}

export class Sessions {
  readonly directory = new MemoryDirectory();
  readonly #options: SessionsOptions;
  readonly #records: Records;

  constructor(options: SessionsOptions) {
    this.#options = options;
    const { shared, slots, accessLines, output } = options;
    const { directory } = this;
    this.#records = new Records({
      memory: shared.buffer,
      layout: shared.layout,
      slots,
      directory,
      accessLines,
      sink: output,
    });
  }

  /** From the next line of the access log on. */
  setAccessLines(lines: AccessLines): void {
    this.#records.setAccessLines(lines);
  }

  /** Takes what the workers have told. */
  read(): void {
    for (let round = 0; round < ROUNDS; round++) if (!this.#records.drain(this.#options.columns())) return;
  }

  /** Records that found no room in their rings. */
  dropped(): number {
    return this.#records.dropped(this.#options.columns());
  }

  /** Those who counted in these columns are gone: what they have told is read, and no more will come. */
  lose(columns: readonly number[]): void {
    this.read();
    const isLost = (id: string) => columns.includes(columnOfId(parseConnectionId(id)?.high ?? 0));
    this.directory.lost(isLost, this.#options.wallClock());
  }

  /** Looks whether a full ring has kept something from the directory. About once a minute. */
  async compare(columns: readonly number[], workers: AskedWorkers): Promise<void> {
    await this.#records.compare(columns, workers, this.#options.wallClock);
  }

  /** A disconnected session is forgotten when its pool would no longer recognise its user. */
  forget(config: Config): void {
    const nowMs = this.#options.wallClock();
    this.directory.forget(({ pool, lastSeenMs, sinceMs }) => {
      const persistence = config.pools[pool]?.persistence;
      if (persistence === undefined) return true;
      return nowMs - lastSeenMs > persistence.idle || nowMs - sinceMs > persistence.lifetime;
    });
  }

  page(filter: SessionFilter): SessionPage {
    this.read();
    return pageOf(this.directory.sessions(), filter);
  }

  /** The open connections of the sessions that the selector fits: their numbers, by the column of their worker. */
  connectionsOf(selector: SessionSelector): ReadonlyMap<number, readonly number[]> {
    this.read();
    return connectionsOf(this.directory.sessions(), selector);
  }
}
