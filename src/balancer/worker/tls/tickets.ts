/**
 * Session tickets (RFC 8446 4.6.1, RFC 5077): a client brings its session back itself, encrypted with a key that all workers
 * have, so whichever accepts can resume it. The newest key encrypts; an older one still decrypts, and then the client gets
 * a new ticket. OpenSSL by itself knows only one key, so it asks here: once for each ticket.
 */
import { FFIType, JSCallback, type Pointer, ptr, read, toArrayBuffer } from "bun:ffi";
import { cString, type Handle, type OpenSsl, openssl } from "../../../os/openssl.ts";

/** Bytes of a ticket key: its name, a key for HMAC-SHA-256, one for AES-256-CBC. nginx has the same order. */
export const TICKET_KEY_BYTES = 80;
const NAME_BYTES = 16;
const MAC_KEY_END = 48;
const IV_BYTES = 16;

const FAILED = -1;
const UNKNOWN = 0;
const USED = 1;
const USED_AND_RENEW = 2;

/** struct ossl_param_st of <openssl/core.h>. */
const PARAMETER_BYTES = 40;
const UTF8_STRING = 4;
const OCTET_STRING = 5;

/** OpenSSL reads these arrays by address: they are never touched again, so that they stay where they are. */
interface TicketKey {
  readonly name: Uint8Array;
  readonly macKey: Uint8Array;
  readonly cipherKey: Uint8Array;
  /** What EVP_MAC_CTX_set_params takes. */
  readonly macParameters: Uint8Array;
}

const NAME_OF_KEY = pinned(cString("key"));
const NAME_OF_DIGEST = pinned(cString("digest"));
const SHA_256 = pinned(cString("SHA256"));

let keys: readonly TicketKey[] = [];
let cipher: Handle | null = null;
let callback: JSCallback | undefined;

/** The keys of this thread, newest first, TICKET_KEY_BYTES each. Without any, no session is resumed. */
export function useTicketKeys(raw: readonly Uint8Array[]): void {
  keys = raw.map((bytes) => {
    const macKey = pinned(bytes.subarray(NAME_BYTES, MAC_KEY_END));
    return {
      name: pinned(bytes.subarray(0, NAME_BYTES)),
      macKey,
      cipherKey: pinned(bytes.subarray(MAC_KEY_END, TICKET_KEY_BYTES)),
      macParameters: macParameters(macKey),
    };
  });
}

/** The function that OpenSSL asks (SSL_CTX_set_tlsext_ticket_key_evp_cb), the same for all contexts of this thread. */
export function ticketCallback(): Pointer {
  callback ??= new JSCallback(onTicket, {
    args: [FFIType.ptr, FFIType.ptr, FFIType.ptr, FFIType.ptr, FFIType.ptr, FFIType.i32],
    returns: FFIType.i32,
  });
  cipher ??= openssl().EVP_CIPHER_fetch(null, cString("AES-256-CBC"), null);
  return callback.ptr!;
}

function onTicket(
  _connection: Pointer,
  name: Pointer,
  iv: Pointer,
  aes: Handle,
  mac: Handle,
  encrypts: number,
): number {
  const ssl = openssl();
  return encrypts === 1 ? encrypt(ssl, name, iv, aes, mac) : decrypt(ssl, name, iv, aes, mac);
}

function encrypt(ssl: OpenSsl, name: Pointer, iv: Pointer, aes: Handle, mac: Handle): number {
  const key = keys[0];
  if (key === undefined) return UNKNOWN;
  new Uint8Array(toArrayBuffer(name, 0, NAME_BYTES)).set(key.name);
  if (ssl.RAND_bytes(iv, IV_BYTES) !== 1) return FAILED;
  if (ssl.EVP_EncryptInit_ex(aes, cipher, null, key.cipherKey, iv) !== 1) return FAILED;
  return ssl.EVP_MAC_CTX_set_params(mac, key.macParameters) === 1 ? USED : FAILED;
}

function decrypt(ssl: OpenSsl, name: Pointer, iv: Pointer, aes: Handle, mac: Handle): number {
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index]!;
    if (!isNamed(key, name)) continue;
    if (ssl.EVP_DecryptInit_ex(aes, cipher, null, key.cipherKey, iv) !== 1) return FAILED;
    if (ssl.EVP_MAC_CTX_set_params(mac, key.macParameters) !== 1) return FAILED;
    return index === 0 ? USED : USED_AND_RENEW;
  }
  return UNKNOWN;
}

function isNamed(key: TicketKey, name: Pointer): boolean {
  for (let at = 0; at < NAME_BYTES; at++) if (read.u8(name, at) !== key.name[at]) return false;
  return true;
}

function macParameters(macKey: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(3 * PARAMETER_BYTES)); // the last one is all zeroes
  const view = new DataView(bytes.buffer);
  const put = (at: number, name: Uint8Array, type: number, data: Uint8Array, length: number) => {
    view.setBigUint64(at, BigInt(ptr(name)), true);
    view.setUint32(at + 8, type, true);
    view.setBigUint64(at + 16, BigInt(ptr(data)), true);
    view.setBigUint64(at + 24, BigInt(length), true);
  };
  put(0, NAME_OF_KEY, OCTET_STRING, macKey, macKey.length);
  put(PARAMETER_BYTES, NAME_OF_DIGEST, UTF8_STRING, SHA_256, SHA_256.length - 1);
  return bytes;
}

/** A copy in a buffer of its own, which is never moved. */
function pinned(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new ArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}
