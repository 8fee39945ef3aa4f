/** A plain TCP socket as a channel. */
import { EAGAIN, EPIPE, errno, sys } from "../../os/libc.ts";
import { FAILED, HUNG_UP, PEER_ENDED, type Pollable, type Poller, READABLE, WRITABLE } from "../../os/poller.ts";
import { abort, MSG_DONTWAIT, MSG_NOSIGNAL, SHUT_WR } from "../../os/socket.ts";
import type { Ledger } from "../shared/ledger.ts";
import { Channel, type ChannelOwner, LOST, NOTHING_YET } from "./channel.ts";
import type { KernelPipe } from "./pipes.ts";

const SPLICE_MOVE_NONBLOCK = 3;
const CLOSED = -1;

/** What a channel over a descriptor needs of its worker. */
export interface SocketContext {
  readonly poller: Poller;
  readonly ledger: Ledger;
}

export class SocketChannel extends Channel implements Pollable {
  readonly fd: number;
  readonly #context: SocketContext;
  /** What the poller watches for; 0: nothing yet, CLOSED: nothing any more. */
  #events = 0;

  /** `fd` is non-blocking and in the ledger; from now on it is the channel's. */
  constructor(context: SocketContext, fd: number, owner: ChannelOwner) {
    super(owner);
    this.#context = context;
    this.fd = fd;
  }

  get plain(): boolean {
    return true;
  }

  /** Is it with the poller? */
  get watched(): boolean {
    return this.#events > 0;
  }

  /** Room to write is watched for only once there was none: most sockets always have some. */
  override watch(): void {
    if (this.#events !== 0) return;
    this.#events = this.writable ? READABLE | PEER_ENDED : READABLE | WRITABLE | PEER_ENDED;
    this.#context.poller.add(this.fd, this.#events, this);
  }

  onReady(_fd: number, events: number): void {
    if ((events & (PEER_ENDED | HUNG_UP | FAILED)) !== 0) this.endIsNear = true;
    if ((events & (READABLE | PEER_ENDED | HUNG_UP | FAILED)) !== 0) this.readable = true;
    if ((events & (WRITABLE | HUNG_UP | FAILED)) !== 0) this.writable = true;
    if ((events & (HUNG_UP | FAILED)) !== 0) this.broken = true;
    this.owner.onChannel(this);
  }

  override read(into: Uint8Array, most: number): number {
    const read = sys.recv(this.fd, into, most, MSG_DONTWAIT) as number;
    // A short read has emptied the socket; the next bytes, or the end, are a new event.
    if (read > 0) {
      if (read < most && !this.endIsNear) this.readable = false;
      return read;
    }
    return this.#nothingRead(read);
  }

  override write(bytes: Uint8Array, length: number): number {
    const taken = sys.send(this.fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT) as number;
    return taken === length ? taken : this.#shortWrite(taken);
  }

  /** Reads at most `most` bytes into a pipe. @returns as `read`. */
  spliceInto(pipe: KernelPipe, most: number): number {
    const read = sys.splice(this.fd, null, pipe.input, null, most, SPLICE_MOVE_NONBLOCK) as number;
    return read > 0 ? read : this.#nothingRead(read);
  }

  /** Writes up to `length` bytes that are in a pipe. @returns as `write`; less than `length` may not be all that it takes. */
  spliceFrom(pipe: KernelPipe, length: number): number {
    const taken = sys.splice(pipe.output, null, this.fd, null, length, SPLICE_MOVE_NONBLOCK) as number;
    return taken > 0 ? taken : this.#shortWrite(taken);
  }

  #nothingRead(read: number): number {
    this.readable = false;
    if (read === 0) {
      // The kernel tells of a reset once: where a write has heard it, what looks like an end is none.
      return this.lostBy === 0 || this.lostBy === EPIPE ? 0 : LOST;
    }
    const code = errno();
    if (code === EAGAIN) return NOTHING_YET;
    this.lostBy = code;
    return LOST;
  }

  #shortWrite(taken: number): number {
    const code = taken < 0 ? errno() : EAGAIN;
    this.writable = false;
    if (code !== EAGAIN) {
      this.lostBy = code;
      return LOST;
    }
    if (this.#events > 0 && (this.#events & WRITABLE) === 0) {
      this.#events |= WRITABLE;
      this.#context.poller.modify(this.fd, this.#events);
    }
    return Math.max(taken, 0);
  }

  override end(): void {
    sys.shutdown(this.fd, SHUT_WR);
  }

  override close(withReset: boolean): void {
    if (this.#events === CLOSED) return;
    this.#events = CLOSED;
    this.#context.poller.forget(this.fd);
    this.#context.ledger.disown(this.fd);
    if (withReset) abort(this.fd);
    else sys.close(this.fd);
  }

  /** Gives the descriptor to another channel, unwatched. This one is over. */
  handOver(): number {
    if (this.#events > 0) this.#context.poller.remove(this.fd);
    this.#events = CLOSED;
    return this.fd;
  }
}
