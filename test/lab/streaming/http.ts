/** As much HTTP/1.1 (RFC 9112) as a streaming node needs: requests with a Content-Length, answers whole or as a stream. */
import type { Connection } from "./listener.ts";
import { acceptWebSocket, type WebSocketEnd } from "./websocket.ts";

const MAX_HEAD = 16_384;
const MAX_BODY = 1 << 20;

export interface Request {
  readonly method: string;
  readonly path: string;
  /** Names in lower case; a field that came several times has several values. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  readonly body: string;
  readonly connection: Connection;
}

/** The first value of a field, or "". */
export const field = (request: Request, name: string): string => request.fields.get(name)?.[0] ?? "";

/** How a request is answered: exactly one of its methods is called, once. */
export interface Answer {
  whole(status: number, body: string, type?: string): void;
  /** An answer that goes on, chunk by chunk. */
  stream(): Stream;
  /** 101: the connection is a WebSocket now. */
  webSocket(protocol: string, told: (message: string) => void, closed: () => void): WebSocketEnd;
}

export interface Stream {
  /** @returns whether it takes more now; if not, `drained` is called when it does. */
  write(text: string): boolean;
  drained: () => void;
  /** The connection is gone, or the answer has ended. */
  closed: () => void;
  end(): void;
  /** The connection breaks: a reset. */
  cut(): void;
}

/** Reads requests from a connection, one at a time: the next when the last has been answered. */
export function serveHttp(connection: Connection, serve: (request: Request, answer: Answer) => void): void {
  const { stream } = connection;
  let bytes: Buffer = Buffer.alloc(0);
  let busy = false;
  let gone = (): void => {};

  const read = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk]);
    next();
  };
  function next(): void {
    if (busy) return;
    const found = readRequest(bytes, connection);
    if (found === "bad") return void stream.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    if (found === "more") return;
    busy = true;
    bytes = bytes.subarray(found.used);
    serve(found.request, answer(found.request));
  }
  function done(): void {
    busy = false;
    gone = () => {};
    next();
  }
  function answer(request: Request): Answer {
    return {
      whole(status, body, type = "text/plain") {
        const head = `HTTP/1.1 ${status} -\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
        stream.write(head + (request.method === "HEAD" ? "" : body));
        done();
      },
      stream() {
        stream.write("HTTP/1.1 200 OK\r\nContent-Type: text/enriched\r\nTransfer-Encoding: chunked\r\n\r\n");
        return chunked(
          connection,
          (told) => {
            gone = told;
          },
          done,
        );
      },
      webSocket(protocol, told, closed) {
        stream.off("data", read);
        gone = closed;
        return acceptWebSocket(connection, field(request, "sec-websocket-key"), protocol, bytes, told);
      },
    };
  }
  stream.on("data", read);
  stream.on("end", () => stream.end());
  stream.on("close", () => gone());
  stream.resume();
}

function chunked({ stream, socket }: Connection, onGone: (gone: () => void) => void, done: () => void): Stream {
  const answer: Stream = {
    write(text) {
      return stream.write(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
    },
    drained() {},
    closed() {},
    end() {
      stream.off("drain", drained);
      stream.write("0\r\n\r\n");
      done();
    },
    cut: () => void socket.resetAndDestroy(),
  };
  const drained = (): void => answer.drained();
  stream.on("drain", drained);
  onGone(() => answer.closed());
  return answer;
}

function readRequest(
  bytes: Buffer,
  connection: Connection,
): { readonly request: Request; readonly used: number } | "more" | "bad" {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return bytes.length > MAX_HEAD ? "bad" : "more";
  const [line = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const [, method = "", path = ""] = /^([A-Z]+) (\S+) HTTP\/1\.1$/.exec(line) ?? [];
  if (method === "") return "bad";
  const fields = new Map<string, string[]>();
  for (const one of lines) {
    const colon = one.indexOf(":");
    const name = one.slice(0, colon).toLowerCase();
    const values = fields.get(name) ?? [];
    values.push(one.slice(colon + 1).trim());
    fields.set(name, values);
  }
  if (fields.has("transfer-encoding")) return "bad";
  const length = Number(fields.get("content-length")?.[0] ?? 0);
  if (!(length >= 0 && length <= MAX_BODY)) return "bad";
  const used = end + 4 + length;
  if (bytes.length < used) return "more";
  return { request: { method, path, fields, body: bytes.toString("utf8", end + 4, used), connection }, used };
}
