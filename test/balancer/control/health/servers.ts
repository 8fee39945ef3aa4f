/** Servers that misbehave, for checks: loopback, a port of the system's, closed at the end of each test. */
import { dlopen } from "bun:ffi";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";

export interface TestServer {
  readonly port: number;
  /** Resolves when the first client's connection is closed on both sides. */
  readonly firstClosed: Promise<void>;
  /** All bytes of the first client. */
  received(): Buffer;
  stop(): Promise<void>;
}

/** Calls `onConnection` for each client; closes nothing by itself. */
export async function serve(onConnection: (socket: Socket) => void, port = 0): Promise<TestServer> {
  const sockets = new Set<Socket>();
  const { promise: firstClosed, resolve } = Promise.withResolvers<void>();
  const pieces: Buffer[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    if (sockets.size === 0) {
      socket.once("close", () => resolve());
      socket.on("data", (piece: Buffer) => pieces.push(piece));
    }
    sockets.add(socket);
    socket.on("end", () => socket.end());
    socket.on("error", () => {});
    onConnection(socket);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as { port: number }).port,
    firstClosed,
    received: () => Buffer.concat(pieces),
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Answers the first bytes of each client with `pieces`, one write each, and closes if `close`. */
export function answering(pieces: readonly (string | Uint8Array)[], close = true) {
  return serve((socket) => {
    socket.once("data", () => {
      for (const piece of pieces) socket.write(piece);
      if (close) socket.end();
    });
  });
}

/** A port where nobody listens. */
export async function refusedPort(): Promise<number> {
  const server = await serve(() => {});
  await server.stop();
  return server.port;
}

/** A port whose queue of connections is full: the system drops what would connect, as a dead host does. */
export async function silentPort(): Promise<{ port: number; stop(): void }> {
  const { symbols } = dlopen("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    bind: { args: ["i32", "ptr", "i32"], returns: "i32" },
    listen: { args: ["i32", "i32"], returns: "i32" },
    getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
    close: { args: ["i32"], returns: "i32" },
  });
  const fd = symbols.socket(2, 1, 0);
  const address = new Uint8Array([2, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  symbols.bind(fd, address, address.length);
  symbols.listen(fd, 0);
  symbols.getsockname(fd, address, new Uint32Array([address.length]));
  const port = (address[2]! << 8) | address[3]!;
  const filler = connect(port, "127.0.0.1");
  await once(filler, "connect");
  return {
    port,
    stop: () => {
      filler.destroy();
      symbols.close(fd);
    },
  };
}

/** This process's sockets: a check that gives up must not leave one behind. */
export function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
