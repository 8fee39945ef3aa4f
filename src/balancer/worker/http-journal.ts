/** What control is told of HTTP requests: counters of their service, and a record for the access log where there is one. */
import { Field } from "../../protocols/http1/fields.ts";
import type { Client, HttpRequest } from "../client.ts";
import type { Decision } from "../decide.ts";
import { RequestRecord, RequestText, writeRequestRecord } from "../shared/request-record.ts";
import type { RingWriter } from "../shared/ring.ts";
import type { ServerId } from "../shared/server-id.ts";
import { ServiceCounter, type ServiceView } from "../shared/service-view.ts";

/** A request as it is written down when it is over. Its head still lies in `client.request`, unless it was refused. */
export interface JournaledRequest {
  /** Of its connection. */
  readonly connection: { readonly number: number };
  /** Which request of the connection it is, from 1. */
  readonly requestNumber: number;
  readonly service: { readonly plan: { readonly id: number }; readonly view: ServiceView };
  readonly client: Client;
  readonly placement: {
    readonly decision: Decision;
    readonly attempts: number;
    readonly queueMs: number;
    readonly connectMs: number;
    readonly reused: boolean;
  };
  /** Null: none fitted, or nobody has looked. */
  readonly route: { readonly index: number } | null;
  /** What the client was answered; 0: nothing. */
  readonly status: number;
  /** 10, 11 or 20. */
  readonly version: number;
  /** 12 or 13; 0: no TLS ended here. */
  readonly tlsVersion: number;
  /** Ours, or the client's that was passed on; none where the length is 0. */
  readonly requestId: Uint8Array;
  readonly requestIdLength: number;
  /** When its first byte came: monotonic, and unix milliseconds. */
  readonly begunMs: number;
  readonly startedMs: number;
  /** Milliseconds from then to the first byte of the answer; -1: there was none. */
  readonly firstByteMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export class HttpJournal {
  readonly #ring: RingWriter;
  readonly #idHigh: number;
  readonly #record = new RequestRecord();
  /** The access log is on. */
  everyRequest = true;
  /** The log wants to know Referer and User-Agent. */
  withAgent = false;

  /** `idHigh`: of this worker's connections. */
  constructor(ring: RingWriter, idHigh: number) {
    this.#ring = ring;
    this.#idHigh = idHigh;
  }

  /** A request is over: `end` is a position in ENDS. Once for each. */
  ended(request: JournaledRequest, end: number, nowMs: number): void {
    const { view } = request.service;
    const { attempts, reused } = request.placement;
    const durationMs = nowMs - request.begunMs;
    view.answered(request.status, durationMs / 1000);
    if (attempts > 0) view.count(reused ? ServiceCounter.REUSED : ServiceCounter.DIALLED, 1);
    if (this.everyRequest) this.#write(request, end, durationMs);
  }

  #write(request: JournaledRequest, end: number, durationMs: number): void {
    const { client, placement } = request;
    const { decision } = placement;
    const record = this.#record;
    record.idHigh = this.#idHigh;
    record.idLow = request.connection.number;
    record.number = request.requestNumber;
    record.service = request.service.plan.id;
    record.pool = decision.pool?.plan.id ?? -1;
    record.server = decision.server?.plan.id ?? (0 as ServerId);
    record.route = request.route?.index ?? -1;
    record.recognisedBy = decision.recognisedBy;
    record.reason = decision.reason;
    record.end = end;
    record.attempts = placement.attempts;
    record.status = request.status;
    record.version = request.version;
    record.tlsVersion = request.tlsVersion;
    record.reused = placement.reused;
    record.source.set(client.source);
    record.sourcePort = client.sourcePort;
    record.startedMs = request.startedMs;
    record.queueMs = placement.queueMs;
    record.connectMs = placement.connectMs;
    record.firstByteMs = request.firstByteMs;
    record.durationMs = durationMs;
    record.bytesIn = request.bytesIn;
    record.bytesOut = request.bytesOut;
    record.setText(RequestText.REQUEST_ID, request.requestId, 0, request.requestIdLength);
    if (client.request !== null) this.#lendTexts(client.request);
    writeRequestRecord(record, this.#ring);
    record.clearTexts();
  }

  #lendTexts({ bytes, head }: HttpRequest): void {
    const record = this.#record;
    record.setText(RequestText.METHOD, bytes, head.methodAt, head.methodEnd);
    record.setText(RequestText.HOST, bytes, head.hostAt, head.hostEnd);
    record.setText(RequestText.TARGET, bytes, head.targetAt, head.targetEnd);
    if (!this.withAgent) return;
    this.#lendField(RequestText.REFERER, Field.REFERER, bytes, head.fields);
    this.#lendField(RequestText.USER_AGENT, Field.USER_AGENT, bytes, head.fields);
  }

  #lendField(text: number, code: number, bytes: Uint8Array, fields: HttpRequest["head"]["fields"]): void {
    const index = fields.find(code);
    if (index >= 0) this.#record.setText(text, bytes, fields.valueAt(index), fields.valueEnd(index));
  }
}
