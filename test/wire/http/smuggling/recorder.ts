/** A server that keeps every byte it gets, and finds the ends of requests by itself: with nothing of ours. */
import { createServer, type Server, type Socket } from "node:net";

const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

export class Recorder {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #requests: string[] = [];

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket) => this.#serve(socket));
  }

  static async start(): Promise<Recorder> {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    return new Recorder(server);
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Whole requests since the last call, a character a byte. */
  take(): string[] {
    const taken = this.#requests;
    this.#requests = [];
    return taken;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setEncoding("latin1");
    let unread = "";
    socket.on("data", (piece: string) => {
      unread += piece;
      for (let length = wholeRequest(unread); length > 0; length = wholeRequest(unread)) {
        this.#requests.push(unread.slice(0, length));
        unread = unread.slice(length);
        socket.write(ANSWER);
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }
}

/** Bytes of the first request, or 0 if it is not complete. Good enough for requests in canonical form. */
export function wholeRequest(bytes: string): number {
  const head = bytes.indexOf("\r\n\r\n") + 4;
  if (head < 4) return 0;
  const fields = bytes.slice(0, head);
  const length = /\r\nContent-Length: (\d+)\r\n/i.exec(fields)?.[1];
  if (length !== undefined) return bytes.length >= head + Number(length) ? head + Number(length) : 0;
  if (!/\r\nTransfer-Encoding: chunked\r\n/i.test(fields)) return head;
  for (let at = head; ; ) {
    const size = /^([1-9a-f][0-9a-f]*|0)\r\n/i.exec(bytes.slice(at, at + 20));
    if (size === null) return 0;
    at += size[0].length;
    const data = Number.parseInt(size[1]!, 16);
    if (data > 0) {
      if (bytes.slice(at + data, at + data + 2) !== "\r\n") return 0;
      at += data + 2;
    } else if (bytes.startsWith("\r\n", at)) return at + 2;
    else {
      const end = bytes.indexOf("\r\n\r\n", at);
      return end < 0 ? 0 : end + 4;
    }
  }
}
