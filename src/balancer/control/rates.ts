/** How fast counters grow: the difference of two samples a second apart. */
import { ServiceCounter, type ServiceView } from "../shared/service-view.ts";

export interface Rates {
  readonly newPerSec: number;
  readonly inPerSec: number;
  readonly outPerSec: number;
  readonly requestsPerSec: number;
}

interface Sample {
  readonly atMs: number;
  readonly total: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly requests: number;
}

const NONE: Rates = { newPerSec: 0, inPerSec: 0, outPerSec: 0, requestsPerSec: 0 };

export class RateMeter {
  readonly #last = new Map<string, Sample>();
  readonly #rates = new Map<string, Rates>();

  /** Takes a sample of one service; about once a second. `atMs`: of a clock that only goes forward. */
  sample(name: string, view: ServiceView, atMs: number): void {
    const sample: Sample = {
      atMs,
      total: view.total(ServiceCounter.TOTAL),
      bytesIn: view.total(ServiceCounter.BYTES_IN),
      bytesOut: view.total(ServiceCounter.BYTES_OUT),
      requests: view.requests(),
    };
    const before = this.#last.get(name);
    this.#last.set(name, sample);
    const seconds = before === undefined ? 0 : (sample.atMs - before.atMs) / 1000;
    if (before === undefined || seconds <= 0) return;
    this.#rates.set(name, {
      newPerSec: (sample.total - before.total) / seconds,
      inPerSec: (sample.bytesIn - before.bytesIn) / seconds,
      outPerSec: (sample.bytesOut - before.bytesOut) / seconds,
      requestsPerSec: (sample.requests - before.requests) / seconds,
    });
  }

  of(name: string): Rates {
    return this.#rates.get(name) ?? NONE;
  }
}
