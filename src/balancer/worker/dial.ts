/**
 * One connect to a server, from the socket to a channel that bytes of the client may go over: a PROXY header where the pool
 * sends one, TLS where it has it, a stream where both sides speak HTTP/2. A placement has one, which it uses again.
 */
import { EMFILE, sys } from "../../os/libc.ts";
import { dial, socketError } from "../../os/socket.ts";
import type { Candidate } from "../candidate.ts";
import type { Client } from "../client.ts";
import type { PoolRuntime } from "../pool-runtime.ts";
import { type Channel, type ChannelOwner, LOST, NOTHING_YET } from "./channel.ts";
import type { WorkerContext } from "./context.ts";
import { http2ServersOf } from "./http2/server-connections.ts";
import type { ServiceRuntime } from "./service.ts";
import { SocketChannel } from "./socket-channel.ts";
import { OFFER_HTTP1, OFFER_HTTP2 } from "./tls/alpn.ts";
import { TlsChannel } from "./tls/tls-channel.ts";

const NO_BYTES = new Uint8Array(0);

/** For whom a server is dialled. */
export interface Dialling {
  readonly service: ServiceRuntime;
  readonly client: Client;
  /** The client's own socket, whose local address a PROXY header names; -1: there is none. */
  readonly clientFd: number;
  /**
   * What a server gets first, as far as it is at hand; it goes out right behind the connect. Asked before each connect, and
   * once more when that could not send yet. The bytes stay as they are until the server is there.
   */
  firstBytes(): Uint8Array;
}

/** What hears how it went. Each may come before `begin` has returned. */
export interface DialOwner {
  /** There is no answer yet: its time begins now. */
  onDialling(): void;
  /** Connected after `ms`; the channel is the owner's. `sent` of the `first` bytes, a PROXY header included, went out already. */
  onDialled(channel: Channel, first: Uint8Array, sent: number, ms: number): void;
  /** With an errno; 0 where TLS failed, of which control was told. The owner calls `close`. */
  onDialFailed(code: number): void;
}

export class Dial implements ChannelOwner {
  readonly #plane: WorkerContext;
  readonly #for: Dialling;
  readonly #owner: DialOwner;
  #server: Candidate | null = null;
  #pool: PoolRuntime | null = null;
  /** While it goes on. */
  #channel: Channel | null = null;
  /** The same, while it shakes hands. */
  #tls: TlsChannel | null = null;
  #beganMs = 0;

  constructor(plane: WorkerContext, dialling: Dialling, owner: DialOwner) {
    this.#plane = plane;
    this.#for = dialling;
    this.#owner = owner;
  }

  begin(server: Candidate, pool: PoolRuntime): void {
    this.#server = server;
    this.#pool = pool;
    const { service } = this.#for;
    const fd = dial(service.addressOf(server));
    if (fd < 0) return this.#owner.onDialFailed(-fd);
    const plane = this.#plane;
    if (!plane.ledger.own(fd, plane.column)) {
      sys.close(fd);
      return this.#owner.onDialFailed(EMFILE);
    }
    this.#beganMs = performance.now();
    if (service.tlsWith(pool)) return this.#connectTls(fd);
    const channel = new SocketChannel(plane, fd, this);
    this.#channel = channel;
    if (this.#speaksHttp2) return this.#waitForSocket(channel);
    // A server nearby has accepted by now: bytes that are at hand go out at once, which saves a turn of the loop.
    const first = this.#behindProxyHeader(this.#for.firstBytes());
    if (first.length > 0) {
      const sent = channel.write(first, first.length);
      if (sent > 0) return this.#connected(channel, first, sent);
      if (sent === LOST) return this.#owner.onDialFailed(channel.lostBy);
    }
    this.#waitForSocket(channel);
  }

  /** Gives up what has not succeeded. Harmless when there is nothing. */
  close(): void {
    const channel = this.#channel;
    this.#channel = null;
    this.#tls = null;
    channel?.close(false);
  }

  #waitForSocket(channel: Channel): void {
    this.#owner.onDialling();
    // Room to write is how the kernel says that it is connected.
    channel.writable = false;
    channel.watch();
  }

  onChannel(channel: Channel): void {
    if (channel !== this.#channel) return;
    if (channel === this.#tls) return this.#shakeHands(this.#tls);
    const code = channel.broken ? socketError(channel.fd) : 0;
    if (code !== 0) return this.#owner.onDialFailed(code);
    if (this.#for.service.tlsWith(this.#pool!)) return this.#sendProxyHeader(channel as SocketChannel);
    if (this.#speaksHttp2) return this.#connectedHttp2(channel, this.#behindProxyHeader(NO_BYTES));
    this.#connected(channel, this.#behindProxyHeader(this.#for.firstBytes()), 0);
  }

  #behindProxyHeader(bytes: Uint8Array): Uint8Array {
    const { service, client, clientFd } = this.#for;
    return service.firstBytes(this.#pool!, client, clientFd, bytes);
  }

  // TLS

  #connectTls(fd: number): void {
    if (this.#pool!.plan.sendProxy === "off") {
      this.#owner.onDialling();
      return this.#beginTls(fd);
    }
    const channel = new SocketChannel(this.#plane, fd, this);
    this.#channel = channel;
    this.#waitForSocket(channel);
  }

  /** A PROXY header goes out in front of the TLS. A socket that has just connected has room for its hundred bytes. */
  #sendProxyHeader(channel: SocketChannel): void {
    const header = this.#behindProxyHeader(NO_BYTES);
    const sent = channel.write(header, header.length);
    if (sent !== header.length) return this.#owner.onDialFailed(channel.lostBy);
    this.#beginTls(channel.handOver());
  }

  #beginTls(fd: number): void {
    const { protocol } = this.#for.service.plan;
    const target = this.#plane.targets.of(this.#server!.plan);
    const alpn = protocol === "http" ? (this.#pool!.plan.http2 ? OFFER_HTTP2 : OFFER_HTTP1) : null;
    this.#tls = TlsChannel.connect(this.#plane, target, fd, alpn, this);
    this.#channel = this.#tls;
    // The ClientHello goes out right behind the connect.
    this.#shakeHands(this.#tls);
  }

  #shakeHands(channel: TlsChannel): void {
    const result = channel.handshake();
    if (result === NOTHING_YET) return channel.watch();
    this.#tls = null;
    if (result !== LOST) {
      if (channel.alpn === "h2") return this.#connectedHttp2(channel, NO_BYTES);
      return this.#connected(channel, this.#for.firstBytes(), 0);
    }
    if (channel.lostBy === 0) this.#plane.serverTlsFailed(this.#pool!, this.#server!, channel.failure!);
    this.#owner.onDialFailed(channel.lostBy);
  }

  // HTTP/2

  get #speaksHttp2(): boolean {
    return this.#pool!.plan.http2 && this.#for.service.plan.protocol === "http";
  }

  /** The request goes over a stream, which is all that the owner sees. `before`: a PROXY header. */
  #connectedHttp2(channel: Channel, before: Uint8Array): void {
    const [server, pool] = [this.#server!, this.#pool!];
    const { serverPort, timeouts } = this.#for.service.plan;
    const port = serverPort || server.plan.port;
    const stream = http2ServersOf(this.#plane).begin(server, pool, port, channel, before, timeouts.idle);
    this.#connected(stream, this.#for.firstBytes(), 0);
  }

  #connected(channel: Channel, first: Uint8Array, sent: number): void {
    this.#channel = null;
    this.#owner.onDialled(channel, first, sent, performance.now() - this.#beganMs);
  }
}
