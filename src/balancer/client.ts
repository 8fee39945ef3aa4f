/** What deciding needs to know of a client. */
import type { RequestHead } from "../protocols/http1/request.ts";
import type { ServerId } from "./shared/server-id.ts";

/** What kind of routing token the client sent, after it was read and (if signed) verified. */
export const TokenKind = {
  NONE: 0,
  /** Microsoft's `msts=`: an IPv4 address and a port. */
  ADDRESS: 1,
  /** Holdfast's own: the keyed fingerprint of a server. */
  SIGNED: 2,
  /** There was one, and it is malformed, forged, expired or of a kind that names no server. */
  INVALID: 3,
} as const;
export type TokenKind = (typeof TokenKind)[keyof typeof TokenKind];

/** An HTTP request as deciding sees it: its head, with offsets into `bytes`. */
export interface HttpRequest {
  readonly bytes: Uint8Array;
  readonly head: RequestHead;
}

/** A client as deciding sees it. One object, used again; whoever decides twice for a client keeps it as long. */
export interface Client {
  /** 16 bytes; the address behind a trusted PROXY header. */
  source: Uint8Array;
  /** The client's port, behind a trusted PROXY header its own. */
  sourcePort: number;
  /** The normalised login. */
  user: Uint8Array;
  /** Bytes of `user`; 0: none was sent. */
  userLength: number;
  /** The login may be the beginning of a longer one: it is never an identity. */
  userMayBeCut: boolean;
  token: TokenKind;
  /** ADDRESS: 16 bytes. */
  tokenAddress: Uint8Array;
  tokenPort: number;
  /** SIGNED: the fingerprint of the server in two halves, signed or unsigned. */
  tokenServerHigh: number;
  tokenServerLow: number;
  /** SIGNED: unix seconds. */
  tokenIssuedSec: number;
  /** The collection of a `tsv://` token in lower case; empty: none. */
  collection: string;
  /** The name that the client asked for in its TLS handshake (SNI), in lower case and without a last dot. */
  serverName: Uint8Array;
  /** Bytes of `serverName`; 0: none was sent, or no TLS was read. */
  serverNameLength: number;
  /** HTTP: the request that is being served, from its parsed head until the exchange ends; else null. */
  request: HttpRequest | null;
  /** The server of the sticky cookie that the last answer was about; the id of the cookie shown or given last. 0: none. */
  cookieServer: ServerId | 0;
  cookieIdHigh: number;
  cookieIdLow: number;
}

const NOTHING = new Uint8Array(0);
const NO_ADDRESS = new Uint8Array(16);

/** A client of whom nothing is known yet. Who learns a login or a token's address puts in an array of its own. */
export function newClient(): Client {
  return {
    source: new Uint8Array(16),
    sourcePort: 0,
    user: NOTHING,
    userLength: 0,
    userMayBeCut: false,
    token: TokenKind.NONE,
    tokenAddress: NO_ADDRESS,
    tokenPort: 0,
    tokenServerHigh: 0,
    tokenServerLow: 0,
    tokenIssuedSec: 0,
    collection: "",
    serverName: NOTHING,
    serverNameLength: 0,
    request: null,
    cookieServer: 0,
    cookieIdHigh: 0,
    cookieIdLow: 0,
  };
}
