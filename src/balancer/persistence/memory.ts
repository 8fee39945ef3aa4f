/** The sticky table as one way of recognising sees it: its pool's clients only, under keys of one kind. */
import type { Fingerprinter } from "../shared/fingerprint.ts";
import type { ServerId } from "../shared/server-id.ts";
import { EXPIRED, FOUND, type StickyTable, stickyHit } from "../shared/sticky.ts";
import { Reason } from "../shared/words.ts";

/** Where it remembers, for whom and how long (see PersistenceSetting). */
export interface MemorySetting {
  readonly table: StickyTable;
  readonly fingerprinter: Fingerprinter;
  readonly salt: number;
  readonly idleSec: number;
  readonly lifetimeSec: number;
}

/** Keeps a fingerprint of what is remembered, never the bytes. One for each recogniser; reused. */
export class Memory {
  readonly #setting: MemorySetting;
  readonly #kind: number;
  readonly #key = new Int32Array(4);
  readonly #hit = stickyHit();

  /** `kind` keeps a login and an address of the same bytes apart. */
  constructor(setting: MemorySetting, kind: number) {
    this.#setting = setting;
    this.#kind = kind;
  }

  /** The server of whoever is called `bytes[from, to)`, as `Recogniser.recognise` returns it. */
  find(bytes: Uint8Array, from: number, to: number, nowSec: number): number {
    const { table, idleSec, lifetimeSec } = this.#setting;
    const found = table.find(this.#keyOf(bytes, from, to), nowSec, idleSec, lifetimeSec, this.#hit);
    if (found === FOUND) return this.#hit.server;
    return found === EXPIRED ? -Reason.FORGOTTEN : 0;
  }

  /** `flags`: StickyFlag bits. */
  remember(bytes: Uint8Array, from: number, to: number, server: ServerId, nowSec: number, flags = 0): void {
    this.#setting.table.remember(this.#keyOf(bytes, from, to), server, nowSec, flags);
  }

  touch(bytes: Uint8Array, from: number, to: number, nowSec: number): void {
    this.#setting.table.touch(this.#keyOf(bytes, from, to), nowSec);
  }

  /** @returns whether it was there. */
  forget(bytes: Uint8Array, from: number, to: number): boolean {
    return this.#setting.table.forget(this.#keyOf(bytes, from, to));
  }

  #keyOf(bytes: Uint8Array, from: number, to: number): Int32Array {
    this.#setting.fingerprinter.of(this.#setting.salt, this.#kind, bytes, from, to, this.#key);
    return this.#key;
  }
}
