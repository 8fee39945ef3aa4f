/** How TLS is spoken with servers, and what is remembered of each so that the next connection is cheaper. */

import { bug } from "../../../errors.ts";
import { cString, type Handle, openssl } from "../../../os/openssl.ts";
import { formatAddress, parseAddress } from "../../../protocols/address.ts";
import type { Plan, ServerPlan, ServerTlsPlan } from "../../plan.ts";
import { releaseReplaced, TlsContext } from "./context.ts";
import {
  CTRL_SET_SERVER_NAME,
  CTRL_SET_SESSION_CACHE_MODE,
  SESSION_CACHE_OFF,
  VERIFY_NONE,
  VERIFY_PEER,
} from "./openssl-constants.ts";
import { restrict, trust, useCertificate } from "./server-context.ts";

/** A `*` of a server's certificate stands for a whole label (X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS). */
const NO_PARTIAL_WILDCARDS = 4;

const freedSession = new FinalizationRegistry<{ session: Handle | null }>((kept) => free(kept));

function free(kept: { session: Handle | null }): void {
  if (kept.session !== null) openssl().SSL_SESSION_free(kept.session);
  kept.session = null;
}

/** How the servers of a pool are spoken with. */
export class ClientContext extends TlsContext {
  readonly #plan: ServerTlsPlan;

  /** Throws HoldfastError `tls/unusable`. */
  constructor(plan: ServerTlsPlan) {
    super();
    this.#plan = plan;
    this.make();
  }

  protected override method(): Handle {
    return openssl().TLS_client_method()!;
  }

  protected override configure(handle: Handle): void {
    const ssl = openssl();
    const plan = this.#plan;
    restrict(handle, plan.minimum, plan.ciphers || SERVER_CIPHERS, plan.cipherSuites);
    ssl.SSL_CTX_ctrl(handle, CTRL_SET_SESSION_CACHE_MODE, SESSION_CACHE_OFF, null);
    ssl.SSL_CTX_set_verify(handle, plan.verify === "full" ? VERIFY_PEER : VERIFY_NONE, null);
    if (plan.verify === "full") {
      if (plan.ca === "") ssl.SSL_CTX_set_default_verify_paths(handle);
      else trust(handle, plan.ca, false);
    }
    const own = plan.certificate;
    if (own !== null) useCertificate(handle, own.chain, own.key, "the certificate shown to servers");
  }

  /** A new SSL for a connection to a server. */
  newConnection(): Handle {
    const connection = this.newSsl();
    openssl().SSL_set_connect_state(connection);
    return connection;
  }
}

/** Servers are ours, and some are old: besides the built-in choice, what OpenSSL takes by itself. */
const SERVER_CIPHERS = "DEFAULT:!kRSA:!SHA1:!PSK:!SRP";

/** One server as TLS knows it: whom to ask for, what to verify, and the session of last time. */
export class TlsTarget {
  readonly #context: ClientContext;
  readonly #serverName: Uint8Array | null;
  readonly #host: Uint8Array | null;
  readonly #address: Uint8Array | null;
  readonly #kept: { session: Handle | null } = { session: null };

  constructor(context: ClientContext, plan: ServerTlsPlan, server: ServerPlan) {
    this.#context = context;
    const name = plan.name || server.host || formatAddress(server.address);
    const isAddress = parseAddress(name) !== undefined;
    this.#serverName = isAddress ? null : cString(name);
    this.#host = isAddress || plan.verify === "none" ? null : this.#serverName;
    this.#address = isAddress && plan.verify === "full" ? cString(name) : null;
    freedSession.register(this, this.#kept);
  }

  /** A new SSL for a connection to it. `alpn`: names on the wire, or null for none. */
  newConnection(alpn: Uint8Array | null): Handle {
    const ssl = openssl();
    const connection = this.#context.newConnection();
    if (this.#serverName !== null) ssl.SSL_ctrl(connection, CTRL_SET_SERVER_NAME, 0, this.#serverName);
    const rules = ssl.SSL_get0_param(connection);
    if (this.#host !== null) {
      ssl.X509_VERIFY_PARAM_set_hostflags(rules, NO_PARTIAL_WILDCARDS);
      ssl.SSL_set1_host(connection, this.#host);
    }
    if (this.#address !== null) ssl.X509_VERIFY_PARAM_set1_ip_asc(rules, this.#address);
    if (alpn !== null) ssl.SSL_set_alpn_protos(connection, alpn, alpn.length);
    if (this.#kept.session !== null) ssl.SSL_set_session(connection, this.#kept.session);
    return connection;
  }

  /** Keeps the connection's session for the next one, if it is worth keeping. @returns whether it is. */
  keepSession(connection: Handle): boolean {
    const ssl = openssl();
    const session = ssl.SSL_get1_session(connection);
    if (session === null) return false;
    if (ssl.SSL_SESSION_is_resumable(session) !== 1) {
      ssl.SSL_SESSION_free(session);
      return false;
    }
    free(this.#kept);
    this.#kept.session = session;
    return true;
  }

  forgetSession(): void {
    free(this.#kept);
  }
}

/** The targets of a worker. Those about which a reload changes nothing stay, with their sessions. */
export class TlsTargets {
  #contexts = new Map<string, ClientContext>();
  #targets = new Map<string, TlsTarget>();
  readonly #ofPlan = new WeakMap<ServerPlan, TlsTarget>();

  /** Takes up a plan. Throws HoldfastError `tls/unusable`; then the one before stays. */
  adopt(plan: Plan): void {
    const contexts = new Map<string, ClientContext>();
    const targets = new Map<string, TlsTarget>();
    for (const pool of plan.pools) {
      if (pool.tls === null) continue;
      const rules = JSON.stringify(pool.tls);
      const context = contexts.get(rules) ?? this.#contexts.get(rules) ?? new ClientContext(pool.tls);
      contexts.set(rules, context);
      for (const server of pool.servers) {
        const key = `${server.id} ${server.port} ${server.host} ${formatAddress(server.address)} ${rules}`;
        const target = this.#targets.get(key) ?? new TlsTarget(context, pool.tls, server);
        targets.set(key, target);
        this.#ofPlan.set(server, target);
      }
    }
    releaseReplaced(this.#contexts, contexts);
    for (const [key, target] of this.#targets) if (!targets.has(key)) target.forgetSession();
    this.#contexts = contexts;
    this.#targets = targets;
  }

  /** The target of a server whose pool has `tls`; also of an earlier plan's, while somebody uses it. */
  of(server: ServerPlan): TlsTarget {
    return this.#ofPlan.get(server) ?? bug("a server without its TLS");
  }
}
