/** The rows of the table, the samples behind them and what is made of them: medians, and ratios of paired rounds. */
import type { Protocol } from "./peers.ts";

export interface Row {
  key: string;
  title: string;
  unit: string;
  better: "lower" | "higher";
  digits: number;
  /** Whether the target (at most 1.0 of HAProxy) is for this row; the others are told for information. */
  held: boolean;
}

const row = (key: string, title: string, unit: string, digits: number, more: Partial<Row> = {}): Row => ({
  key,
  title,
  unit,
  better: "lower",
  digits,
  held: true,
  ...more,
});

export const ROWS = [
  row("connection", "CPU for each connection", "us", 1),
  row("down", "CPU for each MB to the client", "us", 0),
  row("up", "CPU for each MB from the client", "us", 0),
  row("rate", "connections a second", "", 0, { better: "higher" }),
  row("busy", "its cores busy meanwhile", "%", 0, { held: false }),
  row("trip50", "added to a round trip, p50", "us", 1),
  row("trip99", "added to a round trip, p99", "us", 1),
  row("first50", "added until the first byte, p50", "us", 1),
  row("first99", "added until the first byte, p99", "us", 1),
  row("idle", "memory for each idle connection", "bytes", 0),
  row("empty", "memory of the process without connections", "MB", 1, { held: false }),
] as const;

/** One value for each round, by protocol, row and column. */
export class Samples {
  readonly #series = new Map<string, number[]>();

  add(protocol: Protocol, key: string, column: string, value: number): void {
    const name = `${protocol} ${key} ${column}`;
    const series = this.#series.get(name) ?? [];
    series.push(value);
    this.#series.set(name, series);
  }

  series(protocol: Protocol, key: string, column: string): number[] {
    return this.#series.get(`${protocol} ${key} ${column}`) ?? [];
  }
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export interface Ratio {
  median: number;
  least: number;
  most: number;
}

/**
 * How we do beside them, round by round; below 1 we are ahead, whichever way the row is counted. Nothing when most of the
 * rounds cannot be compared: an added latency can be lost in the noise, and then it is zero or less.
 */
export function ratioOf(ours: number[], theirs: number[], better: Row["better"]): Ratio | undefined {
  const ratios: number[] = [];
  for (const [round, our] of ours.entries()) {
    const their = theirs[round];
    if (their === undefined || our <= 0 || their <= 0) continue;
    ratios.push(better === "lower" ? our / their : their / our);
  }
  if (ratios.length === 0 || ratios.length * 2 < ours.length) return undefined;
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
}

export const TARGET = 1.0;
export const DEFECT = 1.25;

/** What the target says to a ratio. A difference in the third figure is noise. */
export function verdict(ratio: number): "met" | "missed" | "defect" {
  const rounded = Math.round(ratio * 100) / 100;
  return rounded <= TARGET ? "met" : rounded <= DEFECT ? "missed" : "defect";
}
