/**
 * One relayed connection (tcp, rdp, TLS passed through), in the order of its life: the protocol's first bytes where it has
 * some, a server, relaying, the end. Each state has a deadline and a bound.
 */
import { keepAlive } from "../../os/socket.ts";
import { NEED_MORE } from "../../protocols/result.ts";
import type { Candidate } from "../candidate.ts";
import type { Client } from "../client.ts";
import { touch } from "../decide.ts";
import { slotOf } from "../shared/server-id.ts";
import { ServerCounter } from "../shared/server-view.ts";
import { ServiceCounter } from "../shared/service-view.ts";
import { EndCode, RefusalCode } from "../shared/words.ts";
import { type Channel, type ChannelOwner, NOTHING_YET } from "./channel.ts";
import type { WorkerContext } from "./context.ts";
import { append } from "./first-bytes.ts";
import { type Greeting, rdpRequest } from "./greetings.ts";
import type { Journaled } from "./journal.ts";
import { Placement, type PlacementOwner } from "./placement.ts";
import { Relay, type RelayOwner, type RelayTimeouts } from "./relay.ts";
import type { ServiceRuntime } from "./service.ts";
import { Timed } from "./timers.ts";
import type { ProtocolHandler, Served, Visit } from "./visit.ts";
import { READ_BYTES } from "./way.ts";

/** Bytes both ways, as they are. */
export const relayed: ProtocolHandler = { begin: (visit) => new Connection(visit, null).begin() };

/** RDP: who comes stands in the X.224 Connection Request. */
export const relayedRdp: ProtocolHandler = { begin: (visit) => new Connection(visit, rdpRequest).begin() };

const FIRST_BYTES = 0;
const PLACING = 1;
const RELAYING = 2;
const CLOSED = 3;

/** Read at once while a client's first bytes are awaited. */
const FIRST_READ = 4096;
const NO_BYTES = new Uint8Array(0);

export class Connection extends Timed implements Served, ChannelOwner, PlacementOwner, RelayOwner, Journaled {
  readonly placement: Placement;
  firstByteMs = -1;
  readonly #visit: Visit;
  readonly #plane: WorkerContext;
  readonly #greeting: Greeting | null;
  #state = FIRST_BYTES;
  #early: Uint8Array;
  /** The client is watched: bytes that it sends now are told of, and so can wait in the kernel. */
  #watched = false;
  #server: Channel | null = null;
  #relay: Relay | null = null;

  constructor(visit: Visit, greeting: Greeting | null) {
    super();
    this.#visit = visit;
    this.#plane = visit.plane;
    this.#greeting = greeting;
    this.placement = new Placement(visit.plane, this);
    this.#early = visit.early;
    visit.early = NO_BYTES;
    visit.channel.owner = this;
  }

  get number(): number {
    return this.#visit.number;
  }

  get service(): ServiceRuntime {
    return this.#visit.service;
  }

  get client(): Client {
    return this.#visit.client;
  }

  get clientFd(): number {
    return this.#visit.clientFd;
  }

  get acceptedMs(): number {
    return this.#visit.acceptedMs;
  }

  get startedMs(): number {
    return this.#visit.startedMs;
  }

