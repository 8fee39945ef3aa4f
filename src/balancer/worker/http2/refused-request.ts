/** A request that nobody is asked to serve, because it is malformed or too long: what the log can say of it. */

import { RequestHead } from "../../../protocols/http1/request.ts";
import { describeRequest } from "../../../protocols/http2/describe-request.ts";
import type { FieldList } from "../../../protocols/http2/field-list.ts";
import type { Client } from "../../client.ts";
import { Decision } from "../../decide.ts";
import type { JournaledRequest } from "../http-journal.ts";
import type { Visit } from "../visit.ts";

const HTTP2 = 20;
const NO_BYTES = new Uint8Array(0);
const NOWHERE = { decision: new Decision(), attempts: 0, queueMs: -1, connectMs: -1, reused: false };

export class RefusedRequest implements JournaledRequest {
  readonly connection: Visit;
  /** Its stream. */
  readonly requestNumber: number;
  readonly client: Client;
  /** What it was answered; 0: its stream was reset. */
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly begunMs: number;
  readonly startedMs: number;
  readonly placement = NOWHERE;
  readonly route = null;
  readonly version = HTTP2;
  readonly requestId = NO_BYTES;
  readonly requestIdLength = 0;

  /** `list`: what came of its fields, good until the next block. */
  constructor(
    connection: Visit,
    stream: number,
    list: FieldList,
    status: number,
    bytes: { readonly in: number; readonly out: number },
  ) {
    const head = new RequestHead();
    describeRequest(list, head);
    this.connection = connection;
    this.requestNumber = stream;
    this.client = { ...connection.client, request: { bytes: list.bytes, head } };
    this.status = status;
    this.bytesIn = bytes.in;
    this.bytesOut = bytes.out;
    this.begunMs = connection.plane.nowMs;
    this.startedMs = connection.plane.unixMs;
  }

  get service(): Visit["service"] {
    return this.connection.service;
  }

  get tlsVersion(): number {
    return this.connection.tls?.version === "TLSv1.3" ? 13 : this.connection.tls === null ? 0 : 12;
  }

  get firstByteMs(): number {
    return this.status === 0 ? -1 : 0;
  }
}
