/**
 * A client's connection from accept to the protocol that serves it: a PROXY header from trusted addresses, the ClientHello
 * where TLS begins, the handshake where TLS ends here. Behind that it is the connection's account: who the client is, since
 * when, and what is given back at the end.
 */
import { localAddress } from "../../os/socket.ts";
import { NEED_MORE } from "../../protocols/result.ts";
import { newClientHello, readClientHello } from "../../protocols/tls/client-hello.ts";
import { newClient } from "../client.ts";
import { Decision } from "../decide.ts";
import { ServiceCounter } from "../shared/service-view.ts";
import { UNTRACKED } from "../shared/sources.ts";
import { EndCode, HandshakeCode, RefusalCode } from "../shared/words.ts";
import { sourceRefusal } from "./admission.ts";
import { type Channel, type ChannelOwner, LOST, NOTHING_YET } from "./channel.ts";
import type { WorkerContext } from "./context.ts";
import { append } from "./first-bytes.ts";
import { proxyEnvelope } from "./greetings.ts";
import { HANDLERS, type HandledProtocol } from "./handlers.ts";
import type { Journaled } from "./journal.ts";
import type { ServiceRuntime } from "./service.ts";
import { SocketChannel } from "./socket-channel.ts";
import { Timed } from "./timers.ts";
import { PEER_CLOSED, PEER_RESET } from "./tls/failures.ts";
import { TlsChannel } from "./tls/tls-channel.ts";
import type { Served, Visit } from "./visit.ts";

/** Read at once while a client's first bytes are awaited. */
const FIRST_READ = 4096;
const NO_BYTES = new Uint8Array(0);

const PROXY_HEADER = 0;
const CLIENT_HELLO = 1;
const HANDSHAKE = 2;
const SERVED = 3;
const OVER = 4;

const RECORD_HEADER = 5;
const hello = newClientHello();
const dialled = new Uint8Array(16);
const textDecoder = new TextDecoder("latin1");

/** What is told of a connection that never got as far as a server. */
const NOWHERE = { decision: new Decision(), attempts: 0, queueMs: -1, connectMs: -1 };

export class Arrival extends Timed implements Visit, Served, ChannelOwner, Journaled {
  readonly plane: WorkerContext;
  readonly number: number;
  readonly service: ServiceRuntime;
  readonly client = newClient();
  readonly acceptedMs: number;
  readonly startedMs: number;
  readonly clientFd: number;
  channel: Channel;
  tls: TlsChannel | null = null;
  early: Uint8Array = NO_BYTES;
  /** So many early bytes are worth reading a ClientHello again. */
  #helloAt = 0;
  #state = PROXY_HEADER;
  #served: Served | null = null;
  #sourceSlot = UNTRACKED;

  /** `fd` was accepted, is in the ledger, and has a place of the service. */
  constructor(plane: WorkerContext, service: ServiceRuntime, fd: number) {
    super();
    this.plane = plane;
    this.service = service;
    this.number = plane.journal.nextConnection();
    this.acceptedMs = plane.nowMs;
    this.startedMs = plane.unixMs;
    this.clientFd = fd;
    this.channel = new SocketChannel(plane, fd, this);
  }

  get stream(): number {
    return 0;
  }

  get firstBytesDueMs(): number {
    return this.acceptedMs + this.service.plan.timeouts.request;
  }

  // What is written down of one that ends before a protocol serves it. No fields: there may be many arrivals.

  get placement(): typeof NOWHERE {
    return NOWHERE;
  }

  get serverFd(): number {
    return -1;
  }

  get bytesIn(): number {
    return 0;
  }

  get bytesOut(): number {
    return 0;
  }

  get firstByteMs(): number {
    return -1;
  }

