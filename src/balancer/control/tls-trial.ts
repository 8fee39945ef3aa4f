/** Whether OpenSSL takes what the file says of TLS: asked before any worker has to live with it. */
import type { Config } from "../../config/schema.ts";
import { ClientContext } from "../worker/tls/client-context.ts";
import { ServerContext } from "../worker/tls/server-context.ts";
import { Sites } from "../worker/tls/sites.ts";
import { planServerTls, planTls } from "./plan-tls.ts";

/**
 * Makes every context once, and drops it. Loads OpenSSL only for a file that has `tls`.
 * Throws HoldfastError `tls/no-openssl` or `tls/unusable`.
 */
export function tryTls(config: Config): void {
  for (const service of Object.values(config.services)) {
    if (!service.tls) continue;
    const plan = planTls(service.tls, service);
    new Sites(plan, (certificates) => new ServerContext(certificates, plan));
  }
  for (const pool of Object.values(config.pools)) if (pool.tls) new ClientContext(planServerTls(pool.tls));
}
