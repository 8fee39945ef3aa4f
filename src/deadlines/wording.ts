/** What went wrong elsewhere, in words for logs and terminals. */

const FAILURES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EPIPE: "connection reset",
  ENOTFOUND: "name not found",
  EAI_AGAIN: "name could not be looked up",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  ETIMEDOUT: "connection timed out",
  EADDRNOTAVAIL: "no local address or port left",
  EMFILE: "no file descriptor left here",
  ENFILE: "no file descriptor left here",
  DEPTH_ZERO_SELF_SIGNED_CERT: "certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "certificate is self-signed",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificate is from an unknown authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificate is from an unknown authority",
  CERT_HAS_EXPIRED: "certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "certificate is for another name",
};

/** An error of the system or of TLS in words that an administrator knows; other errors keep their own, cut at 120. */
export function failureText(error: Error & { readonly code?: string }): string {
  return FAILURES[error.code ?? ""] ?? printable(error.message === "" ? "failed" : error.message, 120);
}

/** Text from elsewhere on one line, at most `most` characters, nothing unprintable: it ends up in logs and terminals. */
export function printable(text: string, most: number): string {
  const clean = text
    .slice(0, most + 1)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ")
    .trim();
  return clean.length > most ? `${clean.slice(0, most - 1)}…` : clean;
}
