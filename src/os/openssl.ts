/**
 * OpenSSL 3 of the system, through bun:ffi: TLS on the data plane's own loop. It is opened at the first use, so a balancer
 * without TLS never loads it. The functions have C's names and meanings (`man 3ssl SSL_read`); constants are in C's headers.
 *
 * Why not the runtime's own TLS: its sockets live on another loop, know no name of a server before the handshake (SNI), and
 * share no session tickets between threads.
 */
import { CString, dlopen, FFIType, type Pointer, ptr } from "bun:ffi";
import { HoldfastError } from "../errors.ts";

const int = FFIType.i32;
const pointer = FFIType.ptr;
const long = FFIType.i64_fast;
const size = FFIType.u64_fast;
const nothing = FFIType.void;

const SSL_LIBRARY = "libssl.so.3";
const CRYPTO_LIBRARY = "libcrypto.so.3";
/** OPENSSL_INIT_NO_ATEXIT */
const NO_CLEANING_UP_AT_EXIT = 0x80000;

/** Something of OpenSSL's: an SSL_CTX, an SSL, a BIO, … Never 0. */
export type Handle = Pointer;

function load() {
  const { symbols: ssl } = dlopen(SSL_LIBRARY, {
    SSL_CIPHER_get_id: { args: [pointer], returns: FFIType.u32 },
    SSL_CIPHER_get_name: { args: [pointer], returns: pointer },
    SSL_CTX_add_client_CA: { args: [pointer, pointer], returns: int },
    SSL_CTX_ctrl: { args: [pointer, int, long, pointer], returns: long },
    SSL_CTX_free: { args: [pointer], returns: nothing },
    SSL_CTX_get_cert_store: { args: [pointer], returns: pointer },
    SSL_CTX_check_private_key: { args: [pointer], returns: int },
    SSL_CTX_new: { args: [pointer], returns: pointer },
    SSL_CTX_set_alpn_select_cb: { args: [pointer, pointer, size], returns: nothing },
    SSL_CTX_set_cipher_list: { args: [pointer, pointer], returns: int },
    SSL_CTX_set_ciphersuites: { args: [pointer, pointer], returns: int },
    SSL_CTX_set_default_verify_paths: { args: [pointer], returns: int },
    SSL_CTX_set_num_tickets: { args: [pointer, size], returns: int },
    SSL_CTX_set_options: { args: [pointer, size], returns: size },
    SSL_CTX_set_session_id_context: { args: [pointer, pointer, FFIType.u32], returns: int },
    SSL_CTX_set_timeout: { args: [pointer, long], returns: long },
    SSL_CTX_set_tlsext_ticket_key_evp_cb: { args: [pointer, pointer], returns: int },
    SSL_CTX_set_verify: { args: [pointer, int, pointer], returns: nothing },
    SSL_CTX_set_verify_depth: { args: [pointer, int], returns: nothing },
    SSL_CTX_use_PrivateKey: { args: [pointer, pointer], returns: int },
    SSL_CTX_use_certificate: { args: [pointer, pointer], returns: int },
    SSL_SESSION_free: { args: [pointer], returns: nothing },
    SSL_SESSION_is_resumable: { args: [pointer], returns: int },
    SSL_ctrl: { args: [pointer, int, long, pointer], returns: long },
    SSL_do_handshake: { args: [pointer], returns: int },
    SSL_free: { args: [pointer], returns: nothing },
    SSL_get0_alpn_selected: { args: [pointer, pointer, pointer], returns: nothing },
    SSL_get0_param: { args: [pointer], returns: pointer },
    SSL_get1_peer_certificate: { args: [pointer], returns: pointer },
    SSL_get1_session: { args: [pointer], returns: pointer },
    SSL_get_current_cipher: { args: [pointer], returns: pointer },
    SSL_get_error: { args: [pointer, int], returns: int },
    SSL_get_verify_result: { args: [pointer], returns: long },
    SSL_new: { args: [pointer], returns: pointer },
    SSL_read: { args: [pointer, pointer, int], returns: int },
    SSL_session_reused: { args: [pointer], returns: int },
    SSL_set0_rbio: { args: [pointer, pointer], returns: nothing },
    SSL_set0_wbio: { args: [pointer, pointer], returns: nothing },
    SSL_set1_host: { args: [pointer, pointer], returns: int },
    SSL_set_accept_state: { args: [pointer], returns: nothing },
    SSL_set_alpn_protos: { args: [pointer, pointer, FFIType.u32], returns: int },
    SSL_set_connect_state: { args: [pointer], returns: nothing },
    SSL_set_session: { args: [pointer, pointer], returns: int },
    SSL_set_shutdown: { args: [pointer, int], returns: nothing },
    SSL_shutdown: { args: [pointer], returns: int },
    SSL_version: { args: [pointer], returns: int },
    SSL_write: { args: [pointer, pointer, int], returns: int },
    TLS_client_method: { args: [], returns: pointer },
    TLS_server_method: { args: [], returns: pointer },
  });
  const { symbols: crypto } = dlopen(CRYPTO_LIBRARY, {
    BIO_ctrl_pending: { args: [pointer], returns: size },
    BIO_free: { args: [pointer], returns: int },
    BIO_new: { args: [pointer], returns: pointer },
    BIO_new_bio_pair: { args: [pointer, size, pointer, size], returns: int },
    BIO_new_mem_buf: { args: [pointer, int], returns: pointer },
    BIO_nread: { args: [pointer, pointer, int], returns: int },
    BIO_nwrite: { args: [pointer, pointer, int], returns: int },
    BIO_nwrite0: { args: [pointer, pointer], returns: int },
    BIO_read: { args: [pointer, pointer, int], returns: int },
    BIO_s_mem: { args: [], returns: pointer },
    BIO_up_ref: { args: [pointer], returns: int },
    BIO_write: { args: [pointer, pointer, int], returns: int },
    ERR_clear_error: { args: [], returns: nothing },
    ERR_get_error: { args: [], returns: size },
    ERR_reason_error_string: { args: [size], returns: pointer },
    EVP_CIPHER_fetch: { args: [pointer, pointer, pointer], returns: pointer },
    EVP_DecryptInit_ex: { args: [pointer, pointer, pointer, pointer, pointer], returns: int },
    EVP_EncryptInit_ex: { args: [pointer, pointer, pointer, pointer, pointer], returns: int },
    EVP_MAC_CTX_set_params: { args: [pointer, pointer], returns: int },
    EVP_PKEY_free: { args: [pointer], returns: nothing },
    OPENSSL_init_crypto: { args: [size, pointer], returns: int },
    PEM_read_bio_PrivateKey: { args: [pointer, pointer, pointer, pointer], returns: pointer },
    PEM_read_bio_X509: { args: [pointer, pointer, pointer, pointer], returns: pointer },
    RAND_bytes: { args: [pointer, int], returns: int },
    X509_NAME_print_ex: { args: [pointer, pointer, int, FFIType.u64_fast], returns: int },
    X509_STORE_add_cert: { args: [pointer, pointer], returns: int },
    X509_VERIFY_PARAM_set1_ip_asc: { args: [pointer, pointer], returns: int },
    X509_VERIFY_PARAM_set_hostflags: { args: [pointer, FFIType.u32], returns: nothing },
    X509_free: { args: [pointer], returns: nothing },
    X509_get_subject_name: { args: [pointer], returns: pointer },
    X509_verify_cert_error_string: { args: [long], returns: pointer },
    i2d_X509: { args: [pointer, pointer], returns: int },
  });
  // Before anything else is asked: workers may still be at work when the process ends.
  crypto.OPENSSL_init_crypto(NO_CLEANING_UP_AT_EXIT, null);
  return { ...ssl, ...crypto };
}

