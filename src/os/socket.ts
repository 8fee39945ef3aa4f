/** TCP sockets by descriptor: addresses in and out of the kernel's form, listening, dialling, options. */
import { EINPROGRESS, errno, errnoName, sys } from "./libc.ts";

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const SO_KEEPALIVE = 9;
const SO_LINGER = 13;
const SO_REUSEPORT = 15;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_USER_TIMEOUT = 18;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const BACKLOG = 4096;

export const SHUT_WR = 1;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;

/** The largest socket address that is used here (sockaddr_in6). */
export const SOCKADDR_BYTES = 28;

const ON = new Int32Array([1]);
const OFF = new Int32Array([0]);
const ABORT = new Int32Array([1, 0]); // struct linger { on, 0 seconds }: close sends a reset
const number = new Int32Array(1);
const length = new Int32Array(1);

/** A 16 byte address is IPv4 when it begins like ::ffff:0:0. */
function isIpv4(address: Uint8Array): boolean {
  for (let at = 0; at < 10; at++) if (address[at] !== 0) return false;
  return address[10] === 0xff && address[11] === 0xff;
}

/** The kernel's form of a 16 byte address (IPv4 as ::ffff:a.b.c.d) and a port. */
export function socketAddress(address: Uint8Array, port: number): Uint8Array {
  if (isIpv4(address)) {
    const out = new Uint8Array(16);
    new DataView(out.buffer).setUint16(0, AF_INET, true);
    out[2] = port >> 8;
    out[3] = port & 0xff;
    out.set(address.subarray(12, 16), 4);
    return out;
  }
  const out = new Uint8Array(SOCKADDR_BYTES);
  new DataView(out.buffer).setUint16(0, AF_INET6, true);
  out[2] = port >> 8;
  out[3] = port & 0xff;
  out.set(address, 8);
  return out;
}

/** Puts the address of a kernel's socket address into `out` (16 bytes). @returns the port. */
export function readSocketAddress(from: Uint8Array, out: Uint8Array): number {
  if (from[0] === AF_INET) {
    out.fill(0, 0, 10);
    out[10] = 0xff;
    out[11] = 0xff;
    for (let at = 0; at < 4; at++) out[12 + at] = from[4 + at]!;
  } else {
    for (let at = 0; at < 16; at++) out[at] = from[8 + at]!;
  }
  return (from[2]! << 8) | from[3]!;
}

/** A listener could not be opened: `code` is the errno's name. */
export class ListenError extends Error {
  readonly code: string;
  constructor(code: string, what: string) {
    super(`${what}: ${code}`);
    this.code = code;
  }
}

/**
 * Opens a socket on an address, for `listen`. `address` of all zeroes takes IPv4 and IPv6. With SO_REUSEPORT, so that each
 * worker has a queue of its own on the same port, unless not `shared`. Accepted sockets inherit TCP_NODELAY and keep-alive. Throws ListenError.
 */
export function bindListener(address: Uint8Array, port: number, shared = true): number {
  const family = isIpv4(address) ? AF_INET : AF_INET6;
  const fd = sys.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new ListenError(errnoName(errno()), "socket");
  sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, ON, 4);
  if (shared) sys.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, ON, 4);
  sys.setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, ON, 4);
  sys.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ON, 4);
  if (family === AF_INET6) {
    const any = address.every((byte) => byte === 0);
    sys.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, any ? OFF : ON, 4);
  }
  const where = socketAddress(address, port);
  if (sys.bind(fd, where, where.length) !== 0) {
    const code = errnoName(errno());
    sys.close(fd);
    throw new ListenError(code, "bind");
  }
  return fd;
}

/** Lets connections in: from now on they wait in the socket's queue for `accept`. Throws ListenError. */
export function listen(fd: number): void {
  if (sys.listen(fd, BACKLOG) !== 0) throw new ListenError(errnoName(errno()), "listen");
}

const scratchAddress = new Uint8Array(SOCKADDR_BYTES);
const scratchHost = new Uint8Array(16);

/** The local port of a socket; 0 when it has none. */
export function localPort(fd: number): number {
  length[0] = SOCKADDR_BYTES;
  if (sys.getsockname(fd, scratchAddress, length) !== 0) return 0;
  return readSocketAddress(scratchAddress, scratchHost);
}

/** Puts the local address of a socket into `out` (16 bytes). @returns the port. */
export function localAddress(fd: number, out: Uint8Array): number {
  length[0] = SOCKADDR_BYTES;
  if (sys.getsockname(fd, scratchAddress, length) !== 0) return 0;
  return readSocketAddress(scratchAddress, out);
}

/** Accepts one connection, or returns -1 (errno). The peer's address goes to `peer` (SOCKADDR_BYTES). */
export function accept(listener: number, peer: Uint8Array): number {
  length[0] = SOCKADDR_BYTES;
  return sys.accept4(listener, peer, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/** Begins to dial. @returns the descriptor, whose readiness to write says that it is over; or -errno when it failed at once. */
export function dial(to: Uint8Array): number {
  const fd = sys.socket(to[0]!, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno();
  sys.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, ON, 4);
  if (sys.connect(fd, to, to.length) !== 0) {
    const code = errno();
    if (code !== EINPROGRESS) {
      sys.close(fd);
      return -code;
    }
  }
  return fd;
}

/** What a socket failed with, once (SO_ERROR); 0 for nothing. */
export function socketError(fd: number): number {
  number[0] = 0;
  length[0] = 4;
  sys.getsockopt(fd, SOL_SOCKET, SO_ERROR, number, length);
  return number[0]!;
}

/** The kernel asks a silent peer now and then whether it is still there (tcp(7), tcp_keepalive_time). */
export function keepAlive(fd: number): void {
  sys.setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, ON, 4);
}

/** The kernel gives a connection up whose peer has taken nothing of what was sent for so many milliseconds. */
export function userTimeout(fd: number, ms: number): void {
  number[0] = ms;
  sys.setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, number, 4);
}

/** Closes with a reset instead of a regular end: the peer must not take what it has for the whole. */
export function abort(fd: number): void {
  sys.setsockopt(fd, SOL_SOCKET, SO_LINGER, ABORT, 8);
  sys.close(fd);
}

/** The kernel's form of a unix socket's path; undefined when it is too long. */
export function unixSocketAddress(path: string): Uint8Array | undefined {
  const text = Buffer.from(path);
  if (text.length > 107) return undefined;
  const out = new Uint8Array(2 + text.length + 1);
  out[0] = AF_UNIX;
  out.set(text, 2);
  return out;
}
