/** What a streaming node listens with: TCP, a PROXY header where the balancer sends one, TLS where it ends at the node. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import type { Certificate } from "../certificates.ts";

export interface ListenOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** A PROXY header, v1 or v2, comes first on each connection; one without it is closed. */
  readonly proxy?: boolean;
  readonly certificate?: Certificate;
}

/** One connection, as the node's HTTP sees it. */
export interface Connection {
  /** TLS has been taken off. */
  readonly stream: Socket;
  /** The TCP connection itself: what was really written to it. */
  readonly socket: Socket;
  /** The client's IP address: what the PROXY header says, else where the connection comes from. */
  readonly client: string;
  /** How the header was written; absent: there was none. */
  readonly proxy?: "v1" | "v2";
}

export interface Listener {
  readonly port: number;
  /** Stops listening and resets what is open. */
  close(): Promise<void>;
}

/** Listens; `serve` is told each connection once it may be read. Ends of peers are half-closes. */
export async function listen(options: ListenOptions, serve: (connection: Connection) => void): Promise<Listener> {
  const open = new Set<Socket>();
  const context = options.certificate && secureContext(options.certificate);
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    open.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => open.delete(socket));
    const go = (header: ProxyHeader | undefined): void => {
      const stream = context ? underTls(socket, context) : socket;
      const client = header?.client ?? socket.remoteAddress ?? "";
      serve({ stream, socket, client, ...(header && { proxy: header.version }) });
    };
    if (options.proxy) readProxyHeader(socket, go);
    else go(undefined);
  });
  server.listen(options.port, options.host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of open) socket.resetAndDestroy();
      server.close();
      await once(server, "close");
    },
  };
}

function secureContext({ cert, key }: Certificate): SecureContext {
  return createSecureContext({ cert: readFileSync(cert), key: readFileSync(key) });
}

function underTls(socket: Socket, secureContext: SecureContext): Socket {
  const stream = new TLSSocket(socket, { isServer: true, secureContext });
  stream.on("error", () => socket.destroy());
  stream.on("close", () => socket.destroy());
  return stream;
}

interface ProxyHeader {
  readonly version: "v1" | "v2";
  /** Absent: the proxy speaks for itself (a health check). */
  readonly client?: string;
}

const V2_SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n");
const V2_FIXED = 16;

/** Written for these tests and not our own reader: it judges what our own writer wrote. IPv4 is all that comes here. */
function readProxyHeader(socket: Socket, then: (header: ProxyHeader) => void): void {
  let bytes: Buffer = Buffer.alloc(0);
  const look = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk]);
    const isV2 = bytes.subarray(0, V2_SIGNATURE.length).equals(V2_SIGNATURE);
    const end = isV2 ? V2_FIXED + (bytes.length < V2_FIXED ? 0 : bytes.readUInt16BE(14)) : bytes.indexOf("\r\n") + 2;
    if (bytes.length < V2_FIXED || end < 2 || bytes.length < end) {
      if (bytes.length > 256) socket.destroy();
      return;
    }
    const header = isV2 ? v2(bytes) : v1(bytes.toString("latin1", 0, end));
    if (!header) return void socket.destroy();
    socket.off("data", look);
    socket.pause();
    if (bytes.length > end) socket.unshift(bytes.subarray(end));
    then(header);
  };
  socket.on("data", look);
}

function v1(line: string): ProxyHeader | undefined {
  const [, client] = /^PROXY TCP4 ([0-9.]+) [0-9.]+ \d+ \d+\r\n$/.exec(line) ?? [];
  return client === undefined ? undefined : { version: "v1", client };
}

function v2(bytes: Buffer): ProxyHeader | undefined {
  if (bytes[12] === 0x20) return { version: "v2" };
  if (bytes[12] !== 0x21 || bytes[13] !== 0x11) return undefined;
  return { version: "v2", client: bytes.subarray(16, 20).join(".") };
}
