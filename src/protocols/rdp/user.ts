/**
 * The login in `Cookie: mstshash=…`, brought to one form so that a client who spells it differently is the same user.
 *
 * `DOMAIN\user` and `user@domain` stay different identities: a NetBIOS domain and a DNS domain cannot be told to be one
 * without a directory, and a plain `user` may be a local account. Only `.\user` (this machine) is `user`. Capitals of
 * ASCII become small; the bytes of other alphabets are kept, as the client's code page is not known.
 */
import { isControl, lower, SPACE } from "../ascii.ts";

/** Bound: a login is never longer than a Connection Request. The caller's buffer must hold as much. */
export const MAX_USER = 259;
/** mstsc sends this many characters of a login and no more. */
export const CUT_AT = 9;

const BACKSLASH = 0x5c;
const AT = 0x40;
const DOT = 0x2e;

/**
 * Writes the normalised login of `bytes[from, to)` to `into[at]` (MAX_USER bytes of room).
 * @returns its length; 0 if it names nobody (empty, only a domain, a control character, too long).
 */
export function normaliseUser(bytes: Uint8Array, from: number, to: number, into: Uint8Array, at: number): number {
  let start = from;
  let end = to;
  while (end > start && bytes[end - 1] === SPACE) end--;
  while (start < end) {
    if (bytes[start] === SPACE) start++;
    else if (end - start > 2 && bytes[start] === DOT && bytes[start + 1] === BACKSLASH) start += 2;
    else break;
  }
  if (start === end || end - start > MAX_USER) return 0;
  if (isSeparator(bytes[start]!) || isSeparator(bytes[end - 1]!)) return 0; // a domain alone is nobody
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (isControl(byte)) return 0;
    into[at + i - start] = lower(byte);
  }
  return end - start;
}

function isSeparator(byte: number): boolean {
  return byte === BACKSLASH || byte === AT;
}

/**
 * May the login, exactly as it was sent in `bytes[from, to)`, be the beginning of a longer one? mstsc cuts at nine
 * characters, so nine are ambiguous and never an identity: two users may share them. With letters outside ASCII the bytes
 * of a character are not known, so nine or more are ambiguous.
 */
export function mayBeCut(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from === CUT_AT) return true;
  if (to - from < CUT_AT) return false;
  for (let i = from; i < to; i++) if (bytes[i]! >= 0x80) return true;
  return false;
}

/** `normaliseUser` for text that a person typed; undefined if it names nobody. */
export function normaliseUserName(text: string): string | undefined {
  const bytes = new TextEncoder().encode(text);
  const into = new Uint8Array(bytes.length);
  const length = normaliseUser(bytes, 0, bytes.length, into, 0);
  return length === 0 ? undefined : new TextDecoder().decode(into.subarray(0, length));
}
