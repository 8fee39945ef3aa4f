/** Why TLS failed, in few stable words: for counters, logs and people. */
import { type Handle, openssl, takeError, textAt } from "../../../os/openssl.ts";

/** A failure: `reason` is one of few words, `detail` is OpenSSL's or the kernel's sentence. */
export interface TlsFailure {
  readonly reason: string;
  readonly detail: string;
}

export const PEER_CLOSED: TlsFailure = { reason: "peer-closed", detail: "the connection was closed" };
export const PEER_RESET: TlsFailure = { reason: "peer-reset", detail: "the connection was reset" };
const UNKNOWN: TlsFailure = { reason: "protocol-error", detail: "" };

/** Alerts of the peer (RFC 8446 6.2): OpenSSL's reasons from 1000 on. */
const ALERTS = 1000;
const ALERT_NAMES: Record<number, string> = {
  10: "unexpected-message",
  20: "bad-record-mac",
  22: "record-overflow",
  40: "handshake-failure",
  42: "bad-certificate",
  43: "unsupported-certificate",
  44: "certificate-revoked",
  45: "certificate-expired",
  46: "certificate-unknown",
  47: "illegal-parameter",
  48: "unknown-ca",
  49: "access-denied",
  50: "decode-error",
  51: "decrypt-error",
  70: "protocol-version",
  71: "insufficient-security",
  80: "internal-error",
  86: "inappropriate-fallback",
  90: "user-canceled",
  109: "missing-extension",
  110: "unsupported-extension",
  112: "unrecognized-name",
  113: "bad-certificate-status",
  115: "unknown-psk-identity",
  116: "certificate-required",
  120: "no-application-protocol",
};

/** SSL_R_… of <openssl/sslerr.h>. */
const CERTIFICATE_VERIFY_FAILED = 134;
const REASONS: Record<number, string> = {
  155: "not-tls", // HTTPS_PROXY_REQUEST
  156: "not-tls", // HTTP_REQUEST
  267: "not-tls", // WRONG_VERSION_NUMBER: of a record, so these are no records
  191: "no-shared-version", // NO_PROTOCOLS_AVAILABLE
  252: "no-shared-version", // UNKNOWN_PROTOCOL
  258: "no-shared-version", // UNSUPPORTED_PROTOCOL
  396: "no-shared-version", // VERSION_TOO_LOW
  193: "no-shared-cipher",
  101: "no-shared-group", // NO_SUITABLE_KEY_SHARE
  295: "no-shared-group", // NO_SUITABLE_GROUPS
  410: "no-shared-group", // NO_SHARED_GROUPS
  118: "no-shared-signature", // NO_SUITABLE_SIGNATURE_ALGORITHM
  376: "no-shared-signature", // NO_SHARED_SIGNATURE_ALGORITHMS
  199: "no-client-certificate", // PEER_DID_NOT_RETURN_A_CERTIFICATE
  235: "no-shared-protocol", // NO_APPLICATION_PROTOCOL
};

/** X509_V_ERR_… of <openssl/x509_vfy.h>. */
const VERIFY_REASONS: Record<number, string> = {
  2: "unknown-ca",
  9: "not-yet-valid",
  10: "expired",
  18: "self-signed",
  19: "unknown-ca",
  20: "unknown-ca",
  21: "unknown-ca",
  23: "revoked",
  26: "wrong-purpose",
  62: "name-mismatch",
  64: "name-mismatch",
  66: "weak-key",
  67: "weak-key",
  68: "weak-signature",
};

/** What the last function failed with; empties OpenSSL's queue. */
export function tlsFailure(connection: Handle): TlsFailure {
  const error = takeError();
  if (error === null) return UNKNOWN;
  const { reason, text } = error;
  if (reason === CERTIFICATE_VERIFY_FAILED) return verifyFailure(connection);
  if (reason >= ALERTS && reason < ALERTS + 256) {
    return { reason: `peer-alert ${ALERT_NAMES[reason - ALERTS] ?? reason - ALERTS}`, detail: text };
  }
  return { reason: REASONS[reason] ?? "protocol-error", detail: text };
}

function verifyFailure(connection: Handle): TlsFailure {
  const { SSL_get_verify_result, X509_verify_cert_error_string } = openssl();
  const code = Number(SSL_get_verify_result(connection));
  const detail = textAt(X509_verify_cert_error_string(code));
  return { reason: VERIFY_REASONS[code] ?? "bad-certificate", detail };
}
