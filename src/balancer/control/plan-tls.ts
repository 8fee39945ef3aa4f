/** The TLS part of a plan: files become PEM, what is absent becomes a default. Pure: the files were read with the configuration. */
import { readChain, readKey } from "../../config/certificates.ts";
import type { NamedFile } from "../../config/named-file.ts";
import type { Pool, Service } from "../../config/schema.ts";
import { bug } from "../../errors.ts";
import { parseAddress } from "../../protocols/address.ts";
import type { CertificatePlan, ServerTlsPlan, TlsPlan } from "../plan.ts";

type ServiceTls = NonNullable<Service["tls"]>;
type PoolTls = NonNullable<Pool["tls"]>;

/** TLS with the clients of a service. */
export function planTls(tls: ServiceTls, { protocol, http2 }: Pick<Service, "protocol" | "http2">): TlsPlan {
  const { clients } = tls;
  return {
    certificates: tls.certificates.map(({ cert, key, address }): CertificatePlan => {
      const bytes = address === undefined ? undefined : parseAddress(address);
      return { ...pairOf(cert, key), names: chainOf(cert).names, ...(bytes && { address: bytes }) };
    }),
    minimum: tls.minimum,
    ciphers: tls.ciphers ?? "",
    cipherSuites: tls.cipherSuites ?? "",
    alpn: protocol === "http" ? (http2 ? ["h2", "http/1.1"] : ["http/1.1"]) : (tls.alpn ?? []),
    clients: clients ? { ca: chainOf(clients.ca).pem, required: clients.required, header: clients.header ?? "" } : null,
  };
}

/** TLS with the servers of a pool. */
export function planServerTls(tls: PoolTls): ServerTlsPlan {
  return {
    ca: tls.ca ? chainOf(tls.ca).pem : "",
    verify: tls.verify ? "full" : "none",
    name: tls.name ?? "",
    minimum: tls.minimum,
    ciphers: tls.ciphers ?? "",
    cipherSuites: tls.cipherSuites ?? "",
    certificate: tls.cert ? pairOf(tls.cert, tls.key) : null,
  };
}

function pairOf(cert: NamedFile, key: NamedFile | undefined): { chain: string; key: string } {
  const secret = readKey(key ?? cert);
  return { chain: chainOf(cert).pem, key: "unusable" in secret ? bug("a key that was checked") : secret.pem };
}

function chainOf(file: NamedFile) {
  const chain = readChain(file);
  return "unusable" in chain ? bug("a certificate that was checked") : chain;
}
