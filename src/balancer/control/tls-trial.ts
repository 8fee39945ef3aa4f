/** Whether OpenSSL takes what a file says of TLS: asked before any worker has to live with it. */
import type { Finding } from "../../config/problem.ts";
import type { Config } from "../../config/schema.ts";
import { HoldfastError } from "../../errors.ts";
import { ClientContext } from "../worker/tls/client-context.ts";
import type { TlsContext } from "../worker/tls/context.ts";
import { ServerContext } from "../worker/tls/server-context.ts";
import { Sites } from "../worker/tls/sites.ts";
import { planServerTls, planTls } from "./plan-tls.ts";

/** Makes every context once, and drops it. OpenSSL is loaded only for a file that has `tls`. */
export function tryTls(config: Config): Finding[] {
  const findings: Finding[] = [];
  const made: TlsContext[] = [];
  const attempt = (kind: "services" | "pools", name: string, make: () => void) => {
    try {
      make();
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      findings.push({ code: error.code, path: [kind, name, "tls"], at: "key", message: error.message });
    }
  };
  for (const [name, service] of Object.entries(config.services)) {
    const { tls } = service;
    if (!tls) continue;
    attempt("services", name, () => {
      const plan = planTls(tls, service);
      new Sites(plan, (certificates) => {
        const context = new ServerContext(certificates, plan);
        made.push(context);
        return context;
      });
    });
  }
  for (const [name, { tls }] of Object.entries(config.pools)) {
    if (tls) attempt("pools", name, () => made.push(new ClientContext(planServerTls(tls))));
  }
  for (const context of made) context.release();
  return findings;
}
