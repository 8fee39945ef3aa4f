/** The server's end of a WebSocket (RFC 6455) that carries text. */
import { createHash } from "node:crypto";
import type { Connection } from "./listener.ts";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const MAX_MESSAGE = 1 << 20;

export interface WebSocketEnd {
  /** Sends one text message. @returns whether it takes more now; if not, `drained` is called when it does. */
  write(text: string): boolean;
  drained: () => void;
  /** A close frame, then the end of the connection. */
  end(): void;
  /** The connection breaks: a reset. */
  cut(): void;
}

/** Answers 101 and reads messages, beginning with the bytes that came behind the request. */
export function acceptWebSocket(
  { stream, socket }: Connection,
  key: string,
  protocol: string,
  first: Buffer,
  told: (message: string) => void,
): WebSocketEnd {
  const accept = createHash("sha1")
    .update(key + GUID)
    .digest("base64");
  stream.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`,
  );
  let bytes: Buffer = first;
  let message = "";
  const read = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk]);
    for (let used = readFrame(); used > 0; used = readFrame()) bytes = bytes.subarray(used);
  };
  /** @returns bytes of the frame; 0: not all of it is here */
  function readFrame(): number {
    if (bytes.length < 6) return 0;
    const size = bytes[1]! & 0x7f;
    const long = size === 126 ? 2 : size === 127 ? 8 : 0;
    const head = 2 + long + 4;
    if (bytes.length < head) return 0;
    const length = long === 2 ? bytes.readUInt16BE(2) : long === 8 ? Number(bytes.readBigUInt64BE(2)) : size;
    if (length > MAX_MESSAGE || (bytes[1]! & 0x80) === 0) {
      stream.destroy();
      return 0;
    }
    if (bytes.length < head + length) return 0;
    const mask = bytes.subarray(head - 4, head);
    const data = Buffer.from(bytes.subarray(head, head + length)).map((byte, at) => byte ^ mask[at % 4]!);
    onFrame(bytes[0]! & 0x0f, (bytes[0]! & 0x80) !== 0, Buffer.from(data));
    return head + length;
  }
  function onFrame(kind: number, isLast: boolean, data: Buffer): void {
    if (kind === PING) stream.write(frame(PONG, data));
    else if (kind === CLOSE) stream.end(frame(CLOSE, data));
    else if (kind <= TEXT) {
      message += data.toString("utf8");
      if (!isLast) return;
      const whole = message;
      message = "";
      told(whole);
    }
  }
  const end: WebSocketEnd = {
    write: (text) => stream.write(frame(TEXT, Buffer.from(text))),
    drained() {},
    end: () => void stream.end(frame(CLOSE, Buffer.from([3, 232]))),
    cut: () => void socket.resetAndDestroy(),
  };
  stream.on("drain", () => end.drained());
  stream.on("data", read);
  if (first.length > 0) read(Buffer.alloc(0));
  return end;
}

/** One unmasked frame, the last of its message. */
function frame(kind: number, data: Buffer): Buffer {
  const head = Buffer.alloc(data.length < 126 ? 2 : data.length < 65_536 ? 4 : 10);
  head[0] = 0x80 | kind;
  if (head.length === 2) head[1] = data.length;
  else if (head.length === 4) {
    head[1] = 126;
    head.writeUInt16BE(data.length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(data.length), 2);
  }
  return Buffer.concat([head, data]);
}
