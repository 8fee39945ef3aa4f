/** One end of a connection: does what its plan says, and compares what arrives with what the other end sends. */
import { EAGAIN, errno, errnoName, sys } from "../../../src/os/libc.ts";
import { FAILED, HUNG_UP, PEER_ENDED, type Pollable, type Poller, READABLE, WRITABLE } from "../../../src/os/poller.ts";
import { abort, MSG_DONTWAIT, MSG_NOSIGNAL, SHUT_WR, socketError } from "../../../src/os/socket.ts";
import { HEADER_BYTES, numberIn, type Stream } from "./noise.ts";
import type { SidePlan } from "./plans.ts";
import { isDelivered, limitReceiveBuffer } from "./sockets.ts";

/** Calls of one side in one turn of the loop. */
const CALLS = 16;
/** Nothing tells when the other end has taken everything: it is asked for again after this long. */
const BETWEEN_LOOKS_MS = 5;
const buffer = new Uint8Array(1 << 16);

/** What a side needs of the load around it. */
export interface Surroundings {
  readonly poller: Poller;
  nowMs: number;
  /** Call `goOn` in the next turn, or at a time. */
  later(side: Side, atMs: number): void;
  /** It is over. */
  done(side: Side): void;
}

export class Side implements Pollable {
  plan: SidePlan;
  stream: Stream;
  sent = 0;
  received = 0;
  /** How the other side ended, as seen from here. */
  ending: "not yet" | "end" | "reset" = "not yet";
  /** The errno that stood for the reset, or that connecting ended with. */
  code = 0;
  connected = false;
  isDone = false;
  /** Position of the first byte that was not what the other side sent; -1: all were. */
  wrongAt = -1;
  /** It stops before it has sent more than this, and does not end, as long as it is held. */
  holdAt = 0;
  held = false;
  readonly #around: Surroundings;
  readonly #fd: number;
  /** What the other side sends, once it is known: from a number at the head of its stream, through `whose`. */
  #expected: Stream | undefined;
  readonly #whose: (side: Side, number: number) => Stream | undefined;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #readable = false;
  #writable = false;
  #finished = false;
  #restUntilMs = 0;
  /** The rest at whose end it is already to go on. */
  #wokenMs = 0;

  constructor(
    around: Surroundings,
    fd: number,
    plan: SidePlan,
    stream: Stream,
    expected: Stream | ((side: Side, number: number) => Stream | undefined),
  ) {
    this.#around = around;
    this.#fd = fd;
    this.plan = plan;
    this.stream = stream;
    this.#whose = typeof expected === "function" ? expected : () => undefined;
    this.#expected = typeof expected === "function" ? undefined : expected;
    limitReceiveBuffer(fd, plan.receiveBuffer);
    this.#restUntilMs = around.nowMs + plan.lateMs;
    around.poller.add(fd, READABLE | WRITABLE | PEER_ENDED, this);
  }

