/** What a process and all that it started have used: CPU in nanoseconds, memory in bytes. Read from /proc. */
import { readdirSync, readFileSync } from "node:fs";

const NS_PER_TICK = 10_000_000;
/** What the two clocks of one interval may differ by: each process rounds its ticks at both ends. */
const TICKS_APART = 4;

/** The process and its descendants, the oldest first. */
export function family(pid: number): number[] {
  const childrenOf = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = Number(statFields(Number(name))?.[1]);
    childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), Number(name)]);
  }
  const found = [pid];
  for (const one of found) found.push(...(childrenOf.get(one) ?? []));
  return found;
}

export interface CpuReading {
  /** By the scheduler, exact, of the threads that live. */
  threads: number;
  /** By the process's own count, in steps of 10 ms, with the threads that have ended. */
  processes: number;
}

export function readCpu(pids: number[]): CpuReading {
  let threads = 0;
  let processes = 0;
  for (const pid of pids) {
    const fields = statFields(pid);
    if (!fields) throw new Error(`process ${pid} is gone: what it used cannot be told`);
    processes += (Number(fields[11]) + Number(fields[12])) * NS_PER_TICK;
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const text = tryRead(`/proc/${pid}/task/${thread}/schedstat`);
      if (text) threads += Number(text.split(" ")[0]);
    }
  }
  return { threads, processes };
}

/** Nanoseconds on a CPU between two readings; the coarse clock is taken only if threads have ended in between. */
export function cpuBetween(before: CpuReading, after: CpuReading): number {
  const exact = after.threads - before.threads;
  const coarse = after.processes - before.processes;
  return coarse > exact * 1.05 + TICKS_APART * NS_PER_TICK ? coarse : exact;
}

/**
 * What the processes have allocated, and what they share counted once: anonymous and shared memory. The program's own text,
 * which other processes of the same program share, is not in it.
 */
export function readMemory(pids: number[]): number {
  let bytes = 0;
  for (const pid of pids) {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    for (const [, kilobytes] of rollup.matchAll(/^Pss_(?:Anon|Shmem):\s+(\d+) kB/gm)) bytes += Number(kilobytes) * 1024;
  }
  return bytes;
}

/** The fields of /proc/PID/stat behind the name, from `state` on; undefined once the process is gone. */
function statFields(pid: number): string[] | undefined {
  const text = tryRead(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
}

function tryRead(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
