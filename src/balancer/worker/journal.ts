/** What control is told of connections: records in this worker's ring, for the access log and the session directory. */
import { localPort } from "../../os/socket.ts";
import type { Client } from "../client.ts";
import type { Decision } from "../decide.ts";
import type { MemoryLayout } from "../shared/layout.ts";
import { ConnectionIds, ConnectionRecord, RecordKind, writeRecord } from "../shared/record.ts";
import { RingWriter } from "../shared/ring.ts";
import type { ServerId } from "../shared/server-id.ts";
import { HttpJournal } from "./http-journal.ts";

/** A connection as it is written down. Times in milliseconds, -1 for what has not happened. */
export interface Journaled {
  readonly number: number;
  readonly service: { readonly plan: { readonly id: number } };
  readonly client: Client;
  readonly placement: {
    readonly decision: Decision;
    readonly attempts: number;
    readonly queueMs: number;
    readonly connectMs: number;
  };
  /** -1: there is none. */
  readonly serverFd: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly acceptedMs: number;
  readonly startedMs: number;
  readonly firstByteMs: number;
}

export class Journal {
  readonly #ring: RingWriter;
  readonly #ids: ConnectionIds;
  readonly #record = new ConnectionRecord();
  /** The access log is on: every end is recorded. Otherwise only those of users, for the directory. */
  everyEnd = true;
  /** The balancer's own port towards the server, which the server's log has; 0 where nobody asks. */
  #outboundPort = 0;

  /** HTTP requests, in the same ring. */
  readonly requests: HttpJournal;

  /** `startSec`: when the process began, unix seconds. */
  constructor(memory: ArrayBuffer, layout: MemoryLayout, column: number, startSec: number) {
    this.#ring = new RingWriter(memory, layout, column);
    this.#ids = new ConnectionIds(column, startSec, this.#ring);
    this.requests = new HttpJournal(this.#ring, this.#ids.high);
  }

  /** The high half of this worker's connection ids. */
  get idHigh(): number {
    return this.#ids.high;
  }

  /** The number of a new connection: the low half of its id. */
  nextConnection(): number {
    return this.#ids.next();
  }

  /** A user has reached a server. */
  opened(connection: Journaled): void {
    if (connection.client.userLength === 0) return;
    this.#outboundPort = 0;
    this.#write(connection, RecordKind.OPENED, 0, 0);
  }

  /** A connection is over; its sockets are still open. */
  ended(connection: Journaled, end: number, nowMs: number): void {
    if (!this.everyEnd && connection.client.userLength === 0) return;
    this.#outboundPort = this.everyEnd && connection.serverFd >= 0 ? localPort(connection.serverFd) : 0;
    this.#write(connection, RecordKind.ENDED, end, nowMs - connection.acceptedMs);
  }

  #write(connection: Journaled, kind: number, end: number, durationMs: number): void {
    const { client, placement } = connection;
    const { decision } = placement;
    const record = this.#record;
    record.kind = kind;
    record.idHigh = this.#ids.high;
    record.idLow = connection.number;
    record.service = connection.service.plan.id;
    record.pool = decision.pool?.plan.id ?? -1;
    record.server = decision.server?.plan.id ?? (0 as ServerId);
    record.recognisedBy = decision.recognisedBy;
    record.reason = decision.reason;
    record.returned = decision.returned;
    record.attempts = placement.attempts;
    record.end = end;
    record.source.set(client.source);
    record.sourcePort = client.sourcePort;
    record.outboundPort = this.#outboundPort;
    record.startedMs = connection.startedMs;
    record.queueMs = placement.queueMs;
    record.connectMs = placement.connectMs;
    record.firstByteMs = connection.firstByteMs;
    record.durationMs = durationMs;
    record.bytesIn = connection.bytesIn;
    record.bytesOut = connection.bytesOut;
    record.setUser(client.user, 0, client.userLength);
    writeRecord(record, this.#ring);
  }
}
