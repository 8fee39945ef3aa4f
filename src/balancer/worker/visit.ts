/** What a protocol and the connection that it serves know of each other. */
import type { Client } from "../client.ts";
import type { Channel } from "./channel.ts";
import type { WorkerContext } from "./context.ts";
import type { ServiceRuntime } from "./service.ts";
import type { TlsChannel } from "./tls/tls-channel.ts";

/**
 * Whom a protocol serves: a connection that has arrived, or one stream of an HTTP/2 connection. The rest of the connection's
 * life is the protocol's; `finish` is its end.
 */
export interface Visit {
  readonly plane: WorkerContext;
  /** Who came: the connection's number, its service, the client as far as it is known. */
  readonly number: number;
  /** Which stream of the connection it is; 0: the connection itself. */
  readonly stream: number;
  readonly service: ServiceRuntime;
  readonly client: Client;
  readonly channel: Channel;
  /** The TLS that ends here; null: none. What it agreed on and the client's certificate are for logs and fields to servers. */
  readonly tls: TlsChannel | null;
  /** The client's own socket, also for a stream and under TLS. */
  readonly clientFd: number;
  /** When it was accepted: monotonic, unix milliseconds. */
  readonly acceptedMs: number;
  readonly startedMs: number;
  /** The first step has to be over by then, monotonic milliseconds: the time for it began with the connection. */
  readonly firstBytesDueMs: number;
  /** Bytes that were read already and belong to the protocol. Who begins takes them. */
  early: Uint8Array;
  /** The last step, once: closes the channel and gives the connection's places back. `end` is a position in ENDS. */
  finish(end: number, withReset: boolean): void;
}

/** What serves a visit. */
export interface Served {
  /** Ends it, whatever its state: control wants it, with this position in ENDS. */
  close(end: number): void;
  /** Ends what of it is at the server of this slot. @returns whether anything was. */
  closeAt(server: number, end: number): boolean;
  /** Control does not know of it: what was told at its beginning found no room. Absent where nothing is told then. */
  tellAgain?(): void;
  /** This process takes nothing new any more: it ends as soon as nothing is in progress. What is one relay just goes on. */
  windDown(): void;
}

/** A protocol: serves clients once they have arrived. */
export interface ProtocolHandler {
  /** Takes over the visit, its channel and its early bytes. */
  begin(visit: Visit): Served;
}
