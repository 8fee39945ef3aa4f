/** Addresses behind the names of servers: looked up at the start and again and again, because names move. */
import { lookup } from "node:dns/promises";
import type { Config } from "../../config/schema.ts";
import type { Timing } from "../../deadlines/timing.ts";
import { parseAddress } from "../../protocols/address.ts";

const LOOK_UP_EVERY_MS = 30_000;
/** The start does not wait longer for names: a server whose name comes later joins then. */
const FIRST_WAIT_MS = 2_000;

export class Names {
  readonly #timing: Timing;
  readonly #onChange: () => void;
  #hosts: string[] = [];
  readonly #addresses = new Map<string, Uint8Array>();
  #stop: (() => void) | null = null;

  /** `onChange`: a name leads elsewhere than before. */
  constructor(timing: Timing, onChange: () => void) {
    this.#timing = timing;
    this.#onChange = onChange;
  }

  /** Follows the names of this configuration. Resolves when each was looked up, or after 2 s. */
  async follow(config: Config): Promise<void> {
    const hosts = Object.values(config.pools).flatMap((pool) =>
      Object.values(pool.servers).map((server) => server.address.host),
    );
    this.#hosts = [...new Set(hosts)].filter((host) => parseAddress(host) === undefined);
    this.#stop?.();
    if (this.#hosts.length === 0) return;
    let cancel = () => {};
    const patience = new Promise<void>((resolve) => {
      cancel = this.#timing.after(FIRST_WAIT_MS, resolve);
    });
    await Promise.race([this.#lookUp(), patience]);
    cancel();
    this.#plan();
  }

  /** The address of a host, 16 bytes; undefined while its name is not known. */
  addressOf(host: string): Uint8Array | undefined {
    return parseAddress(host) ?? this.#addresses.get(host);
  }

  stop(): void {
    this.#stop?.();
    this.#hosts = [];
  }

  #plan(): void {
    this.#stop = this.#timing.after(LOOK_UP_EVERY_MS, async () => {
      if (await this.#lookUp()) this.#onChange();
      if (this.#hosts.length > 0) this.#plan();
    });
  }

  /** A name that is not found keeps the address it had. @returns whether one has changed. */
  async #lookUp(): Promise<boolean> {
    const changes = await Promise.all(
      this.#hosts.map(async (host) => {
        const found = await lookup(host).catch(() => undefined);
        const address = found && parseAddress(found.address);
        if (address === undefined) return false;
        const before = this.#addresses.get(host);
        this.#addresses.set(host, address);
        return before === undefined || before.some((byte, index) => byte !== address[index]);
      }),
    );
    return changes.includes(true);
  }
}
