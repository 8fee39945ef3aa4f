/** A request's head as the server gets it: what the client sent, and what we say about the client. */
import { endHead, type RequestFacts, TOO_LONG, writeRequestHead } from "../../../protocols/http1/write.ts";
import type { HttpRequest } from "../../client.ts";
import { type Decision, hide } from "../../decide.ts";
import { certificateLine } from "./client-certificate.ts";
import type { HttpConnection } from "./http-connection.ts";
import type { HttpService } from "./http-service.ts";
import type { RequestName } from "./request-name.ts";

const NO_BYTES = new Uint8Array(0);

export class RequestWriter {
  readonly #facts: RequestFacts = {
    source: new Uint8Array(16),
    peer: new Uint8Array(16),
    trusted: false,
    secure: false,
    port: 0,
    requestId: NO_BYTES,
    requestIdLength: 0,
    fallbackHost: NO_BYTES,
    close: false,
    hidden: { at: 0, end: 0 },
  };

  /**
   * Writes the head of `request` for the server that was decided on to the beginning of `out`.
   * @returns the position behind it, or TOO_LONG.
   */
  write(
    connection: HttpConnection,
    http: HttpService,
    request: HttpRequest,
    name: RequestName,
    decision: Decision,
    out: Uint8Array,
  ): number {
    const facts = this.#facts;
    const { bytes, head } = request;
    if (head.hostEnd === head.hostAt) connection.peer.nameHost();
    connection.peer.tell(facts);
    facts.requestId = name.bytes;
    facts.requestIdLength = name.isOurs ? name.length : 0;
    facts.close = decision.pool!.plan.keepAlive.connections === 0;
    hide(connection.client, decision, facts.hidden);
    const end = writeRequestHead(bytes, head, http.requestRules, facts, out, 0);
    return endHead(out, http.certificateField === "" ? end : this.#writeCertificate(connection, http, out, end));
  }

  #writeCertificate({ visit }: HttpConnection, { certificateField }: HttpService, out: Uint8Array, at: number): number {
    if (visit.tls === null) return at;
    const line = certificateLine(visit.tls, certificateField);
    if (at < 0 || at + line.length > out.length) return TOO_LONG;
    out.set(line, at);
    return at + line.length;
  }
}
