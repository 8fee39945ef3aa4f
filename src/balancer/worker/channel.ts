/**
 * One end of a connection, as the data plane reads and writes it: a socket, TLS over a socket, or a stream of an HTTP/2
 * connection. Edge-triggered: a channel remembers that it may have bytes (`readable`) and that it may take some
 * (`writable`), and tells its owner when one of them has become true.
 */

/** What `read` and `write` say besides a number of bytes. */
export const NOTHING_YET = -1; // until the owner is told again
export const LOST = -2; // reset, or broken: `lostBy` says why

/** Who uses a channel. Never throws for what a peer did. */
export interface ChannelOwner {
  /** `channel` has become readable or writable, has opened, or was lost. */
  onChannel(channel: Channel): void;
}

export abstract class Channel {
  /** The socket; -1 for a stream among others. Its local port and address may be asked of it. */
  abstract readonly fd: number;
  /** A plain TCP socket (a SocketChannel): its bytes may be spliced. */
  abstract readonly plain: boolean;
  /** There may be bytes to read, or the end, or the news that it was lost. */
  readable = false;
  /** It may take bytes. */
  writable = true;
  /** The peer's end is already there: a short read does not mean that nothing is left. */
  endIsNear = false;
  /** It was lost, or both ways have ended, before anybody read that: nothing written will arrive. */
  broken = false;
  /** `read` gave the end, and TLS did not: the peer's socket has ended without close_notify, perhaps cut off by somebody else. */
  truncated = false;
  /** errno of the loss; 0: not lost, or not by the kernel's word. */
  lostBy = 0;
  owner: ChannelOwner;

  constructor(owner: ChannelOwner) {
    this.owner = owner;
  }

  /**
   * From now on the owner is told. Until then a channel may stay silent (a socket is not with the poller yet, which saves a
   * system call); what is ready by then is told in the next turn. Twice is once.
   */
  abstract watch(): void;

  /**
   * Reads at most `most` bytes to the beginning of `into`. Clears `readable` when nothing is left.
   * @returns bytes (> 0), 0 when the peer has ended its sending, NOTHING_YET or LOST.
   */
  abstract read(into: Uint8Array, most: number): number;

  /**
   * Takes what it can of `bytes[0, length)`; the caller keeps the rest. Clears `writable` when it took less.
   * @returns bytes taken (0 to `length`), or LOST when it takes no more at all.
   */
  abstract write(bytes: Uint8Array, length: number): number;

  /** Nothing more will be written: a half-close, after everything that was taken. */
  abstract end(): void;

  /** Closes both ways and gives back what it holds. `withReset`: the peer must not take a part for the whole. Twice is once. */
  abstract close(withReset: boolean): void;
}
