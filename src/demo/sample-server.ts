/**
 * The sample servers of the demo: each is a process of its own, so that killing one is real. They listen on a free port of
 * 127.0.0.1, print it, and end when their standard input does: nothing outlives the demo.
 *
 * `rdp` answers the X.224 Connection Request as a terminal server does. Where a real one would show a desktop, it takes the
 * login as a line of text and says in a line who it is and whether this user had a session here: `rds1 reconnected 3`.
 * `tcp` says who it is, then sends back whatever it gets.
 */
import { createServer, type Socket } from "node:net";
import { PLAIN_CONNECTION_CONFIRM } from "../protocols/rdp/connection-confirm.ts";
import { MAX_REQUEST, newConnectionRequest, readConnectionRequest } from "../protocols/rdp/connection-request.ts";
import { NEED_MORE } from "../protocols/result.ts";

export type SampleProtocol = "rdp" | "tcp";

/** Longest login line. */
const MAX_LOGIN = 64;
const NEWLINE = 0x0a;

/** Serves until standard input ends. @returns never: the process ends here. */
export async function runSampleServer(protocol: SampleProtocol, name: string): Promise<never> {
  const server = createServer(protocol === "rdp" ? desktops(name) : echo(name));
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    if (address !== null && typeof address === "object") process.stdout.write(`${address.port}\n`);
  });
  for await (const _ of process.stdin) {
    // Nothing is said on it: only its end counts.
  }
  process.exit(0);
}

/** A stand-in for a terminal server. Sessions live as long as the process, each user has one. */
function desktops(name: string): (socket: Socket) => void {
  const sessions = new Map<string, number>();
  return (socket) => {
    let bytes: Uint8Array = new Uint8Array(0);
    let read = readRequest;
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Uint8Array) => {
      bytes = bytes.length === 0 ? chunk : new Uint8Array([...bytes, ...chunk]);
      read();
    });

    function readRequest(): void {
      const used = readConnectionRequest(bytes, 0, bytes.length, newConnectionRequest());
      if (used < 0 || (used === NEED_MORE && bytes.length > MAX_REQUEST)) socket.destroy();
      if (used <= 0) return;
      socket.write(PLAIN_CONNECTION_CONFIRM);
      bytes = bytes.subarray(used);
      read = readLogin;
      read();
    }

    function readLogin(): void {
      const end = bytes.indexOf(NEWLINE);
      if (end < 0 && bytes.length > MAX_LOGIN) socket.destroy();
      if (end < 0) return;
      const login = new TextDecoder().decode(bytes.subarray(0, end));
      const known = sessions.get(login);
      const session = known ?? sessions.size + 1;
      sessions.set(login, session);
      socket.write(`${name} ${known === undefined ? "created" : "reconnected"} ${session}\n`);
      read = () => {};
    }
  };
}

function echo(name: string): (socket: Socket) => void {
  return (socket) => {
    socket.on("error", () => socket.destroy());
    socket.write(`${name}\n`);
    socket.pipe(socket);
  };
}
