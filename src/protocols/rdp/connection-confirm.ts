/**
 * A server's answer to a Connection Request: an X.224 Connection Confirm (MS-RDPBCGR 2.2.1.2), and what this balancer says
 * itself when it has no server to ask.
 */
import { NEED_MORE, type Reasons } from "../result.ts";
import {
  buildControlTpdu,
  buildNegotiation,
  CONNECTION_CONFIRM,
  DISCONNECT_REQUEST,
  FIXED_BYTES,
  MAX_CONTROL_TPDU,
  NEGOTIATION_BYTES,
  NEGOTIATION_FAILURE,
  NEGOTIATION_RESPONSE,
  readU32LE,
  TPKT_VERSION,
} from "./x224.ts";

/** Bound: 259 bytes, as for the request. */
export const MAX_CONFIRM = MAX_CONTROL_TPDU;

/** What the confirm says about security. PLAIN_CONFIRM: nothing, so plain RDP security. */
export const PLAIN_CONFIRM = 0;
export const CONFIRM_SELECTED = NEGOTIATION_RESPONSE;
export const CONFIRM_FAILED = NEGOTIATION_FAILURE;

export const CONFIRM_NOT_TPKT = -1;
export const CONFIRM_BAD_LENGTH = -2;
export const NOT_CONNECTION_CONFIRM = -3;
export const CONNECTION_CONFIRM_REASONS: Reasons = {
  [CONFIRM_NOT_TPKT]: "not-tpkt",
  [CONFIRM_BAD_LENGTH]: "bad-length",
  [NOT_CONNECTION_CONFIRM]: "not-connection-confirm",
};

export interface ConnectionConfirm {
  length: number;
  /** PLAIN_CONFIRM, CONFIRM_SELECTED or CONFIRM_FAILED. All three come from a server that is alive. */
  kind: number;
  flags: number;
  /** The selected protocol (CONFIRM_SELECTED) or the failure's code (CONFIRM_FAILED); else 0. */
  value: number;
}

export function newConnectionConfirm(): ConnectionConfirm {
  return { length: 0, kind: PLAIN_CONFIRM, flags: 0, value: 0 };
}

/**
 * Reads an X.224 Connection Confirm (MS-RDPBCGR 2.2.1.2) in `bytes[from, to)`. Bound: MAX_CONFIRM, 259 bytes. Parameters of
 * X.224 itself in place of a negotiation structure are passed over: PLAIN_CONFIRM.
 * @returns bytes used (> 0, `out` is filled), NEED_MORE (0), or a reason (< 0).
 */
export function readConnectionConfirm(bytes: Uint8Array, from: number, to: number, out: ConnectionConfirm): number {
  const have = to - from;
  if (have < 1) return NEED_MORE;
  if (bytes[from] !== TPKT_VERSION) return CONFIRM_NOT_TPKT;
  if (have < 4) return NEED_MORE;
  const length = (bytes[from + 2]! << 8) | bytes[from + 3]!;
  if (length < FIXED_BYTES || length > MAX_CONFIRM) return CONFIRM_BAD_LENGTH;
  if (have > 4 && bytes[from + 4] !== length - 5) return CONFIRM_BAD_LENGTH;
  if (have > 5 && (bytes[from + 5]! & 0xf0) !== CONNECTION_CONFIRM) return NOT_CONNECTION_CONFIRM;
  if (have < length) return NEED_MORE;
  const at = from + FIXED_BYTES;
  const negotiated = length === FIXED_BYTES + NEGOTIATION_BYTES && isAnswer(bytes, at);
  out.length = length;
  out.kind = negotiated ? bytes[at]! : PLAIN_CONFIRM;
  out.flags = negotiated ? bytes[at + 1]! : 0;
  out.value = negotiated ? readU32LE(bytes, at + 4) : 0;
  return length;
}

/** Are the eight bytes at `bytes[at]` RDP_NEG_RSP or RDP_NEG_FAILURE? */
function isAnswer(bytes: Uint8Array, at: number): boolean {
  const type = bytes[at];
  return (
    (type === NEGOTIATION_RESPONSE || type === NEGOTIATION_FAILURE) &&
    bytes[at + 2] === NEGOTIATION_BYTES &&
    bytes[at + 3] === 0
  );
}

/** A confirm that selects `protocol` (PROTOCOL_…): what a stand-in for a server says. 1234h is Windows' reference. */
export function buildConnectionConfirm(protocol: number): Uint8Array {
  return buildControlTpdu(CONNECTION_CONFIRM, 0x1234, buildNegotiation(NEGOTIATION_RESPONSE, 0, protocol));
}

/** A confirm without negotiation: the answer to a request without RDP_NEG_REQ. */
export const PLAIN_CONNECTION_CONFIRM = buildControlTpdu(CONNECTION_CONFIRM, 0x1234, new Uint8Array(0));

/** A confirm that carries RDP_NEG_FAILURE with `code` (1-6, MS-RDPBCGR 2.2.1.2.2). */
export function buildNegotiationFailure(code: number): Uint8Array {
  return buildControlTpdu(CONNECTION_CONFIRM, 0x1234, buildNegotiation(NEGOTIATION_FAILURE, 0, code));
}

/**
 * What a client is told for whom there is no server: an X.224 Disconnect Request (X.224 13.5), reason 1, "congestion at
 * TSAP"; then the connection is closed. Whether the client sent RDP_NEG_REQ makes no difference.
 *
 * Not RDP_NEG_FAILURE: each of its six codes is about security, and clients act on it. Tried with xfreerdp 2.11.7: after
 * any code it connects twice more, at last asking for plain RDP security; after a close without a word it connects once
 * more; after this answer it stops. So one refusal would become three connections and a downgrade, and its user would be
 * told to change security settings that are right.
 */
export const NO_SERVER_REFUSAL = buildControlTpdu(DISCONNECT_REQUEST, 0, new Uint8Array(0));
// Byte 10 is a request's class and a Disconnect Request's reason.
NO_SERVER_REFUSAL[10] = 1;
