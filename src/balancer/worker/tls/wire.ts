/**
 * Between OpenSSL and the sockets of this thread. All TLS connections of a thread share two BIO pairs, one for each direction:
 * OpenSSL reads and writes ciphertext there in memory, and the channel moves it with its own system calls.
 *
 *   socket -- recv --> `incoming` -- SSL_read -->  plain text
 *   socket <- send --- `outgoing` <- SSL_write --  plain text
 *
 * Why not OpenSSL's own socket BIO: it makes two reads a record and says neither what errno was nor that a socket is empty.
 * One recv brings up to 64 KiB this way, one send takes what several records have become, and an idle connection has no
 * buffer at all.
 *
 * Only one connection has bytes in `incoming` at a time, its user. Who comes next makes the user take its bytes away first,
 * so they are copied only where two connections really cross. Nothing is left in `outgoing` between two steps.
 */
import type { Pointer } from "bun:ffi";
import { sys } from "../../../os/libc.ts";
import { type Handle, type OpenSsl, openssl } from "../../../os/openssl.ts";
import { MSG_DONTWAIT, MSG_NOSIGNAL } from "../../../os/socket.ts";

/** Received at once. */
export const INCOMING_BYTES = 64 * 1024;
/** Plain text that is encrypted in one step. */
export const STEP_BYTES = 64 * 1024;
/** What it becomes, with the overhead of its records and an alert besides. */
const OUTGOING_BYTES = STEP_BYTES + 4096;

/** Whose bytes lie in `incoming`. */
export interface WireUser {
  /** Others need the wire: these bytes (its own copy) have to go in again before any that come later. */
  takeBack(bytes: Uint8Array): void;
}

export class Wire {
  readonly #ssl: OpenSsl;
  /** OpenSSL's ends. */
  readonly #reads: Handle;
  readonly #writes: Handle;
  /** Ours. */
  readonly #incoming: Handle;
  readonly #outgoing: Handle;
  readonly #incomingAt: Pointer;
  readonly #outgoingAt: Pointer;
  readonly #address = new BigUint64Array(1);
  #user: WireUser | null = null;

  constructor() {
    const ssl = openssl();
    this.#ssl = ssl;
    [this.#incoming, this.#reads] = pair(ssl, INCOMING_BYTES);
    [this.#writes, this.#outgoing] = pair(ssl, OUTGOING_BYTES);
    // A ring that is empty begins at its first byte again, and both are emptied in each step: so the bytes are always here.
    ssl.BIO_nwrite0(this.#incoming, this.#address);
    this.#incomingAt = Number(this.#address[0]) as Pointer;
    ssl.BIO_nwrite0(this.#writes, this.#address);
    this.#outgoingAt = Number(this.#address[0]) as Pointer;
  }

  /** Connects an SSL with the wire. */
  attach(connection: Handle): void {
    const ssl = this.#ssl;
    ssl.BIO_up_ref(this.#reads);
    ssl.SSL_set0_rbio(connection, this.#reads);
    ssl.BIO_up_ref(this.#writes);
    ssl.SSL_set0_wbio(connection, this.#writes);
  }

  /** From now on `incoming` is the user's; `bytes` are what it took away before, or was given otherwise. */
  use(user: WireUser, bytes: Uint8Array | null): void {
    if (this.#user === user) return;
    this.#clear();
    this.#user = user;
    if (bytes !== null) this.#ssl.BIO_write(this.#incoming, bytes, bytes.length);
  }

  #clear(): void {
    const left = this.left();
    if (left === 0) return;
    const bytes = new Uint8Array(left);
    this.#ssl.BIO_read(this.#reads, bytes, left);
    this.#user?.takeBack(bytes);
  }

  /** The user is over: what it has left is dropped. */
  leave(user: WireUser): void {
    if (this.#user !== user) return;
    this.#user = null;
    this.#clear();
  }

  /** Bytes of the user that OpenSSL has not taken yet. */
  left(): number {
    return this.#ssl.BIO_ctrl_pending(this.#reads);
  }

  /** Receives for the user, who has nothing left. @returns as recv(2). */
  receive(fd: number): number {
    const got = sys.recv(fd, this.#incomingAt, INCOMING_BYTES, MSG_DONTWAIT) as number;
    if (got > 0) this.#ssl.BIO_nwrite(this.#incoming, this.#address, got);
    return got;
  }

  /** Bytes that OpenSSL wants to be sent. */
  written(): number {
    return this.#ssl.BIO_ctrl_pending(this.#outgoing);
  }

  /** Sends them. @returns as send(2); what was not sent is then had by `takeWritten`. */
  send(fd: number, length: number): number {
    const sent = sys.send(fd, this.#outgoingAt, length, MSG_NOSIGNAL | MSG_DONTWAIT) as number;
    if (sent > 0) this.#ssl.BIO_nread(this.#outgoing, this.#address, sent);
    return sent;
  }

  /** Takes what OpenSSL wants to be sent, behind `before`. */
  takeWritten(before: Uint8Array | null): Uint8Array | null {
    const length = this.written();
    if (length === 0) return before;
    const kept = before?.length ?? 0;
    const bytes = new Uint8Array(kept + length);
    if (before !== null) bytes.set(before);
    this.#ssl.BIO_read(this.#outgoing, bytes.subarray(kept), length);
    return bytes;
  }
}

/** A BIO pair whose first end can be written `room` bytes, which the second reads. The other way is not used. */
function pair(ssl: OpenSsl, room: number): [Handle, Handle] {
  const ends = new BigUint64Array(2);
  if (ssl.BIO_new_bio_pair(ends, room, ends.subarray(1), 64) !== 1) throw new Error("OpenSSL has no memory");
  return [Number(ends[0]) as Pointer, Number(ends[1]) as Pointer];
}

let wire: Wire | undefined;

/** The wire of this thread. */
export function wireOfThread(): Wire {
  wire ??= new Wire();
  return wire;
}
