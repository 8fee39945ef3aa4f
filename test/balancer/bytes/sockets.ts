/** IPv4 loopback sockets of the load: small receive buffers, chosen source addresses, and what the kernel has delivered. */
import { EINPROGRESS, errno, errnoName, sys } from "../../../src/os/libc.ts";
import { socketAddress } from "../../../src/os/socket.ts";

const AF_INET = 2;
const SOCK_STREAM_NONBLOCK = 1 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVBUF = 8;
const IPPROTO_IP = 0;
const IP_BIND_ADDRESS_NO_PORT = 24;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const BACKLOG = 4096;
/** States of TCP_INFO in which something that was sent is not acknowledged yet: established, FIN-WAIT-1, LAST-ACK, CLOSING. */
const UNDELIVERED = new Set([1, 4, 9, 11]);

const ON = new Int32Array([1]);
const info = new Uint8Array(1);

export function loopback(lastByte: number, port: number): Uint8Array {
  const address = new Uint8Array(16);
  address.set([0xff, 0xff, 127, 0, 0, lastByte], 10);
  return socketAddress(address, port);
}

function must(result: number, what: string): void {
  if (result < 0) throw new Error(`${what}: ${errnoName(errno())}`);
}

/** Listens on a free port of 127.0.0.1. */
export function listen(): { fd: number; port: number } {
  const fd = sys.socket(AF_INET, SOCK_STREAM_NONBLOCK, 0);
  sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, ON, 4);
  const address = loopback(1, 0);
  must(sys.bind(fd, address, address.length), "bind");
  must(sys.listen(fd, BACKLOG), "listen");
  sys.getsockname(fd, address, new Int32Array([address.length]));
  return { fd, port: (address[2]! << 8) | address[3]! };
}

/** The next connection that waits, or -1. */
export function accept(listener: number): number {
  return sys.accept4(listener, null, null, 0o4000 | 0o2000000);
}

/** Begins to connect from 127.0.0.`source`. @returns the descriptor, or -errno. */
export function connect(source: number, port: number, receiveBuffer: number): number {
  const fd = sys.socket(AF_INET, SOCK_STREAM_NONBLOCK, 0);
  must(fd, "socket");
  // Otherwise each source has its ports once for all targets together.
  sys.setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, ON, 4);
  limitReceiveBuffer(fd, receiveBuffer);
  const from = loopback(source, 0);
  must(sys.bind(fd, from, from.length), "bind");
  const to = loopback(1, port);
  if (sys.connect(fd, to, to.length) === 0 || errno() === EINPROGRESS) return fd;
  const code = errno();
  sys.close(fd);
  return -code;
}

/** 0: as the kernel has it. */
export function limitReceiveBuffer(fd: number, bytes: number): void {
  if (bytes > 0) sys.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, new Int32Array([bytes]), 4);
}

/** Has the other end's kernel everything that was sent, the end included? */
export function isDelivered(fd: number): boolean {
  must(sys.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, new Int32Array([1])), "TCP_INFO");
  return !UNDELIVERED.has(info[0]!);
}
