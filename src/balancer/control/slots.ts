/**
 * Which slot of the scoreboard belongs to which name. A name keeps its slot over reloads and takeovers, so counters go on
 * and the sticky table's entries stay right.
 */
import { HoldfastError } from "../../errors.ts";
import { MAX_POOLS, MAX_SERVERS, MAX_SERVICES } from "../shared/layout.ts";
import type { Scoreboard } from "../shared/scoreboard.ts";
import { type ServerId, slotOf } from "../shared/server-id.ts";

/** The names as a process that takes over needs them. */
export interface SlotNames {
  readonly servers: readonly (readonly [name: string, id: number])[];
  readonly services: readonly string[];
  readonly pools: readonly string[];
}

export class Slots {
  readonly #board: Scoreboard;
  readonly #servers = new Map<string, ServerId>();
  readonly #serverNames = new Map<ServerId, string>();
  #wanted: ReadonlySet<string> = new Set();
  readonly #services: string[];
  readonly #pools: string[];

  constructor(board: Scoreboard, known?: SlotNames) {
    this.#board = board;
    this.#services = [...(known?.services ?? [])];
    this.#pools = [...(known?.pools ?? [])];
    for (const [name, id] of known?.servers ?? []) this.#put(name, id as ServerId);
  }

  #put(name: string, id: ServerId): void {
    this.#servers.set(name, id);
    this.#serverNames.set(id, name);
  }

  /** The id of a server, claimed if the name is new. Throws HoldfastError when all slots are taken. */
  server(pool: string, server: string): ServerId {
    const name = `${pool}/${server}`;
    const known = this.#servers.get(name);
    if (known !== undefined) return known;
    const id = this.#board.claimServer(this.#freeServerSlot());
    this.#put(name, id);
    return id;
  }

  #freeServerSlot(): number {
    if (this.#servers.size >= MAX_SERVERS) this.#forgetUnwanted();
    const taken = new Set([...this.#servers.values()].map(slotOf));
    for (let slot = 0; slot < MAX_SERVERS; slot++) if (!taken.has(slot)) return slot;
    throw new HoldfastError("config/too-many", `there are more than ${MAX_SERVERS} servers`);
  }

  /**
   * The names ("pool/server") that the file has now. The others keep their slots as long as there are free ones: clients who
   * wait may still have them in an older plan, and who comes back to the file is who they were.
   */
  want(names: ReadonlySet<string>): void {
    this.#wanted = names;
  }

  #forgetUnwanted(): void {
    for (const [name, id] of this.#servers) {
      if (this.#wanted.has(name) || this.#board.server(id).connections() > 0) continue;
      this.#servers.delete(name);
      this.#serverNames.delete(id);
    }
  }

  /** "pool/server" of an id, if it is known. */
  nameOf(id: ServerId): string | undefined {
    return this.#serverNames.get(id);
  }

  /** The id of "pool/server", if it is known. */
  idOf(name: string): ServerId | undefined {
    return this.#servers.get(name);
  }

  /** All servers that have a slot. */
  allServers(): Iterable<readonly [string, ServerId]> {
    return this.#servers;
  }

  /** The slot of a service, taken if the name is new. */
  service(name: string): number {
    return take(this.#services, name, MAX_SERVICES, "services");
  }

  /** The slot of a pool, taken if the name is new. */
  pool(name: string): number {
    return take(this.#pools, name, MAX_POOLS, "pools");
  }

  serviceName(slot: number): string {
    return this.#services[slot] ?? "";
  }

  poolName(slot: number): string {
    return this.#pools[slot] ?? "";
  }

  /** For a process that takes over. */
  names(): SlotNames {
    return { servers: [...this.#servers], services: this.#services, pools: this.#pools };
  }
}

function take(names: string[], name: string, most: number, what: string): number {
  const known = names.indexOf(name);
  if (known >= 0) return known;
  if (names.length >= most) throw new HoldfastError("config/too-many", `there were more than ${most} ${what}`);
  return names.push(name) - 1;
}
