/** A session of a streaming node: what it has to say, in order, and the connection that it says it on at the moment. */
import { greeting, loop, PROBE, progress, sessionEnd } from "./tlcp.ts";

const KEEPALIVE_MS = 5_000;
/** A session without a connection lives for so long. */
const PATIENCE_MS = 10_000;
/** Lines kept for a recovery. */
const KEPT_LINES = 50_000;

/** Where lines go: an HTTP answer or a WebSocket. */
export interface Sink {
  /** @returns whether it takes more now; if not, `drained` is called when it does. */
  write(text: string): boolean;
  drained: () => void;
  end(): void;
  cut(): void;
}

/** What a request to create or bind asks for. */
export interface Attachment {
  /** Its answer ends with the lines that there are, or with the first that comes within this time, in ms. */
  readonly pollingIdleMs?: number;
  /** The client has so many lines: go on behind them. Absent: behind what was sent. */
  readonly recoverFrom?: number;
}

export class Session {
  /** Bytes handed over to connections that they took: it waits as soon as one takes no more. */
  sentBytes = 0;
  /** Subscriptions by their number: how many updates each has got. */
  readonly updates = new Map<string, number>();
  readonly id: string;
  readonly node: string;
  readonly #controlLink: string;
  readonly #ended: () => void;
  #lines: string[] = [];
  /** Lines that are no longer kept. */
  #dropped = 0;
  /** Lines sent since the beginning. */
  #sent = 0;
  #sink: Sink | undefined;
  #isPolling = false;
  #isFull = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(id: string, node: string, controlLink: string, ended: () => void) {
    this.id = id;
    this.node = node;
    this.#controlLink = controlLink;
    this.#ended = ended;
  }

  /** It takes no more at the moment: the client does not read. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Lines that it has not sent yet. */
  get waiting(): number {
    return this.#dropped + this.#lines.length - this.#sent;
  }

  /** Goes on with `sink`. One that it had ends. */
  attach(sink: Sink, client: string, { pollingIdleMs, recoverFrom }: Attachment): void {
    this.#sink?.end();
    this.#sink = sink;
    this.#isFull = false;
    this.#isPolling = pollingIdleMs !== undefined;
    sink.drained = () => {
      if (this.#sink !== sink) return;
      this.#isFull = false;
      this.#flush();
    };
    this.#write(greeting(this.id, KEEPALIVE_MS, this.#controlLink, this.node, client));
    if (recoverFrom !== undefined) {
      this.#sent = recoverFrom;
      this.#write(progress(recoverFrom));
    }
    if (this.#isPolling) this.#after(pollingIdleMs!, () => this.#endPoll());
    else this.#keepAlive();
    this.#flush();
  }

  /** The connection of `sink` is gone. */
  lost(sink: Sink): void {
    if (this.#sink !== sink) return;
    this.#sink = undefined;
    this.#after(PATIENCE_MS, () => this.end(48));
  }

  /** Says a line of data: one that counts when a recovery is asked for. */
  say(line: string): void {
    this.#lines.push(`${line}\r\n`);
    if (this.#lines.length > KEPT_LINES) {
      this.#lines.shift();
      this.#dropped++;
    }
    this.#flush();
  }

  /** The client is to bind again, at once. */
  rebind(): void {
    this.#write(loop(0));
    this.#release();
  }

  /** Its connection breaks; the session goes on. */
  cut(): void {
    this.#sink?.cut();
  }

  /** Ends the session; the client is told `code`. */
  end(code: number): void {
    clearTimeout(this.#timer);
    this.#write(sessionEnd(code));
    this.#sink?.end();
    this.#sink = undefined;
    this.#ended();
  }

  #flush(): void {
    while (this.#sink && !this.#isFull && this.waiting > 0) {
      // Behind a recovery from before what is kept there is nothing to send.
      const line = this.#lines[this.#sent++ - this.#dropped];
      if (line !== undefined) this.#write(line);
    }
    if (this.#sink && this.#isPolling && this.#sent > 0 && this.waiting === 0 && this.#wrote) this.#endPoll();
  }

  /** A line of data went out on this poll. */
  #wrote = false;

  #write(text: string): void {
    if (!this.#sink) return;
    this.sentBytes += text.length;
    this.#wrote = !text.startsWith("CONOK") && !text.startsWith("PROG");
    if (!this.#sink.write(text)) this.#isFull = true;
  }

  #endPoll(): void {
    this.#write(loop(0));
    this.#release();
  }

  #release(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.end();
    this.#after(PATIENCE_MS, () => this.end(48));
  }

  #keepAlive(): void {
    this.#after(KEEPALIVE_MS, () => {
      this.#write(PROBE);
      this.#keepAlive();
    });
  }

  #after(ms: number, then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, ms);
  }
}
