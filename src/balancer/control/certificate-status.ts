/** Until when the certificates of the configuration are good, for status and metrics. */
import { basename } from "node:path";
import { ENDS_SOON_DAYS, endText } from "../../config/advice-tls.ts";
import { certificatesOf } from "../../config/certificate-files.ts";
import { readChain } from "../../config/certificates.ts";
import type { Config } from "../../config/schema.ts";
import type { Attention, CertificateStatus } from "./balancer.ts";

const DAY_MS = 86_400_000;

/** Each file once, in the order of the configuration. Its name is that of the file, with its folder where two have the same. */
export function certificateStatus(config: Config): CertificateStatus[] {
  const uses = Map.groupBy(certificatesOf(config), ({ cert }) => cert.path);
  const sameName = Map.groupBy(uses.keys(), (path) => basename(path));
  return [...uses].flatMap(([path, used]) => {
    const chain = readChain(used[0]!.cert);
    if ("unusable" in chain) return [];
    const name = basename(path);
    return {
      name: sameName.get(name)!.length === 1 ? name : path,
      hosts: [...chain.names],
      usedBy: [...new Set(used.map(({ path: [kind, user] }) => `${String(kind).replace(/s$/, "")} ${user}`))],
      until: new Date(chain.endsMs).toISOString(),
    };
  });
}

/** What a person should look at: certificates that have ended, or end within 30 days. */
export function certificateAttention(certificates: readonly CertificateStatus[], nowMs: number): Attention[] {
  return certificates.flatMap(({ name, until }): Attention[] => {
    const endsMs = Date.parse(until);
    if (endsMs - nowMs > ENDS_SOON_DAYS * DAY_MS) return [];
    return [{ severity: endsMs <= nowMs ? "error" : "warning", text: `certificate ${name} ${endText(endsMs, nowMs)}` }];
  });
}
