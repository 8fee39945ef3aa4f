/** The part of a client's address that counts: what `mask` leaves of it. */
import { ADDRESS_BYTES, maskSource } from "../protocols/address.ts";
import type { Client } from "./client.ts";

/** Leading bits that count, of an IPv4 (0-32) and of an IPv6 address (0-128). */
export interface SourceMask {
  readonly ipv4: number;
  readonly ipv6: number;
}

/**
 * One client, where nothing else is said: an IPv4 address, or the 64 bits that a network gives an IPv6 host, which may
 * call itself anything behind them. The schema has the same default.
 */
export const DEFAULT_MASK: SourceMask = { ipv4: 32, ipv6: 64 };

/** Masks sources into one reused buffer. */
export class MaskedSource {
  readonly #mask: SourceMask;
  readonly #bytes = new Uint8Array(ADDRESS_BYTES);

  constructor(mask: SourceMask) {
    this.#mask = mask;
  }

  /** 16 bytes, good until the next call. */
  of(client: Client): Uint8Array {
    this.#bytes.set(client.source);
    maskSource(this.#bytes, 0, this.#mask);
    return this.#bytes;
  }
}
