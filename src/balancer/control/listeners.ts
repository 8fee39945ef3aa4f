/**
 * The listening sockets: one for each address and worker, all on the same port (SO_REUSEPORT). Control opens them and keeps
 * them: a worker that dies leaves its queue to the one that replaces it, and a taking-over process gets them all.
 */

import type { Service } from "../../config/schema.ts";
import { HoldfastError } from "../../errors.ts";
import { sys } from "../../os/libc.ts";
import { bindListener, ListenError, listen, localPort } from "../../os/socket.ts";
import { formatEndpoint, parseAddress } from "../../protocols/address.ts";

/** An address to listen on. Port 0 in the file: whatever the system gives, kept as long as the address is in the file. */
type Address = Service["listen"][number];

/** A service that gets another name keeps its sockets, and who waits in their queues. Port 0 is another one for each service. */
const keyOf = (service: string, { host, port }: Address) => `${port === 0 ? service : ""} ${host} ${port}`;

/** What a process that takes over is told; the descriptors are passed beside it, in this order. */
export type ListenerNames = readonly { readonly key: string; readonly count: number }[];

/** What `open` did. */
export interface ListenerChanges {
  readonly opened: number;
  readonly kept: number;
}

export class Listeners {
  readonly #sockets = new Map<string, number[]>();
  readonly #workers: number;
  /** Sockets that have their address and let nobody in yet. */
  #bound: number[] = [];
  #leaving: number[] = [];

  /** `inherited`: sockets of the process before, in the order of `names`. */
  constructor(workers: number, names: ListenerNames = [], inherited: readonly number[] = []) {
    this.#workers = workers;
    let at = 0;
    for (const { key, count } of names) {
      this.#sockets.set(key, inherited.slice(at, at + count));
      at += count;
    }
  }

  /**
   * Takes the addresses that the services want and that are not here yet; `listen` lets connections in. All or nothing: when
   * one address cannot be had, none is changed and HoldfastError says which. What is no longer wanted stays open until
   * `closeUnwanted`.
   */
  open(services: Readonly<Record<string, Service>>): ListenerChanges {
    const wanted = new Map<string, { service: string; address: Address }>();
    for (const [service, { listen }] of Object.entries(services)) {
      for (const address of listen) wanted.set(keyOf(service, address), { service, address });
    }
    const opened = new Map<string, number[]>();
    try {
      for (const [key, { service, address }] of wanted) {
        const have = this.#sockets.get(key) ?? [];
        if (have.length < this.#workers) opened.set(key, this.#openMore(service, address, have));
      }
    } catch (error) {
      for (const fds of opened.values()) for (const fd of fds) sys.close(fd);
      throw error;
    }
    const kept = [...wanted.keys()].filter((key) => this.#sockets.has(key)).length;
    for (const [key, fds] of opened) {
      this.#sockets.set(key, [...(this.#sockets.get(key) ?? []), ...fds]);
      this.#bound.push(...fds);
    }
    for (const [key, fds] of this.#sockets) {
      if (wanted.has(key)) continue;
      this.#leaving.push(...fds);
      this.#sockets.delete(key);
    }
    return { opened: wanted.size - kept, kept };
  }

  #openMore(service: string, { host, port }: Address, have: readonly number[]): number[] {
    const address = parseAddress(host);
    if (address === undefined)
      throw new HoldfastError("config/listen-name", `service \`${service}\`: ${host} is no address`);
    const fds: number[] = [];
    let actual = port || (have[0] === undefined ? 0 : localPort(have[0]));
    try {
      if (port !== 0 && !this.#hasPort(port)) refuseShared(address, port);
      for (let index = have.length; index < this.#workers; index++) {
        const fd = bindListener(address, actual);
        fds.push(fd);
        actual ||= localPort(fd);
      }
    } catch (error) {
      for (const fd of fds) sys.close(fd);
      if (!(error instanceof ListenError)) throw error;
      const where = formatEndpoint(address, 0, port);
      throw new HoldfastError(
        "up/listen",
        `service \`${service}\` cannot listen on ${where}: ${REASONS[error.code] ?? error.code}`,
      );
    }
    return fds;
  }

  #hasPort(port: number): boolean {
    return [...this.#sockets.keys()].some((key) => key.endsWith(` ${port}`));
  }

  /** Lets connections in where `open` took addresses: they wait until a worker accepts them. Throws HoldfastError. */
  listen(): void {
    try {
      for (const fd of this.#bound.splice(0)) listen(fd);
    } catch (error) {
      throw new HoldfastError("up/listen", (error as Error).message, { cause: error });
    }
  }

  /** The workers have let go of what `open` left over: it is closed now. */
  closeUnwanted(): void {
    for (const fd of this.#leaving) sys.close(fd);
    this.#leaving = [];
  }

  /** The sockets of one service for one worker (0, 1, …). More sockets than workers are shared out. */
  of(service: string, listen: readonly Address[], worker: number): number[] {
    return listen.flatMap((address) =>
      (this.#sockets.get(keyOf(service, address)) ?? []).filter((_, index) => index % this.#workers === worker),
    );
  }

  /** Addresses with the ports they really have: host:port, IPv6 in brackets. */
  addresses(service: string, listen: readonly Address[]): string[] {
    return listen.map((address) => {
      const fd = this.#sockets.get(keyOf(service, address))?.[0];
      const port = fd === undefined ? address.port : localPort(fd);
      return address.host.includes(":") ? `[${address.host}]:${port}` : `${address.host}:${port}`;
    });
  }

  /** For a process that takes over. */
  names(): ListenerNames {
    return [...this.#sockets].map(([key, fds]) => ({ key, count: fds.length }));
  }

  /** All sockets, in the order of `names`. */
  descriptors(): number[] {
    return [...this.#sockets.values()].flat();
  }

  /** Closes everything. */
  close(): void {
    for (const fd of this.descriptors()) sys.close(fd);
    this.#sockets.clear();
    this.closeUnwanted();
  }
}

/** With SO_REUSEPORT another balancer of the same user would get a share of the connections, without a word. */
function refuseShared(address: Uint8Array, port: number): void {
  sys.close(bindListener(address, port, false));
}

const REASONS: Record<string, string> = {
  EADDRINUSE: "another program has this port",
  EADDRNOTAVAIL: "this machine does not have that address",
  EACCES: "ports below 1024 need the right CAP_NET_BIND_SERVICE",
};
