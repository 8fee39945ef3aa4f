/**
 * TLS over a socket, as a channel. Its owner begins with `handshake`, again whenever it is told of the channel, until that is
 * done or lost; then it reads and writes plain text.
 *
 * | what happens                                | what the owner sees                                             |
 * |---------------------------------------------|-----------------------------------------------------------------|
 * | the peer says that it has ended (close_notify) | `read` returns 0                                             |
 * | the peer's socket ends without that         | `read` returns 0, and `truncated` is true                       |
 * | the socket is reset                         | LOST, `lostBy` is the errno                                     |
 * | what comes is not TLS, or was changed       | LOST, `failure` says why; the peer gets an alert                |
 * | `end`                                       | close_notify, then a half-close of the socket                   |
 * | `close(false)` with bytes that were taken and not sent yet | they are sent, and close_notify, before the socket is closed |
 */
import { type Pointer, ptr } from "bun:ffi";
import { EAGAIN, EPIPE, errno, errnoName, sys } from "../../../os/libc.ts";
import { type Handle, type OpenSsl, openssl } from "../../../os/openssl.ts";
import { FAILED, HUNG_UP, PEER_ENDED, type Pollable, READABLE, WRITABLE } from "../../../os/poller.ts";
import { abort, MSG_DONTWAIT, MSG_NOSIGNAL, SHUT_WR, userTimeout } from "../../../os/socket.ts";
import { Channel, type ChannelOwner, LOST, NOTHING_YET } from "../channel.ts";
import type { SocketContext } from "../socket-channel.ts";
import { type Agreement, agreementOf, NOTHING_AGREED } from "./agreement.ts";
import type { Alpn } from "./alpn.ts";
import type { TlsTarget } from "./client-context.ts";
import { PEER_CLOSED, PEER_RESET, type TlsFailure, tlsFailure } from "./failures.ts";
import {
  ERROR_WANT_READ,
  ERROR_WANT_WRITE,
  ERROR_ZERO_RETURN,
  RECEIVED_SHUTDOWN,
  SENT_SHUTDOWN,
} from "./openssl-constants.ts";
import { type PeerCertificate, peerCertificate } from "./peer-certificate.ts";
import type { ServerContext } from "./server-context.ts";
import { INCOMING_BYTES, STEP_BYTES, type Wire, type WireUser, wireOfThread } from "./wire.ts";

/** What `handshake` returns besides NOTHING_YET and LOST. */
export const HANDSHAKE_DONE = 1;

/** How long a peer may take none of the last bytes of a channel that is closed. */
const LAST_BYTES_MS = 10_000;
/** A peer that makes OpenSSL answer and reads none of it is given up beyond this. */
const MOST_UNSENT = 4 * STEP_BYTES;

const NOBODY: ChannelOwner = { onChannel() {} };

export class TlsChannel extends Channel implements Pollable, WireUser {
  readonly fd: number;
  readonly plain = false;
  /** What the client asked for (SNI), or "". */
  readonly serverName: string;
  /** Why the handshake failed, or why the channel was lost; null: it was not, or not by TLS. */
  failure: TlsFailure | null = null;
  #agreement: Agreement = NOTHING_AGREED;
  readonly #context: SocketContext;
  readonly #ssl: OpenSsl;
  readonly #wire: Wire;
  readonly #connection: Handle;
  /** Towards a server: where its session is kept. */
  #target: TlsTarget | null;
  /** What the poller watches for; 0: nothing yet. */
  #events = 0;
  /** The socket may have bytes, and room. */
  #mayReceive = false;
  #maySend = true;
  /** The wire or OpenSSL may hold something of the peer. */
  #mayHold = true;
  /** Received, and taken off the wire before OpenSSL had it. */
  #kept: Uint8Array | null = null;
  /** Encrypted, and not taken by the socket yet. */
  #unsent: Uint8Array | null = null;
  #established = false;
  /** The peer has ended its sending. */
  #ended = false;
  #lost = false;
  /** Nothing can be sent any more: it was ended, or the socket refused. */
  #sendingOver = false;
  #halfCloses = false;
  #open = true;

