/** The lab's rig: real xrdp servers, real FreeRDP clients, and one log of what became of each session. */

import { type Client, type ClientOptions, type Display, startDisplay } from "./display.ts";
import { EventLog, type SessionEvent } from "./session-log.ts";
import { startXrdp, type User, type Xrdp } from "./xrdp.ts";

/** A login takes about half a second on an idle machine; six at once on two busy cores take longer. */
const LOGIN_WITHIN_MS = 30_000;

/** A client with its desktop on the screen. */
export interface Login {
  readonly client: Client;
  /** How the session manager answered: a new session, or the one that the user had left. */
  readonly session: SessionEvent;
}

export class Rig {
  /** What happened to sessions on all servers, oldest first. */
  readonly log: EventLog<SessionEvent>;
  readonly #servers = new Map<string, Xrdp>();
  readonly #display: Display;

  private constructor(display: Display, log: EventLog<SessionEvent>) {
    this.#display = display;
    this.log = log;
  }

  /** Starts the servers and a screen for clients. `ports` are those of 127.0.0.1, by server name. Root only. */
  static async start(ports: Readonly<Record<string, number>>, users: readonly User[]): Promise<Rig> {
    const rig = new Rig(await startDisplay(), new EventLog());
    const starting = Object.entries(ports).map(async ([name, port]) =>
      rig.#servers.set(name, await startXrdp({ name, port, users }, rig.log)),
    );
    const failed = (await Promise.allSettled(starting)).find((result) => result.status === "rejected");
    if (failed) {
      await rig.stop();
      throw failed.reason;
    }
    return rig;
  }

  /** Starts an unmodified client; see `logIn` for one that is waited for. */
  connect(options: ClientOptions): Promise<Client> {
    return this.#display.connect(options);
  }

  /** Starts a client and resolves when it sees its desktop. Rejects with what was written when that does not happen. */
  async logIn(options: ClientOptions): Promise<Login> {
    const from = this.log.events.length;
    const user = options.user.name;
    const client = await this.connect(options);
    const gone = client.exited.then((code) => {
      throw new Error(`${user}: the client ended with ${code} before it had a desktop\n${client.output()}`);
    });
    gone.catch(() => {});
    try {
      const attached = this.log.waitFor(
        `${user}'s desktop`,
        (event) => event.kind === "attached" && event.user === user,
        LOGIN_WITHIN_MS,
        from,
      );
      const { client: address, server } = await Promise.race([attached, gone]);
      const session = this.log.events
        .slice(from)
        .find((event) => event.client === address && event.server === server && event.kind !== "attached");
      if (!session) throw new Error(`${user}: a desktop without a session`);
      return { client, session };
    } catch (failure) {
      await client.leave();
      throw failure;
    }
  }

  /** Ends one server with all its sessions, as if its machine had lost power. */
  async stopServer(name: string): Promise<void> {
    const server = this.#servers.get(name);
    if (!server) throw new Error(`no server is called ${name}`);
    this.#servers.delete(name);
    await server.stop();
  }

  /** Ends all that it started. */
  async stop(): Promise<void> {
    await this.#display.stop();
    await Promise.all([...this.#servers.keys()].map((name) => this.stopServer(name)));
  }
}
