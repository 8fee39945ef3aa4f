/** TPKT (RFC 1006) and X.224 class 0 (ITU-T X.224 13.2) as RDP uses them: constants that its messages share. */

/** TPKT: version 3, a reserved byte, the whole length (16 bits, big-endian). */
export const TPKT_VERSION = 3;
/** TPKT header (4), X.224 length indicator (1), and the six fixed bytes that it counts. */
export const FIXED_BYTES = 11;
/** The length indicator is one byte and 255 is reserved: 4 + 1 + 254. */
export const MAX_CONTROL_TPDU = 259;

/** TPDU codes: the high four bits of byte 5. */
export const CONNECTION_REQUEST = 0xe0;
export const CONNECTION_CONFIRM = 0xd0;
export const DISCONNECT_REQUEST = 0x80;

/** MS-RDPBCGR 2.2.1.1.1, 2.2.1.2.1, 2.2.1.2.2: type byte, flags, length 8 (LE16), a value (LE32). */
export const NEGOTIATION_REQUEST = 1;
export const NEGOTIATION_RESPONSE = 2;
export const NEGOTIATION_FAILURE = 3;
export const NEGOTIATION_BYTES = 8;

/** Security protocols, as bits that a client asks for and as the one that a server selects. */
export const PROTOCOL_RDP = 0;
export const PROTOCOL_TLS = 1;
export const PROTOCOL_CREDSSP = 2;
export const PROTOCOL_RDSTLS = 4;
export const PROTOCOL_CREDSSP_EX = 8;
export const PROTOCOL_AAD = 16;

/** The 32-bit little-endian number at `bytes[at]`, unsigned. */
export function readU32LE(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** A control TPDU: TPKT and X.224 headers with the lengths filled in, then `variable`. */
export function buildControlTpdu(code: number, sourceReference: number, variable: Uint8Array): Uint8Array {
  const length = FIXED_BYTES + variable.length;
  const bytes = new Uint8Array(length);
  bytes.set([TPKT_VERSION, 0, length >> 8, length & 0xff, length - 5, code]);
  bytes[8] = sourceReference >> 8;
  bytes[9] = sourceReference & 0xff;
  bytes.set(variable, FIXED_BYTES);
  return bytes;
}

/** A negotiation structure: all four kinds have this shape. */
export function buildNegotiation(type: number, flags: number, value: number): Uint8Array {
  return new Uint8Array([
    type,
    flags,
    NEGOTIATION_BYTES,
    0,
    value & 0xff,
    (value >> 8) & 0xff,
    (value >> 16) & 0xff,
    value >>> 24,
  ]);
}
