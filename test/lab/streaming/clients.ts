/** Streaming clients under the rig's hands: each a process of its own. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Child } from "../child.ts";
import { EventLog } from "../session-log.ts";

const PROJECT = join(import.meta.dir, "../../..");
const WITHIN_MS = 15_000;

export type Transport = "WS" | "WS-STREAMING" | "WS-POLLING" | "HTTP" | "HTTP-STREAMING" | "HTTP-POLLING";

export interface ClientOptions {
  readonly url: string;
  /** The only way that it may use; absent: the best that works. */
  readonly transport?: Transport;
  /** Where it connects from: an address of 127.0.0.0/8. */
  readonly from: string;
  /** Addresses by name. */
  readonly hosts: Readonly<Record<string, string>>;
  /** Sent with each request. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a client tells. */
export type ClientEvent =
  | {
      readonly kind: "status";
      /** CONNECTED:WS-STREAMING, DISCONNECTED:WILL-RETRY, … */
      readonly status: string;
      readonly session: string;
      /** As the node calls itself. */
      readonly node: string;
      /** Who the node says that it is. */
      readonly clientIp: string;
    }
  | { readonly kind: "error"; readonly code: number; readonly message: string }
  | { readonly kind: "update"; readonly count: number; readonly node: string };

export type Status = Extract<ClientEvent, { kind: "status" }>;
export type Update = Extract<ClientEvent, { kind: "update" }>;

let program: string | undefined;

export class StreamingClient {
  /** All that it told, oldest first. */
  readonly log = new EventLog<ClientEvent>();
  readonly #child: Child;

  /** Starts one that trusts the authority in the file `ca`. */
  constructor(options: ClientOptions, ca: string) {
    program ??= new Bun.Transpiler({ loader: "ts", target: "node" }).transformSync(
      readFileSync(join(import.meta.dir, "client.ts"), "utf8"),
    );
    this.#child = new Child(
      ["env", "-C", PROJECT, "node", "--no-warnings", "--input-type=module", "-e", program],
      (line) => {
        if (line.startsWith("{")) this.log.add(JSON.parse(line) as ClientEvent);
      },
      { STREAMING_CLIENT: JSON.stringify(options), NODE_EXTRA_CA_CERTS: ca },
    );
  }

  /** What it wrote last, for the message of a failure. */
  output(): string {
    return this.#child.output();
  }

  /** Index of what it tells next: `from` for the methods that wait. */
  get now(): number {
    return this.log.events.length;
  }

  /** Its first status that begins with `status`, from index `from`. */
  async status(status: string, from = 0, withinMs = WITHIN_MS): Promise<Status> {
    const wanted = (event: ClientEvent): boolean => event.kind === "status" && event.status.startsWith(status);
    return (await this.#wait(`status ${status}`, wanted, from, withinMs)) as Status;
  }

  /** It is connected, and data has come on this connection. */
  async connected(status = "CONNECTED:", from = 0, withinMs = WITHIN_MS): Promise<Status> {
    const seen = await this.#wait(
      `status ${status}`,
      (event) => event.kind === "status" && event.status.startsWith(status) && !event.status.endsWith("SENSING"),
      from,
      withinMs,
    );
    await this.update(() => true, this.log.events.indexOf(seen), withinMs);
    return seen as Status;
  }

  async update(wanted: (update: Update) => boolean, from = this.now, withinMs = WITHIN_MS): Promise<Update> {
    return (await this.#wait(
      "an update",
      (event) => event.kind === "update" && wanted(event),
      from,
      withinMs,
    )) as Update;
  }

  /** The code of the first error that its application is told. */
  async error(): Promise<number> {
    const event = await this.#wait("an error", ({ kind }) => kind === "error", 0, WITHIN_MS);
    return event.kind === "error" ? event.code : 0;
  }

  /** The codes of errors that its application was told. */
  get errors(): readonly number[] {
    return this.log.events.flatMap((event) => (event.kind === "error" ? [event.code] : []));
  }

  /** Its statuses from index `from`, in order. */
  statuses(from = 0): readonly string[] {
    return this.log.events.slice(from).flatMap((event) => (event.kind === "status" ? [event.status] : []));
  }

  /** The numbers of the updates from index `from`: the next one after each, unless something was lost. */
  counts(from = 0): readonly number[] {
    return this.log.events.slice(from).flatMap((event) => (event.kind === "update" ? [event.count] : []));
  }

  tell(command: "disconnect" | "connect" | `transport ${Transport}`): void {
    this.#child.say(command);
  }

  /** It reads nothing more: its process stands still. */
  pause(): void {
    process.kill(this.pid, "SIGSTOP");
  }

  resume(): void {
    process.kill(this.pid, "SIGCONT");
  }

  get pid(): number {
    return this.#child.pid;
  }

  async leave(): Promise<void> {
    this.#child.signal("SIGKILL");
    await this.#child.ended();
  }

  async #wait(
    what: string,
    wanted: (event: ClientEvent) => boolean,
    from: number,
    withinMs: number,
  ): Promise<ClientEvent> {
    const gone = this.#child.exited.then((code) => {
      throw new Error(`the client ended with ${code} before ${what}\n${this.output()}`);
    });
    gone.catch(() => {});
    return Promise.race([this.log.waitFor(what, wanted, withinMs, from), gone]);
  }
}
