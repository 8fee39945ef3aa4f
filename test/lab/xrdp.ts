/** A real xrdp server with a session manager and users of its own, in namespaces that vanish with it. */

import { join } from "node:path";
import { Child } from "./child.ts";
import { type EventLog, type SessionEvent, sessionLogReader } from "./session-log.ts";
import { freePort } from "./ways.ts";

/** Making users and a key takes about half a second on an idle machine. */
const START_WITHIN_MS = 20_000;
/** Sessions a session manager may open (`MaxSessions`), and so the displays each server has to itself. */
const DISPLAYS = 50;

export interface User {
  readonly name: string;
  readonly password: string;
}

export interface XrdpOptions {
  readonly name: string;
  /** Listens on 127.0.0.1. */
  readonly port: number;
  /** Exist inside this server only. */
  readonly users: readonly User[];
}

export interface Xrdp {
  readonly name: string;
  readonly port: number;
  /** Process id of what holds its namespaces. */
  readonly pid: number;
  /** The last lines of its logs, for the message of a failure. */
  output(): string;
  /** Ends the server and every session in it. */
  stop(): Promise<void>;
}

/** Starts a server and resolves when it listens; its sessions' events are added to `log`. Root only. */
export async function startXrdp(options: XrdpOptions, log: EventLog<SessionEvent>): Promise<Xrdp> {
  const { name, port, users } = options;
  const read = sessionLogReader(name);
  const listening = Promise.withResolvers<void>();

  const child = new Child(
    [
      ..."unshare --mount --ipc --pid --fork --kill-child --mount-proc sh".split(" "),
      join(import.meta.dir, "xrdp.sh"),
      String(port),
      String(await freePort()),
      String(firstDisplay(port)),
      ...users.map((user) => `${user.name}:${user.password}`),
    ],
    (line) => {
      if (line.includes(`listening to port ${port} `)) listening.resolve();
      if (line.endsWith(" has ended")) listening.reject(new Error(`${name}: ${line}\n${child.output()}`));
      for (const event of read(line)) log.add(event);
    },
  );
  const deadline = setTimeout(
    () => listening.reject(new Error(`${name}: not listening after ${START_WITHIN_MS} ms\n${child.output()}`)),
    START_WITHIN_MS,
  );
  child.exited.then((code) => listening.reject(new Error(`${name}: ended with ${code}\n${child.output()}`)));

  async function stop(): Promise<void> {
    child.closeInput();
    await child.ended();
  }

  try {
    await listening.promise;
  } catch (failure) {
    await stop();
    throw failure;
  } finally {
    clearTimeout(deadline);
  }
  return { name, port, pid: child.pid, output: () => child.output(), stop };
}

/** Displays are also abstract sockets, which mount namespaces do not part: each port gets numbers of its own. */
function firstDisplay(port: number): number {
  return (port % 1000) * DISPLAYS + DISPLAYS;
}
