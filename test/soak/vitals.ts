/** How much a process holds, as the kernel counts it. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

export interface Vitals {
  /** MB resident, and the most since `forgetPeak`. */
  readonly rss: number;
  readonly peak: number;
  /** Open descriptors. */
  readonly descriptors: number;
  /** ms of CPU, all threads. */
  readonly cpuMs: number;
}

const TICK_MS = 10;

export function vitals(pid: number): Vitals {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const mb = (name: string) =>
    Math.round(Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 102.4) / 10;
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // Behind the name, which may have anything in it.
  const [user, system] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13)
    .map(Number);
  return {
    rss: mb("VmRSS"),
    peak: mb("VmHWM"),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    cpuMs: (user! + system!) * TICK_MS,
  };
}

/** The peak is counted from now on. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** Rows as a Markdown table, in the order of the first one's keys. */
export function table(rows: readonly Readonly<Record<string, string | number>>[]): string {
  const names = Object.keys(rows[0] ?? {});
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  const body = rows.map((row) => line(names.map((name) => row[name] ?? "")));
  return [line(names), line(names.map((name) => (typeof rows[0]?.[name] === "number" ? "---:" : "---"))), ...body].join(
    "\n",
  );
}
