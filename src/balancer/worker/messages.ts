/** What control and a worker tell each other. */
import type { Plan } from "../plan.ts";

/** To a worker. */
export type ToWorker =
  | { readonly kind: "plan"; readonly plan: Plan }
  | { readonly kind: "stop-listening" }
  /** Ends connections: those with these numbers, those to a server, or all. `end` is an EndCode. */
  | { readonly kind: "end"; readonly request: number; readonly which: EndSelector; readonly end: number }
  /** Which connections are open? */
  | { readonly kind: "list"; readonly request: number }
  /** Of these users' connections control has not heard: there was no room in the ring. */
  | { readonly kind: "tell-again"; readonly numbers: Uint32Array }
  /** For rehearsals (HOLDFAST_REHEARSE=1): the worker breaks on purpose. */
  | { readonly kind: "break"; readonly how: "throw" | "hang" };

export interface EndSelector {
  /** Only in the worker of this column: connections are numbered by column. */
  readonly column?: number;
  readonly numbers?: readonly number[];
  /** Slot of a server. */
  readonly server?: number;
  /** Slot of a service. */
  readonly service?: number;
  /** No more than this. */
  readonly most?: number;
}

/** From a worker. */
export type FromWorker =
  | { readonly kind: "ready"; readonly generation: number }
  /** TLS with a server failed, at most once a minute for each server. */
  | {
      readonly kind: "server-tls-failed";
      readonly pool: string;
      readonly server: string;
      readonly reason: string;
      readonly detail: string;
    }
  | { readonly kind: "ended"; readonly request: number; readonly count: number }
  /** Numbers only, 4 bytes each: the worker serves nobody while it tells of tens of thousands. */
  | { readonly kind: "connections"; readonly request: number; readonly numbers: Uint32Array };
