/**
 * The access log of HTTP: one line for each request that is over, as JSON or in the combined format of web servers.
 *
 * Built by hand like the lines of connections (access.ts), some 2 us a line. Constants are made once; of what came from the
 * network, line-text.ts makes text.
 */
import { connectionIdText } from "../balancer/shared/record.ts";
import { type RequestRecord, RequestText } from "../balancer/shared/request-record.ts";
import { ENDS, REASONS, RECOGNISED_BY } from "../balancer/shared/words.ts";
import { formatAddress, formatEndpoint } from "../protocols/address.ts";
import type { RecordNames } from "./access.ts";
import { combinedText, jsonText, milliseconds, NO_VALUE, quotedName, TimeText } from "./line-text.ts";

/** Names of what a request's record holds by number. */
export interface RequestNames extends RecordNames {
  /** The route at this position of the service's plan, in the words of the file. */
  route(service: number, index: number): string | undefined;
}

/** Makes the line of a request that has ended, with its line end. */
export interface RequestLine {
  line(record: RequestRecord): string;
}

const ENDINGS = ENDS.map((end) => `,"end":"${end}"`);
const DETAILS = REASONS.map((reason) => `,"endDetail":${JSON.stringify(reason)}}\n`);
const RECOGNISED = RECOGNISED_BY.map((by) => `,"recognisedBy":"${by}"`);
const VERSIONS: Readonly<Record<number, string>> = { 10: "1.0", 11: "1.1", 20: "2" };
const TLS_VERSIONS: Readonly<Record<number, string>> = { 12: '"TLSv1.2"', 13: '"TLSv1.3"' };

/** `log.format: json`. */
export class JsonRequestLog implements RequestLine {
  readonly #names: RequestNames;
  readonly #beginning: string;
  readonly #time = new TimeText();

  constructor(names: RequestNames, node: string) {
    this.#names = names;
    this.#beginning = `","level":"info","event":"request.end","msg":"a request ended","node":${JSON.stringify(node)},"role":"balancer"`;
  }

  line(record: RequestRecord): string {
    const { service, pool, server, route } = record;
    return (
      `{"time":"${this.#time.of(record.startedMs + record.durationMs)}` +
      this.#beginning +
      `,"connection":"${connectionIdText(record.idHigh, record.idLow)}"` +
      `,"request":${record.number}` +
      `,"requestId":${text(record, RequestText.REQUEST_ID)}` +
      `,"service":${service < 0 ? NO_VALUE : quotedName(this.#names.service(service))}` +
      `,"route":${route < 0 ? NO_VALUE : quotedName(this.#names.route(service, route))}` +
      `,"pool":${pool < 0 ? NO_VALUE : quotedName(this.#names.pool(pool))}` +
      `,"server":${server === 0 ? NO_VALUE : quotedName(this.#names.server(server))}` +
      `,"client":"${clientText(record)}"` +
      `,"method":${text(record, RequestText.METHOD)}` +
      `,"host":${text(record, RequestText.HOST)}` +
      `,"target":${text(record, RequestText.TARGET)}` +
      `,"version":"${VERSIONS[record.version] ?? "1.1"}"` +
      `,"tls":${TLS_VERSIONS[record.tlsVersion] ?? NO_VALUE}` +
      `,"status":${record.status === 0 ? NO_VALUE : record.status}` +
      (RECOGNISED[record.recognisedBy] ?? RECOGNISED[0]) +
      `,"attempts":${record.attempts}` +
      `,"reused":${record.reused}` +
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
}

/**
 * `log.format: combined`, Apache's `%h - - [%t] "%r" %>s %O "%{Referer}i" "%{User-Agent}i"`: bytes with the head (`%O`), the
 * time in UTC when the request began, status 0 for a client that got no answer.
 */
export class CombinedRequestLog implements RequestLine {
  #second = -1;
  #time = "";

  line(record: RequestRecord): string {
    const request =
      record.lengthOf(RequestText.METHOD) === 0
        ? "-"
        : `${combined(record, RequestText.METHOD)} ${combined(record, RequestText.TARGET)} HTTP/${requestVersion(record)}`;
    return (
      `${formatAddress(record.source)} - - [${this.#timeOf(record.startedMs)}] "${request}"` +
      ` ${record.status} ${record.bytesOut}` +
      ` "${combined(record, RequestText.REFERER)}" "${combined(record, RequestText.USER_AGENT)}"\n`
    );
  }

  /** `10/Oct/2000:13:55:36 +0000`, made anew once a second. */
  #timeOf(ms: number): string {
    const second = Math.floor(ms / 1000);
    if (second === this.#second) return this.#time;
    this.#second = second;
    // Sat, 21 Nov 2026 05:17:19 GMT
    const [, day, month, year, clock] = new Date(second * 1000).toUTCString().split(" ");
    this.#time = `${day}/${month}/${year}:${clock} +0000`;
    return this.#time;
  }
}

/** Web servers write `HTTP/2.0` here. */
function requestVersion({ version }: RequestRecord): string {
  return version === 20 ? "2.0" : (VERSIONS[version] ?? "1.1");
}

/** A proxy that is believed mostly says no port. */
function clientText({ source, sourcePort }: RequestRecord): string {
  return sourcePort === 0 ? formatAddress(source) : formatEndpoint(source, 0, sourcePort);
}

function text(record: RequestRecord, which: number): string {
  const length = record.lengthOf(which);
  if (length === 0) return NO_VALUE;
  const at = record.textAt[which]!;
  return jsonText(record.textBytes[which]!, at, at + length, record.textLength[which]! > length);
}

function combined(record: RequestRecord, which: number): string {
  const at = record.textAt[which]!;
  return combinedText(record.textBytes[which]!, at, at + record.lengthOf(which));
}
