/**
 * What a persistence is: how a pool recognises a client who was there before, and remembers one for the next time.
 *
 * Each member is one file with one value of the same shape. `prepare` runs in each worker, at load and when the members of
 * the pool change; `recognise` runs for each client and allocates nothing.
 */
import type { Candidate } from "../candidate.ts";
import type { Client } from "../client.ts";
import type { SourceMask } from "../masked-source.ts";
import type { PersistenceKind } from "../plan.ts";
import type { Fingerprinter } from "../shared/fingerprint.ts";
import type { ServerId } from "../shared/server-id.ts";
import type { StickyTable } from "../shared/sticky.ts";

export interface Persistence {
  /** As the YAML has it. */
  readonly name: PersistenceKind;
  /** Position in RECOGNISED_BY. */
  readonly code: number;
  prepare(setting: PersistenceSetting): Recogniser;
}

/** What `prepare` is given. Seconds; 0 is no end. */
export interface PersistenceSetting {
  readonly servers: readonly Candidate[];
  readonly table: StickyTable;
  readonly fingerprinter: Fingerprinter;
  /** Keeps the pool's clients apart from those of others (`saltOf` its name). */
  readonly salt: number;
  readonly idleSec: number;
  readonly lifetimeSec: number;
  readonly mask: SourceMask;
}

export interface Recogniser {
  /**
   * @returns the id (> 0) of the server that the client belongs to: perhaps not usable, perhaps of this pool no longer; or
   * minus the Reason why nobody can be named, 0 when there is nothing to say (never seen, or nothing sent).
   */
  recognise(client: Client, nowSec: number): number;
  /** The client is on `server` now. */
  remember(client: Client, server: ServerId, nowSec: number): void;
  /** The client is still there: idle time begins again, lifetime goes on. */
  touch(client: Client, nowSec: number): void;
  /** The client is nobody's any more. */
  forget(client: Client): void;
}

/** Declares a member. */
export function persistence(member: Persistence): Persistence {
  return member;
}
