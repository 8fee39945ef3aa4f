/** What the load and the servers say to each other: an X.224 exchange when it is RDP, then one order and its work. */

/** The server gives back every byte, the order too. */
export const ECHO = "E".charCodeAt(0);
/** The server sends as many bytes as the order says. */
export const DOWN = "D".charCodeAt(0);
/** The server takes as many bytes as the order says, behind the order, then answers one byte. */
export const UP = "U".charCodeAt(0);

/** An order: what to do in the first byte, how many bytes from byte 8 on (a float64). */
export const ORDER_SIZE = 16;

/** The length of an echo order: what a connection that is counted carries each way. */
export const MESSAGE_SIZE = 100;

export function order(what: number, bytes: number, length: number = ORDER_SIZE): Uint8Array {
  const message = new Uint8Array(length);
  message[0] = what;
  new DataView(message.buffer).setFloat64(8, bytes, true);
  return message;
}

export const TPKT_VERSION = 3;

/** X.224 Connection Confirm with a negotiation response that chose TLS (MS-RDPBCGR 2.2.1.2). */
export const CONNECTION_CONFIRM = Uint8Array.fromHex("030000130ed000001234000200080001000000");

/** X.224 Connection Request of the user (MS-RDPBCGR 2.2.1.1), offering TLS. */
export function connectionRequest(user: string): Uint8Array {
  const cookie = new TextEncoder().encode(`Cookie: mstshash=${user}\r\n`);
  const length = 11 + cookie.length + 8;
  const request = new Uint8Array(length);
  request.set([TPKT_VERSION, 0, length >> 8, length & 255, length - 5, 0xe0]);
  request.set(cookie, 11);
  request.set([1, 0, 8, 0, 1, 0, 0, 0], length - 8);
  return request;
}