  begin(): this {
    if (this.#greeting === null) this.#place();
    // It may have come with what was read before.
    else if (this.#early.length === 0 || !this.#readGreeting(this.#greeting)) this.#awaitGreeting();
    return this;
  }

  onChannel(channel: Channel): void {
    switch (this.#state) {
      case FIRST_BYTES:
        return this.#readFirstBytes();
      case PLACING:
        return this.#whilePlacing(channel);
    }
  }

  override onDeadline(): void {
    if (this.#state !== FIRST_BYTES) return;
    this.#refuse(RefusalCode["first-bytes-timeout"], EndCode["first-bytes-timeout"]);
  }

  // First bytes

  #awaitGreeting(): void {
    // Who has to speak first has mostly spoken already.
    this.#readFirstBytes();
    if (this.#state !== FIRST_BYTES) return;
    this.#plane.timers.set(this, this.#visit.firstBytesDueMs);
    this.#watchClient();
  }

  #watchClient(): void {
    this.#watched = true;
    this.#visit.channel.watch();
  }

  #readFirstBytes(): void {
    const scratch = this.#plane.tools.buffer;
    const { channel } = this.#visit;
    for (;;) {
      const read = channel.read(scratch, FIRST_READ);
      if (read <= 0) {
        if (read === NOTHING_YET) return;
        const end = read === 0 ? EndCode["client-closed"] : EndCode["client-reset"];
        return this.#refuse(RefusalCode["closed-early"], end);
      }
      this.#early = append(this.#early, scratch, read);
      if (this.#readGreeting(this.#greeting!)) return;
      if (read < FIRST_READ && !channel.endIsNear) return;
    }
  }

  /** @returns whether the connection has left the state of first bytes. */
  #readGreeting(greeting: Greeting): boolean {
    const used = greeting.read(this.#early, 0, this.#early.length, this.client, this.#plane);
    if (used === NEED_MORE) return false;
    if (used < 0) this.#refuse(greeting.refusal(used), EndCode["bad-protocol"]);
    else this.#place();
    return true;
  }

  // A server

  #place(): void {
    this.#state = PLACING;
    this.#plane.timers.clear(this);
    const route = this.service.routeOf(this.client);
    if (route === null) return this.#refuse(RefusalCode["no-route"], EndCode["not-allowed"]);
    this.placement.begin(route);
  }

  takeIdle(_server: Candidate): null {
    return null;
  }

  onQueued(): void {
    this.#watchClient();
  }

  firstBytes(): Uint8Array {
    const { channel } = this.#visit;
    if (this.#early.length === 0 && !this.#watched) {
      const scratch = this.#plane.tools.buffer;
      const read = channel.read(scratch, READ_BYTES);
      if (read > 0) this.#early = scratch.slice(0, read);
      // An end, or a reset, is the relay's to find.
      else if (read !== NOTHING_YET) channel.readable = true;
    }
    return this.#early;
  }

  /** The client did something before a server is there: more bytes (they wait in the kernel), its end, or a reset. */
  #whilePlacing(channel: Channel): void {
    if (channel.broken) return this.close(EndCode["client-reset"]);
    // Who must speak first and then ends has gone; over plain TCP the end may belong to what was sent.
    if (channel.endIsNear && this.#greeting !== null) this.close(EndCode["client-closed"]);
  }

  onNoServer(refusal: number, end: number): void {
    this.#refuse(refusal, end);
  }

  // Relaying

  tellAgain(): void {
    if (this.#state === RELAYING) this.#plane.journal.opened(this);
  }

  onServer(server: Channel, first: Uint8Array, sent: number): void {
    const plane = this.#plane;
    this.#state = RELAYING;
    this.#server = server;
    plane.journal.opened(this);
    const early = this.#early.length;
    this.#early = NO_BYTES;
    const relay = new Relay(plane, this.#visit.channel, server, this, early);
    this.#relay = relay;
    if (early > 0) this.cameIn(early);
    if (sent < first.length) relay.toServer.holdFirst(first.subarray(sent));
    relay.begin();
  }

  get timeouts(): RelayTimeouts {
    return this.service.plan.timeouts;
  }

  get touchMs(): number {
    return this.placement.decision.pool!.touchMs;
  }

  cameIn(bytes: number): void {
    this.service.view.count(ServiceCounter.BYTES_IN, bytes);
    this.placement.decision.server!.view.count(ServerCounter.BYTES_IN, bytes);
  }

  cameOut(bytes: number): void {
    if (this.firstByteMs < 0) this.firstByteMs = this.#plane.nowMs - this.acceptedMs;
    this.service.view.count(ServiceCounter.BYTES_OUT, bytes);
    this.placement.decision.server!.view.count(ServerCounter.BYTES_OUT, bytes);
  }

  stillThere(): void {
    touch(this.client, this.placement.decision, this.#plane.nowSec);
    // A server that vanishes without a word is noticed before the idle timeout of half a day. Who stays a while pays for it.
    keepAlive(this.#server!.fd);
  }

  onRelayEnd(end: number, withReset: boolean): void {
    this.#finish(end, withReset);
  }

  get bytesIn(): number {
    return this.#relay?.toServer.bytes ?? 0;
  }

  get bytesOut(): number {
    return this.#relay?.toClient.bytes ?? 0;
  }

  get serverFd(): number {
    return this.#server?.fd ?? -1;
  }

  // The end

  /** The client gets no server: the protocol's own refusal, then the end. */
  #refuse(refusal: number, end: number): void {
    if (this.#state === CLOSED) return;
    this.service.view.count(ServiceCounter.REFUSED + refusal, 1);
    const answer = this.service.refusalAnswer(end);
    if (answer !== null) {
      this.#visit.channel.write(answer, answer.length);
      this.#visit.channel.end();
    }
    this.#finish(end, false);
  }

  /** The regular end, whatever the state. */
  close(end: number): void {
    this.#finish(end, false);
  }

  closeAt(server: number, end: number): boolean {
    const on = this.placement.decision.server;
    if (this.#state === CLOSED || on === null || slotOf(on.plan.id) !== server) return false;
    this.close(end);
    return true;
  }

  windDown(): void {}

  #finish(end: number, withReset: boolean): void {
    if (this.#state === CLOSED) return;
    const plane = this.#plane;
    const { placement } = this;
    if (this.#state === RELAYING) touch(this.client, placement.decision, plane.nowSec);
    this.#state = CLOSED;
    plane.timers.clear(this);
    this.#relay?.dispose();
    plane.journal.ended(this, end, plane.nowMs);
    this.#visit.finish(end, withReset);
    this.#server?.close(withReset);
    placement.release();
  }
}
