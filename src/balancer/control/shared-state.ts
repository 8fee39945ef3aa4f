/** The memory that workers, control and the other process of a takeover share, with control's own view of each part. */
import { createMemory, type MappedMemory, mapMemory, memoryBuffer } from "../../os/memory.ts";
import { Columns } from "../shared/columns.ts";
import { LAYOUT_MAGIC, LAYOUT_VERSION, type MemoryLayout, type MemorySizes, memoryLayout } from "../shared/layout.ts";
import { Ledger } from "../shared/ledger.ts";
import { Scoreboard } from "../shared/scoreboard.ts";
import { SourceTable } from "../shared/sources.ts";
import { StickyTable } from "../shared/sticky.ts";

/** Memory that another process made. */
export interface SharedByOther {
  readonly memoryFd: number;
  readonly layout: MemoryLayout;
  /** Which of the two it is: 0 or 1. */
  readonly process: number;
}

export class SharedState {
  readonly layout: MemoryLayout;
  readonly memory: MappedMemory;
  readonly buffer: ArrayBuffer;
  /** Which of the two processes that may share the memory this one is: 0 or 1. */
  readonly process: number;
  readonly columns: Columns;
  readonly board: Scoreboard;
  readonly sticky: StickyTable;
  readonly sources: SourceTable;
  /** Of this process's descriptors. */
  readonly ledger: Ledger;

  /** New memory of these sizes, or `other`'s. */
  constructor(sizes: MemorySizes, other: SharedByOther | null) {
    this.layout = other?.layout ?? memoryLayout(sizes);
    this.memory = other ? mapMemory(other.memoryFd, this.layout.bytes) : createMemory("holdfast", this.layout.bytes);
    this.buffer = memoryBuffer(this.memory);
    this.process = other ? 1 - other.process : 0;
    this.columns = new Columns(this.buffer, this.layout);
    const column = this.columns.claim(process.pid);
    this.board = new Scoreboard(this.buffer, this.layout, column);
    this.board.useColumn(column);
    this.board.header[0] = LAYOUT_MAGIC;
    this.board.header[1] = LAYOUT_VERSION;
    this.sticky = new StickyTable(this.buffer, this.layout, column);
    this.sources = new SourceTable(this.buffer, this.layout, column);
    this.ledger = new Ledger(this.buffer, this.layout, this.process);
    this.ledger.clear();
  }

  /** What this process's workers live in. */
  ofThis() {
    const { memory, layout, process, board, columns, ledger, sticky, sources } = this;
    return { memory, layout, process, board, columns, ledger, sticky, sources };
  }

  /** What is needed to clean up after the other process. */
  ofOther() {
    const { board, columns, sticky, sources } = this;
    return { board, columns, sticky, sources, ledger: new Ledger(this.buffer, this.layout, 1 - this.process) };
  }

  /** Control counts nothing any more. */
  leave(): void {
    this.columns.free(this.board.column);
  }
}
