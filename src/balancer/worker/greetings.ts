/** What comes before a connection can be routed: a PROXY header, an X.224 Connection Request. */
import { writeIPv4 } from "../../protocols/address.ts";
import { newProxyHeader, readProxyHeader, UNKNOWN_FAMILY } from "../../protocols/proxy.ts";
import {
  BAD_LENGTH,
  BAD_NEGOTIATION,
  BAD_TEXT,
  COLLECTION_TOKEN,
  MSTS_TOKEN,
  NO_LINE_END,
  NOT_CONNECTION_REQUEST,
  NOT_TPKT,
  newConnectionRequest,
  PRECONNECTION_BLOB,
  readConnectionRequest,
  SIGNED_TOKEN,
  TOO_LONG,
  TOO_SHORT,
  USER_COOKIE,
} from "../../protocols/rdp/connection-request.ts";
import { newMstsToken, readMstsToken } from "../../protocols/rdp/msts.ts";
import { newRoutingToken, openToken, type TokenKey } from "../../protocols/rdp/token.ts";
import { MAX_USER, mayBeCut, normaliseUser } from "../../protocols/rdp/user.ts";
import { type Client, TokenKind } from "../client.ts";
import { RefusalCode } from "../shared/words.ts";

/** What a greeting may need of its worker. */
export interface GreetingContext {
  readonly nowSec: number;
  readonly tokenKeys: readonly TokenKey[];
}

/** One step of the first bytes. */
export interface Greeting {
  /** Reads `bytes[from, to)` and fills `client`. @returns as every parser: bytes used, NEED_MORE, or a reason. */
  read(bytes: Uint8Array, from: number, to: number, client: Client, context: GreetingContext): number;
  /** The REFUSALS code of a reason that `read` gave. */
  refusal(reason: number): number;
}

const header = newProxyHeader();

/** A PROXY header of version 1 or 2, meant for the balancer and not passed on: the client's address is what it says. */
export const proxyEnvelope: Greeting = {
  read(bytes, from, to, client) {
    const used = readProxyHeader(bytes, from, to, header);
    if (used > 0 && header.family !== UNKNOWN_FAMILY) {
      client.source.set(header.source);
      client.sourcePort = header.sourcePort;
    }
    return used;
  },
  refusal: () => RefusalCode["bad-proxy-header"],
};

const REQUEST_REFUSALS: Readonly<Record<number, number>> = {
  [NOT_TPKT]: RefusalCode["not-tpkt"],
  [PRECONNECTION_BLOB]: RefusalCode["preconnection-blob"],
  [TOO_SHORT]: RefusalCode["too-short"],
  [TOO_LONG]: RefusalCode["too-long"],
  [BAD_LENGTH]: RefusalCode["bad-length"],
  [NOT_CONNECTION_REQUEST]: RefusalCode["not-connection-request"],
  [BAD_TEXT]: RefusalCode["bad-text"],
  [NO_LINE_END]: RefusalCode["no-line-end"],
  [BAD_NEGOTIATION]: RefusalCode["bad-negotiation"],
};

const request = newConnectionRequest();
const msts = newMstsToken();
const token = newRoutingToken();
const login = new Uint8Array(MAX_USER);
const textDecoder = new TextDecoder("latin1");

/** The X.224 Connection Request: who the client claims to be, and the token it was given. */
export const rdpRequest: Greeting = {
  read(bytes, from, to, client, context) {
    const used = readConnectionRequest(bytes, from, to, request);
    if (used > 0) readCookie(bytes, request.cookie, request.cookieAt, request.cookieEnd, client, context);
    return used;
  },
  refusal: (reason) => REQUEST_REFUSALS[reason] ?? RefusalCode["bad-length"],
};

function readCookie(
  bytes: Uint8Array,
  kind: number,
  from: number,
  to: number,
  client: Client,
  context: GreetingContext,
): void {
  switch (kind) {
    case USER_COOKIE: {
      const length = normaliseUser(bytes, from, to, login, 0);
      if (length === 0) return;
      client.user = login.slice(0, length);
      client.userLength = length;
      client.userMayBeCut = mayBeCut(bytes, from, to);
      return;
    }
    case MSTS_TOKEN:
      if (readMstsToken(bytes, from, to, msts) < 0) {
        client.token = TokenKind.INVALID;
        return;
      }
      client.token = TokenKind.ADDRESS;
      client.tokenAddress = new Uint8Array(16);
      writeIPv4(client.tokenAddress, 0, msts.ipv4);
      client.tokenPort = msts.port;
      return;
    case SIGNED_TOKEN:
      if (openToken(context.tokenKeys, bytes, from, to, context.nowSec, token) < 0) {
        client.token = TokenKind.INVALID;
        return;
      }
      client.token = TokenKind.SIGNED;
      client.tokenServerHigh = token.serverHigh;
      client.tokenServerLow = token.serverLow;
      client.tokenIssuedSec = token.issuedSec;
      return;
    case COLLECTION_TOKEN:
      client.collection = textDecoder.decode(bytes.subarray(from, to)).toLowerCase();
      return;
  }
}
