/** How TLS is spoken with clients who ask for one site: its certificates, and what is agreed on with them. */
import { createHash } from "node:crypto";
import { HoldfastError } from "../../../errors.ts";
import { cString, type Handle, openssl, readCertificates, readPrivateKey, takeError } from "../../../os/openssl.ts";
import type { CertificatePlan, TlsPlan } from "../../plan.ts";
import { alpnList, alpnSelector } from "./alpn.ts";
import { TlsContext } from "./context.ts";
import {
  CTRL_ADD_CHAIN_CERTIFICATE,
  CTRL_MODE,
  CTRL_SET_GROUPS,
  CTRL_SET_MINIMUM_VERSION,
  CTRL_SET_SESSION_CACHE_MODE,
  MODE_ACCEPT_MOVING_WRITE_BUFFER,
  MODE_RELEASE_BUFFERS,
  OPTION_CIPHER_SERVER_PREFERENCE,
  OPTION_NO_COMPRESSION,
  OPTION_NO_RENEGOTIATION,
  OPTION_PRIORITIZE_CHACHA,
  SESSION_CACHE_OFF,
  TLS_1_2,
  TLS_1_3,
  VERIFY_FAIL_IF_NO_PEER_CERTIFICATE,
  VERIFY_PEER,
} from "./openssl-constants.ts";
import { ticketCallback } from "./tickets.ts";

/** Forward secrecy and authenticated encryption only; what is fastest on machines with AES first. */
export const CIPHERS = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");
export const CIPHER_SUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
export const GROUPS = "X25519:P-256:P-384";

/** How long a session may be resumed: less than the time for which a replaced ticket key is still known. */
export const SESSION_SECONDS = 2 * 60 * 60;
/** Tickets after a full handshake: browsers open several connections at a time, and use each ticket once. */
const TICKETS = 2;
/** Certificates between a client's own and the root. */
const CLIENT_CHAIN_DEPTH = 5;

/** How one site is served. */
export class ServerContext extends TlsContext {
  readonly #certificates: readonly CertificatePlan[];
  readonly #plan: TlsPlan;

  /** `certificates` are those of one site, one of each kind of key. Throws HoldfastError `tls/unusable`. */
  constructor(certificates: readonly CertificatePlan[], plan: TlsPlan) {
    super();
    this.#certificates = certificates;
    this.#plan = plan;
    this.make();
  }

  protected override method(): Handle {
    return openssl().TLS_server_method()!;
  }

  protected override configure(handle: Handle): void {
    const ssl = openssl();
    const certificates = this.#certificates;
    const plan = this.#plan;
    const what = `the certificate for ${certificates[0]!.names.join(", ")}`;
    for (const certificate of certificates) useCertificate(handle, certificate.chain, certificate.key, what);
    restrict(handle, plan.minimum, plan.ciphers, plan.cipherSuites);
    ssl.SSL_CTX_ctrl(handle, CTRL_SET_SESSION_CACHE_MODE, SESSION_CACHE_OFF, null);
    ssl.SSL_CTX_set_tlsext_ticket_key_evp_cb(handle, ticketCallback());
    ssl.SSL_CTX_set_num_tickets(handle, TICKETS);
    ssl.SSL_CTX_set_timeout(handle, SESSION_SECONDS);
    // A session of another site, or of one with other rules for clients, is none of this one.
    const identity = sessionIdentity(certificates, plan);
    ssl.SSL_CTX_set_session_id_context(handle, identity, identity.length);
    if (plan.alpn.length > 0) ssl.SSL_CTX_set_alpn_select_cb(handle, alpnSelector(), alpnList(plan.alpn));
    if (plan.clients !== null) askForCertificates(handle, plan.clients.ca, plan.clients.required);
  }

  /** A new SSL for a client's connection. */
  newConnection(): Handle {
    const connection = this.newSsl();
    openssl().SSL_set_accept_state(connection);
    return connection;
  }
}

