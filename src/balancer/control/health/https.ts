import { type CheckKind, check } from "./check.ts";
import { askOverHttp } from "./http.ts";

/**
 * As `http`, over TLS. With `verify: false` any certificate is good, for servers with one of their own making. The pool's
 * `tls` says what clients' connections trust and show, and so does the check.
 */
export const https: CheckKind<"https"> = check({
  name: "https",
  ask: (settings, target) => ({
    ...askOverHttp(settings, target, 443),
    tls: {
      name: settings.name ?? settings.host ?? target.host,
      verify: settings.verify,
      ...(settings.ca && { ca: settings.ca.text }),
      ...(settings.cert && { cert: settings.cert.text, key: (settings.key ?? settings.cert).text }),
    },
  }),
});
