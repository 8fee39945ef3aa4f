/** Which certificate a client is shown: the one for the name it asks for, for the address it dialled, or the first. */
import { createHash } from "node:crypto";
import { bug } from "../../../errors.ts";
import type { CertificatePlan, Plan, TlsPlan } from "../../plan.ts";
import { releaseReplaced } from "./context.ts";
import { ServerContext } from "./server-context.ts";
import { useTicketKeys } from "./tickets.ts";

/** The sites of one service. */
export class Sites {
  readonly #exact = new Map<string, ServerContext>();
  /** Behind the `*.` of a wildcard, which stands for one label (RFC 6125 6.4.3). */
  readonly #wildcards = new Map<string, ServerContext>();
  readonly #addresses = new Map<string, ServerContext>();
  readonly #first: ServerContext;

  /** `contextOf` makes the context of certificates for the same names. */
  constructor(plan: TlsPlan, contextOf: (certificates: readonly CertificatePlan[]) => ServerContext) {
    let first: ServerContext | undefined;
    for (const certificates of bySite(plan.certificates)) {
      const context = contextOf(certificates);
      first ??= context;
      this.#add(certificates[0]!, context);
    }
    this.#first = first ?? bug("TLS without a certificate");
  }

  #add({ names, address }: CertificatePlan, context: ServerContext): void {
    // A name belongs to the first certificate of the file that has it.
    for (const name of names) {
      const [map, key] = name.startsWith("*.") ? [this.#wildcards, name.slice(2)] : [this.#exact, name];
      if (!map.has(key)) map.set(key, context);
    }
    if (address !== undefined) {
      const key = addressKey(address);
      if (!this.#addresses.has(key)) this.#addresses.set(key, context);
    }
  }

  /**
   * The context for a client. `serverName`: what it asks for (SNI), lower case, "" for nothing; `dialled`: the local address
   * of its connection, 16 bytes. A name that no certificate has gets what no name gets: the client decides what it thinks of it.
   */
  find(serverName: string, dialled: Uint8Array): ServerContext {
    if (serverName !== "") {
      const exact = this.#exact.get(serverName);
      if (exact !== undefined) return exact;
      const dot = serverName.indexOf(".");
      const wildcard = dot > 0 ? this.#wildcards.get(serverName.slice(dot + 1)) : undefined;
      if (wildcard !== undefined) return wildcard;
    }
    if (this.#addresses.size > 0) {
      const forAddress = this.#addresses.get(addressKey(dialled));
      if (forAddress !== undefined) return forAddress;
    }
    return this.#first;
  }
}

function addressKey(address: Uint8Array): string {
  return Buffer.from(address).toString("latin1");
}

/**
 * Certificates for the same names and address, with different kinds of keys (RSA beside P-256), are one site: OpenSSL shows
 * each client the best that it understands. In the order of the file.
 */
function bySite(certificates: readonly CertificatePlan[]): CertificatePlan[][] {
  const sites = new Map<string, CertificatePlan[]>();
  for (const certificate of certificates) {
    const { names, address } = certificate;
    const key = `${[...names].sort().join(" ")} ${address === undefined ? "" : addressKey(address)}`;
    const site = sites.get(key);
    if (site === undefined) sites.set(key, [certificate]);
    else site.push(certificate);
  }
  return [...sites.values()];
}

/** The sites of a worker. Contexts about which a reload changes nothing stay. */
export class SiteStore {
  #contexts = new Map<string, ServerContext>();
  readonly #ofPlan = new WeakMap<TlsPlan, Sites>();

  /** Takes up a plan. Throws HoldfastError `tls/unusable`; then the one before stays. */
  adopt(plan: Plan): void {
    const contexts = new Map<string, ServerContext>();
    for (const { tls } of plan.services) {
      if (tls === null) continue;
      const sites = new Sites(tls, (certificates) => {
        const key = digest(certificates, tls);
        const context = contexts.get(key) ?? this.#contexts.get(key) ?? new ServerContext(certificates, tls);
        contexts.set(key, context);
        return context;
      });
      this.#ofPlan.set(tls, sites);
    }
    useTicketKeys(plan.ticketKeys);
    releaseReplaced(this.#contexts, contexts);
    this.#contexts = contexts;
  }

  /** The sites of a service that has `tls`; also of an earlier plan's, while somebody uses it. */
  of(tls: TlsPlan): Sites {
    return this.#ofPlan.get(tls) ?? bug("a service without its sites");
  }
}

/** Everything that a context is made of. */
function digest(certificates: readonly CertificatePlan[], { certificates: _all, ...rules }: TlsPlan): string {
  const made = certificates.map(({ chain, key, names, address }) => [
    chain,
    key,
    names,
    address && addressKey(address),
  ]);
  return createHash("sha256")
    .update(JSON.stringify([made, rules]))
    .digest("hex");
}
