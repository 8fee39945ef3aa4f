/** What the web load asks for, and what the web servers answer. */
import { HOST } from "../certificates.ts";
import { COOKIE } from "../peers.ts";

/** The body of an answer to `GET /k`. Its first byte says which server it was, as a digit. */
export const BODY_BYTES = 1024;
export const BODY = Buffer.alloc(BODY_BYTES, "holdfast bench ");

/** A WebSocket message of 64 bytes, from a client (masked, with a mask of 0, RFC 6455 5.3) and from a server. */
const WEBSOCKET_PAYLOAD = 64;
export const CLIENT_MESSAGE = Buffer.alloc(6 + WEBSOCKET_PAYLOAD, "e");
CLIENT_MESSAGE.set([0x82, 0x80 | WEBSOCKET_PAYLOAD, 0, 0, 0, 0]);
export const SERVER_MESSAGE = Buffer.alloc(2 + WEBSOCKET_PAYLOAD, "e");
SERVER_MESSAGE.set([0x82, WEBSOCKET_PAYLOAD]);

/** A message of a stream: when it was sent (a float64, `clock.ts`), its number within the stream (likewise), then filling. */
export const STREAM_MESSAGE_BYTES = 100;
export const STREAM_FILLING_AT = 16;
export const STREAM_FILLING = "s".charCodeAt(0);
/** Each stream brings so many messages a second. */
export const STREAM_RATE = 10;

/** What a request asks for; the path is its first letter, and for `down` the length. */
export type Kind = "page" | "echo" | "stream" | "down" | "up";

/** A request's bytes. `bytes`: of the bulk. `cookie`: "name=value", or "". */
export function request(kind: Kind, cookie: string, bytes = 0): Buffer {
  const target = kind === "down" ? `/down/${bytes}` : `/${kind}`;
  const lines = [
    `${kind === "up" ? "POST" : "GET"} ${target} HTTP/1.1`,
    `Host: ${HOST}`,
    "User-Agent: bench/1.0",
    "Accept: */*",
  ];
  if (cookie) lines.push(`Cookie: ${cookie}`);
  if (kind === "up") lines.push(`Content-Length: ${bytes}`);
  if (kind === "echo") {
    lines.push("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13");
    lines.push("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
  }
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);
}

/** To the key above (RFC 6455 1.3). */
export const WEBSOCKET_ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** The cookie that an answer sets, or "". */
export function cookieOf(head: string): string {
  return new RegExp(`^set-cookie: *(${COOKIE}=[^;\\r]+)`, "im").exec(head)?.[1] ?? "";
}
