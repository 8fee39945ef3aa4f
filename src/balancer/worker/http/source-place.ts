/** A request's place among those of its source that are in progress (`limits.concurrent-per-source`). */
import type { Client } from "../../client.ts";
import { UNTRACKED } from "../../shared/sources.ts";
import { sourceRefusal } from "../admission.ts";
import type { Channel } from "../channel.ts";
import type { WorkerContext } from "../context.ts";
import type { ServiceRuntime } from "../service.ts";

/** In the ledger: a descriptor that counts against nobody. */
const NOBODY = -1;

export class SourcePlace {
  readonly #plane: WorkerContext;
  #slot = UNTRACKED;

  constructor(plane: WorkerContext) {
    this.#plane = plane;
  }

  /** Takes one, within the limits for requests. @returns the refusal, or -1: it has one, or is not counted. */
  take(service: ServiceRuntime, client: Client): number {
    const slot = this.#plane.admission.request(service, client, this.#plane.unixMs);
    if (slot < 0 && slot !== UNTRACKED) return sourceRefusal(slot);
    this.#slot = slot;
    return -1;
  }

  /** The request is at this server: if the worker dies, control gives the place back with the descriptor. */
  goesWith(server: Channel): void {
    if (this.#slot >= 0 && server.fd >= 0) this.#plane.ledger.setSource(server.fd, this.#slot);
  }

  /** It is not any more. */
  leaves(server: Channel): void {
    if (this.#slot >= 0 && server.fd >= 0) this.#plane.ledger.setSource(server.fd, NOBODY);
  }

  release(): void {
    if (this.#slot >= 0) this.#plane.sources.release(this.#slot);
    this.#slot = UNTRACKED;
  }
}
