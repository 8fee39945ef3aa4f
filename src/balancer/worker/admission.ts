/** Counts connections and requests against their sources, within the limits of their service. */
import type { Client } from "../client.ts";
import { DEFAULT_MASK, MaskedSource } from "../masked-source.ts";
import type { Fingerprinter } from "../shared/fingerprint.ts";
import { REFUSED_CONNECTIONS, type SourceTable } from "../shared/sources.ts";
import { RefusalCode } from "../shared/words.ts";
import type { ServiceRuntime } from "./service.ts";

/** Kinds of fingerprints in the source table: what a source has open, and what it has asked for. */
const SOURCE_KIND = 0x53;
const REQUESTS_KIND = 0x52;

export class Admission {
  /** With the key of the plan in use. */
  fingerprinter: Fingerprinter;
  readonly #sources: SourceTable;
  readonly #maskedSource = new MaskedSource(DEFAULT_MASK);
  readonly #key = new Int32Array(4);

  constructor(sources: SourceTable, fingerprinter: Fingerprinter) {
    this.#sources = sources;
    this.fingerprinter = fingerprinter;
  }

  /** @returns a slot of the source table, which the caller gives back; or why not (`sourceRefusal`). */
  connection(service: ServiceRuntime, client: Client, unixMs: number): number {
    const { connectionsPerSource, newPerSource, newPerSourceMs } = service.plan.limits;
    this.#fingerprint(SOURCE_KIND, service, client);
    return this.#sources.admit(this.#key, connectionsPerSource, newPerSource, newPerSourceMs, unixMs);
  }

  /** An HTTP request, likewise. */
  request(service: ServiceRuntime, client: Client, unixMs: number): number {
    const { concurrentPerSource, requestsPerSource, requestsPerSourceMs } = service.plan.http!.limits;
    this.#fingerprint(REQUESTS_KIND, service, client);
    return this.#sources.admit(this.#key, concurrentPerSource, requestsPerSource, requestsPerSourceMs, unixMs);
  }

  #fingerprint(kind: number, service: ServiceRuntime, client: Client): void {
    const source = this.#maskedSource.of(client);
    this.fingerprinter.of(service.salt, kind, source, 0, source.length, this.#key);
  }
}

/** The refusal, as a position in REFUSALS, that a slot below zero means. */
export function sourceRefusal(slot: number): number {
  return slot === REFUSED_CONNECTIONS ? RefusalCode["limit-source"] : RefusalCode["limit-rate"];
}
