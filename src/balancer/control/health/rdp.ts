import { MAX_CONFIRM } from "../../../protocols/rdp/connection-confirm.ts";
import { buildConnectionRequest } from "../../../protocols/rdp/connection-request.ts";
import { check } from "./check.ts";

/** TLS or CredSSP, as a client of today asks: 03 00 00 13 0e e0 00 00 00 00 00 01 00 08 00 03 00 00 00. */
const REQUEST = buildConnectionRequest({ protocols: 3 });
const TPKT_VERSION = 3;
const CONNECTION_CONFIRM = 0xd0;

/**
 * Alive: the server answers an X.224 Connection Request (MS-RDPBCGR 2.2.1.1) with a Connection Confirm; one that refuses
 * the security asked for (RDP_NEG_FAILURE) is alive too. The connection is closed at that point, when no session exists yet.
 */
export const rdp = check({
  name: "rdp",
  ask: () => ({
    send: REQUEST,
    limit: MAX_CONFIRM,
    judge: (answer) => {
      if (answer.length > 0 && answer[0] !== TPKT_VERSION) return { alive: false, reason: "answer is not RDP" };
      if (answer.length < 6) return undefined;
      if (answer[5] !== CONNECTION_CONFIRM) return { alive: false, reason: "answer is not a Connection Confirm" };
      return { alive: true, reason: "answered" };
    },
  }),
});
