/** Edge-triggered epoll: who owns a descriptor is told what has become ready. */
import { errno, errnoName, sys } from "./libc.ts";

export const READABLE = 0x001;
export const WRITABLE = 0x004;
export const FAILED = 0x008;
export const HUNG_UP = 0x010;
export const PEER_ENDED = 0x2000;
const EDGE = 0x80000000;

const ADD = 1;
const DELETE = 2;
const MODIFY = 3;
const MOST_EVENTS = 512;

// struct epoll_event is packed on x86-64 only.
const EVENT_BYTES = process.arch === "x64" ? 12 : 16;
const DATA = process.arch === "x64" ? 4 : 8;

/** Something with descriptors. `events` are the bits above. Never throws for what a peer did. */
export interface Pollable {
  onReady(fd: number, events: number): void;
}

/**
 * One epoll instance. An event carries the descriptor and the sequence number of its registration, so that an event of a
 * descriptor that was closed and taken again within the same turn is recognised as stale.
 */
export class Poller {
  readonly #epoll: number;
  readonly #owners: (Pollable | undefined)[] = [];
  readonly #sequences: number[] = [];
  readonly #events = new Uint8Array(MOST_EVENTS * EVENT_BYTES);
  readonly #view = new DataView(this.#events.buffer);
  readonly #change = new Uint8Array(EVENT_BYTES);
  readonly #changeView = new DataView(this.#change.buffer);
  #sequence = 0;

  constructor() {
    this.#epoll = sys.epoll_create1(0o2000000);
    if (this.#epoll < 0) throw new Error(`epoll: ${errnoName(errno())}`);
  }

  /** The instance's own descriptor. */
  get fd(): number {
    return this.#epoll;
  }

  /** Watches `fd` for `events` (edge-triggered; what is ready now is told in the next turn). */
  add(fd: number, events: number, owner: Pollable): void {
    this.#sequence = (this.#sequence + 1) | 0;
    this.#owners[fd] = owner;
    this.#sequences[fd] = this.#sequence;
    this.#control(ADD, fd, events);
  }

  /** Watches for other events from now on. */
  modify(fd: number, events: number): void {
    this.#control(MODIFY, fd, events);
  }

  /** Stops watching a descriptor that stays open. */
  remove(fd: number): void {
    this.#owners[fd] = undefined;
    this.#control(DELETE, fd, 0);
  }

  /** Call before closing a descriptor: the kernel forgets it by itself, what was already reported must not reach anyone. */
  forget(fd: number): void {
    this.#owners[fd] = undefined;
  }

  #control(operation: number, fd: number, events: number): void {
    this.#changeView.setUint32(0, (events | EDGE) >>> 0, true);
    this.#changeView.setInt32(DATA, fd, true);
    this.#changeView.setInt32(DATA + 4, this.#sequences[fd] ?? 0, true);
    sys.epoll_ctl(this.#epoll, operation, fd, this.#change);
  }

  /** Waits up to `timeoutMs`. @returns how many descriptors are ready; hand them out with `dispatch`. */
  wait(timeoutMs: number): number {
    return sys.epoll_wait(this.#epoll, this.#events, MOST_EVENTS, timeoutMs);
  }

  /** Tells the owners of the `count` descriptors that `wait` found. */
  dispatch(count: number): void {
    for (let event = 0; event < count; event++) this.tell(event);
  }

  /** Tells the owner of one of them, 0 the first. */
  tell(event: number): void {
    const at = event * EVENT_BYTES;
    const fd = this.#view.getInt32(at + DATA, true);
    const owner = this.#owners[fd];
    if (owner === undefined || this.#sequences[fd] !== this.#view.getInt32(at + DATA + 4, true)) return;
    owner.onReady(fd, this.#view.getUint32(at, true));
  }
}
