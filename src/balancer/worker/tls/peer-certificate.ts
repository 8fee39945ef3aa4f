/** The certificate that a client has shown, as servers and logs are told of it. */
import { ptr } from "bun:ffi";
import { createHash } from "node:crypto";
import { type Handle, openssl } from "../../../os/openssl.ts";

/** XN_FLAG_RFC2253 */
const RFC_2253 = 0x01110317;
const MOST_SUBJECT = 4096;
const PEM_LINE = 64;

export interface PeerCertificate {
  /** "CN=Ada,O=Example" (RFC 2253). */
  readonly subject: string;
  /** SHA-256 of the certificate, 64 hexadecimal digits. */
  readonly fingerprint: string;
  readonly pem: string;
}

/** What the peer of a connection has shown, verified by the handshake; null: nothing. */
export function peerCertificate(connection: Handle): PeerCertificate | null {
  const ssl = openssl();
  const certificate = ssl.SSL_get1_peer_certificate(connection);
  if (certificate === null) return null;
  try {
    const der = derOf(certificate);
    return {
      subject: subjectOf(certificate),
      fingerprint: createHash("sha256").update(der).digest("hex"),
      pem: pemOf(der),
    };
  } finally {
    ssl.X509_free(certificate);
  }
}

function derOf(certificate: Handle): Buffer {
  const { i2d_X509 } = openssl();
  const der = Buffer.alloc(i2d_X509(certificate, null));
  // It moves the pointer behind what it has written.
  i2d_X509(certificate, new BigUint64Array([BigInt(ptr(der))]));
  return der;
}

function subjectOf(certificate: Handle): string {
  const ssl = openssl();
  const bio = ssl.BIO_new(ssl.BIO_s_mem());
  if (bio === null) throw new Error("OpenSSL has no memory");
  const name = ssl.X509_get_subject_name(certificate);
  ssl.X509_NAME_print_ex(bio, name, 0, RFC_2253);
  const text = Buffer.alloc(MOST_SUBJECT);
  const length = ssl.BIO_read(bio, text, text.length);
  ssl.BIO_free(bio);
  return length > 0 ? text.toString("latin1", 0, length) : "";
}

function pemOf(der: Buffer): string {
  const lines = der.toString("base64").match(new RegExp(`.{1,${PEM_LINE}}`, "g")) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/**
 * The value of the field that tells servers: the form that Envoy calls X-Forwarded-Client-Cert, with the certificate
 * percent-encoded. Only verified certificates get this far; without one the field is not sent, and a client's own is removed.
 */
export function certificateField({ subject, fingerprint, pem }: PeerCertificate): string {
  const quoted = subject.replace(/[\\"]/g, (character) => `\\${character}`);
  return `Hash=${fingerprint};Subject="${quoted}";Cert="${encodeURIComponent(pem)}"`;
}
