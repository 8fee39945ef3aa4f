import { type CheckKind, check } from "./check.ts";
import { askOverHttp } from "./http.ts";

/** As `http`, over TLS. With `verify: false` any certificate is good, for servers with one of their own making. */
export const https: CheckKind<"https"> = check({
  name: "https",
  ask: (settings, target) => ({
    ...askOverHttp(settings, target, 443),
    tls: { name: settings.host ?? target.host, verify: settings.verify },
  }),
});
