/**
 * The session directory: who has a session where. Deciding never asks it; what it learns from elsewhere, control writes into
 * the sticky table. A broker will be another implementation; this one knows what went through our own connections.
 */

/** One user's session on one server, as far as is known. */
export interface DirectorySession {
  /** Stable as long as the session is known. */
  readonly id: string;
  readonly user: string;
  readonly pool: string;
  readonly server: string;
  service: string;
  state: "connected" | "disconnected";
  /** Unix milliseconds. */
  readonly sinceMs: number;
  lastSeenMs: number;
  /** The client's address. */
  from: string;
  recognisedBy: string;
  /** Ids of the open connections, newest last. */
  connections: string[];
  bytesIn: number;
  bytesOut: number;
}

/** What a connection of a user tells. */
export interface Sighting {
  readonly connection: string;
  readonly user: string;
  /** A login that may be cut names a user only together with where they come from. */
  readonly userMayBeCut: boolean;
  readonly service: string;
  readonly pool: string;
  readonly server: string;
  readonly from: string;
  readonly recognisedBy: string;
  /** Unix milliseconds. */
  readonly atMs: number;
}

/** Who knows where sessions are. */
export interface SessionDirectory {
  /** A user's connection has reached a server. Telling it twice is telling it once. */
  connected(sighting: Sighting): void;
  /** That connection is over, since `atMs` (unix milliseconds). */
  disconnected(connection: string, atMs: number, bytesIn: number, bytesOut: number): void;
  /** Ids of all connections that are not over, as far as is known. */
  open(): Iterable<string>;
  /** Connections of which nobody will tell that they are over: whoever had them is gone. */
  lost(isLost: (connection: string) => boolean, atMs: number): void;
  /** All sessions, in a stable order: by user, then by id. */
  sessions(): readonly DirectorySession[];
  /** How many sessions came through a service. O(sessions). */
  countOf(service: string): number;
  /** Sessions of a server. */
  counts(pool: string, server: string): { connected: number; disconnected: number };
  /** Forgets disconnected sessions that `isForgotten` names. */
  forget(isForgotten: (session: DirectorySession) => boolean): void;
}

/** Sessions that are kept; beyond it the disconnected one that was seen longest ago goes. */
const MOST_SESSIONS = 200_000;

/** In memory, fed by this balancer's own connections. */
export class MemoryDirectory implements SessionDirectory {
  readonly #sessions = new Map<string, DirectorySession>();
  /** Those that are disconnected, the one that was left longest ago first. */
  readonly #left = new Map<string, DirectorySession>();
  /** By the ids of their open connections. */
  readonly #open = new Map<string, DirectorySession>();
  readonly #counts = new Map<string, { connected: number; disconnected: number }>();
  #sorted: DirectorySession[] | null = null;

  connected(sighting: Sighting): void {
    // Told again, because it was not sure that it had been heard.
    if (this.#open.has(sighting.connection)) return;
    const key = keyOf(sighting);
    const known = this.#sessions.get(key);
    if (known === undefined) {
      this.#makeRoom();
      const { connection, userMayBeCut: _, atMs, ...rest } = sighting;
      const session: DirectorySession = {
        ...rest,
        id: key,
        state: "connected",
        sinceMs: atMs,
        lastSeenMs: atMs,
        connections: [connection],
        bytesIn: 0,
        bytesOut: 0,
      };
      this.#sessions.set(key, session);
      this.#open.set(connection, session);
      this.#sorted = null;
      this.#count(sighting, "connected", 1);
      return;
    }
    this.#open.set(sighting.connection, known);
    if (known.state === "disconnected") {
      this.#left.delete(key);
      this.#count(known, "disconnected", -1);
      this.#count(known, "connected", 1);
    }
    known.state = "connected";
    known.service = sighting.service;
    known.from = sighting.from;
    known.recognisedBy = sighting.recognisedBy;
    known.lastSeenMs = sighting.atMs;
    known.connections.push(sighting.connection);
  }

  disconnected(connection: string, atMs: number, bytesIn: number, bytesOut: number): void {
    const session = this.#open.get(connection);
    if (session === undefined) return;
    session.bytesIn += bytesIn;
    session.bytesOut += bytesOut;
    this.#open.delete(connection);
    // Who attacks with one name has thousands of connections under it: nothing here makes lists anew.
    session.connections.splice(session.connections.indexOf(connection), 1);
    this.#seen(session, atMs);
  }

  open(): Iterable<string> {
    return this.#open.keys();
  }

  lost(isLost: (connection: string) => boolean, atMs: number): void {
    for (const session of new Set(this.#open.values())) {
      const over = new Set(session.connections.filter(isLost));
      if (over.size === 0) continue;
      for (const connection of over) this.#open.delete(connection);
      session.connections = session.connections.filter((connection) => !over.has(connection));
      this.#seen(session, atMs);
    }
  }

  /** One of its connections is over; with the last of them its user has left. */
  #seen(session: DirectorySession, atMs: number): void {
    session.lastSeenMs = Math.max(session.lastSeenMs, atMs);
    if (session.connections.length > 0) return;
    session.state = "disconnected";
    this.#left.set(session.id, session);
    this.#count(session, "connected", -1);
    this.#count(session, "disconnected", 1);
  }

  countOf(service: string): number {
    let count = 0;
    for (const session of this.#sessions.values()) if (session.service === service) count++;
    return count;
  }

  sessions(): readonly DirectorySession[] {
    this.#sorted ??= [...this.#sessions.values()].sort((a, b) => compare(a.user, b.user) || compare(a.id, b.id));
    return this.#sorted;
  }

  counts(pool: string, server: string): { connected: number; disconnected: number } {
    return this.#counts.get(`${pool}/${server}`) ?? { connected: 0, disconnected: 0 };
  }

  forget(isForgotten: (session: DirectorySession) => boolean): void {
    for (const session of [...this.#left.values()]) if (isForgotten(session)) this.#remove(session);
  }

  /** The sessions of an earlier process; their connections ended with it unless `connectionsLive`. */
  restore(sessions: readonly DirectorySession[], connectionsLive: boolean): void {
    for (const session of sessions) {
      if (this.#sessions.has(session.id)) continue;
      const state = connectionsLive ? session.state : "disconnected";
      const restored = { ...session, state, connections: connectionsLive ? session.connections : [] };
      this.#sessions.set(session.id, restored);
      if (state === "disconnected") this.#left.set(session.id, restored);
      for (const connection of restored.connections) this.#open.set(connection, restored);
      this.#count(session, state, 1);
    }
    this.#sorted = null;
  }

  #makeRoom(): void {
    if (this.#sessions.size < MOST_SESSIONS) return;
    const leaving = this.#left.values().next().value ?? this.#sessions.values().next().value;
    if (leaving !== undefined) this.#remove(leaving);
  }

  #remove(session: DirectorySession): void {
    this.#sessions.delete(session.id);
    this.#left.delete(session.id);
    for (const connection of session.connections) this.#open.delete(connection);
    this.#count(session, session.state, -1);
    this.#sorted = null;
  }

  #count({ pool, server }: { pool: string; server: string }, state: "connected" | "disconnected", by: number): void {
    const key = `${pool}/${server}`;
    const counts = this.#counts.get(key) ?? { connected: 0, disconnected: 0 };
    counts[state] += by;
    this.#counts.set(key, counts);
  }
}

function keyOf({ pool, server, user, userMayBeCut, from }: Sighting): string {
  return userMayBeCut ? `${user}@@${from}/${pool}/${server}` : `${user}/${pool}/${server}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
