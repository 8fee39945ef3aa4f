/**
 * Holdfast's own routing token: `Cookie: holdfast=<56 characters>`, handed out in an .rdp file's `loadbalanceinfo` or by a
 * Server Redirection. It names a server by a keyed fingerprint, not by its address, so it serves IPv6 and names, survives
 * a change of address and tells an outsider nothing. Signed: nobody can make one, or change one, without the key.
 *
 * 42 bytes, base64url: version (1), key id (1), issued and expiry (unix seconds, BE32 each), fingerprint of the server
 * (8), fingerprint of the user or zeros (8), HMAC-SHA256 of all before it, cut to 128 bits (16; RFC 2104 5). The line takes
 * 75 of the 190 bytes that X.224 leaves.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Reasons } from "../result.ts";

const VERSION = 1;
const SIGNED_BYTES = 26;
const MAC_BYTES = 16;
const TOKEN_BYTES = SIGNED_BYTES + MAC_BYTES;
/** The only length a value can have: 42 bytes fill 56 characters without padding or spare bits. */
export const TOKEN_CHARACTERS = 56;

export const TOKEN_MALFORMED = -1;
export const TOKEN_UNKNOWN_KEY = -2;
export const TOKEN_FORGED = -3;
export const TOKEN_EXPIRED = -4;
export const TOKEN_REASONS: Reasons = {
  [TOKEN_MALFORMED]: "malformed",
  [TOKEN_UNKNOWN_KEY]: "unknown-key",
  [TOKEN_FORGED]: "forged",
  [TOKEN_EXPIRED]: "expired",
};

/** A signing key. A balancer opens with several, so that keys can be changed while old tokens live. */
export interface TokenKey {
  /** 0-255; stands in the token. */
  readonly id: number;
  /** 32 random bytes or more. */
  readonly secret: Uint8Array;
}

/** 64 bits in two unsigned halves, so that neither bigints nor strings are needed to look one up. */
export interface Fingerprint {
  readonly high: number;
  readonly low: number;
}

/** What a token says. A fingerprint in two halves each; both 0 for the user: anyone. */
export interface RoutingToken {
  issuedSec: number;
  expiresSec: number;
  serverHigh: number;
  serverLow: number;
  userHigh: number;
  userLow: number;
}

export function newRoutingToken(): RoutingToken {
  return { issuedSec: 0, expiresSec: 0, serverHigh: 0, serverLow: 0, userHigh: 0, userLow: 0 };
}

/** How `key` names a server. Balancers that share the key agree; computed once for each server and key, at load. */
export function fingerprintServer(key: TokenKey, pool: string, server: string): Fingerprint {
  return fingerprint(key, `server\0${pool}/${server}`);
}

/** How `key` names a user, from the normalised login (see user.ts). Never zero. */
export function fingerprintUser(key: TokenKey, user: string): Fingerprint {
  const print = fingerprint(key, `user\0${user}`);
  return print.high === 0 && print.low === 0 ? { high: 0, low: 1 } : print;
}

function fingerprint(key: TokenKey, text: string): Fingerprint {
  const digest = createHmac("sha256", key.secret).update("holdfast fingerprint\0").update(text).digest();
  return { high: digest.readUInt32BE(0), low: digest.readUInt32BE(4) };
}

/** The value of a token: 56 characters. */
export function sealToken(key: TokenKey, token: Readonly<RoutingToken>): string {
  const bytes = Buffer.alloc(TOKEN_BYTES);
  bytes[0] = VERSION;
  bytes[1] = key.id;
  bytes.writeUInt32BE(token.issuedSec, 2);
  bytes.writeUInt32BE(token.expiresSec, 6);
  bytes.writeUInt32BE(token.serverHigh, 10);
  bytes.writeUInt32BE(token.serverLow, 14);
  bytes.writeUInt32BE(token.userHigh, 18);
  bytes.writeUInt32BE(token.userLow, 22);
  bytes.set(sign(key, bytes), SIGNED_BYTES);
  return bytes.toString("base64url");
}

/** The line for `loadbalanceinfo:s:`, without CR LF: the client adds it. */
export function tokenLine(value: string): string {
  return `Cookie: holdfast=${value}`;
}

function sign(key: TokenKey, bytes: Uint8Array): Buffer {
  const mac = createHmac("sha256", key.secret);
  return mac.update("holdfast token\0").update(bytes.subarray(0, SIGNED_BYTES)).digest().subarray(0, MAC_BYTES);
}

const opened = Buffer.alloc(TOKEN_BYTES);

/**
 * Opens the value that fills `bytes[from, to)`: it is whole, so more is never asked for. The signature is compared in
 * constant time and before anything in the token is believed.
 * @returns bytes used (56; `out` is filled) or a reason (< 0).
 */
export function openToken(
  keys: readonly TokenKey[],
  bytes: Uint8Array,
  from: number,
  to: number,
  nowSec: number,
  out: RoutingToken,
): number {
  if (to - from !== TOKEN_CHARACTERS || !decode(bytes, from) || opened[0] !== VERSION) return TOKEN_MALFORMED;
  const key = findKey(keys, opened[1]!);
  if (key === undefined) return TOKEN_UNKNOWN_KEY;
  if (!timingSafeEqual(sign(key, opened), opened.subarray(SIGNED_BYTES))) return TOKEN_FORGED;
  out.issuedSec = opened.readUInt32BE(2);
  out.expiresSec = opened.readUInt32BE(6);
  out.serverHigh = opened.readUInt32BE(10);
  out.serverLow = opened.readUInt32BE(14);
  out.userHigh = opened.readUInt32BE(18);
  out.userLow = opened.readUInt32BE(22);
  return nowSec < out.expiresSec ? TOKEN_CHARACTERS : TOKEN_EXPIRED;
}

function findKey(keys: readonly TokenKey[], id: number): TokenKey | undefined {
  for (const key of keys) if (key.id === id) return key;
  return undefined;
}

/** Decodes 56 characters of base64url into `opened`; false at a character that is none. */
function decode(bytes: Uint8Array, from: number): boolean {
  for (let i = 0, at = from; i < TOKEN_BYTES; i += 3, at += 4) {
    const bits =
      (sextet(bytes[at]!) << 18) |
      (sextet(bytes[at + 1]!) << 12) |
      (sextet(bytes[at + 2]!) << 6) |
      sextet(bytes[at + 3]!);
    if (bits < 0) return false;
    opened[i] = bits >> 16;
    opened[i + 1] = (bits >> 8) & 0xff;
    opened[i + 2] = bits & 0xff;
  }
  return true;
}

/** The six bits of a base64url character (RFC 4648 5); -1 for another byte. */
function sextet(byte: number): number {
  if (byte >= 0x41 && byte <= 0x5a) return byte - 0x41;
  if (byte >= 0x61 && byte <= 0x7a) return byte - 0x61 + 26;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30 + 52;
  if (byte === 0x2d) return 62;
  return byte === 0x5f ? 63 : -1;
}
