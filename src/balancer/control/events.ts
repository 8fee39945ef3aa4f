/** What happens to the balancer, for the log and for whoever listens. */
import type { BalancerEvent } from "./balancer.ts";
import type { EventLog } from "./output.ts";

type Listener = (event: BalancerEvent) => void;

export class Events {
  readonly #log: EventLog;
  readonly #wallClock: () => number;
  readonly #listeners = new Set<Listener>();

  /** `wallClock`: unix milliseconds. */
  constructor(log: EventLog, wallClock: () => number) {
    this.#log = log;
    this.#wallClock = wallClock;
  }

  /** `event` is a stable word (`server.down`), `msg` a sentence, `details` whatever belongs to the event. */
  tell(level: keyof EventLog, event: string, msg: string, details: object = {}): void {
    this.#log[level](event, msg, details);
    const told = { time: new Date(this.#wallClock()).toISOString(), event, msg, ...details };
    for (const listener of this.#listeners) listener(told);
  }

  /** Calls `listener` for each event from now on, until the returned function is called. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
