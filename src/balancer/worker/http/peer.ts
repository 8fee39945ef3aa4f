/** The other end of a client's HTTP connection: what it is, whom it speaks for, and what servers are told of it. */
import { localAddress, localPort } from "../../../os/socket.ts";
import { ADDRESS_BYTES, formatEndpoint } from "../../../protocols/address.ts";
import { ascii } from "../../../protocols/ascii.ts";
import { readTrueClient } from "../../../protocols/http1/true-client.ts";
import type { RequestFacts } from "../../../protocols/http1/write.ts";
import type { Client, HttpRequest } from "../../client.ts";
import type { ServiceRuntime } from "../service.ts";
import type { Visit } from "../visit.ts";

const NO_BYTES = new Uint8Array(0);

export class Peer {
  /** Whom the request is from that is being served: the peer itself, or whom it speaks for. */
  readonly client: Client;
  /** It speaks TLS. */
  readonly secure: boolean;
  /** 12 or 13; 0: none. */
  readonly tlsVersion: number;
  /** What it says about the client is believed. */
  trusted: boolean;
  readonly #visit: Visit;
  readonly #address: Uint8Array;
  readonly #addressPort: number;
  /** The client that it speaks for; made where the first request asks. */
  #spokenFor: Uint8Array | null = null;
  /** The port that it has dialled; -1: nobody has asked yet. */
  #port = -1;
  #fallbackHost: Uint8Array = NO_BYTES;

  constructor(visit: Visit) {
    this.#visit = visit;
    this.client = visit.client;
    this.#address = visit.client.source;
    this.#addressPort = visit.client.sourcePort;
    this.secure = visit.tls !== null;
    this.tlsVersion = visit.tls === null ? 0 : visit.tls.version === "TLSv1.3" ? 13 : 12;
    this.trusted = visit.service.trusts(this.#address);
  }

  /** The plan has changed. */
  trustAsIn(service: ServiceRuntime): void {
    this.trusted = service.trusts(this.#address);
  }

  /** A request was read: `client` is whom it is from until `requestOver`. */
  requestBegins(request: HttpRequest, service: ServiceRuntime): void {
    const { client } = this;
    client.request = request;
    if (!this.trusted) return;
    this.#spokenFor ??= new Uint8Array(ADDRESS_BYTES);
    const { http, trust } = service.plan;
    const { bytes, head } = request;
    const port = readTrueClient(bytes, head.fields, http!.forwarded.standard, trust, this.#spokenFor);
    if (port < 0) return;
    client.source = this.#spokenFor;
    client.sourcePort = port;
  }

  requestOver(): void {
    const { client } = this;
    client.request = null;
    client.source = this.#address;
    client.sourcePort = this.#addressPort;
  }

  /** What servers are told. */
  tell(facts: RequestFacts): void {
    if (this.#port < 0) this.#port = localPort(this.#visit.clientFd);
    facts.source = this.client.source;
    facts.peer = this.#address;
    facts.trusted = this.trusted;
    facts.secure = this.secure;
    facts.port = this.#port;
    facts.fallbackHost = this.#fallbackHost;
  }

  /** A client that names no host (HTTP/1.0) is taken to mean the address that it has dialled. */
  nameHost(): void {
    if (this.#fallbackHost.length > 0) return;
    const address = new Uint8Array(ADDRESS_BYTES);
    const port = localAddress(this.#visit.clientFd, address);
    this.#fallbackHost = ascii(formatEndpoint(address, 0, port));
  }
}
