/** A server that deciding may choose: what the file says of it and its words in the scoreboard. */
import type { ServerPlan } from "./plan.ts";
import type { ServerId } from "./shared/server-id.ts";
import type { ServerView } from "./shared/server-view.ts";

export class Candidate {
  readonly plan: ServerPlan;
  readonly view: ServerView;
  /** Position in the pool, in the order of the file. */
  readonly index: number;

  constructor(plan: ServerPlan, view: ServerView, index: number) {
    this.plan = plan;
    this.view = view;
    this.index = index;
  }
}

/**
 * Servers that one client has been refused by (a failed connect) and that are not chosen again for this client. A pool's
 * `retries` bounds it, so it is a short list; each connection needs its own only after its first failure.
 */
export class TriedSet {
  readonly #ids: ServerId[] = [];

  add(id: ServerId): void {
    if (!this.has(id)) this.#ids.push(id);
  }

  has(id: ServerId): boolean {
    for (let i = 0; i < this.#ids.length; i++) if (this.#ids[i] === id) return true;
    return false;
  }
}

/** Nothing was tried yet. Never added to. */
export const NONE_TRIED = new TriedSet();
