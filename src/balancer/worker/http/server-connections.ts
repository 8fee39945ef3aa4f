/**
 * Idle connections to servers, kept for the next request: those of one worker, bounded for each server, the newest first.
 *
 * The bound is for those that really are idle: at a moment when hundreds of answers have just come, hundreds of connections
 * wait for the requests that come next, and closing them then would only mean dialling again. So more than the bound may be
 * kept for a second (at most MOST_KEPT); then as many go as were not needed in it.
 *
 * Each is watched: a server that closes one, or says something nobody asked for, loses it at once (RFC 9112 9.3, 9.6). All
 * of a server's go within a second when it is down, or when a new plan has changed anything of its pool.
 */

import { sys } from "../../../os/libc.ts";
import { MSG_DONTWAIT } from "../../../os/socket.ts";
import type { Candidate } from "../../candidate.ts";
import type { PoolRuntime } from "../../decide.ts";
import { type Channel, type ChannelOwner, NOTHING_YET } from "../channel.ts";
import type { WorkerContext } from "../context.ts";
import { Timed } from "../timers.ts";

/** How often connections that nobody needs any more, and those of servers that are down, are looked for. */
const SWEEP_MS = 1000;
/** A connection that was in use so short a time ago is not one that its server gives up for being idle. */
export const FRESH_MS = 500;
/** To one server, whatever is going on. */
const MOST_KEPT = 4096;
const MSG_PEEK = 2;
const ONE_BYTE = new Uint8Array(1);

/** What a worker keeps. */
export class ServerConnections extends Timed {
  readonly #plane: WorkerContext;
  readonly #servers = new Map<Candidate, IdleConnections>();
  #swept = true;

  constructor(plane: WorkerContext) {
    super();
    this.#plane = plane;
  }

  /** How many are kept, to all servers. */
  get size(): number {
    let size = 0;
    for (const idle of this.#servers.values()) size += idle.size;
    return size;
  }

  /**
   * An idle connection to `server` on `port`, now the caller's, or null. `certain`: only one that can hardly be closed at
   * this moment, for a request that may not be sent twice.
   */
  take(server: Candidate, port: number, certain: boolean): Channel | null {
    const idle = this.#servers.get(server);
    return idle === undefined ? null : idle.take(port, certain, this.#plane.nowMs);
  }

  /** Keeps a connection whose last answer was complete, or closes it where there is no place for it. */
  keep(server: Candidate, pool: PoolRuntime, port: number, channel: Channel): void {
    if (!this.#plane.isCurrent(pool)) return channel.close(false);
    let idle = this.#servers.get(server);
    if (idle === undefined) {
      idle = new IdleConnections(server, pool);
      this.#servers.set(server, idle);
    }
    if (!idle.keep(port, channel, this.#plane.nowMs)) channel.close(false);
    else if (this.#swept) this.#sweepLater();
  }

  #sweepLater(): void {
    this.#swept = false;
    this.#plane.timers.set(this, this.#plane.nowMs + SWEEP_MS);
  }

  override onDeadline(nowMs: number): void {
    this.#swept = true;
    for (const [server, idle] of this.#servers) {
      if (!server.view.takesKnown() || !this.#plane.isCurrent(idle.pool)) idle.closeAll();
      else idle.trim(nowMs);
      if (idle.size === 0) this.#servers.delete(server);
    }
    if (this.#servers.size > 0) this.#sweepLater();
  }
}

/** Those of one server, the newest last. */
class IdleConnections implements ChannelOwner {
  readonly pool: PoolRuntime;
  readonly #server: Candidate;
  readonly #channels: Channel[] = [];
  /** Beside each channel: since when, and on which port of the server. */
  readonly #sinceMs: number[] = [];
  readonly #ports: number[] = [];
  /** So many were idle all the time since the last `trim`. */
  #unneeded = 0;

  constructor(server: Candidate, pool: PoolRuntime) {
    this.#server = server;
    this.pool = pool;
  }

  get size(): number {
    return this.#channels.length;
  }

  take(port: number, certain: boolean, nowMs: number): Channel | null {
    for (let at = this.#channels.length - 1; at >= 0; at--) {
      if (this.#ports[at] !== port) continue;
      const channel = this.#channels[at]!;
      if (certain && (nowMs - this.#sinceMs[at]! > FRESH_MS || !isSilent(channel))) return null;
      this.#remove(at);
      if (this.size < this.#unneeded) this.#unneeded = this.size;
      return channel;
    }
    return null;
  }

  keep(port: number, channel: Channel, nowMs: number): boolean {
    if (this.pool.plan.keepAlive.connections === 0 || this.size >= MOST_KEPT) return false;
    if (!this.#server.view.takesKnown()) return false;
    // What was read last may have filled the buffer exactly: then nobody knows yet whether there is more.
    if (channel.endIsNear || (channel.readable && channel.read(ONE_BYTE, 1) !== NOTHING_YET)) return false;
    channel.owner = this;
    this.#channels.push(channel);
    this.#sinceMs.push(nowMs);
    this.#ports.push(port);
    return true;
  }

  /** The server has ended it, or sends what nobody asked for. Over TLS it may be a session ticket, which is nothing to read. */
  onChannel(channel: Channel): void {
    if (!channel.readable || channel.read(ONE_BYTE, 1) === NOTHING_YET) return;
    const at = this.#channels.indexOf(channel);
    if (at >= 0) this.#remove(at);
    channel.close(false);
  }

  /** Closes what has been idle for too long, and what is beyond the bound and nobody needed since this was called last. */
  trim(nowMs: number): void {
    const { connections, idleMs } = this.pool.plan.keepAlive;
    let count = Math.max(0, this.#unneeded - connections);
    // The oldest stand first, because the newest are taken first.
    while (count < this.size && this.#sinceMs[count]! < nowMs - idleMs) count++;
    this.#close(count);
    this.#unneeded = this.size;
  }

  closeAll(): void {
    this.#close(this.size);
  }

  #close(count: number): void {
    for (let at = 0; at < count; at++) this.#channels[at]!.close(false);
    this.#channels.splice(0, count);
    this.#sinceMs.splice(0, count);
    this.#ports.splice(0, count);
  }

  #remove(at: number): void {
    if (at === this.#channels.length - 1) {
      this.#channels.pop();
      this.#sinceMs.pop();
      this.#ports.pop();
      return;
    }
    this.#channels.splice(at, 1);
    this.#sinceMs.splice(at, 1);
    this.#ports.splice(at, 1);
  }
}

/** Does the kernel know of nothing that the server has sent, its end included? Asked of the socket itself, whatever is on top. */
function isSilent(channel: Channel): boolean {
  return channel.fd >= 0 && Number(sys.recv(channel.fd, ONE_BYTE, 1, MSG_PEEK | MSG_DONTWAIT)) < 0;
}