  /** A server that has read whose connection it is now knows what to do. */
  become(plan: SidePlan, stream: Stream): void {
    this.plan = plan;
    this.stream = stream;
    limitReceiveBuffer(this.#fd, plan.receiveBuffer);
    this.#restUntilMs = this.#around.nowMs + plan.lateMs;
  }

  /** It goes on; who reads late begins to wait now. */
  release(): void {
    this.held = false;
    this.#restUntilMs = this.#around.nowMs + this.plan.lateMs;
    this.#around.later(this, 0);
  }

  get isHolding(): boolean {
    return this.held && this.sent >= this.holdAt;
  }

  onReady(fd: number, events: number): void {
    if (!this.connected) {
      if ((events & WRITABLE) === 0) return;
      this.code = (events & (FAILED | HUNG_UP)) === 0 ? 0 : socketError(fd);
      if (this.code !== 0) return this.#close();
      this.connected = true;
    }
    if ((events & (READABLE | PEER_ENDED | FAILED | HUNG_UP)) !== 0) this.#readable = true;
    if ((events & (WRITABLE | FAILED | HUNG_UP)) !== 0) this.#writable = true;
    this.goOn();
  }

  goOn(): void {
    if (this.isDone || !this.connected) return;
    let again = this.#read();
    if (!this.isDone) again = this.#send() || again;
    if (!this.isDone) this.#closeIfOver();
    if (again && !this.isDone) this.#around.later(this, 0);
  }

  /** @returns whether there may be more to read now. */
  #read(): boolean {
    const { restMs, gulp, leavesUnread } = this.plan;
    if (leavesUnread && !this.#finished) return false;
    for (let call = 0; call < CALLS; call++) {
      if (!this.#readable || this.ending !== "not yet") return false;
      if (this.#around.nowMs < this.#restUntilMs) {
        this.#wakeAfterRest();
        return false;
      }
      const most = this.#expected === undefined ? HEADER_BYTES - this.received : gulp;
      const got = Number(sys.recv(this.#fd, buffer, most, MSG_DONTWAIT));
      if (got > 0) this.#take(got);
      else if (got === 0) this.ending = "end";
      else if (errno() === EAGAIN) this.#readable = false;
      else this.#wasReset(errno());
      if (got > 0 && restMs > 0) this.#restUntilMs = this.#around.nowMs + restMs;
    }
    return true;
  }

  #wakeAfterRest(): void {
    if (this.#wokenMs === this.#restUntilMs) return;
    this.#wokenMs = this.#restUntilMs;
    this.#around.later(this, this.#restUntilMs);
  }

  #take(got: number): void {
    const bytes = buffer.subarray(0, got);
    const at = this.received;
    this.received += got;
    if (this.#expected === undefined) {
      this.#header.set(bytes, at);
      if (this.received < HEADER_BYTES) return;
      this.#expected = this.#whose(this, numberIn(this.#header));
      if (this.#expected === undefined) this.wrongAt = 0;
    } else if (this.wrongAt < 0 && !this.#expected.matches(at, bytes)) this.wrongAt = at;
  }

  #wasReset(code: number): void {
    this.ending = "reset";
    this.code = code;
  }

  /** @returns whether there may be more to send now. */
  #send(): boolean {
    const { plan, stream } = this;
    if (plan.begins === "after-end" && this.ending === "not yet") return false;
    for (let call = 0; call < CALLS; call++) {
      if (!this.#writable || this.ending === "reset" || this.isHolding || this.#finished) return false;
      if (this.sent === stream.bytes) {
        this.#finish();
        return plan.leavesUnread;
      }
      const most = this.held ? Math.min(plan.piece, this.holdAt - this.sent) : plan.piece;
      const bytes = stream.piece(this.sent, most);
      const taken = Number(sys.send(this.#fd, bytes, bytes.length, MSG_NOSIGNAL | MSG_DONTWAIT));
      if (taken > 0) {
        this.sent += taken;
        if (plan.trickles) return true;
      } else if (errno() === EAGAIN) this.#writable = false;
      // Who has seen the other side's end is told nothing new: that one is gone and takes no more.
      else if (this.ending === "end" && plan.ends === "end") this.#finished = true;
      else this.#wasReset(errno());
    }
    return true;
  }

  #finish(): void {
    this.#finished = true;
    if (this.plan.ends === "reset") {
      this.#around.poller.forget(this.#fd);
      abort(this.#fd);
      this.#over();
    } else if (this.plan.ends !== "stay") sys.shutdown(this.#fd, SHUT_WR);
  }

  #closeIfOver(): void {
    const { ends, leavesUnread } = this.plan;
    if (this.ending === "reset") return this.#close();
    if (!this.#finished) return;
    if (leavesUnread && this.received > 0) return this.#close();
    if (ends === "end" && this.ending === "end") return this.#close();
    if (ends !== "vanish") return;
    if (isDelivered(this.#fd)) this.#close();
    else this.#around.later(this, this.#around.nowMs + BETWEEN_LOOKS_MS);
  }

  #close(): void {
    this.#around.poller.forget(this.#fd);
    sys.close(this.#fd);
    this.#over();
  }

  /** The load ends: whatever state it is in. */
  giveUp(): void {
    if (!this.isDone) this.#close();
  }

  #over(): void {
    this.isDone = true;
    this.#around.done(this);
  }

  /** For the message of a failure. */
  describe(): string {
    const code = this.code === 0 ? "" : ` ${errnoName(this.code)}`;
    const of = this.stream.bytes === Number.MAX_SAFE_INTEGER ? "endless" : this.stream.bytes;
    return `sent ${this.sent}/${of}, received ${this.received}, saw ${this.ending}${code}${this.isDone ? "" : ", still open"}`;
  }
}
