/** Which protocol is spoken inside TLS (ALPN, RFC 7301). */
import { FFIType, JSCallback, type Pointer, read, toArrayBuffer } from "bun:ffi";
import { ALPN_ACCEPTED, ALPN_FATAL } from "./openssl-constants.ts";

/** What was agreed; "": nothing, as most clients of other protocols than HTTP say nothing. */
export type Alpn = "" | "h2" | "http/1.1";

/** Names as they are on the wire: each behind its length. */
export function alpnBytes(protocols: readonly string[]): Uint8Array {
  return Buffer.concat(protocols.map((name) => Buffer.concat([Uint8Array.of(name.length), Buffer.from(name)])));
}

/** What is offered to servers of HTTP. */
export const OFFER_HTTP1 = alpnBytes(["http/1.1"]);
export const OFFER_HTTP2 = alpnBytes(["h2", "http/1.1"]);

/** Lists in order of our preference, each known to OpenSSL by its index. */
const lists: Uint8Array[] = [];
let selector: JSCallback | undefined;

/** The function that OpenSSL calls, the same for all contexts of this thread. It is never closed. */
export function alpnSelector(): Pointer {
  selector ??= new JSCallback(select, {
    args: [FFIType.ptr, FFIType.ptr, FFIType.ptr, FFIType.ptr, FFIType.u32, FFIType.u64_fast],
    returns: FFIType.i32,
  });
  return selector.ptr!;
}

/** The selector's argument for a list: its place, which stays. */
export function alpnList(protocols: readonly string[]): number {
  const wanted = alpnBytes(protocols);
  const known = lists.findIndex((list) => Buffer.compare(list, wanted) === 0);
  return known >= 0 ? known : lists.push(wanted) - 1;
}

/** Our first protocol that the client offers too. With none of them the handshake fails, as RFC 7301 3.2 wants it. */
function select(
  _ssl: Pointer,
  out: Pointer,
  outLength: Pointer,
  offered: Pointer,
  length: number,
  list: number,
): number {
  const wanted = lists[list]!;
  for (let at = 0; at < wanted.length; at += 1 + wanted[at]!) {
    const found = find(wanted, at, offered, length);
    if (found < 0) continue;
    new BigUint64Array(toArrayBuffer(out, 0, 8))[0] = BigInt(offered + found + 1);
    new Uint8Array(toArrayBuffer(outLength, 0, 1))[0] = wanted[at]!;
    return ALPN_ACCEPTED;
  }
  return ALPN_FATAL;
}

/** Where in the client's list our name at `at` is, with its length byte; -1: nowhere. */
function find(wanted: Uint8Array, at: number, offered: Pointer, length: number): number {
  const size = 1 + wanted[at]!;
  for (let from = 0; from + size <= length; from += 1 + read.u8(offered, from)) {
    let same = 0;
    while (same < size && read.u8(offered, from + same) === wanted[at + same]) same++;
    if (same === size) return from;
  }
  return -1;
}
