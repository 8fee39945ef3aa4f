/**
 * What lies where in the memory that workers, control and (during a takeover) two processes share.
 *
 * One file of facts: sizes and offsets, no logic. A change of any of them needs a new LAYOUT_VERSION: a process that takes
 * over from one with another version starts from the snapshot instead of the shared memory.
 */
import { FORGOTTEN_WORDS } from "./forgotten.ts";

export const LAYOUT_MAGIC = 0x484f4c44; // "HOLD"
export const LAYOUT_VERSION = 3;

/** Columns: one for each worker of both processes of a takeover; column 0 keeps the counters of workers that are gone. */
export const MAX_COLUMNS = 34;
export const RETIRED_COLUMN = 0;
export const MAX_SERVERS = 2048;
export const MAX_SERVICES = 128;
export const MAX_POOLS = 256;

/** Most file descriptors of a process that the ledger knows. Some containers are allowed a billion, which is 16 GB of it. */
export const MAX_FILES = 1 << 20;

/** Bytes of one worker's record ring. */
export const RING_BYTES = 1 << 20;

/** The sizes that a configuration chooses. */
export interface MemorySizes {
  /** Entries of the sticky table; rounded up to a power of two. */
  readonly stickyEntries: number;
  /** Entries of the source table; rounded up to a power of two. */
  readonly sourceEntries: number;
  /** File descriptors of a process: the ledger's length, at most MAX_FILES. */
  readonly files: number;
}

/** Byte offsets of each part. */
export interface MemoryLayout extends MemorySizes {
  readonly header: number;
  readonly columns: number;
  readonly servers: number;
  readonly serverColumns: number;
  readonly serverCounters: number;
  readonly serviceColumns: number;
  readonly serviceCounters: number;
  readonly poolWords: number;
  readonly poolColumns: number;
  readonly poolCounters: number;
  readonly poolForgotten: number;
  readonly sticky: number;
  readonly sources: number;
  readonly rings: number;
  readonly ledgers: number;
  readonly bytes: number;
}

export const HEADER_WORDS = 64;
export const COLUMN_WORDS = 16;
export const SERVER_WORDS = 16;
export const SERVER_COLUMN_WORDS = 2;
export const SERVER_COUNTERS = 4;
export const SERVICE_COLUMN_WORDS = 2;
export const SERVICE_COUNTERS = 144;
export const POOL_WORDS = 16;
export const POOL_COLUMN_WORDS = 4;
export const POOL_COUNTERS = 48;
/** Words of one sticky entry and of one source entry: a cache line each. */
export const STICKY_ENTRY_WORDS = 16;
export const SOURCE_ENTRY_WORDS = 16;
export const LEDGER_WORDS = 2;
/** Two processes at once, no more: a third waits until the first is gone. */
export const MAX_PROCESSES = 2;

const PAGE = 4096;

/** Where each part begins, for these sizes. Every part begins on a page of its own. */
export function memoryLayout(sizes: MemorySizes): MemoryLayout {
  let at = 0;
  const part = (bytes: number) => {
    const begin = at;
    at += Math.ceil(bytes / PAGE) * PAGE;
    return begin;
  };
  const stickyEntries = powerOfTwo(sizes.stickyEntries);
  const sourceEntries = powerOfTwo(sizes.sourceEntries);
  const files = Math.min(sizes.files, MAX_FILES);
  return {
    files,
    stickyEntries,
    sourceEntries,
    header: part(HEADER_WORDS * 4),
    columns: part(MAX_COLUMNS * COLUMN_WORDS * 4),
    servers: part(MAX_SERVERS * SERVER_WORDS * 4),
    serverColumns: part(MAX_COLUMNS * MAX_SERVERS * SERVER_COLUMN_WORDS * 4),
    serverCounters: part(MAX_COLUMNS * MAX_SERVERS * SERVER_COUNTERS * 8),
    serviceColumns: part(MAX_COLUMNS * MAX_SERVICES * SERVICE_COLUMN_WORDS * 4),
    serviceCounters: part(MAX_COLUMNS * MAX_SERVICES * SERVICE_COUNTERS * 8),
    poolWords: part(MAX_POOLS * POOL_WORDS * 4),
    poolColumns: part(MAX_COLUMNS * MAX_POOLS * POOL_COLUMN_WORDS * 4),
    poolCounters: part(MAX_COLUMNS * MAX_POOLS * POOL_COUNTERS * 8),
    poolForgotten: part(MAX_POOLS * FORGOTTEN_WORDS * 4),
    sticky: part(stickyEntries * STICKY_ENTRY_WORDS * 4 + PAGE),
    sources: part(sourceEntries * SOURCE_ENTRY_WORDS * 4 + PAGE),
    rings: part(MAX_COLUMNS * RING_BYTES),
    ledgers: part(MAX_PROCESSES * files * LEDGER_WORDS * 4),
    bytes: at,
  };
}

function powerOfTwo(atLeast: number): number {
  let size = 1024;
  while (size < atLeast) size *= 2;
  return size;
}
