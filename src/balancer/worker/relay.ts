/**
 * Bytes both ways between two channels, each way by itself.
 *
 * | what happened                                  | bytes still held          | what is done                                         |
 * |------------------------------------------------|---------------------------|------------------------------------------------------|
 * | a side ends its sending (end of file)          | yes                       | they go out first                                    |
 * | the same                                       | no                        | the other side is told (shutdown), the other way runs on |
 * | both sides have ended                          | no                        | both are closed: a regular end                       |
 * | a side resets                                  | yes, for the other        | they go out first                                    |
 * | the same                                       | no                        | the other is reset too: it must not take a part for the whole |
 * | a side takes no more (it refuses bytes)        | dropped                   | what it still sends is delivered; what the other sends is read and dropped until it ends, or for `timeouts.half-close` |
 * | the client, after it had ended its own sending | dropped                   | it has gone for good: the server is reset, as it would be without us between |
 */
import { EndCode } from "../shared/words.ts";
import type { Channel, ChannelOwner } from "./channel.ts";
import type { Unfinished, WorkerContext } from "./context.ts";
import { Timed } from "./timers.ts";
import { ENDED, MORE, SOURCE_FAILED, Way } from "./way.ts";

/** Milliseconds. */
export interface RelayTimeouts {
  /** Without a byte either way. */
  readonly idle: number;
  /** The same, once one side has ended. */
  readonly halfClose: number;
}

/** Whose bytes they are. */
export interface RelayOwner {
  readonly timeouts: RelayTimeouts;
  /** It hears of a relay that lives on at least this often, milliseconds. */
  readonly touchMs: number;
  /** So many bytes came from the client, or from the server, just now. */
  cameIn(bytes: number): void;
  cameOut(bytes: number): void;
  /** It is still in use. */
  stillThere(nowMs: number): void;
  /** It is over; the owner closes both channels. `withReset`: a side must not take a part for the whole. */
  onRelayEnd(end: number, withReset: boolean): void;
}

export class Relay extends Timed implements ChannelOwner, Unfinished {
  readonly toServer: Way;
  readonly toClient: Way;
  readonly #plane: WorkerContext;
  readonly #client: Channel;
  readonly #server: Channel;
  readonly #owner: RelayOwner;
  #over = false;
  #unfinished = false;
  #lastActiveMs: number;
  #firstEnd: number = EndCode["client-closed"];

  /** `early`: bytes of the client that were read before, whether they are sent already or held first. */
  constructor(plane: WorkerContext, client: Channel, server: Channel, owner: RelayOwner, early: number) {
    super();
    this.#plane = plane;
    this.#client = client;
    this.#server = server;
    this.#owner = owner;
    this.#lastActiveMs = plane.nowMs;
    this.toServer = new Way(client, server, early);
    this.toClient = new Way(server, client, 0);
  }

  /** Goes on from here by itself, with both channels. `onRelayEnd` may come before this returns. */
  begin(): void {
    const { toServer, toClient } = this;
    this.#client.owner = this;
    this.#server.owner = this;
    const { timeouts, touchMs } = this.#owner;
    this.#plane.timers.set(this, this.#plane.nowMs + Math.min(touchMs, timeouts.idle));
    if (toServer.holding || toClient.holding || this.#client.readable || this.#server.readable) this.#pump();
    if (this.#over) return;
    this.#server.watch();
    this.#client.watch();
  }

  onChannel(): void {
    if (this.#over) return;
    // Bytes that are only dropped keep nobody alive.
    if (!this.toServer.sinkGone && !this.toClient.sinkGone) this.#lastActiveMs = this.#plane.nowMs;
    this.#pump();
  }

  /** Goes on with a way that had used up its share of a turn. */
  goOn(): void {
    this.#unfinished = false;
    if (!this.#over) this.#pump();
  }

  #pump(): void {
    const { toServer, toClient } = this;
    const { tools } = this.#plane;
    const inBefore = toServer.bytes;
    const outBefore = toClient.bytes;
    const there = toServer.pump(tools);
    if (toServer.bytes !== inBefore) this.#owner.cameIn(toServer.bytes - inBefore);
    if (there === SOURCE_FAILED) return this.#end(EndCode["client-reset"], true);
    if (there === ENDED && this.#ended(toServer, toClient, EndCode["client-closed"])) return;
    const back = toClient.pump(tools);
    if (toClient.bytes !== outBefore) this.#owner.cameOut(toClient.bytes - outBefore);
    if (back === SOURCE_FAILED) return this.#end(EndCode["server-reset"], true);
    if (back === ENDED && this.#ended(toClient, toServer, EndCode["server-closed"])) return;
    // It has said everything and takes nothing any more: nobody is there to read what the server may send for ever.
    if (toClient.sinkGone && toServer.passedOn) return this.#end(EndCode["client-reset"], true);
    if ((there === MORE || back === MORE) && !this.#unfinished) {
      this.#unfinished = true;
      this.#plane.unfinished(this);
    }
  }

  /** One way has ended and everything is delivered. @returns whether that was the end of the relay. */
  #ended(way: Way, other: Way, end: number): boolean {
    if (other.passedOn) {
      this.#end(this.#firstEnd, false);
      return true;
    }
    this.#firstEnd = end;
    way.passOn();
    way.dispose(this.#plane.tools);
    this.#plane.timers.set(this, this.#plane.nowMs + this.#owner.timeouts.halfClose);
    return false;
  }

  override onDeadline(nowMs: number): void {
    const { toServer, toClient } = this;
    const oneSided = toServer.passedOn || toClient.passedOn || toServer.sinkGone || toClient.sinkGone;
    const { timeouts, touchMs } = this.#owner;
    const limit = oneSided ? timeouts.halfClose : timeouts.idle;
    const due = this.#lastActiveMs + limit;
    if (due <= nowMs) return this.#end(EndCode["idle-timeout"], false);
    this.#owner.stillThere(nowMs);
    this.#plane.timers.set(this, Math.min(due, nowMs + touchMs));
  }

  #end(end: number, withReset: boolean): void {
    if (this.#over) return;
    this.dispose();
    this.#owner.onRelayEnd(end, withReset);
  }

  /** Nothing moves any more; what is held is given back. The channels are the owner's to close. Twice is once. */
  dispose(): void {
    this.#over = true;
    this.#plane.timers.clear(this);
    this.toServer.dispose(this.#plane.tools);
    this.toClient.dispose(this.#plane.tools);
  }
}
