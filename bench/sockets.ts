/**
 * IPv4 sockets and an epoll loop for the load and the servers, straight to libc: what stands around a balancer must cost
 * less than the balancer. A call that fails here is a broken rig, so it throws, with the name of the error.
 */
import { EAGAIN, EINPROGRESS, errno, errnoName, sys } from "../src/os/libc.ts";

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVTIMEO = 20;
const IPPROTO_IP = 0;
const IP_BIND_ADDRESS_NO_PORT = 24;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
const BACKLOG = 4096;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_MOD = 3;

/** recv() drops the bytes instead of copying them: a sink that costs next to nothing. */
export const MSG_TRUNC = 0x20;

export const IN = 1;
export const OUT = 4;
export const EDGE = (1 << 31) >>> 0;

const ON = new Int32Array([1]);

export interface Endpoint {
  host: string;
  port: number;
}

/** A sockaddr_in, as the kernel wants it. */
export function socketAddress({ host, port }: Endpoint): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes[0] = AF_INET;
  bytes[2] = port >> 8;
  bytes[3] = port & 255;
  bytes.set(host.split(".").map(Number), 4);
  return bytes;
}

export function fail(what: string): never {
  throw new Error(`${what}: ${errnoName(errno())}`);
}

/** Listens on a free port of `host`; accepting does not block. */
export function listenOn(host: string): { fd: number; port: number } {
  const fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, ON, 4);
  const address = socketAddress({ host, port: 0 });
  if (sys.bind(fd, address, 16) < 0 || sys.listen(fd, BACKLOG) < 0) fail(`listen on ${host}`);
  sys.getsockname(fd, address, new Int32Array([16]));
  return { fd, port: (address[2]! << 8) | address[3]! };
}

/** The next waiting client, not blocking, or -1. */
export function accept(listener: number): number {
  return sys.accept4(listener, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/** Starts to connect from `source` (an address whose port is left to the kernel); does not block. */
export function connectFrom(source: Uint8Array, target: Uint8Array): number {
  const fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  // Without this the port is taken for all targets at once, and 28,000 of them are soon used up.
  sys.setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, ON, 4);
  if (sys.bind(fd, source, 16) < 0) fail("bind");
  if (sys.connect(fd, target, 16) < 0 && errno() !== EINPROGRESS) fail("connect");
  return fd;
}

/** Connects and blocks, as reading from it will, for at most five seconds. */
export function connectBlocking(target: Uint8Array): number {
  const fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  sys.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ON, 4);
  sys.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, new BigInt64Array([5n, 0n]), 16);
  if (sys.connect(fd, target, 16) < 0) fail("connect");
  return fd;
}

/** What was taken of `bytes`, without blocking: 0 when the socket is full, -1 when the other side is gone. */
export function send(fd: number, bytes: Uint8Array, length = bytes.length): number {
  const sent = Number(sys.send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT));
  if (sent >= 0) return sent;
  return errno() === EAGAIN ? 0 : -1;
}

/** Bytes read, 0 at the end, -1 when there is nothing now, -2 when the other side is gone. */
export function receive(fd: number, into: Uint8Array, flags = 0): number {
  const got = Number(sys.recv(fd, into, into.length, flags));
  if (got >= 0) return got;
  return errno() === EAGAIN ? -1 : -2;
}

export function close(fd: number): void {
  sys.close(fd);
}

/** One epoll instance. A closed descriptor leaves it by itself. */
export class Poller {
  static readonly #most = 256;
  readonly #fd = sys.epoll_create1(SOCK_CLOEXEC);
  readonly #events = new Uint8Array(12 * Poller.#most);
  readonly #view = new DataView(this.#events.buffer);
  readonly #change = new Uint8Array(12);
  readonly #changeView = new DataView(this.#change.buffer);

  add(fd: number, events: number): void {
    this.#control(EPOLL_CTL_ADD, fd, events);
  }

  change(fd: number, events: number): void {
    this.#control(EPOLL_CTL_MOD, fd, events);
  }

  /** Waits at most `ms` (-1: for ever); the number of events. */
  wait(ms: number): number {
    return sys.epoll_wait(this.#fd, this.#events, Poller.#most, ms);
  }

  fd(event: number): number {
    return this.#view.getInt32(event * 12 + 4, true);
  }

  writable(event: number): boolean {
    return (this.#view.getUint32(event * 12, true) & OUT) !== 0;
  }

  dispose(): void {
    sys.close(this.#fd);
  }

  #control(operation: number, fd: number, events: number): void {
    this.#changeView.setUint32(0, events, true);
    this.#changeView.setInt32(4, fd, true);
    if (sys.epoll_ctl(this.#fd, operation, fd, this.#change) < 0) fail("epoll_ctl");
  }
}
