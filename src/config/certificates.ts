/**
 * Certificates and keys as PEM (RFC 7468): what they are for, until when, and whether they belong together. Works without
 * the library that serves TLS, so that `holdfast check` can run anywhere.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { NamedFile } from "./named-file.ts";

/** A certificate file, read. */
export interface CertificateChain {
  /** PEM: the certificate, then those behind it, in the order of the file and without anything else that is in it. */
  readonly pem: string;
  readonly first: X509Certificate;
  readonly others: readonly X509Certificate[];
  /** DNS names of subjectAltName in lower case, or the common name where there are none; `*.name` for wildcards. */
  readonly names: readonly string[];
  /** When the first ends, in milliseconds since 1970. */
  readonly endsMs: number;
}

/** Why a file is not what its place takes, in words behind its name. */
export interface Unusable {
  readonly unusable: string;
  readonly hint?: string;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n[^-]*(?:-(?!----)[^-]*)*-----END \1-----/g;
const CERTIFICATE_LABELS: ReadonlySet<string> = new Set(["CERTIFICATE", "X509 CERTIFICATE"]);
/** Certificates in one file: a bundle of roots has about 150. */
const MAX_CERTIFICATES = 2_000;

const chains = new WeakMap<NamedFile, CertificateChain | Unusable>();

/** The certificates of a file, the server's own first. Read once for each file. */
export function readChain(file: NamedFile): CertificateChain | Unusable {
  const known = chains.get(file);
  if (known !== undefined) return known;
  const chain = parseChain(file.text);
  chains.set(file, chain);
  return chain;
}

function parseChain(text: string): CertificateChain | Unusable {
  const blocks = blocksOf(text, (label) => CERTIFICATE_LABELS.has(label));
  if (blocks.length === 0) return { unusable: "has no certificate", hint: notPem(text) };
  if (blocks.length > MAX_CERTIFICATES) return { unusable: "has more than 2,000 certificates" };
  try {
    const [first, ...others] = blocks.map((block) => new X509Certificate(block));
    const pem = `${blocks.join("\n")}\n`;
    return { pem, first: first!, others, names: namesOf(first!), endsMs: Date.parse(first!.validTo) };
  } catch {
    return { unusable: "has a certificate that cannot be read" };
  }
}

/** The first private key of a file, which may be that of its certificate. */
export function readKey(file: NamedFile): { readonly pem: string; readonly key: KeyObject } | Unusable {
  const { text } = file;
  const pem = blocksOf(text, (label) => label.endsWith("PRIVATE KEY"))[0];
  if (pem === undefined) return { unusable: "has no private key", hint: notPem(text) };
  if (pem.includes("ENCRYPTED")) {
    const hint = "Write it without a password: `openssl pkey -in FILE -out NEW`, readable for its owner only.";
    return { unusable: "has a key with a password", hint };
  }
  try {
    return { pem: `${pem}\n`, key: createPrivateKey(pem) };
  } catch {
    const hint = "Keys may be RSA, ECDSA with P-256, P-384 or P-521, or Ed25519.";
    return { unusable: "has a private key that cannot be read", hint };
  }
}

/** Is `key` the key of the chain's first certificate? If not, why. */
export function matchKey(chain: CertificateChain, key: KeyObject): Unusable | undefined {
  if (chain.first.checkPrivateKey(key)) return undefined;
  const at = chain.others.findIndex((other) => other.checkPrivateKey(key));
  const unusable = "has a key that is not the certificate's";
  if (at < 0) return { unusable };
  return { unusable, hint: "It is that of another certificate in the file: the server's own must come first." };
}

/** Does one of a certificate's names stand for `host`? A wildcard stands for one label (RFC 9525 6.3). */
export function covers(names: readonly string[], host: string): boolean {
  const parent = host.indexOf(".") < 0 ? undefined : `*${host.slice(host.indexOf("."))}`;
  return names.some((name) => name === host || name === parent);
}

function blocksOf(text: string, isWanted: (label: string) => boolean): string[] {
  return [...text.matchAll(BLOCK)].filter(([, label]) => isWanted(label!)).map(([block]) => block);
}

function notPem(text: string): string {
  return text.includes("-----BEGIN ")
    ? "The file has other things in it."
    : "The file is not PEM: it must have lines such as `-----BEGIN CERTIFICATE-----`.";
}

const NAME = /^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;

function namesOf(certificate: X509Certificate): string[] {
  const alternative = (certificate.subjectAltName ?? "").split(", ").filter((entry) => entry.startsWith("DNS:"));
  const common = /(?:^|\n)CN=(.*)/.exec(certificate.subject ?? "")?.[1];
  const written = alternative.length > 0 ? alternative.map((entry) => entry.slice(4)) : common ? [common] : [];
  return [...new Set(written.map((name) => name.toLowerCase().replace(/\.$/, "")))].filter((name) => NAME.test(name));
}
