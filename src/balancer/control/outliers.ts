/**
 * Servers that answer badly while their checks are well: after so many bad answers in a row, whoever is not known there goes
 * elsewhere for a while, longer each time. Only a share of a pool's servers is left out, and never the last that takes anybody:
 * when most answer badly, it is not the servers.
 */

/** What the file says. Milliseconds. */
export interface OutlierSettings {
  /** Bad answers in a row. */
  readonly failures: number;
  readonly penalty: number;
  readonly longest: number;
  /** Of the pool's servers, 0 to 1. */
  readonly share: number;
}

/** A server as it is judged here. */
export interface Judged {
  readonly name: string;
  readonly view: { badAnswers(): number; forgetBadAnswers(): void; takesNew(): boolean };
}

interface Record {
  /** Times in a row. */
  times: number;
  /** Monotonic milliseconds until when it is left out; in the past: when it came back. */
  untilMs: number;
  isOut: boolean;
}

export class Outliers {
  readonly #records = new Map<string, Record>();

  /**
   * Looks at the servers of one pool, about once a second. `nowMs`: monotonic. `leaveOut` is told of each that is left out,
   * `takeBack` of each whose time is over, or that all are where nothing is judged any more (`settings` undefined).
   */
  look(
    settings: OutlierSettings | undefined,
    servers: readonly Judged[],
    nowMs: number,
    leaveOut: (name: string, penaltyMs: number, answers: number) => void,
    takeBack: (name: string) => void,
  ): void {
    let out = 0;
    for (const { name, view } of servers) {
      const record = this.#records.get(name);
      if (record?.isOut !== true) continue;
      if (settings !== undefined && nowMs < record.untilMs) {
        out++;
        continue;
      }
      record.isOut = false;
      view.forgetBadAnswers();
      takeBack(name);
    }
    if (settings === undefined) return;
    for (const { name, view } of servers) {
      const answers = view.badAnswers();
      if (answers < settings.failures || this.#records.get(name)?.isOut === true) continue;
      if (out + 1 > settings.share * servers.length || !othersTakeNew(servers, name)) continue;
      out++;
      const penaltyMs = this.#punish(name, settings, nowMs);
      leaveOut(name, penaltyMs, answers);
    }
  }

  /** The server is gone. */
  forget(name: string): void {
    this.#records.delete(name);
  }

  /** Twice as long as the last time, unless it was well for as long as the longest penalty. */
  #punish(name: string, { penalty, longest }: OutlierSettings, nowMs: number): number {
    const before = this.#records.get(name);
    const times = before === undefined || nowMs - before.untilMs > longest ? 0 : before.times;
    const penaltyMs = Math.min(longest, penalty * 2 ** Math.min(times, 30));
    this.#records.set(name, { times: times + 1, untilMs: nowMs + penaltyMs, isOut: true });
    return penaltyMs;
  }
}

function othersTakeNew(servers: readonly Judged[], name: string): boolean {
  return servers.some((other) => other.name !== name && other.view.takesNew());
}
