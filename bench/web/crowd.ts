/** Connections that are served as they become ready. */
import { EDGE, IN, OUT, Poller } from "../sockets.ts";
import type { Line } from "./line.ts";

const STALL_MS = 10_000;

/** Something with a line. `ready` is called when it may go on, in either direction; it goes on as far as it can. */
export interface Member {
  readonly line: Line;
  ready(): void;
}

export class Crowd<M extends Member> {
  readonly #poller = new Poller();
  readonly #members: (M | undefined)[] = [];

  add(member: M): void {
    this.#members[member.line.fd] = member;
    this.#poller.add(member.line.fd, IN | OUT | EDGE);
  }

  /** Closes its line. */
  remove(member: M): void {
    this.#members[member.line.fd] = undefined;
    member.line.close();
  }

  /** Serves until `done`; nothing happening for ten seconds is an error. */
  serve(done: () => boolean): void {
    while (!done()) {
      if (this.turn(STALL_MS) === 0) throw new Error(`nothing happened for ${STALL_MS} ms`);
    }
  }

  /** One turn, waiting at most `ms`; the number of events. */
  turn(ms: number): number {
    const events = this.#poller.wait(ms);
    for (let event = 0; event < events; event++) this.#members[this.#poller.fd(event)]?.ready();
    return events;
  }

  dispose(): void {
    for (const member of this.#members) if (member) member.line.close();
    this.#poller.dispose();
  }
}

/** A job of `count` pieces, `concurrency` of them at a time: `begin` makes each, `end` takes it away. */
export class Pieces {
  begun = 0;
  done = 0;
  readonly count: number;
  readonly #begin: () => void;

  constructor(count: number, begin: () => void) {
    this.count = count;
    this.#begin = begin;
  }

  start(concurrency: number): void {
    for (let n = 0; n < concurrency; n++) this.next();
  }

  next(): void {
    if (this.begun === this.count) return;
    this.#begin();
    this.begun++;
  }

  end(): void {
    this.done++;
    this.next();
  }

  readonly over = (): boolean => this.done === this.count;
}
