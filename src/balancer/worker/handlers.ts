/** The list of protocols that serve clients. A new one is a line here. */
import type { ServicePlan } from "../plan.ts";
import type { ProtocolHandler } from "./arrival.ts";
import { relayed, relayedRdp } from "./connection.ts";

export const HANDLERS: Readonly<Record<ServicePlan["protocol"], ProtocolHandler>> = {
  tcp: relayed,
  tls: relayed,
  rdp: relayedRdp,
  http: relayed,
};
