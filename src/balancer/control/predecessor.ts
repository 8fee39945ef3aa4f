/** The process that was taken over from, as long as it has connections. */
import type { Columns } from "../shared/columns.ts";
import type { Ledger } from "../shared/ledger.ts";
import type { Scoreboard } from "../shared/scoreboard.ts";
import type { SourceTable } from "../shared/sources.ts";
import type { StickyTable } from "../shared/sticky.ts";
import type { EndSelector } from "../worker/messages.ts";
import { endInPredecessor } from "./handover.ts";

export interface PredecessorContext {
  readonly board: Scoreboard;
  readonly columns: Columns;
  readonly sticky: StickyTable;
  readonly sources: SourceTable;
  /** The ledger of that process. */
  readonly ledger: Ledger;
}

export class Predecessor {
  readonly pid: number;
  /** Columns that its workers count in. */
  readonly columns: readonly number[];
  readonly #socket: string;
  readonly #context: PredecessorContext;

  constructor(pid: number, columns: readonly number[], socket: string, context: PredecessorContext) {
    this.pid = pid;
    this.columns = columns;
    this.#socket = socket;
    this.#context = context;
  }

  connections(): number {
    const { columns } = this.#context;
    return this.columns.reduce(
      (sum, column) => sum + (columns.pid(column) === this.pid ? columns.connections(column) : 0),
      0,
    );
  }

  isAlive(): boolean {
    try {
      return process.kill(this.pid, 0);
    } catch {
      return false;
    }
  }

  /** Ends connections there; 0 when it is gone. */
  async end(which: EndSelector, end: number): Promise<number> {
    return this.isAlive() ? endInPredecessor(this.#socket, which, end).catch(() => 0) : 0;
  }

  /** It is gone: what it still counted is subtracted. When it ended in order, there is nothing left. */
  cleanUp(): void {
    const { board, columns, sticky, sources, ledger } = this.#context;
    for (const column of this.columns) {
      if (columns.pid(column) !== this.pid) continue;
      ledger.forEachOwned(column, (fd, source) => {
        ledger.disown(fd);
        if (source >= 0) sources.release(source);
      });
      sticky.clearOwned(column);
      sources.clearOwned(column);
      board.retireColumn(column);
      columns.free(column);
    }
  }
}
