/** A socket, or TLS over one, whose bytes are awaited: for the clients and servers of the web load. */
import { connect as connectPlain, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";

/** Bytes that have come and were not read, beyond which the socket is paused. */
const MOST_UNREAD = 128 * 1024;

/** The balancer did not take the connection. */
export class Refused extends Error {}

export class Wire {
  readonly #socket: Socket;
  readonly #come: Uint8Array[] = [];
  #unread = 0;
  #over: "not yet" | "end" | Error = "not yet";
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Uint8Array) => {
      this.#come.push(bytes);
      this.#unread += bytes.length;
      if (this.#unread > MOST_UNREAD) socket.pause();
      this.#wake();
    });
    socket.on("end", () => this.#finish("end"));
    socket.on("error", (error) => this.#finish(error));
    socket.on("close", () => this.#finish("end"));
  }

  #finish(how: "end" | Error): void {
    if (this.#over === "not yet") this.#over = how;
    this.#wake();
  }

  /** From 127.0.0.`source`. With `tls` the handshake is over when it resolves. Rejects with Refused. */
  static connect(port: number, source: number, tls?: ConnectionOptions): Promise<Wire> {
    const where = { host: "127.0.0.1", port, localAddress: `127.0.0.${source}`, noDelay: true, allowHalfOpen: true };
    return new Promise((resolve, reject) => {
      const socket = connectPlain(where);
      const refuse = (error: Error) => reject(new Refused(error.message));
      socket.once("error", refuse);
      const done = (connected: Socket) => {
        connected.off("error", refuse);
        resolve(new Wire(connected));
      };
      if (tls === undefined) socket.once("connect", () => done(socket));
      else {
        const secure = connectTls({ ...tls, socket });
        secure.once("error", refuse);
        secure.once("secureConnect", () => done(secure));
        secure.once("close", () => refuse(new Error("closed within the handshake")));
      }
    });
  }

  /** Nothing can be asked over it any more: the other side has ended, or it was lost. */
  get isOver(): boolean {
    return this.#over !== "not yet";
  }

  #change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
  }

  /** What comes next; null: the other side has ended. Rejects when the connection was lost. */
  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const bytes = this.#come.shift();
      if (bytes !== undefined) {
        this.#unread -= bytes.length;
        if (this.#unread <= MOST_UNREAD / 2) this.#socket.resume();
        return bytes;
      }
      if (this.#over instanceof Error) throw this.#over;
      if (this.#over === "end") return null;
      await this.#change();
    }
  }

  /** Resolves when there is room for more. Rejects when the connection was lost. */
  async write(bytes: Uint8Array | string): Promise<void> {
    if (this.#over instanceof Error) throw this.#over;
    if (this.#socket.write(bytes)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.once("drain", resolve);
    this.#socket.once("close", resolve);
    await promise;
  }

  /** Has no more to send. */
  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
  }
}
