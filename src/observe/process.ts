/** What Prometheus clients call process_*: this process as the kernel sees it, from /proc. */
import { readdirSync, readFileSync } from "node:fs";

export interface ProcessFigures {
  /** User and system time, seconds. */
  cpuSeconds: number;
  residentBytes: number;
  virtualBytes: number;
  openFiles: number;
  maxFiles: number;
  /** Unix seconds. */
  startedSec: number;
}

/** The kernel's clock tick for /proc on Linux: USER_HZ, 100 everywhere that Bun runs. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** Reads them. A few small files, about 100 us; null where there is no /proc. */
export function processFigures(): ProcessFigures | null {
  try {
    const stat = readFileSync("/proc/self/stat", "latin1");
    // The name in parentheses may hold anything: fields are counted from behind it (proc(5), field 3 on).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const field = (number: number) => Number(fields[number - 3]);
    const bootSec = Number(/^btime (\d+)/m.exec(readFileSync("/proc/stat", "latin1"))?.[1] ?? 0);
    const limit = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
    return {
      cpuSeconds: (field(14) + field(15)) / TICKS_PER_SECOND,
      residentBytes: field(24) * PAGE_BYTES,
      virtualBytes: field(23),
      openFiles: readdirSync("/proc/self/fd").length,
      maxFiles: limit === undefined || limit === "unlimited" ? Number.POSITIVE_INFINITY : Number(limit),
      startedSec: bootSec + field(22) / TICKS_PER_SECOND,
    };
  } catch {
    return null;
  }
}
