/** What the web load is asked to do, a line each, and what it answers. */
import type { Endpoint } from "../sockets.ts";

/** Whom to dial, over TLS or not. */
export interface Target {
  target: Endpoint;
  secure: boolean;
}

export type WebJob =
  /**
   * Opens connections that stay: `page` has asked for one, `echo` has become a WebSocket, `stream` a stream. `sticky`: with a
   * cookie, which must have been given at the first visit; the answers must then be that server's.
   */
  | ({ job: "open"; what: "page" | "echo" | "stream"; count: number; sticky: boolean } & Target)
  /** The cookie that is given to a newcomer. */
  | ({ job: "cookie" } & Target)
  // The next are over the connections that are open.
  /** So many requests for the page of 1 KB, one at a time on each connection. `newcomers`: without their cookies. */
  | { job: "requests"; count: number; newcomers?: boolean }
  /** WebSocket messages there and back, one at a time on each connection. */
  | { job: "echoes"; count: number }
  /** On the first connection only, what it is open for: the time each takes. */
  | { job: "round-trips"; count: number }
  /** `bytes` on each connection. */
  | { job: "down" | "up"; bytes: number }
  /** Listens to the streams for a while. */
  | { job: "listen"; seconds: number }
  /** Closes them. */
  | { job: "release" }
  /** Open, one request, close. */
  | ({ job: "visits"; count: number; concurrency: number } & Target)
  /** TLS handshakes and nothing else; each ends when tickets have come. */
  | { job: "handshakes"; target: Endpoint; count: number; concurrency: number; resume: boolean };

export interface WebAnswer {
  error?: string;
  seconds: number;
  /** Of `round-trips` and `listen`, in microseconds. */
  p50?: number;
  p99?: number;
  /** Of `listen`: messages that came. */
  messages?: number;
  /** Of `handshakes`: those that resumed a session. */
  resumed?: number;
  cookie?: string;
}
