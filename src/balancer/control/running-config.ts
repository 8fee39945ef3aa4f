/** The configuration that is in force, and the plans of it that the workers get. */
import type { Config } from "../../config/schema.ts";
import type { TokenKey } from "../../protocols/rdp/token.ts";
import type { Plan } from "../plan.ts";
import type { Listeners } from "./listeners.ts";
import type { Names } from "./names.ts";
import { makePlan } from "./planner.ts";
import type { Slots } from "./slots.ts";
import type { TicketKeys } from "./ticket-keys.ts";

/** What a plan holds besides the file. */
export interface PlanSources {
  readonly slots: Slots;
  readonly listeners: Listeners;
  readonly names: Names;
  readonly fingerprintKey: Uint8Array;
  readonly tokenKeys: readonly TokenKey[];
  readonly ticketKeys: TicketKeys;
}

/** Each plan has another number than the one before, over takeovers too; `atMs` (unix) is when its file came into force. */
export interface Generation {
  readonly number: number;
  readonly atMs: number;
}

export class RunningConfig {
  readonly #sources: PlanSources;
  #config: Config;
  #generation: Generation;

  constructor(config: Config, generation: Generation, sources: PlanSources) {
    this.#config = config;
    this.#generation = generation;
    this.#sources = sources;
  }

  get config(): Config {
    return this.#config;
  }

  get generation(): Generation {
    return this.#generation;
  }

  /** The generation as people see it. */
  report(): { number: number; at: string } {
    const { number, atMs } = this.#generation;
    return { number, at: new Date(atMs).toISOString() };
  }

  /** From now on this one is in force. */
  adopt(config: Config, nowMs: number): void {
    this.#config = config;
    this.#generation = { number: this.#generation.number + 1, atMs: nowMs };
  }

  /** The file is the same, but a plan of it is another one: a name leads elsewhere, a key was replaced. */
  renew(): void {
    this.#generation = { ...this.#generation, number: this.#generation.number + 1 };
  }

  /** The newest plan of a worker (0, 1, …). */
  plan(worker: number): Plan {
    const { slots, listeners, names, fingerprintKey, tokenKeys, ticketKeys } = this.#sources;
    return makePlan(this.#config, {
      generation: this.#generation.number,
      slots,
      fingerprintKey,
      tokenKeys,
      ticketKeys: this.#config.tickets?.keyFile.map(({ bytes }) => bytes) ?? ticketKeys.keys,
      listeners: (service) => listeners.of(service.name, service.listen, worker),
      addressOf: (host) => names.addressOf(host),
    });
  }
}
