/** A request of HTTP/2 as the engine of HTTP/1.1 meets it. */
import type { Client } from "../../client.ts";
import type { Channel } from "../channel.ts";
import type { Visit } from "../visit.ts";
import type { StreamChannel } from "./stream-channel.ts";

const NO_BYTES = new Uint8Array(0);

/** One request of a connection. Everything but the stream is the connection's. */
export class StreamVisit implements Visit {
  readonly plane: Visit["plane"];
  readonly number: number;
  readonly stream: number;
  readonly service: Visit["service"];
  readonly client: Client;
  readonly channel: Channel;
  readonly tls: Visit["tls"];
  readonly clientFd: number;
  readonly acceptedMs: number;
  readonly startedMs: number;
  readonly firstBytesDueMs: number;
  early: Uint8Array = NO_BYTES;
  readonly #onFinish: () => void;

  constructor(connection: Visit, channel: StreamChannel, onFinish: () => void) {
    const { plane } = connection;
    this.plane = plane;
    this.number = connection.number;
    this.stream = channel.id;
    this.service = plane.newest(connection.service);
    this.client = { ...connection.client, request: null };
    this.channel = channel;
    this.tls = connection.tls;
    this.clientFd = connection.clientFd;
    this.acceptedMs = plane.nowMs;
    this.startedMs = plane.unixMs;
    this.firstBytesDueMs = plane.nowMs + this.service.plan.timeouts.request;
    this.#onFinish = onFinish;
  }

  finish(_end: number, withReset: boolean): void {
    this.#onFinish();
    this.channel.close(withReset);
  }
}
