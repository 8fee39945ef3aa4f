/**
 * What a persistence is: how a pool recognises a client who was there before, and remembers one for the next time.
 *
 * Each member is one file with one value of the same shape. `prepare` runs in each worker, at load and when the members of
 * the pool change; `recognise` runs for each client and allocates nothing.
 */

import type { Span } from "../../protocols/http1/fields.ts";
import type { ResponseHead } from "../../protocols/http1/response.ts";
import type { Candidate } from "../candidate.ts";
import type { Client } from "../client.ts";
import type { SourceMask } from "../masked-source.ts";
import type { PersistenceKind, PoolPlan } from "../plan.ts";
import type { Fingerprinter } from "../shared/fingerprint.ts";
import type { ForgottenView } from "../shared/forgotten.ts";
import type { ServerId } from "../shared/server-id.ts";
import type { StickyTable } from "../shared/sticky.ts";
import type { StickyCookies } from "./sticky-cookies.ts";

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
  /** Which cookies of the pool an administrator has had forgotten. */
  readonly forgotten: ForgottenView;
  /** The rest of what the file says of the pool's persistence: name, mode and attributes of a cookie. */
  readonly plan: NonNullable<PoolPlan["persistence"]>;
  /** Signs and opens our own cookies. */
  readonly cookies: StickyCookies;
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
  /** HTTP: most bytes that `writeFields` writes; absent: it writes none. */
  readonly fieldBytes?: number;
  /** HTTP: a part of a Cookie field's value that is only for us, and that the server must not see; `out` stays where there is none. */
  hide?(client: Client, out: Span): void;
  /**
   * HTTP: the head of `server`'s answer has come. Just before `writeFields` and the head's going to the client; may drop
   * fields that `writeFields` replaces.
   */
  learn?(client: Client, server: Candidate, bytes: Uint8Array, head: ResponseHead, nowSec: number): void;
  /**
   * HTTP: writes whole field lines for the answer of `server` to `client.request` at `out[at]`: at most `fieldBytes`, and
   * none where the client has what it needs. @returns the position behind them.
   */
  writeFields?(client: Client, server: Candidate, secure: boolean, nowSec: number, out: Uint8Array, at: number): number;
}

/** Declares a member. */
export function persistence(member: Persistence): Persistence {
  return member;
}
