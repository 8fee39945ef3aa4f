/** Readers of what Linux says about itself: the text of files of /proc to numbers. Pure; a text that is not right is undefined. */

/** CPU time of all cores since the machine started, in ticks. */
export interface CpuTicks {
  readonly busy: number;
  readonly total: number;
  readonly cores: number;
}

/** Reads `/proc/stat` (proc(5)). Waiting for disks counts as idle; guest time is in user time already. */
export function readCpuTicks(text: string): CpuTicks | undefined {
  const fields = /^cpu +([0-9 ]+)$/m.exec(text)?.[1]?.trim().split(/ +/).map(Number);
  if (fields === undefined || fields.length < 5) return undefined;
  const [user, nice, system, idle, iowait, irq = 0, softirq = 0, steal = 0] = fields as [
    number,
    number,
    number,
    number,
    number,
  ];
  const busy = user + nice + system + irq + softirq + steal;
  return { busy, total: busy + idle + iowait, cores: Math.max(1, text.match(/^cpu[0-9]+ /gm)?.length ?? 1) };
}

/** The share of CPU time that was used between two readings, 0 to 1; 0 if no tick has passed. */
export function cpuShare(before: CpuTicks, after: CpuTicks): number {
  const total = after.total - before.total;
  return total <= 0 ? 0 : share((after.busy - before.busy) / total);
}

/** Reads `/proc/meminfo`: the share of memory that nobody could get now, 0 to 1. */
export function readMemoryShare(text: string): number | undefined {
  const kibibytes = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(text)?.[1] ?? Number.NaN);
  const total = kibibytes("MemTotal");
  const available = kibibytes("MemAvailable");
  return total > 0 && available >= 0 ? share(1 - available / total) : undefined;
}

/** Reads `/proc/loadavg`: runnable and waiting tasks over the last minute for each core; 1 is all that it can do. */
export function readLoadShare(text: string, cores: number): number | undefined {
  const tasks = Number(/^(\d+\.\d+) /.exec(text)?.[1] ?? Number.NaN);
  return tasks >= 0 ? share(tasks / cores) : undefined;
}

/** Cut to 0 to 1. */
function share(value: number): number {
  return Math.min(1, Math.max(0, value));
}
