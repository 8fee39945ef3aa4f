/** What a connection and a listener need of their worker; DataPlane is it. */
import type { Poller } from "../../os/poller.ts";
import type { TokenKey } from "../../protocols/rdp/token.ts";
import type { Candidate } from "../candidate.ts";
import type { PoolRuntime } from "../pool-runtime.ts";
import type { Ledger } from "../shared/ledger.ts";
import type { SourceTable } from "../shared/sources.ts";
import type { Admission } from "./admission.ts";
import type { Journal } from "./journal.ts";
import type { Queues } from "./queues.ts";
import type { ServiceRuntime } from "./service.ts";
import type { Timers } from "./timers.ts";
import type { TlsTargets } from "./tls/client-context.ts";
import type { TlsFailure } from "./tls/failures.ts";
import type { SiteStore } from "./tls/sites.ts";
import type { RelayTools } from "./way.ts";

/** Goes on in the next turn of the loop. */
export interface Unfinished {
  goOn(): void;
}

/** Accepts again in a later turn, once `restUntilMs` has passed. */
export interface Accepting {
  readonly fd: number;
  readonly restUntilMs: number;
  onReady(): void;
}

export interface WorkerContext {
  readonly column: number;
  readonly poller: Poller;
  readonly timers: Timers;
  readonly tools: RelayTools;
  readonly ledger: Ledger;
  readonly sources: SourceTable;
  readonly journal: Journal;
  readonly queues: Queues;
  readonly admission: Admission;
  readonly tokenKeys: readonly TokenKey[];
  /** This process takes nothing new any more. */
  readonly windingDown: boolean;
  /** This turn's time: monotonic, unix milliseconds, unix seconds. */
  readonly nowMs: number;
  readonly unixMs: number;
  readonly nowSec: number;
  /** Certificates for clients, and TLS with servers, of the plans in use. */
  readonly sites: SiteStore;
  readonly targets: TlsTargets;
  /** TLS with a server has failed: control logs why, now and then. */
  serverTlsFailed(pool: PoolRuntime, server: Candidate, failure: TlsFailure): void;
  /** A client's connection is over. */
  ended(connection: { readonly number: number }): void;
  /**
   * The service of that slot as the newest plan has it; `service` itself where it has gone. What lives on over reloads (an
   * HTTP connection between two requests) asks; a relay keeps the plan that it began with.
   */
  newest(service: ServiceRuntime): ServiceRuntime;
  /** Is the pool, as it is, one of the newest plan? */
  isCurrent(pool: PoolRuntime): boolean;
  /** Alive. Behind whatever may take long: enough of it in one turn takes longer than control waits for a beat. */
  beat(): void;
  /** It has more to move than one turn allows. */
  unfinished(connection: Unfinished): void;
  /** The listener has more to accept than one turn allows, or no descriptors. */
  acceptLater(listener: Accepting): void;
}
