/**
 * The other process that shares the memory: the one that was taken over from, as long as it has connections, or one that is
 * about to take over.
 */
import { readFileSync, rmSync } from "node:fs";
import type { Columns } from "../shared/columns.ts";
import type { EndSelector } from "../worker/messages.ts";
import { endInPredecessor } from "./handover.ts";
import { cleanUpAfter, type SharedParts } from "./left-behind.ts";

/** Its own ledger, and what both share. */
export interface NeighbourContext extends SharedParts {
  readonly columns: Columns;
}

export class Neighbour {
  readonly pid: number;
  /** Columns that its workers count in. */
  readonly columns: readonly number[];
  readonly #socket: string;
  /** When it began: another process may get its id later. */
  readonly #began: string | undefined;
  readonly #context: NeighbourContext;

  constructor(pid: number, columns: readonly number[], socket: string, context: NeighbourContext) {
    this.pid = pid;
    this.columns = columns;
    this.#socket = socket;
    this.#began = beginOf(pid);
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
    return this.#began !== undefined && beginOf(this.pid) === this.#began;
  }

  /** Ends connections there; 0 when it is gone. */
  async end(which: EndSelector, end: number): Promise<number> {
    return this.isAlive() ? endInPredecessor(this.#socket, which, end).catch(() => 0) : 0;
  }

  /** It is gone: what it still counted is subtracted. When it ended in order, there is nothing left. */
  cleanUp(): void {
    rmSync(this.#socket, { force: true });
    const { columns } = this.#context;
    for (const column of columns.ofProcess(this.pid)) {
      // Its descriptors have ended with it.
      cleanUpAfter(column, this.#context, () => {});
      columns.free(column);
    }
  }
}

/** When a process began, in the kernel's ticks (proc(5)); undefined when there is none, or only its exit code waits to be read. */
function beginOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything; fields are counted behind it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
