/**
 * Keys of TLS session tickets, where the file names none: made at the start, kept in memory only, and replaced twice a day.
 * Who has one can read what was said over TLS 1.2 in sessions that it resumed, so none is ever written to a disk: after
 * a restart clients make full handshakes once. A process that takes over gets them, so its clients do not. Balancers that
 * share clients, or must resume across restarts, are given `tickets: { key-file: … }`.
 */
import { TICKET_KEY_BYTES } from "../../config/certificate-files.ts";

/** A session is resumed for two hours (worker/tls/server-context.ts), so one key before the newest is enough. */
export const ROTATE_MS = 12 * 60 * 60 * 1000;
const KEPT = 2;

export class TicketKeys {
  readonly #randomBytes: (bytes: number) => Uint8Array;
  #keys: readonly Uint8Array[];

  /** `inherited`: what `handOver` of the process before gave. */
  constructor(randomBytes: (bytes: number) => Uint8Array, inherited: readonly string[] = []) {
    this.#randomBytes = randomBytes;
    const keys = inherited.map((text) => new Uint8Array(Buffer.from(text, "base64")));
    const whole = keys.length > 0 && keys.every((key) => key.length === TICKET_KEY_BYTES);
    this.#keys = whole ? keys : [randomBytes(TICKET_KEY_BYTES)];
  }

  /** Newest first: the first encrypts, all decrypt. */
  get keys(): readonly Uint8Array[] {
    return this.#keys;
  }

  /** A new key in front; the oldest one is forgotten. */
  rotate(): void {
    this.#keys = [this.#randomBytes(TICKET_KEY_BYTES), ...this.#keys].slice(0, KEPT);
  }

  /** For a process that takes over. */
  handOver(): string[] {
    return this.#keys.map((key) => Buffer.from(key).toString("base64"));
  }
}
