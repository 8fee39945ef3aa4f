/** What a worker that is gone has left in the shared memory. */
import type { Ledger } from "../shared/ledger.ts";
import type { Scoreboard } from "../shared/scoreboard.ts";
import type { SourceTable } from "../shared/sources.ts";
import type { StickyTable } from "../shared/sticky.ts";

export interface SharedParts {
  readonly board: Scoreboard;
  readonly sticky: StickyTable;
  readonly sources: SourceTable;
  /** Of the process that the worker was part of. */
  readonly ledger: Ledger;
}

/**
 * Subtracts what the worker of `column` still counted, and frees what it was writing. `close` is told of each descriptor that
 * it had, which nobody owns any more. Main thread, and only when nobody counts in that column.
 */
export function cleanUpAfter(
  column: number,
  { board, sticky, sources, ledger }: SharedParts,
  close: (fd: number) => void,
): void {
  ledger.forEachOwned(column, (fd, source) => {
    ledger.disown(fd);
    close(fd);
    if (source >= 0) sources.release(source);
  });
  sticky.clearOwned(column);
  sources.clearOwned(column);
  board.retireColumn(column);
}
