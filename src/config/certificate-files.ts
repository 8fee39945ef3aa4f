/** Are the files of certificates and keys what their places take? What only warns is in `advice.ts`. */
import { type CertificateChain, matchKey, readChain, readKey, type Unusable } from "./certificates.ts";
import type { NamedFile } from "./named-file.ts";
import { type Finding, type Path, quote } from "./problem.ts";
import type { Config } from "./schema.ts";

/** Bytes of a key of session tickets. */
export const TICKET_KEY_BYTES = 80;

/** A certificate of the configuration, with where it is written. */
export interface WrittenCertificate {
  readonly cert: NamedFile;
  readonly key: NamedFile;
  readonly path: Path;
}

/** Certificates that we show: those of services, and those for servers. */
export function certificatesOf({ services, pools }: Config): WrittenCertificate[] {
  const ofServices = Object.values(services).flatMap(({ name, tls }) =>
    (tls?.certificates ?? []).map(({ cert, key }, index) => ({
      cert,
      key: key ?? cert,
      path: ["services", name, "tls", "certificates", index],
    })),
  );
  const ofPools = Object.values(pools).flatMap(({ name, tls }) =>
    tls?.cert === undefined ? [] : [{ cert: tls.cert, key: tls.key ?? tls.cert, path: ["pools", name, "tls"] }],
  );
  return [...ofServices, ...ofPools];
}

/** Findings about files that were read. */
export function checkCertificates(config: Config): Finding[] {
  const { services, pools, tickets } = config;
  const ofServices = Object.values(services).flatMap(({ name, tls }) =>
    checkRoots(tls?.clients?.ca, ["services", name, "tls", "clients", "ca"]),
  );
  const ofPools = Object.values(pools).flatMap(({ name, tls }) => checkRoots(tls?.ca, ["pools", name, "tls", "ca"]));
  const ofTickets = (tickets?.keyFile ?? []).flatMap((file): Finding[] => {
    if (file.bytes.length === TICKET_KEY_BYTES) return [];
    const message = `${quote(file.path)} has ${file.bytes.length} bytes`;
    const hint = "Make one with `openssl rand -out FILE 80`.";
    const expected = `${TICKET_KEY_BYTES} random bytes`;
    return [{ code: "config/bad-key", path: ["tickets", "key-file"], at: "value", message, expected, hint }];
  });
  return [...certificatesOf(config).flatMap(checkCertificate), ...ofServices, ...ofPools, ...ofTickets];
}

function checkCertificate({ cert, key, path }: WrittenCertificate): Finding[] {
  const chain = readChain(cert);
  const secret = readKey(key);
  const findings: Finding[] = [];
  if (isUnusable(chain)) findings.push(unusable("config/bad-certificate", cert, [...path, "cert"], chain));
  const ofKey = [...path, key === cert ? "cert" : "key"];
  if (isUnusable(secret)) findings.push(unusable("config/bad-key", key, ofKey, secret));
  if (isUnusable(chain) || isUnusable(secret)) return findings;
  const other = matchKey(chain, secret.key);
  return other === undefined ? [] : [unusable("config/bad-key", key, ofKey, other)];
}

function checkRoots(ca: NamedFile | undefined, path: Path): Finding[] {
  const chain = ca && readChain(ca);
  return chain !== undefined && isUnusable(chain) ? [unusable("config/bad-certificate", ca!, path, chain)] : [];
}

function unusable(code: Finding["code"], file: NamedFile, path: Path, { unusable, hint }: Unusable): Finding {
  return { code, path, at: "value", message: `${quote(file.path)} ${unusable}`, hint };
}

function isUnusable(value: CertificateChain | ReturnType<typeof readKey> | Unusable): value is Unusable {
  return "unusable" in value;
}
