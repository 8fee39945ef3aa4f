/** The list of protocols that serve clients. A new one is a line here. */
import type { ServicePlan } from "../plan.ts";
import { relayed, relayedRdp } from "./connection.ts";
import { http } from "./http/http-worker.ts";
import { http2 } from "./http2/client-connection.ts";
import type { ProtocolHandler } from "./visit.ts";

/** What a service speaks; `h2` where the client of an HTTP service has agreed on HTTP/2. */
export type HandledProtocol = ServicePlan["protocol"] | "h2";

export const HANDLERS: Readonly<Record<HandledProtocol, ProtocolHandler>> = {
  tcp: relayed,
  tls: relayed,
  rdp: relayedRdp,
  http,
  h2: http2,
};
