/** The sticky table as one way of recognising sees it: its pool's clients only, under keys of one kind. */
import type { ServerId } from "../shared/server-id.ts";
import { EXPIRED, FOUND, stickyHit } from "../shared/sticky.ts";
import { Reason } from "../shared/words.ts";
import type { PersistenceSetting } from "./persistence.ts";

/** Keeps a fingerprint of what is remembered, never the bytes. One for each recogniser; reused. */
export class Memory {
  readonly #setting: PersistenceSetting;
  readonly #kind: number;
  readonly #key = new Int32Array(4);
  readonly #hit = stickyHit();

  /** `kind` keeps a login and an address of the same bytes apart. */
  constructor(setting: PersistenceSetting, kind: number) {
    this.#setting = setting;
    this.#kind = kind;
  }

  /** The server of whoever is called `bytes[0, length)`, as `Recogniser.recognise` returns it. */
  find(bytes: Uint8Array, length: number, nowSec: number): number {
    const { table, idleSec, lifetimeSec } = this.#setting;
    const found = table.find(this.#keyOf(bytes, length), nowSec, idleSec, lifetimeSec, this.#hit);
    if (found === FOUND) return this.#hit.server;
    return found === EXPIRED ? -Reason.FORGOTTEN : 0;
  }

  remember(bytes: Uint8Array, length: number, server: ServerId, nowSec: number): void {
    this.#setting.table.remember(this.#keyOf(bytes, length), server, nowSec);
  }

  touch(bytes: Uint8Array, length: number, nowSec: number): void {
    this.#setting.table.touch(this.#keyOf(bytes, length), nowSec);
  }

  forget(bytes: Uint8Array, length: number): void {
    this.#setting.table.forget(this.#keyOf(bytes, length));
  }

  #keyOf(bytes: Uint8Array, length: number): Int32Array {
    this.#setting.fingerprinter.of(this.#setting.salt, this.#kind, bytes, 0, length, this.#key);
    return this.#key;
  }
}
