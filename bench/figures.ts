/** The rows of the table, the samples behind them and what is made of them: medians, and ratios of paired rounds. */
import type { Listener } from "./peers.ts";

/** The tables of the page, and the listener that a balancer needs to have a column in one. */
export const TABLES = {
  tcp: "tcp",
  rdp: "rdp",
  http: "http",
  tls: "https",
  stream: "streams",
} as const satisfies Record<string, Listener>;
export type Table = keyof typeof TABLES;

export interface Row {
  key: string;
  title: string;
  unit: string;
  better: "lower" | "higher";
  digits: number;
  /** The ratios are `judged` by the target (at most 1.0 of HAProxy), only `told`, or `none` is made. */
  ratio: "judged" | "told" | "none";
}

const row = (key: string, title: string, unit: string, digits: number, more: Partial<Row> = {}): Row => ({
  key,
  title,
  unit,
  better: "lower",
  digits,
  ratio: "judged",
  ...more,
});

export const ROWS = [
  row("request", "CPU for each keep-alive request", "us", 1),
  row("newcomer", "the same, of clients without the cookie", "us", 1),
  row("forwarded", "the same, with X-Forwarded-… and X-Request-Id", "us", 1),
  row("visit", "CPU for each connection with one request", "us", 1),
  row("full-p256", "CPU for each full handshake, P-256", "us", 1),
  row("resumed-p256", "CPU for each resumed handshake, P-256", "us", 1),
  row("full-rsa", "CPU for each full handshake, RSA-2048", "us", 1),
  row("resumed-rsa", "CPU for each resumed handshake, RSA-2048", "us", 1),
  row("share", "sessions that resume", "%", 1, { ratio: "none" }),
  row("connection", "CPU for each connection", "us", 1),
  row("down", "CPU for each MB to the client", "us", 0),
  row("up", "CPU for each MB from the client", "us", 0),
  row("echo", "CPU for each WebSocket message there and back", "us", 1),
  row("h2", "CPU for each HTTP/2 request", "us", 1, { ratio: "told" }),
  row("message", "CPU for each message", "us", 1),
  row("rate", "connections a second", "", 0, { better: "higher" }),
  row("requests", "requests a second", "", 0, { better: "higher" }),
  row("busy", "its cores busy meanwhile", "%", 0, { ratio: "none" }),
  row("trip50", "added to a round trip, p50", "us", 1),
  row("trip99", "added to a round trip, p99", "us", 1),
  row("first50", "added until the first byte, p50", "us", 1),
  row("first99", "added until the first byte, p99", "us", 1),
  row("request50", "added to a request, p50", "us", 1),
  row("request99", "added to a request, p99", "us", 1),
  row("echo50", "added to a WebSocket round trip, p50", "us", 1),
  row("echo99", "added to a WebSocket round trip, p99", "us", 1),
  row("message50", "added to a message, p50", "us", 1),
  row("message99", "added to a message, p99", "us", 1),
  row("idle", "memory for each idle connection", "bytes", 0),
  row("empty", "memory of the process without connections", "MB", 1, { ratio: "none" }),
] as const;

/** One value for each round, by table, row and column. */
export class Samples {
  readonly #series = new Map<string, number[]>();

  add(table: Table, key: string, column: string, value: number): void {
    const name = `${table} ${key} ${column}`;
    const series = this.#series.get(name) ?? [];
    series.push(value);
    this.#series.set(name, series);
  }

  series(table: Table, key: string, column: string): number[] {
    return this.#series.get(`${table} ${key} ${column}`) ?? [];
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

/** The 50th and the 99th percentile, in microseconds. Sorts the times. */
export function percentiles(nanoseconds: Float64Array): { p50: number; p99: number } {
  const sorted = nanoseconds.sort();
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]! / 1000;
  return { p50: at(0.5), p99: at(0.99) };
}
