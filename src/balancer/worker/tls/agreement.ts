/** What two sides have agreed on in a handshake. */
import { type Pointer, read } from "bun:ffi";
import { type Handle, openssl, textAt } from "../../../os/openssl.ts";
import type { Alpn } from "./alpn.ts";
import { TLS_1_3 } from "./openssl-constants.ts";

export interface Agreement {
  readonly version: "" | "TLSv1.2" | "TLSv1.3";
  readonly cipher: string;
  readonly alpn: Alpn;
  readonly resumed: boolean;
}

export const NOTHING_AGREED: Agreement = { version: "", cipher: "", alpn: "", resumed: false };

/** There are few different ones, so connections share them. */
const known = new Map<string, Agreement>();
const address = new BigUint64Array(1);
const length = new Uint32Array(1);

/** Asks OpenSSL once the handshake is done. */
export function agreementOf(connection: Handle): Agreement {
  const ssl = openssl();
  const cipher = ssl.SSL_get_current_cipher(connection);
  const version = ssl.SSL_version(connection) === TLS_1_3 ? "TLSv1.3" : "TLSv1.2";
  const alpn = alpnOf(connection);
  const resumed = ssl.SSL_session_reused(connection) === 1;
  const key = `${ssl.SSL_CIPHER_get_id(cipher)} ${version} ${alpn} ${resumed}`;
  let agreement = known.get(key);
  if (agreement === undefined) {
    agreement = { version, cipher: textAt(ssl.SSL_CIPHER_get_name(cipher)), alpn, resumed };
    known.set(key, agreement);
  }
  return agreement;
}

/** By length alone: only what we accept or offer can be agreed on. */
function alpnOf(connection: Handle): Alpn {
  openssl().SSL_get0_alpn_selected(connection, address, length);
  if (length[0] === 0) return "";
  return length[0] === 2 && read.u8(Number(address[0]) as Pointer, 0) === 0x68 ? "h2" : "http/1.1";
}
