/** The first message of a TLS client (RFC 8446 4.1.2, RFC 6066 3, RFC 7301): whom it wants to talk to, and how. */
import type { Reasons } from "../result.ts";

/** Bound: records and their headers. The largest hellos of today have some 2 KiB. */
export const MAX_CLIENT_HELLO = 17_408;

export const NOT_TLS = -1;
export const SSL_V2 = -2;
export const HELLO_TOO_LONG = -3;
export const BAD_RECORD = -4;
export const NOT_CLIENT_HELLO = -5;
export const BAD_HELLO = -6;
export const BAD_SERVER_NAME = -7;
export const CLIENT_HELLO_REASONS: Reasons = {
  [NOT_TLS]: "not-tls",
  [SSL_V2]: "ssl-two",
  [HELLO_TOO_LONG]: "too-long",
  [BAD_RECORD]: "bad-record",
  [NOT_CLIENT_HELLO]: "not-client-hello",
  [BAD_HELLO]: "bad-hello",
  [BAD_SERVER_NAME]: "bad-server-name",
};

/** Bits of `versions`. */
export const OFFERS_TLS10 = 1;
export const OFFERS_TLS11 = 2;
export const OFFERS_TLS12 = 4;
export const OFFERS_TLS13 = 8;

/** What a ClientHello says. The message may lie in pieces, so names are copied. */
export interface ClientHello {
  /** The server's name (SNI) in lower case, without a last dot; letters, digits, `-`, `_`, `.`. */
  serverName: Uint8Array;
  /** Bytes of it; 0: none was sent. */
  serverNameLength: number;
  /** Protocols (ALPN) as on the wire: a length byte and a name each. */
  alpn: Uint8Array;
  /** Bytes of them; 0: none was sent, or too many to keep. */
  alpnLength: number;
  /** OFFERS_… bits. */
  versions: number;
}

export function newClientHello(): ClientHello {
  return {
    serverName: new Uint8Array(255),
    serverNameLength: 0,
    alpn: new Uint8Array(256),
    alpnLength: 0,
    versions: 0,
  };
}

/**
 * Reads a ClientHello in `bytes[from, to)`, in one record or in many. Bound: MAX_CLIENT_HELLO, 17 KiB.
 * @returns bytes used, to the end of its last record (> 0, `out` is filled), NEED_MORE (0), or a reason (< 0).
 */
export function readClientHello(_bytes: Uint8Array, _from: number, _to: number, _out: ClientHello): number {
  return -1;
}

/** Does the client offer the protocol `name` ("h2")? */
export function offersProtocol(_hello: ClientHello, _name: Uint8Array): boolean {
  return false;
}
