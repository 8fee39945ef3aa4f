/**
 * What a process that takes over gets from the one that runs: the shared memory, the listening sockets, and what only control
 * knew. The memory is shared from then on, so limits, counts and stickiness are those of both.
 *
 *   new process                              running process
 *   POST /takeover/begin  ------------------>  passes descriptors to the new one's doormat, answers with Handover
 *   checks servers, starts its workers         serves as before
 *   POST /takeover/commit ------------------>  stops checking and listening, answers with its sessions
 *   listens on the same sockets,               its connections live on
 *   owns the admin socket
 *   POST /takeover/leave  ------------------>  answers nobody else any more; ends with its last connection
 *
 * Who connects between the two waits in the queue of the sockets. Until the commit the running process has lost nothing: if the
 * new one fails, it goes on alone.
 */
import { HoldfastError } from "../../errors.ts";
import { openDoormat } from "../../os/pass.ts";
import type { MemoryLayout } from "../shared/layout.ts";
import { LAYOUT_VERSION } from "../shared/layout.ts";
import type { EndSelector } from "../worker/messages.ts";
import type { DirectorySession } from "./directory.ts";
import type { ListenerNames } from "./listeners.ts";
import type { SlotNames } from "./slots.ts";

const ANSWER_MS = 15_000;

/** What the running process answers to `begin`. Descriptors: the memory, then the sockets in the order of `listeners`. */
export interface Handover {
  readonly pid: number;
  readonly layoutVersion: number;
  readonly layout: MemoryLayout;
  /** Which of the two processes of the memory the running one is: 0 or 1. */
  readonly process: number;
  readonly generation: number;
  readonly slots: SlotNames;
  readonly listeners: ListenerNames;
  readonly columns: readonly number[];
  /** Keys of session tickets, newest first, base64: its clients' sessions go on. A version before had none. */
  readonly ticketKeys?: readonly string[];
}

/** What it answers to `commit`. */
export interface Farewell {
  readonly sessions: readonly DirectorySession[];
  /** Where it can be told to end connections, as long as it has any. */
  readonly socket: string;
}

/** A handover with its descriptors. */
export interface Inheritance extends Handover {
  readonly memoryFd: number;
  readonly listenerFds: readonly number[];
}

async function call<T>(socket: string, path: string, body: unknown): Promise<T> {
  const response = await fetch(`http://holdfast${path}`, {
    unix: socket,
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  const answer = (await response.json()) as T & { detail?: string };
  if (!response.ok) throw new Error(answer.detail ?? `it answered ${response.status}`);
  return answer;
}

/** Asks the process behind `socket` for everything. Throws HoldfastError `up/takeover`; that process then goes on as before. */
export async function beginTakeover(socket: string, doormatPath: string): Promise<Inheritance> {
  try {
    const doormat = openDoormat(doormatPath);
    try {
      const handover = await call<Handover>(socket, "/takeover/begin", { doormat: doormatPath, pid: process.pid });
      if (handover.layoutVersion !== LAYOUT_VERSION) {
        throw new Error(`its memory has layout ${handover.layoutVersion}, this program needs ${LAYOUT_VERSION}`);
      }
      const sockets = handover.listeners.reduce((sum, { count }) => sum + count, 0);
      const [memoryFd, ...listenerFds] = doormat.receive(1 + sockets);
      return { ...handover, memoryFd: memoryFd!, listenerFds };
    } finally {
      doormat.close();
    }
  } catch (cause) {
    throw new HoldfastError("up/takeover", (cause as Error).message, { cause });
  }
}

/** The new process serves: the running one lets go. */
export function commitTakeover(socket: string): Promise<Farewell> {
  return call<Farewell>(socket, "/takeover/commit", {});
}

/** The new process answers on the admin socket now: who kept a connection to the one before has to connect again. */
export async function leaveTo(farewell: Farewell): Promise<void> {
  await call(farewell.socket, "/takeover/leave", {});
}

/** Ends connections that live on in the process before. @returns how many. */
export async function endInPredecessor(socket: string, which: EndSelector, end: number): Promise<number> {
  const { ended } = await call<{ ended: number }>(socket, "/takeover/end", { which, end });
  return ended;
}
