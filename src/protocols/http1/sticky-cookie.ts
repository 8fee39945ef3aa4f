/**
 * The value of Holdfast's own sticky cookie: 56 characters that say on which server a browser is, since when, and when it was
 * last seen. It names the server by a keyed fingerprint, as a routing token does (rdp/token.ts), so it tells an outsider no
 * address and no count of servers, and it is signed: nobody can make one, or change one, without the key.
 *
 * 42 bytes, base64url: version (1), key id (1), issued and seen (unix seconds, BE32 each), fingerprint of the server (8), an
 * id of its own (8, random), HMAC-SHA256 of all before it, cut to 128 bits (16; RFC 2104 5).
 */
import { createHmac } from "node:crypto";
import { ascii } from "../ascii.ts";
import { decodeBase64url, writeBase64url } from "../base64url.ts";
import type { TokenKey } from "../rdp/token.ts";
import type { Reasons } from "../result.ts";

const VERSION = 1;
const SIGNED_BYTES = 26;
const MAC_BYTES = 16;
/** The only length a value can have: 42 bytes fill 56 characters without padding or spare bits. */
export const STICKY_COOKIE_CHARACTERS = 56;

export const COOKIE_MALFORMED = -1;
export const COOKIE_UNKNOWN_KEY = -2;
export const COOKIE_FORGED = -3;
export const COOKIE_REASONS: Reasons = {
  [COOKIE_MALFORMED]: "malformed",
  [COOKIE_UNKNOWN_KEY]: "unknown-key",
  [COOKIE_FORGED]: "forged",
};

/** What a cookie says. Fingerprints and ids in two unsigned halves, so that nothing needs bigints or strings. */
export interface StickyCookie {
  /** Unix seconds: when the client came to the server, and when that was last written down. */
  issuedSec: number;
  seenSec: number;
  serverHigh: number;
  serverLow: number;
  /** Tells this cookie from all others. It stays when `seenSec` is renewed. */
  idHigh: number;
  idLow: number;
}

export function newStickyCookie(): StickyCookie {
  return { issuedSec: 0, seenSec: 0, serverHigh: 0, serverLow: 0, idHigh: 0, idLow: 0 };
}

const scratch = Buffer.alloc(SIGNED_BYTES + MAC_BYTES);
/** What is signed: its purpose, so that no other thing with this key can be taken for a cookie, and the cookie. */
const PURPOSE = ascii("holdfast cookie\0");
const signed = new Uint8Array(PURPOSE.length + SIGNED_BYTES);
signed.set(PURPOSE);

/** Writes the 56 characters of a value at `into[at]`. @returns the position behind them. */
export function writeStickyCookie(key: TokenKey, cookie: Readonly<StickyCookie>, into: Uint8Array, at: number): number {
  scratch[0] = VERSION;
  scratch[1] = key.id;
  scratch.writeUInt32BE(cookie.issuedSec, 2);
  scratch.writeUInt32BE(cookie.seenSec, 6);
  scratch.writeUInt32BE(cookie.serverHigh, 10);
  scratch.writeUInt32BE(cookie.serverLow, 14);
  scratch.writeUInt32BE(cookie.idHigh, 18);
  scratch.writeUInt32BE(cookie.idLow, 22);
  const mac = sign(key);
  for (let i = 0; i < MAC_BYTES; i++) scratch[SIGNED_BYTES + i] = mac[i]!;
  return writeBase64url(scratch, into, at);
}

/**
 * Opens the value that fills `bytes[from, to)`: it is whole, so more is never asked for. The signature is compared in
 * constant time and before anything in the cookie is believed. Whether it is too old is its pool's to say.
 * @returns bytes used (56; `out` is filled) or a reason (< 0).
 */
export function openStickyCookie(
  keys: readonly TokenKey[],
  bytes: Uint8Array,
  from: number,
  to: number,
  out: StickyCookie,
): number {
  if (to - from !== STICKY_COOKIE_CHARACTERS) return COOKIE_MALFORMED;
  if (!decodeBase64url(bytes, from, scratch) || scratch[0] !== VERSION) return COOKIE_MALFORMED;
  const key = findKey(keys, scratch[1]!);
  if (key === undefined) return COOKIE_UNKNOWN_KEY;
  if (!isSignedWith(key)) return COOKIE_FORGED;
  out.issuedSec = scratch.readUInt32BE(2);
  out.seenSec = scratch.readUInt32BE(6);
  out.serverHigh = scratch.readUInt32BE(10);
  out.serverLow = scratch.readUInt32BE(14);
  out.idHigh = scratch.readUInt32BE(18);
  out.idLow = scratch.readUInt32BE(22);
  return STICKY_COOKIE_CHARACTERS;
}

/** The HMAC of the cookie in `scratch`; its first MAC_BYTES count. One update: each costs a quarter of the whole. */
function sign(key: TokenKey): Uint8Array {
  for (let i = 0; i < SIGNED_BYTES; i++) signed[PURPOSE.length + i] = scratch[i]!;
  return createHmac("sha256", key.secret).update(signed).digest();
}

/** In constant time. */
function isSignedWith(key: TokenKey): boolean {
  const mac = sign(key);
  let difference = 0;
  for (let i = 0; i < MAC_BYTES; i++) difference |= mac[i]! ^ scratch[SIGNED_BYTES + i]!;
  return difference === 0;
}

function findKey(keys: readonly TokenKey[], id: number): TokenKey | undefined {
  for (const key of keys) if (key.id === id) return key;
  return undefined;
}
