/** The kinds of health check. A new one is one more file here and one more line in the schema. */
import type { CheckKind, HealthCheckName } from "./check.ts";
import { exec } from "./exec.ts";
import { http } from "./http.ts";
import { https } from "./https.ts";
import { rdp } from "./rdp.ts";
import { tcp } from "./tcp.ts";

export const CHECK_KINDS: { readonly [N in HealthCheckName]: CheckKind<N> } = { tcp, rdp, http, https, exec };
