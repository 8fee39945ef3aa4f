/** Servers and clients of the balancer: small, real sockets, each telling what it saw. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server as NetServer, type Socket } from "node:net";
import { buildConnectionRequest } from "../../../src/protocols/rdp/connection-request.ts";

const WITHIN_MS = 8_000;
const BETWEEN_LOOKS_MS = 10;

/** How a connection was over for this side. */
export type Ending = "closed" | "reset";

/** One side of a connection: what came, and how it was over. */
export class Peer {
  readonly socket: Socket;
  /** Resolves when nothing comes any more: an end in order, or a reset. */
  readonly ended: Promise<Ending>;
  /** Resolves when the socket is closed. */
  readonly closed: Promise<void>;
  readonly #pieces: Buffer[] = [];
  readonly #lookers = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    const ending = Promise.withResolvers<Ending>();
    const closing = Promise.withResolvers<void>();
    this.ended = ending.promise;
    this.closed = closing.promise;
    socket.on("data", (bytes: Buffer) => {
      this.#pieces.push(bytes);
      for (const look of [...this.#lookers]) look();
    });
    socket.on("error", () => ending.resolve("reset"));
    socket.on("end", () => ending.resolve("closed"));
    socket.on("close", () => {
      ending.resolve("closed");
      closing.resolve();
      for (const look of [...this.#lookers]) look();
    });
  }

  /** All that came so far. */
  get received(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  /** Resolves with all that came as soon as `enough` of it did; rejects when the connection is over before. */
  receive(enough: (bytes: Buffer) => boolean): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const finish = (act: () => void) => {
        clearTimeout(deadline);
        this.#lookers.delete(look);
        act();
      };
      const look = () => {
        const bytes = this.received;
        if (enough(bytes)) finish(() => resolve(bytes));
        else if (this.socket.destroyed)
          finish(() => reject(new Error(`it was over after ${JSON.stringify(bytes.toString("latin1"))}`)));
      };
      const deadline = setTimeout(() => {
        finish(() =>
          reject(new Error(`after ${WITHIN_MS} ms there was only ${JSON.stringify(this.received.toString("latin1"))}`)),
        );
      }, WITHIN_MS);
      this.#lookers.add(look);
      void this.ended.then(look);
      look();
    });
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Has no more to send. */
  finish(): void {
    this.socket.end();
  }

  /** Leaves. Resolves when its socket is closed. */
  async leave(): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }

  /** Leaves without a word. */
  reset(): void {
    this.socket.resetAndDestroy();
  }
}

export interface ClientOptions {
  /** Where the balancer is. Default: 127.0.0.1. */
  readonly host?: string;
  /** The client's own address, any of 127.0.0.0/8. */
  readonly from?: string;
  /** What it sends at once. Default: "hello". Empty: nothing. */
  readonly first?: string | Uint8Array;
}

/** A client of the balancer. */
export class Client extends Peer {
  /** Its own address and port, as the access log names it; empty when it was reset before it could be asked. */
  address = "";
  /** Unix milliseconds. */
  readonly sinceMs = Date.now();

  /** Resolves when the kernel has connected it; the balancer may still refuse it, or have done so already. */
  static async connect(
    port: number,
    { host = "127.0.0.1", from, first = "hello" }: ClientOptions = {},
  ): Promise<Client> {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true, ...(from && { localAddress: from }) });
    const client = new Client(socket);
    await once(socket, "connect").catch((error: NodeJS.ErrnoException) => {
      // Connected and reset, before this process looked.
      if (error.code !== "ECONNRESET") throw error;
    });
    const { localAddress, localPort } = socket;
    if (localAddress)
      client.address = `${localAddress.includes(":") ? `[${localAddress}]` : localAddress}:${localPort}`;
    if (first.length > 0 && !socket.destroyed) client.send(first);
    return client;
  }

  /** The name of the server that answered; rejects when there was none. */
  async server(): Promise<string> {
    const bytes = await this.receive((received) => received.includes("\n"));
    return bytes.subarray(0, bytes.indexOf("\n")).toString();
  }
}

/** Connects, learns who answered, and leaves. */
export async function visit(
  port: number,
  options: ClientOptions = {},
): Promise<{ server: string; address: string; sinceMs: number }> {
  const client = await Client.connect(port, options);
  try {
    return { server: await client.server(), address: client.address, sinceMs: client.sinceMs };
  } finally {
    await client.leave();
  }
}

/** The first message of an RDP client: `line` is its cookie or token. */
export function rdp(line?: string): Uint8Array {
  return buildConnectionRequest({ ...(line === undefined ? {} : { line }), protocols: 3 });
}

export const user = (name: string) => rdp(`Cookie: mstshash=${name}`);

/** A connection as a server saw it. */
export class Visitor extends Peer {
  /** Who connected: the balancer. */
  readonly from: string;

  constructor(socket: Socket) {
    super(socket);
    this.from = `${socket.remoteAddress}:${socket.remotePort}`;
  }
}

export interface ServerOptions {
  /** Default: 127.0.0.1. */
  readonly host?: string;
  readonly port?: number;
  /** Says its name to the first bytes that come. False: it only listens. */
  readonly answers?: boolean;
}

/** A server that says its name to the first bytes it gets, sends back what comes after, and ends when its client has. */
export class Server {
  readonly name: string;
  readonly visitors: Visitor[] = [];
  readonly #options: ServerOptions;
  #listener: NetServer | undefined;
  #port = 0;

  private constructor(name: string, options: ServerOptions) {
    this.name = name;
    this.#options = options;
  }

  static async start(name: string, options: ServerOptions = {}): Promise<Server> {
    const server = new Server(name, options);
    server.#port = options.port ?? 0;
    await server.start();
    return server;
  }

  /** Its visitor number `nth` (0, 1, …), who may still have to come. */
  async visitor(nth: number): Promise<Visitor> {
    const deadline = performance.now() + WITHIN_MS;
    while (this.visitors.length <= nth) {
      if (performance.now() > deadline) throw new Error(`nobody came to ${this.name} within ${WITHIN_MS} ms`);
      await Bun.sleep(BETWEEN_LOOKS_MS);
    }
    return this.visitors[nth]!;
  }

  /** As the YAML has it. */
  get address(): string {
    const { host = "127.0.0.1" } = this.#options;
    return host.includes(":") ? `"[${host}]:${this.#port}"` : `${host}:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Listens, the first time or again on the same port. */
  async start(): Promise<void> {
    const listener = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#serve(socket));
    listener.listen(this.#port, this.#options.host ?? "127.0.0.1");
    await once(listener, "listening");
    this.#listener = listener;
    this.#port = (listener.address() as AddressInfo).port;
  }

  #serve(socket: Socket): void {
    const visitor = new Visitor(socket);
    this.visitors.push(visitor);
    if (this.#options.answers === false) return;
    let isFirst = true;
    socket.on("data", (bytes: Buffer) => {
      socket.write(isFirst ? `${this.name}\n` : bytes);
      isFirst = false;
    });
    socket.on("end", () => socket.end());
  }

  /** Stops listening and ends its connections: the process behind the port has died. */
  async stop(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    if (!listener) return;
    const closed = once(listener, "close");
    listener.close();
    for (const { socket } of this.visitors) socket.destroy();
    await closed;
  }
}

/** Starts one for each name, on free ports of 127.0.0.1. */
export async function startServers<const Names extends readonly string[]>(
  ...names: Names
): Promise<{ -readonly [Index in keyof Names]: Server }> {
  return (await Promise.all(names.map((name) => Server.start(name)))) as { -readonly [Index in keyof Names]: Server };
}