type Loaded = ReturnType<typeof load>;
/** Addresses and 64-bit numbers come as plain numbers: none here is beyond 2^53. */
type Plain<F> = F extends (...given: infer Given) => infer Result
  ? (...given: Given) => null extends Result ? Handle | null : Result extends number | bigint ? number : Result
  : never;

/** OpenSSL's functions, by their names. */
export type OpenSsl = { readonly [name in keyof Loaded]: Plain<Loaded[name]> };

let loaded: OpenSsl | undefined;

/** The functions of OpenSSL. Throws HoldfastError `tls/no-openssl` where this machine has no OpenSSL 3. */
export function openssl(): OpenSsl {
  if (loaded === undefined) {
    try {
      loaded = load() as unknown as OpenSsl;
    } catch (error) {
      const why = (error as Error).message;
      throw new HoldfastError("tls/no-openssl", `TLS needs ${SSL_LIBRARY} and ${CRYPTO_LIBRARY}: ${why}`);
    }
  }
  return loaded;
}

/** Text as C wants it. The caller keeps it alive for as long as C may read it. */
export function cString(text: string): Uint8Array {
  return Buffer.from(`${text}\0`);
}

/** C's text; "" for a null pointer. */
export function textAt(address: Pointer | null): string {
  return address === null ? "" : new CString(address).toString();
}

/** One error of OpenSSL's queue. */
export interface OpensslError {
  /** SSL_R_… of <openssl/sslerr.h>, or another library's. */
  readonly reason: number;
  /** "wrong version number": for logs. */
  readonly text: string;
}

const REASON_MASK = 0x7fffff;

/** The oldest error of this thread's queue, which is the cause, and empties the queue. Null when there is none. */
export function takeError(): OpensslError | null {
  const { ERR_get_error, ERR_clear_error, ERR_reason_error_string } = openssl();
  const code = ERR_get_error();
  if (code === 0) return null;
  const text = textAt(ERR_reason_error_string(code));
  ERR_clear_error();
  return { reason: code % (REASON_MASK + 1), text: text === "" ? `error ${code}` : text };
}

/** Runs `use` with a BIO that reads `pem`. */
function withPem<T>(pem: string, use: (bio: Handle) => T): T {
  const bytes = Buffer.from(pem);
  const bio = openssl().BIO_new_mem_buf(bytes.length === 0 ? ptr(EMPTY) : bytes, bytes.length);
  if (bio === null) throw new Error("OpenSSL has no memory");
  try {
    return use(bio);
  } finally {
    openssl().BIO_free(bio);
  }
}
const EMPTY = new Uint8Array(1);

/** The certificates of a PEM text (X509*), in its order. The caller frees each with X509_free. */
export function readCertificates(pem: string): Handle[] {
  return withPem(pem, (bio) => {
    const found: Handle[] = [];
    for (;;) {
      const certificate = openssl().PEM_read_bio_X509(bio, null, null, EMPTY);
      if (certificate === null) break;
      found.push(certificate);
    }
    openssl().ERR_clear_error(); // the end of the text is an error to it
    return found;
  });
}

/** The private key of a PEM text (EVP_PKEY*); null: there is none, or it is encrypted. Freed with EVP_PKEY_free. */
export function readPrivateKey(pem: string): Handle | null {
  // The last argument is the passphrase: an empty one, or OpenSSL would ask at the terminal.
  return withPem(pem, (bio) => openssl().PEM_read_bio_PrivateKey(bio, null, null, EMPTY));
}