  private constructor(context: SocketContext, connection: Handle, fd: number, serverName: string, owner: ChannelOwner) {
    super(owner);
    this.#context = context;
    this.#ssl = openssl();
    this.#wire = wireOfThread();
    this.#connection = connection;
    this.#target = null;
    this.fd = fd;
    this.serverName = serverName;
    this.#wire.attach(connection);
  }

  /**
   * TLS with a client. `fd` is non-blocking, in the ledger, with no poller, and from now on the channel's. `early`: what was
   * read from it already, beginning with the ClientHello; it is not copied. `serverName`: what that asks for.
   */
  static accept(
    context: SocketContext,
    site: ServerContext,
    fd: number,
    early: Uint8Array,
    serverName: string,
    owner: ChannelOwner,
  ): TlsChannel {
    const channel = new TlsChannel(context, site.newConnection(), fd, serverName, owner);
    if (early.length > 0) channel.#kept = early;
    return channel;
  }

  /** TLS with a server; `fd` as above, also while it is connecting. `alpn`: OFFER_HTTP1, OFFER_HTTP2, or null for none. */
  static connect(
    context: SocketContext,
    target: TlsTarget,
    fd: number,
    alpn: Uint8Array | null,
    owner: ChannelOwner,
  ): TlsChannel {
    const channel = new TlsChannel(context, target.newConnection(alpn), fd, "", owner);
    channel.#target = target;
    return channel;
  }

  /** The protocol inside, once the handshake is done; "": none was agreed on. */
  get alpn(): Alpn {
    return this.#agreement.alpn;
  }

  /** "TLSv1.2" or "TLSv1.3", once the handshake is done. */
  get version(): string {
    return this.#agreement.version;
  }

  /** As OpenSSL calls it ("TLS_AES_128_GCM_SHA256"), once the handshake is done. */
  get cipher(): string {
    return this.#agreement.cipher;
  }

  /** A session of before was resumed. */
  get resumed(): boolean {
    return this.#agreement.resumed;
  }

  /** What the peer has shown and the handshake has verified; null: nothing. Costs some 50 us: once a connection. */
  peerCertificate(): PeerCertificate | null {
    return this.#open && this.#established ? peerCertificate(this.#connection) : null;
  }