  /** The first step, once `client.source` is set. `behindProxy`: a PROXY header comes first. */
  begin(behindProxy: boolean): void {
    if (!behindProxy && !this.#behindProxy()) return;
    // Who has to speak first has mostly spoken already.
    this.#readFirstBytes();
    if (this.#state >= SERVED) return;
    this.plane.timers.set(this, this.firstBytesDueMs);
    this.channel.watch();
  }

  onChannel(channel: Channel): void {
    if (channel !== this.channel) return;
    if (this.#state === HANDSHAKE) this.#shakeHands();
    else if (this.#state < SERVED) this.#readFirstBytes();
  }

  override onDeadline(): void {
    this.#refuse(RefusalCode["first-bytes-timeout"], EndCode["first-bytes-timeout"]);
  }

  #readFirstBytes(): void {
    const scratch = this.plane.tools.buffer;
    for (;;) {
      const read = this.channel.read(scratch, FIRST_READ);
      if (read <= 0) {
        if (read === NOTHING_YET) return;
        const end = read === 0 ? EndCode["client-closed"] : EndCode["client-reset"];
        return this.#refuse(RefusalCode["closed-early"], end);
      }
      this.early = append(this.early, scratch, read);
      if (this.#state === PROXY_HEADER) this.#readProxyHeader();
      if (this.#state === CLIENT_HELLO) this.#readClientHello();
      if (this.#state >= HANDSHAKE || (read < FIRST_READ && !this.channel.endIsNear)) return;
    }
  }

  #readProxyHeader(): void {
    const used = proxyEnvelope.read(this.early, 0, this.early.length, this.client, this.plane);
    if (used === NEED_MORE) return;
    if (used < 0) return this.#refuse(proxyEnvelope.refusal(used), EndCode["bad-protocol"]);
    this.early = this.early.subarray(used);
    this.#behindProxy();
  }

  /** The client's address is known. @returns whether there is more to read before a protocol serves it. */
  #behindProxy(): boolean {
    if (!this.#admitSource()) return false;
    const { protocol, tls } = this.service.plan;
    if (protocol !== "tls" && tls === null) {
      this.#serve(protocol);
      return false;
    }
    this.#state = CLIENT_HELLO;
    return true;
  }

  /** It stays with the early bytes: whoever ends the TLS gets it as it came. */
  #readClientHello(): void {
    const { early, client } = this;
    // In many small pieces it is read again only when one more record is whole.
    if (early.length < this.#helloAt) return;
    const used = readClientHello(early, 0, early.length, hello);
    if (used < 0) return this.#refuse(RefusalCode["bad-client-hello"], EndCode["bad-protocol"]);
    if (used === NEED_MORE) {
      this.#helloAt = endOfRecord(early);
      return;
    }
    client.serverNameLength = hello.serverNameLength;
    if (hello.serverNameLength > 0) client.serverName = hello.serverName.slice(0, hello.serverNameLength);
    if (this.service.plan.protocol === "tls") this.#serve("tls");
    else this.#beginTls();
  }

  #beginTls(): void {
    const { plane, client, service } = this;
    const name = textDecoder.decode(client.serverName.subarray(0, client.serverNameLength));
    localAddress(this.clientFd, dialled);
    const site = plane.sites.of(service.plan.tls!).find(name, dialled);
    const watched = (this.channel as SocketChannel).watched;
    const fd = (this.channel as SocketChannel).handOver();
    this.tls = TlsChannel.accept(plane, site, fd, this.early, name, this);
    this.channel = this.tls;
    this.early = NO_BYTES;
    this.#state = HANDSHAKE;
    if (watched) this.channel.watch();
    this.#shakeHands();
  }

  #shakeHands(): void {
    const tls = this.tls!;
    const result = tls.handshake();
    if (result === NOTHING_YET) return;
    const { view } = this.service;
    if (result === LOST) {
      view.count(ServiceCounter.HANDSHAKES + HandshakeCode.FAILED, 1);
      if (tls.failure === PEER_CLOSED) return this.#refuse(RefusalCode["closed-early"], EndCode["client-closed"]);
      if (tls.failure?.reason === PEER_RESET.reason) {
        return this.#refuse(RefusalCode["closed-early"], EndCode["client-reset"]);
      }
      return this.#refuse(RefusalCode["tls-failed"], EndCode["tls-failed"]);
    }
    view.count(ServiceCounter.HANDSHAKES + (tls.resumed ? HandshakeCode.RESUMED : HandshakeCode.FULL), 1);
    const { protocol } = this.service.plan;
    this.#serve(protocol === "http" && tls.alpn === "h2" ? "h2" : protocol);
  }

  #admitSource(): boolean {
    const { limits } = this.service.plan;
    if (limits.connectionsPerSource === 0 && limits.newPerSource === 0) return true;
    const slot = this.plane.admission.connection(this.service, this.client, this.plane.unixMs);
    if (slot >= 0) {
      this.#sourceSlot = slot;
      this.plane.ledger.setSource(this.clientFd, slot);
      return true;
    }
    if (slot === UNTRACKED) return true;
    this.#refuse(sourceRefusal(slot), EndCode.limit);
    return false;
  }

  #serve(protocol: HandledProtocol): void {
    this.#state = SERVED;
    this.plane.timers.clear(this);
    this.#served = HANDLERS[protocol].begin(this);
    if (this.plane.windingDown) this.#served.windDown();
  }

  #refuse(refusal: number, end: number): void {
    this.service.view.count(ServiceCounter.REFUSED + refusal, 1);
    this.close(end);
  }

  close(end: number): void {
    if (this.#served !== null) return this.#served.close(end);
    if (this.#state === OVER) return;
    this.plane.journal.ended(this, end, this.plane.nowMs);
    this.finish(end, false);
  }

  closeAt(server: number, end: number): boolean {
    return this.#served?.closeAt(server, end) ?? false;
  }

  tellAgain(): void {
    this.#served?.tellAgain?.();
  }

  windDown(): void {
    this.#served?.windDown();
  }

  finish(end: number, withReset: boolean): void {
    if (this.#state === OVER) return;
    this.#state = OVER;
    const { plane, service } = this;
    plane.timers.clear(this);
    plane.ended(this);
    // A socket under TLS may stay for its last bytes: it counts against nobody any more.
    if (this.#sourceSlot >= 0) plane.ledger.clearSource(this.clientFd);
    this.channel.close(withReset);
    service.view.count(ServiceCounter.ENDED + end, 1);
    service.view.release();
    if (this.#sourceSlot >= 0) plane.sources.release(this.#sourceSlot);
  }
}

/** Where the first TLS record ends that is not whole yet, as far as that is known. */
function endOfRecord(bytes: Uint8Array): number {
  let at = 0;
  while (at + RECORD_HEADER <= bytes.length) {
    at += RECORD_HEADER + ((bytes[at + 3]! << 8) | bytes[at + 4]!);
    if (at > bytes.length) return at;
  }
  return bytes.length + 1;
}
