/**
 * What people set: drain, maintenance, ready. Kept in the data folder, so that it outlives reload, restart and takeover, and
 * says who and when. Also ends what is left of a drain whose time is up, spread over its last minute.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AdministrativeState } from "./balancer.ts";
import type { AdministrativeAxis } from "./server-states.ts";

/** What is left of a drain is ended over this time, or over half of what the drain was given if that is shorter. */
const SPREAD_MS = 60_000;

export interface AdministrativeEntry extends AdministrativeAxis {
  readonly state: AdministrativeState;
}

export class Administrative {
  readonly #path: string;
  #entries = new Map<string, AdministrativeEntry>();
  /** Said once, when the file could not be written. */
  readonly #onProblem: (sentence: string) => void;

  constructor(data: string, onProblem: (sentence: string) => void) {
    this.#path = join(data, "administrative.json");
    this.#onProblem = onProblem;
    this.read();
  }

  /** Of "pool/server"; undefined when nobody ever set anything. */
  of(name: string): AdministrativeEntry | undefined {
    return this.#entries.get(name);
  }

  set(name: string, entry: AdministrativeEntry): void {
    this.#entries.set(name, entry);
    this.#write();
  }

  /** All drains that end. */
  *ending(): Iterable<readonly [name: string, entry: AdministrativeEntry & { untilMs: number }]> {
    for (const [name, entry] of this.#entries) {
      if (entry.state === "drain" && entry.untilMs !== undefined) yield [name, { ...entry, untilMs: entry.untilMs }];
    }
  }

  /** Reads the file again: another process has written it. */
  read(): void {
    this.#entries = new Map(Object.entries(this.#stored()));
  }

  #stored(): Record<string, AdministrativeEntry> {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch {
      return {}; // the first start
    }
    try {
      return JSON.parse(text) as Record<string, AdministrativeEntry>;
    } catch (error) {
      this.#onProblem(`${this.#path} is damaged and was left aside: ${(error as Error).message}`);
      return {};
    }
  }

  #write(): void {
    const temporary = `${this.#path}.new`;
    try {
      writeFileSync(temporary, JSON.stringify(Object.fromEntries(this.#entries), null, 2), { mode: 0o640 });
      renameSync(temporary, this.#path);
    } catch (error) {
      this.#onProblem(`what was set cannot be kept over a restart: ${(error as Error).message}`);
    }
  }
}

/**
 * How many of the `left` connections of a drain are to be ended now, so that none is left at `untilMs` and not all go at
 * once. Pure; asked about once a second.
 */
export function dueToEnd(left: number, sinceMs: number, untilMs: number, nowMs: number): number {
  if (nowMs >= untilMs) return left;
  const spread = Math.min(SPREAD_MS, (untilMs - sinceMs) / 2);
  const remaining = untilMs - nowMs;
  if (remaining > spread) return 0;
  const steps = Math.max(1, Math.ceil(remaining / 1000));
  return Math.ceil(left / steps);
}
