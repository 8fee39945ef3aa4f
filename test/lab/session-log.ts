/** What the logs of xrdp and its session manager say about sessions, as events that a test can wait for. */

/**
 * `created`: the session manager starts a new session. `reconnected`: it found the session that the user had left.
 * `attached`: the desktop of that session is on the client's screen, so leaving now leaves a session that runs.
 */
export interface SessionEvent {
  readonly kind: "created" | "reconnected" | "attached";
  /** The xrdp server that wrote it, by the name it was started with. */
  readonly server: string;
  readonly user: string;
  /** X display, ":4550". A session keeps its display for life. */
  readonly display: string;
  /** Who connected, as xrdp sees it, "127.0.0.1:59562": behind a balancer, the balancer's own outbound address. */
  readonly client: string;
}

const CREATED =
  /Starting session: session_pid \d+, display (:\d+)\.\d+, .*client ip (\S+:\d+) - socket: \d+, user name (\S+)/;
const RECONNECTED = /\+\+ reconnected session: username (\S+), display (:\d+)\.\d+, session_pid \d+, ip (\S+:\d+) /;
const ATTACHED = /lib_mod_log_peer: xrdp_pid=.* client_ip=(\S+) client_port=(\d+)/;

/**
 * Reads the log of one server, a line at a time: what each line makes known, mostly nothing. xrdp and its session manager
 * are two programs that write at the same moment, so the desktop may be attached before the session was handed out: then
 * the later line makes both known, in the order in which they happened.
 */
export function sessionLogReader(server: string): (line: string) => readonly SessionEvent[] {
  /** By client, whose attaching line is still to come: it names only the client, whose it is was said here. */
  const handedOut = new Map<string, SessionEvent>();
  /** Clients whose attaching line came first. */
  const attachedEarly = new Set<string>();

  function handOut(session: SessionEvent): readonly SessionEvent[] {
    if (attachedEarly.delete(session.client)) return [session, { ...session, kind: "attached" }];
    handedOut.set(session.client, session);
    return [session];
  }

  function attach(client: string): readonly SessionEvent[] {
    const session = handedOut.get(client);
    if (!session) {
      attachedEarly.add(client);
      return [];
    }
    // Its port may be another client's one day.
    handedOut.delete(client);
    return [{ ...session, kind: "attached" }];
  }

  return (line) => {
    const created = CREATED.exec(line);
    if (created) {
      const [, display = "", client = "", user = ""] = created;
      return handOut({ kind: "created", server, user, display, client });
    }
    const reconnected = RECONNECTED.exec(line);
    if (reconnected) {
      const [, user = "", display = "", client = ""] = reconnected;
      return handOut({ kind: "reconnected", server, user, display, client });
    }
    const attached = ATTACHED.exec(line);
    return attached ? attach(`${attached[1]}:${attached[2]}`) : [];
  };
}

/** Events shown when one was waited for in vain. */
const SHOWN = 20;

/** Things that happened, oldest first, and a way to wait for the next. */
export class EventLog<T> {
  readonly events: T[] = [];
  readonly #waiting = new Set<(event: T) => void>();

  add(event: T): void {
    this.events.push(event);
    for (const look of [...this.#waiting]) look(event);
  }

  /**
   * The first event at or after index `from` for which `wanted` holds, whether it has happened or is still to come.
   * Rejects after `limitMs`, naming `what` was awaited.
   */
  waitFor(what: string, wanted: (event: T) => boolean, limitMs: number, from = 0): Promise<T> {
    const known = this.events.slice(from).find(wanted);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      const look = (event: T): void => {
        if (!wanted(event)) return;
        clearTimeout(deadline);
        this.#waiting.delete(look);
        resolve(event);
      };
      const deadline = setTimeout(() => {
        this.#waiting.delete(look);
        const last = JSON.stringify(this.events.slice(from).slice(-SHOWN));
        reject(new Error(`waited ${limitMs} ms for ${what}; the last of what happened since: ${last}`));
      }, limitMs);
      this.#waiting.add(look);
    });
  }
}