/** Loads a chain and its key. Throws HoldfastError `tls/unusable`. */
export function useCertificate(context: Handle, chain: string, key: string, what: string): void {
  const ssl = openssl();
  const [own, ...above] = readCertificates(chain);
  const privateKey = readPrivateKey(key);
  try {
    if (own === undefined) throw new HoldfastError("tls/unusable", `${what}: it is not PEM`);
    must(ssl.SSL_CTX_use_certificate(context, own), what);
    for (const certificate of above) {
      must(ssl.SSL_CTX_ctrl(context, CTRL_ADD_CHAIN_CERTIFICATE, 1, certificate), what);
    }
    if (privateKey === null) throw unusable(`the key of ${what}`);
    must(ssl.SSL_CTX_use_PrivateKey(context, privateKey), `the key of ${what}`);
    must(ssl.SSL_CTX_check_private_key(context), `the key of ${what}`);
  } finally {
    for (const certificate of [own, ...above]) if (certificate !== undefined) ssl.X509_free(certificate);
    if (privateKey !== null) ssl.EVP_PKEY_free(privateKey);
  }
}

/** What is the same with clients and with servers. "" stands for the built-in choice. Throws HoldfastError `tls/unusable`. */
export function restrict(context: Handle, minimum: TlsPlan["minimum"], ciphers: string, suites: string): void {
  const ssl = openssl();
  ssl.SSL_CTX_ctrl(context, CTRL_MODE, MODE_ACCEPT_MOVING_WRITE_BUFFER | MODE_RELEASE_BUFFERS, null);
  ssl.SSL_CTX_set_options(
    context,
    OPTION_NO_COMPRESSION + OPTION_NO_RENEGOTIATION + OPTION_CIPHER_SERVER_PREFERENCE + OPTION_PRIORITIZE_CHACHA,
  );
  ssl.SSL_CTX_ctrl(context, CTRL_SET_MINIMUM_VERSION, minimum === "TLSv1.3" ? TLS_1_3 : TLS_1_2, null);
  must(ssl.SSL_CTX_set_cipher_list(context, cString(ciphers || CIPHERS)), `ciphers "${ciphers}"`);
  must(ssl.SSL_CTX_set_ciphersuites(context, cString(suites || CIPHER_SUITES)), `cipher suites "${suites}"`);
  must(ssl.SSL_CTX_ctrl(context, CTRL_SET_GROUPS, 0, cString(GROUPS)), "groups");
}

/** Trusts those who signed with the certificates of `pem`. Throws HoldfastError `tls/unusable`. */
export function trust(context: Handle, pem: string, forClients: boolean): void {
  const ssl = openssl();
  const store = ssl.SSL_CTX_get_cert_store(context);
  const certificates = readCertificates(pem);
  if (certificates.length === 0) throw new HoldfastError("tls/unusable", "the certificates of `ca` are not PEM");
  for (const certificate of certificates) {
    must(ssl.X509_STORE_add_cert(store, certificate), "a certificate of `ca`");
    if (forClients) must(ssl.SSL_CTX_add_client_CA(context, certificate), "a certificate of `ca`");
    ssl.X509_free(certificate);
  }
}

function askForCertificates(context: Handle, ca: string, required: boolean): void {
  trust(context, ca, true);
  openssl().SSL_CTX_set_verify(
    context,
    required ? VERIFY_PEER | VERIFY_FAIL_IF_NO_PEER_CERTIFICATE : VERIFY_PEER,
    null,
  );
  openssl().SSL_CTX_set_verify_depth(context, CLIENT_CHAIN_DEPTH);
}

/** The same in every worker and process, and after a renewed certificate. 32 bytes. */
function sessionIdentity(certificates: readonly CertificatePlan[], plan: TlsPlan): Uint8Array {
  const { names, address } = certificates[0]!;
  const parts = [names, address === undefined ? "" : Buffer.from(address).toString("hex"), plan.minimum, plan.clients];
  return createHash("sha256").update(JSON.stringify(parts)).digest();
}

function must(result: number | bigint, what: string): void {
  if (Number(result) <= 0) throw unusable(what);
}

function unusable(what: string): HoldfastError {
  return new HoldfastError("tls/unusable", `${what}: ${takeError()?.text ?? "OpenSSL says no reason"}`);
}
