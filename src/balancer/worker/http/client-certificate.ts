/** What servers are told of the certificate that a client has shown. */
import { ascii } from "../../../protocols/ascii.ts";
import type { TlsChannel } from "../tls/tls-channel.ts";

const NO_BYTES = new Uint8Array(0);
/** Reading a certificate costs some 50 us: once for each connection, whatever number of streams it has. */
const lines = new WeakMap<TlsChannel, Uint8Array>();

/**
 * The whole line of the field called `name` for one connection: the certificate itself between colons, in base64 (RFC 9440
 * 2.2). Empty: the client has shown none.
 */
export function certificateLine(tls: TlsChannel, name: string): Uint8Array {
  let line = lines.get(tls);
  if (line === undefined) {
    const certificate = tls.peerCertificate();
    line = certificate === null ? NO_BYTES : ascii(`${name}: :${base64Of(certificate.pem)}:\r\n`);
    lines.set(tls, line);
  }
  return line;
}

function base64Of(pem: string): string {
  return pem.replace(/-----[^-]+-----/g, "").replaceAll("\n", "");
}
