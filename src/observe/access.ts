/**
 * The access log: one JSON line for each connection's end.
 *
 * Built by hand, because a line is written for every connection: keys are constants, names are looked up by slot, and only
 * what came from the network is escaped. Under 1 us a line.
 */
import { Fingerprinter } from "../balancer/shared/fingerprint.ts";
import { type ConnectionRecord, connectionIdText } from "../balancer/shared/record.ts";
import type { ServerId } from "../balancer/shared/server-id.ts";
import { ENDS, REASONS, RECOGNISED_BY } from "../balancer/shared/words.ts";
import { formatEndpoint } from "../protocols/address.ts";
import { milliseconds, NO_VALUE, quotedName, TimeText } from "./line-text.ts";

/** Names of what a record holds by number; undefined for what the configuration no longer has. */
export interface RecordNames {
  service(slot: number): string | undefined;
  pool(slot: number): string | undefined;
  server(id: ServerId): string | undefined;
}

export interface AccessOptions {
  node: string;
  names: RecordNames;
  /** `fingerprint`: 16 hexadecimal digits, the same for the same user as long as the key is the same. */
  users: "plain" | "fingerprint";
  /** 16 bytes. */
  fingerprintKey: Uint8Array;
}

const BEGINNINGS = ENDS.map((end) =>
  JSON.stringify({ event: "connection.end", msg: `a connection ended: ${end}` }).slice(1, -1),
);
const ENDINGS = ENDS.map((end) => `,"end":"${end}"`);
const DETAILS = REASONS.map((reason) => `,"endDetail":${JSON.stringify(reason)}}\n`);

/** Makes access lines. One for the process; follows new names by itself. */
export class AccessLog {
  readonly #names: RecordNames;
  readonly #isSkipped: (service: number) => boolean;
  readonly #identity: string;
  readonly #time = new TimeText();
  readonly #fingerprinter: Fingerprinter | null;
  readonly #fingerprint = new Int32Array(4);

  /** `isSkipped`: services (by slot) whose connections get no line. */
  constructor(options: AccessOptions, isSkipped: (service: number) => boolean = () => false) {
    this.#isSkipped = isSkipped;
    this.#names = options.names;
    this.#identity = `,"node":${JSON.stringify(options.node)},"role":"balancer"`;
    this.#fingerprinter = options.users === "fingerprint" ? new Fingerprinter(options.fingerprintKey) : null;
  }

  /** The line of a connection that has ended, with its line end; "" for none. Nothing in the record can break it. */
  line(record: ConnectionRecord): string {
    const { service, pool, server } = record;
    if (this.#isSkipped(service)) return "";
    return (
      `{"time":"${this.#time.of(record.startedMs + record.durationMs)}","level":"info",` +
      (BEGINNINGS[record.end] ?? BEGINNINGS[0]) +
      this.#identity +
      `,"connection":"${connectionIdText(record.idHigh, record.idLow)}"` +
      `,"service":${service < 0 ? NO_VALUE : quotedName(this.#names.service(service))}` +
      `,"pool":${pool < 0 ? NO_VALUE : quotedName(this.#names.pool(pool))}` +
      `,"server":${server === 0 ? NO_VALUE : quotedName(this.#names.server(server))}` +
      `,"client":"${formatEndpoint(record.source, 0, record.sourcePort)}"` +
      `,"user":${record.userLength === 0 ? NO_VALUE : this.#user(record)}` +
      `,"recognisedBy":"${RECOGNISED_BY[record.recognisedBy] ?? "new"}"` +
      `,"outboundPort":${record.outboundPort === 0 ? NO_VALUE : record.outboundPort}` +
      `,"attempts":${record.attempts}` +
      `,"queueMs":${milliseconds(record.queueMs)}` +
      `,"connectMs":${milliseconds(record.connectMs)}` +
      `,"firstByteMs":${milliseconds(record.firstByteMs)}` +
      `,"durationMs":${milliseconds(record.durationMs)}` +
      `,"bytesIn":${record.bytesIn}` +
      `,"bytesOut":${record.bytesOut}` +
      (ENDINGS[record.end] ?? ENDINGS[0]) +
      (DETAILS[record.reason] ?? DETAILS[0])
    );
  }

  #user(record: ConnectionRecord): string {
    if (this.#fingerprinter === null) return JSON.stringify(record.userText());
    const words = this.#fingerprint;
    this.#fingerprinter.of(0, 0, record.user, 0, record.userLength, words);
    return `"${hex(words[0]!)}${hex(words[1]!)}"`;
  }
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
