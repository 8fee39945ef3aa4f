/** A client's end of a connection, plain or TLS, which does not block. What goes wrong throws: the rig is broken then. */
import { dlopen, FFIType } from "bun:ffi";
import { cString, type Handle, openssl, takeError } from "../../src/os/openssl.ts";
import { HOST } from "../certificates.ts";
import { close, receive, send } from "../sockets.ts";

export interface Line {
  readonly fd: number;
  /** Goes on with arriving, once connected. @returns whether it is done. */
  arrive(): boolean;
  /** What was taken: 0 when it is full, -1 when the other side is gone. */
  send(bytes: Uint8Array, length?: number): number;
  /** Bytes read, 0 at the end, -1 when there is nothing now, -2 when the other side is gone. */
  receive(into: Uint8Array): number;
  close(): void;
}

export class PlainLine implements Line {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  arrive(): boolean {
    return true;
  }

  send(bytes: Uint8Array, length = bytes.length): number {
    return send(this.fd, bytes, length);
  }

  receive(into: Uint8Array): number {
    return receive(this.fd, into);
  }

  close(): void {
    close(this.fd);
  }
}

const CTRL_MODE = 33;
const CTRL_SET_SERVER_NAME = 55;
/** As text: OpenSSL has another number for a list of numbers. */
const CTRL_SET_GROUPS = 92;
/** Partial writes, from a buffer that may have moved. */
const WRITE_MODE = 0x3;
const WANT_READ = 2;
const WANT_WRITE = 3;
const ZERO_RETURN = 6;
const BOTH_SHUT_DOWN = 3;
const ALPN = Buffer.from("\x08http/1.1");
const NAME = cString(HOST);

const ssl = openssl();
const { SSL_set_fd } = dlopen("libssl.so.3", {
  SSL_set_fd: { args: [FFIType.ptr, FFIType.i32], returns: FFIType.i32 },
}).symbols;
const context = newContext();

/** TLS 1.3, one cipher and one group, so that every balancer does the same mathematics. Certificates are not verified. */
function newContext(): Handle {
  const made = ssl.SSL_CTX_new(ssl.TLS_client_method());
  if (made === null) throw new Error("OpenSSL has no memory");
  if (ssl.SSL_CTX_set_ciphersuites(made, cString("TLS_AES_128_GCM_SHA256")) !== 1) fail("cipher");
  if (ssl.SSL_CTX_ctrl(made, CTRL_SET_GROUPS, 0, cString("X25519")) !== 1) fail("group");
  ssl.SSL_CTX_ctrl(made, CTRL_MODE, WRITE_MODE, null);
  return made;
}

function fail(what: string): never {
  throw new Error(`TLS, ${what}: ${takeError()?.text ?? "no reason given"}`);
}

export class TlsLine implements Line {
  readonly fd: number;
  readonly #handle: Handle;

  /** `session`: of an earlier line, to be resumed. */
  constructor(fd: number, session: Handle | null = null) {
    this.fd = fd;
    const handle = ssl.SSL_new(context);
    if (handle === null || SSL_set_fd(handle, fd) !== 1) fail("new");
    this.#handle = handle;
    ssl.SSL_set_connect_state(handle);
    ssl.SSL_ctrl(handle, CTRL_SET_SERVER_NAME, 0, NAME);
    ssl.SSL_set_alpn_protos(handle, ALPN, ALPN.length);
    if (session !== null && ssl.SSL_set_session(handle, session) !== 1) fail("session");
  }

  arrive(): boolean {
    const result = ssl.SSL_do_handshake(this.#handle);
    if (result === 1) return true;
    const error = ssl.SSL_get_error(this.#handle, result);
    if (error !== WANT_READ && error !== WANT_WRITE) fail("handshake");
    return false;
  }

  get resumed(): boolean {
    return ssl.SSL_session_reused(this.#handle) === 1;
  }

  /** Says that nothing more will be sent. */
  end(): void {
    if (ssl.SSL_shutdown(this.#handle) < 0) fail("shutdown");
  }

  /** What can be resumed, once tickets have come; the caller frees it. Null: none has come. */
  session(): Handle | null {
    const session = ssl.SSL_get1_session(this.#handle);
    if (session === null || ssl.SSL_SESSION_is_resumable(session) === 1) return session;
    ssl.SSL_SESSION_free(session);
    return null;
  }

  send(bytes: Uint8Array, length = bytes.length): number {
    const sent = ssl.SSL_write(this.#handle, bytes, length);
    if (sent > 0) return sent;
    return ssl.SSL_get_error(this.#handle, sent) === WANT_WRITE ? 0 : -1;
  }

  receive(into: Uint8Array): number {
    const got = ssl.SSL_read(this.#handle, into, into.length);
    if (got > 0) return got;
    const error = ssl.SSL_get_error(this.#handle, got);
    if (error === WANT_READ) return -1;
    ssl.ERR_clear_error();
    return error === ZERO_RETURN ? 0 : -2;
  }

  close(): void {
    // Without this OpenSSL takes the session for a broken one, and nobody may resume it.
    ssl.SSL_set_shutdown(this.#handle, BOTH_SHUT_DOWN);
    ssl.SSL_free(this.#handle);
    close(this.fd);
  }
}

export function freeSession(session: Handle): void {
  ssl.SSL_SESSION_free(session);
}
