/** One connection of one client, over a real socket: who answered, and whether it had the client's session. */
import { connect, type Socket } from "node:net";
import { HoldfastError } from "../errors.ts";
import {
  CONNECTION_CONFIRM_REASONS,
  newConnectionConfirm,
  readConnectionConfirm,
} from "../protocols/rdp/connection-confirm.ts";
import { buildConnectionRequest } from "../protocols/rdp/connection-request.ts";
import { reasonName } from "../protocols/result.ts";

const ANSWER_WITHIN_MS = 5_000;
/** The longest answer of a sample server. */
const MAX_ANSWER = 512;
const HELLO = "hello\n";

/** How a client comes. */
export interface Coming {
  /** An address of this machine: any of 127.0.0.0/8. */
  readonly from: string;
  /** `host:port` of the service. */
  readonly to: string;
  /** The login that the session belongs to; without one it is a client of the TCP service. */
  readonly login?: string | undefined;
  /** The line of its Connection Request; RDP clients may do without. */
  readonly line?: string | undefined;
}

/** Says no, or nothing, or something that makes no sense. */
export class VisitFailed extends HoldfastError {
  constructor(message: string) {
    super("demo/failed", message);
  }
}

export class Visit {
  /** `host:port` that the balancer sees. */
  readonly client: string;
  /** Who answered. */
  readonly server: string;
  /** Did the server have a session of this login? Undefined for TCP, which has none. */
  readonly reconnected: boolean | undefined;
  /** Resolves when the connection has ended, by either side. */
  readonly ended: Promise<void>;
  readonly #socket: Socket;

  private constructor(socket: Socket, client: string, server: string, reconnected: boolean | undefined) {
    this.#socket = socket;
    this.client = client;
    this.server = server;
    this.reconnected = reconnected;
    this.ended = new Promise((resolve) => {
      if (socket.destroyed) resolve();
      else socket.once("close", () => resolve());
    });
  }

  /** Connects and asks. Throws VisitFailed. `signal` ends it at any time. */
  static async begin({ from, to, login, line }: Coming, signal: AbortSignal): Promise<Visit> {
    const at = to.lastIndexOf(":");
    const socket = connect({ host: to.slice(0, at), port: Number(to.slice(at + 1)), localAddress: from });
    const drop = () => socket.destroy();
    const late = setTimeout(drop, ANSWER_WITHIN_MS);
    signal.addEventListener("abort", drop);
    socket.once("close", () => signal.removeEventListener("abort", drop));
    try {
      await connected(socket);
      const client = `${from}:${socket.localPort}`;
      const words = login === undefined ? await askEcho(socket) : await askDesktop(socket, login, line);
      const [server = "", session] = words.split(" ");
      return new Visit(socket, client, server, session === undefined ? undefined : session === "reconnected");
    } catch (error) {
      drop();
      throw error instanceof VisitFailed ? error : new VisitFailed((error as Error).message);
    } finally {
      clearTimeout(late);
    }
  }

  /** Goes away, leaving the session. */
  async leave(): Promise<void> {
    this.#socket.end();
    await this.ended;
  }
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
    socket.once("close", () => reject(new VisitFailed("nobody answered")));
  });
}

/** X.224, then the login; the server's own words. */
async function askDesktop(socket: Socket, login: string, line: string | undefined): Promise<string> {
  socket.write(buildConnectionRequest(line === undefined ? {} : { line }));
  const confirm = newConnectionConfirm();
  await answer(socket, (bytes) => {
    const used = readConnectionConfirm(bytes, 0, bytes.length, confirm);
    if (used < 0) throw new VisitFailed(`refused (${reasonName(CONNECTION_CONFIRM_REASONS, used)})`);
    return used > 0 ? true : undefined;
  });
  socket.write(`${login}\n`);
  return answer(socket, firstLine);
}

/** The server says who it is, and sends back what it gets. */
async function askEcho(socket: Socket): Promise<string> {
  const name = await answer(socket, firstLine);
  socket.write(HELLO);
  const echoed = await answer(socket, firstLine);
  if (`${echoed}\n` !== HELLO) throw new VisitFailed(`${name} sent back something else`);
  return name;
}

function firstLine(bytes: Uint8Array): string | undefined {
  const end = bytes.indexOf(0x0a);
  return end < 0 ? undefined : new TextDecoder().decode(bytes.subarray(0, end));
}

/** Collects what comes until `read` makes something of it. Both sides take turns, so nothing is left over. */
function answer<T>(socket: Socket, read: (bytes: Uint8Array) => T | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    let bytes: Uint8Array = new Uint8Array(0);
    const done = (settle: () => void) => {
      socket.off("data", onData);
      socket.off("error", onError);
      socket.off("close", onClose);
      settle();
    };
    const onError = (error: Error) => done(() => reject(error));
    const onClose = () => done(() => reject(new VisitFailed("the connection was ended without an answer")));
    const onData = (chunk: Uint8Array) => {
      bytes = new Uint8Array([...bytes, ...chunk]);
      try {
        const found = read(bytes);
        if (found !== undefined) done(() => resolve(found));
        else if (bytes.length > MAX_ANSWER) done(() => reject(new VisitFailed("the answer is too long")));
      } catch (error) {
        done(() => reject(error));
      }
    };
    socket.on("data", onData);
    socket.on("error", onError);
    socket.on("close", onClose);
  });
}