  override watch(): void {
    if (this.#events !== 0) return;
    this.#events = this.#maySend ? READABLE | PEER_ENDED : READABLE | WRITABLE | PEER_ENDED;
    this.#context.poller.add(this.fd, this.#events, this);
  }

  onReady(_fd: number, events: number): void {
    if ((events & (HUNG_UP | FAILED)) !== 0) this.broken = true;
    if ((events & (PEER_ENDED | HUNG_UP | FAILED)) !== 0) this.endIsNear = true;
    if ((events & (READABLE | PEER_ENDED | HUNG_UP | FAILED)) !== 0) {
      this.#mayReceive = true;
      this.readable = true;
    }
    if ((events & (WRITABLE | HUNG_UP | FAILED)) !== 0) {
      this.#maySend = true;
      if (this.#flush()) this.writable = true;
      else if (this.#sendingOver) this.writable = true; // so that the owner writes, and hears of it
    }
    if (this.#open) this.owner.onChannel(this);
    else this.#closeWhenSent();
  }

  // The handshake

  /** Goes on with the handshake as far as it goes. @returns HANDSHAKE_DONE, NOTHING_YET or LOST (`failure` says why). */
  handshake(): number {
    if (this.#established) return HANDSHAKE_DONE;
    const ssl = this.#ssl;
    while (!this.#lost) {
      this.#takeWire();
      ssl.ERR_clear_error();
      const result = ssl.SSL_do_handshake(this.#connection);
      const error = result === 1 ? 0 : ssl.SSL_get_error(this.#connection, result);
      if (result !== 1 && error !== ERROR_WANT_READ && error !== ERROR_WANT_WRITE) return this.#fail();
      const flushed = this.#flush();
      // The peer has seen enough to be done: if it has left meanwhile, that is no failure of the handshake.
      if (result === 1) return this.#handshakeDone();
      if (this.#sendingOver) break;
      if (error === ERROR_WANT_WRITE) {
        if (!flushed) return NOTHING_YET;
      } else if (!this.#receive()) {
        if (this.#ended || this.#lost) break;
        this.readable = false;
        return NOTHING_YET;
      }
    }
    this.#lost = true;
    this.failure ??= this.lostBy === 0 || this.lostBy === EPIPE ? PEER_CLOSED : lossOf(this.lostBy);
    return LOST;
  }

  #handshakeDone(): number {
    this.#established = true;
    this.#agreement = agreementOf(this.#connection);
    // Bytes that came along with the last of the handshake will not be told of by the poller.
    this.readable = this.#mayReceive || this.#wire.left() > 0;
    this.writable = this.#unsent === null || this.#sendingOver;
    return HANDSHAKE_DONE;
  }

  /** OpenSSL has given up: the peer gets its alert. */
  #fail(): typeof LOST {
    this.failure = tlsFailure(this.#connection);
    this.#flush();
    this.#lost = true;
    this.#sendingOver = true;
    this.readable = false;
    return LOST;
  }

  // Reading

  override read(into: Uint8Array, most: number): number {
    const ssl = this.#ssl;
    let got = 0;
    while (got < most && !this.#ended && !this.#lost) {
      if (!this.#mayHold && !this.#receive()) break;
      this.#takeWire();
      ssl.ERR_clear_error();
      const target = got === 0 ? into : ((ptr(into) + got) as Pointer);
      const read = ssl.SSL_read(this.#connection, target, most - got);
      if (read > 0) {
        got += read;
        // A record that is used up with nothing behind it: asking OpenSSL again would only cost time.
        if (got < most) this.#mayHold = this.#wire.left() > 0;
      } else {
        this.#nothingRead(ssl.SSL_get_error(this.#connection, read));
      }
    }
    if (this.#wire.written() > 0) this.#flush();
    if (got > 0) {
      if (this.#target !== null) this.#keepSession();
      this.readable = this.#mayHold || this.#mayReceive || this.#ended || this.#lost;
      return got;
    }
    this.readable = false;
    if (this.#lost) return LOST;
    return this.#ended ? 0 : NOTHING_YET;
  }

  #nothingRead(error: number): void {
    if (error === ERROR_WANT_READ) this.#mayHold = false;
    else if (error === ERROR_ZERO_RETURN) this.#ended = true;
    else this.#fail();
  }

  /** Receives what the socket has. @returns whether it had bytes; otherwise it may have ended, or be lost. */
  #receive(): boolean {
    if (!this.#mayReceive) return false;
    this.#takeWire();
    const got = this.#wire.receive(this.fd);
    if (got > 0) {
      // A short read has emptied the socket; the next bytes, or the end, are a new event.
      if (got < INCOMING_BYTES && !this.endIsNear) this.#mayReceive = false;
      this.#mayHold = true;
      return true;
    }
    this.#mayReceive = false;
    if (got === 0) {
      this.#ended = true;
      this.truncated = true;
      return false;
    }
    const code = errno();
    if (code !== EAGAIN) {
      this.lostBy = code;
      this.#lost = true;
    }
    return false;
  }

  #takeWire(): void {
    this.#wire.use(this, this.#kept);
    this.#kept = null;
  }

  takeBack(bytes: Uint8Array): void {
    this.#kept = bytes;
  }

  #keepSession(): void {
    // In TLS 1.3 it comes with the first bytes behind the handshake, and is good for the connections that are made next.
    if (this.#target!.keepSession(this.#connection)) this.#target = null;
  }

  // Writing

  override write(bytes: Uint8Array, length: number): number {
    if (this.#sendingOver || this.#lost) return this.#refuseWrite();
    if (!this.#established) return 0;
    if (this.#unsent !== null && !this.#flush()) return this.#sendingOver ? this.#refuseWrite() : 0;
    const ssl = this.#ssl;
    let taken = 0;
    while (taken < length) {
      ssl.ERR_clear_error();
      const from = taken === 0 ? bytes : ((ptr(bytes) + taken) as Pointer);
      const written = ssl.SSL_write(this.#connection, from, Math.min(length - taken, STEP_BYTES));
      if (written <= 0) {
        this.#fail();
        return this.#refuseWrite();
      }
      taken += written;
      if (!this.#flush()) return this.#sendingOver ? this.#refuseWrite() : taken;
    }
    return taken;
  }

  #refuseWrite(): typeof LOST {
    this.writable = false;
    return LOST;
  }

  /** Sends what is encrypted. @returns whether the socket has taken all of it; `#sendingOver`: it never will. */
  #flush(): boolean {
    if (this.#unsent === null) {
      const length = this.#wire.written();
      if (length === 0) return true;
      const sent = this.#wire.send(this.fd, length);
      if (sent === length) return true;
      const code = sent < 0 ? errno() : EAGAIN;
      this.#unsent = this.#wire.takeWritten(null);
      return this.#sendLater(code);
    }
    this.#unsent = this.#wire.takeWritten(this.#unsent);
    const rest = this.#unsent!;
    if (!this.#maySend) return this.#sendLater(EAGAIN);
    const sent = sys.send(this.fd, rest, rest.length, MSG_NOSIGNAL | MSG_DONTWAIT) as number;
    if (sent === rest.length) {
      this.#unsent = null;
      if (this.#halfCloses) sys.shutdown(this.fd, SHUT_WR);
      return true;
    }
    const code = sent < 0 ? errno() : EAGAIN;
    if (sent > 0) this.#unsent = rest.subarray(sent);
    return this.#sendLater(code);
  }

  #sendLater(code: number): false {
    this.#maySend = false;
    this.writable = false;
    if (code !== EAGAIN) {
      this.lostBy = code;
      this.#sendingOver = true;
      this.#unsent = null;
    } else if (this.#unsent!.length > MOST_UNSENT) {
      this.#lost = true;
      this.#sendingOver = true;
      this.#unsent = null;
    } else if (this.#events !== 0 && (this.#events & WRITABLE) === 0) {
      this.#events |= WRITABLE;
      this.#context.poller.modify(this.fd, this.#events);
    }
    return false;
  }

  // The end

  override end(): void {
    if (this.#sendingOver) return;
    this.#sayEnd();
    if (this.#sendingOver) return;
    this.#sendingOver = true;
    if (this.#unsent === null) sys.shutdown(this.fd, SHUT_WR);
    else this.#halfCloses = true;
  }

  /** close_notify, behind everything that was taken. */
  #sayEnd(): void {
    if (!this.#established || this.#lost) return;
    this.#ssl.ERR_clear_error();
    this.#ssl.SSL_shutdown(this.#connection);
    this.#flush();
  }

  override close(withReset: boolean): void {
    if (!this.#open) return;
    this.#open = false;
    this.owner = NOBODY;
    if (!withReset && !this.#sendingOver) this.#sayEnd();
    if (this.#target !== null && this.#established && !this.#lost) this.#keepSession();
    this.#wire.leave(this);
    this.#kept = null;
    // OpenSSL takes a session for broken whose connection was not shut down (RFC 2246 7.2.1; TLS 1.1 dropped that).
    if (this.#established && !this.#lost) {
      this.#ssl.SSL_set_shutdown(this.#connection, SENT_SHUTDOWN | RECEIVED_SHUTDOWN);
    }
    this.#ssl.SSL_free(this.#connection);
    if (withReset) return this.#release(true);
    if (this.#unsent === null) return this.#release(false);
    // A plain socket would do the same inside the kernel, where its last bytes are then.
    userTimeout(this.fd, LAST_BYTES_MS);
    this.#maySend = false;
    this.watch();
  }

  /** The last bytes of a closed channel. */
  #closeWhenSent(): void {
    if (this.#unsent === null || this.broken) this.#release(false);
  }

  #release(withReset: boolean): void {
    this.#unsent = null;
    this.#context.poller.forget(this.fd);
    this.#context.ledger.disown(this.fd);
    if (withReset) abort(this.fd);
    else sys.close(this.fd);
  }
}

function lossOf(code: number): TlsFailure {
  return { reason: PEER_RESET.reason, detail: errnoName(code) };
}
