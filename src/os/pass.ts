/** Open descriptors from one process to another, over a unix socket (SCM_RIGHTS, unix(7)). */
import { ptr } from "bun:ffi";
import { rmSync } from "node:fs";
import { EINTR, errno, errnoName, sys } from "./libc.ts";
import { MSG_NOSIGNAL, unixSocketAddress } from "./socket.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const SO_RCVTIMEO = 20;
const MSG_CMSG_CLOEXEC = 0x40000000;
/** Descriptors in one message: the kernel allows 253. */
const AT_ONCE = 250;
const CMSG_HEADER = 16;
const RECEIVE_SECONDS = 5;

/** Where descriptors will arrive. */
export interface Doormat {
  readonly path: string;
  /** Takes all that were sent; blocks, up to 5 s, for what is under way. Throws when they do not come. */
  receive(count: number): number[];
  /** Nobody is waited for any more; the path is free again. */
  close(): void;
}

/** Waits at `path` for a process that calls `passDescriptors`. */
export function openDoormat(path: string): Doormat {
  const address = unixSocketAddress(path);
  if (address === undefined) throw new Error(`${path}: the path is too long for a unix socket`);
  const listener = sys.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (sys.bind(listener, address, address.length) !== 0 || sys.listen(listener, 1) !== 0) {
    const code = errnoName(errno());
    sys.close(listener);
    throw new Error(`${path}: ${code}`);
  }
  const patience = new BigInt64Array([BigInt(RECEIVE_SECONDS), 0n]);
  sys.setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, patience, 16);
  return {
    path,
    receive(count) {
      const from = uninterrupted(() => sys.accept4(listener, null, null, SOCK_CLOEXEC));
      if (from < 0) throw new Error(`${path}: nobody passed descriptors: ${errnoName(errno())}`);
      sys.setsockopt(from, SOL_SOCKET, SO_RCVTIMEO, patience, 16);
      const fds: number[] = [];
      while (fds.length < count) {
        const message = new Message(AT_ONCE);
        if (uninterrupted(() => Number(sys.recvmsg(from, message.header, MSG_CMSG_CLOEXEC))) <= 0) break;
        fds.push(...message.descriptors());
      }
      sys.close(from);
      if (fds.length === count) return fds;
      for (const fd of fds) sys.close(fd);
      throw new Error(`${path}: ${fds.length} of ${count} descriptors came`);
    },
    close() {
      sys.close(listener);
      rmSync(path, { force: true });
    },
  };
}

/** Passes copies of `fds`, in order, to the process that waits at `path`. Throws when it does not. */
export function passDescriptors(path: string, fds: readonly number[]): void {
  const address = unixSocketAddress(path);
  if (address === undefined) throw new Error(`${path}: the path is too long for a unix socket`);
  const to = sys.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  try {
    if (sys.connect(to, address, address.length) !== 0) throw new Error(`${path}: ${errnoName(errno())}`);
    for (let at = 0; at < fds.length; at += AT_ONCE) {
      const part = fds.slice(at, at + AT_ONCE);
      const message = new Message(part.length, part);
      if (uninterrupted(() => Number(sys.sendmsg(to, message.header, MSG_NOSIGNAL))) < 0) {
        throw new Error(`${path}: ${errnoName(errno())}`);
      }
    }
  } finally {
    sys.close(to);
  }
}

/** Calls again what a signal has interrupted: with SO_RCVTIMEO the kernel does not do so itself (signal(7)). */
function uninterrupted(call: () => number): number {
  for (;;) {
    const result = call();
    if (result >= 0 || errno() !== EINTR) return result;
  }
}

/** struct msghdr with one byte of data and room for descriptors (64-bit layout). */
class Message {
  readonly header = new Uint8Array(56);
  readonly #control: Uint8Array;
  // Kept, because the kernel sees only their addresses.
  readonly #data = new Uint8Array(1);
  readonly #vector = new Uint8Array(16);

  constructor(room: number, fds: readonly number[] = []) {
    this.#control = new Uint8Array(CMSG_HEADER + room * 4 + (room % 2) * 4);
    const control = new DataView(this.#control.buffer);
    control.setBigUint64(0, BigInt(CMSG_HEADER + room * 4), true);
    control.setInt32(8, SOL_SOCKET, true);
    control.setInt32(12, SCM_RIGHTS, true);
    for (const [index, fd] of fds.entries()) control.setInt32(CMSG_HEADER + index * 4, fd, true);
    const vector = new DataView(this.#vector.buffer);
    vector.setBigUint64(0, BigInt(ptr(this.#data)), true);
    vector.setBigUint64(8, 1n, true);
    const header = new DataView(this.header.buffer);
    header.setBigUint64(16, BigInt(ptr(this.#vector)), true);
    header.setBigUint64(24, 1n, true);
    header.setBigUint64(32, BigInt(ptr(this.#control)), true);
    header.setBigUint64(40, BigInt(this.#control.length), true);
  }

  /** The descriptors of a message that was received. */
  descriptors(): number[] {
    const control = new DataView(this.#control.buffer);
    if (new DataView(this.header.buffer).getBigUint64(40, true) === 0n) return [];
    const count = (Number(control.getBigUint64(0, true)) - CMSG_HEADER) / 4;
    return Array.from({ length: count }, (_, index) => control.getInt32(CMSG_HEADER + index * 4, true));
  }
}
