/** The host that a client asks for, as hosts are compared: lower case, without port and last dot. */
import { copyHostName, MAX_HOST } from "../protocols/http1/host.ts";
import type { Client } from "./client.ts";

export { MAX_HOST } from "../protocols/http1/host.ts";

/** Copies it to the beginning of `into` (MAX_HOST bytes): the request's, or else the TLS handshake's. @returns its length; 0: none. */
export function copyClientHost({ request, serverName, serverNameLength }: Client, into: Uint8Array): number {
  if (request !== null) {
    const { hostAt, hostNameEnd } = request.head;
    return hostNameEnd > hostAt ? copyHostName(request.bytes, hostAt, hostNameEnd, into, 0) : 0;
  }
  if (serverNameLength > MAX_HOST) return 0;
  for (let i = 0; i < serverNameLength; i++) into[i] = serverName[i]!;
  return serverNameLength;
}
