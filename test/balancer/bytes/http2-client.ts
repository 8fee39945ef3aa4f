/** Requests over HTTP/2 by the runtime's own client: some at a time, over a new connection once it is told to leave. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import type { ConnectionOptions } from "node:tls";
import { Reading, type Surroundings } from "./web-peers.ts";
import type { Exchange, Session } from "./web-plans.ts";
import { Refused } from "./wire.ts";

const AT_A_TIME = 3;

/** The server has said that it has not looked at a request (RFC 9113 8.7): it may be asked again, whatever it is. */
class NotLookedAt extends Error {}

/** One connection, and whether it takes more. */
class Connection {
  readonly session: ClientHttp2Session;
  readonly connected: Promise<void>;
  isLeaving = false;
  /** Largest stream that is served, once the server has said so. */
  last = Number.POSITIVE_INFINITY;

  constructor(port: number, tls: ConnectionOptions) {
    this.session = connect(`https://${tls.servername}:${port}`, { ...tls, host: "127.0.0.1" } as ConnectionOptions);
    this.session.on("goaway", (_code, last) => {
      this.isLeaving = true;
      this.last = last;
    });
    this.session.on("close", () => {
      this.isLeaving = true;
    });
    this.connected = new Promise((resolve, reject) => {
      this.session.once("connect", () => resolve());
      this.session.on("error", (error) => reject(new Refused(error.message)));
    });
  }
}

export async function askOverHttp2(
  around: Surroundings,
  { exchanges, restMs }: Session,
  port: number,
  tls: ConnectionOptions,
): Promise<void> {
  const left = [...exchanges];
  const all = new Set<Connection>();
  let newest: Connection | null = null;
  const usable = async (): Promise<Connection> => {
    if (newest === null || newest.isLeaving) {
      newest = new Connection(port, tls);
      all.add(newest);
    }
    const connection = newest;
    await connection.connected;
    return connection;
  };
  const askOne = async (exchange: Exchange): Promise<void> => {
    for (;;) {
      try {
        return await ask(around, await usable(), exchange);
      } catch (error) {
        if (!(error instanceof NotLookedAt)) throw error;
        around.askedAgain();
      }
    }
  };
  const inTurn = async (): Promise<void> => {
    for (let exchange = left.shift(); exchange !== undefined; exchange = left.shift()) {
      await exchange.gate.pass("between requests");
      await askOne(exchange);
      await Bun.sleep(restMs);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_A_TIME }, inTurn));
  } finally {
    for (const { session } of all) session.destroy();
  }
}

async function ask(around: Surroundings, connection: Connection, exchange: Exchange): Promise<void> {
  const { number, request, answer, requestFraming } = exchange;
  const stream = connection.session.request(
    { ":method": request.bytes === 0 ? "GET" : "POST", ":path": `/${number}`, ":authority": "web.example.test" },
    { endStream: request.bytes === 0 },
  );
  const reading = new Reading(answer, "the answer");
  const received = Promise.withResolvers<void>();
  stream.on("response", (fields) => {
    if (fields[":status"] !== 200) received.reject(new Error(`answered ${fields[":status"]}`));
  });
  stream.on("data", (bytes: Uint8Array) => {
    try {
      reading.take(bytes);
    } catch (error) {
      received.reject(error);
    }
  });
  stream.on("end", () => received.resolve());
  stream.on("error", (error) => received.reject(failure(connection, stream, error)));
  stream.on("close", () => received.reject(failure(connection, stream, new Error(`closed, ${stream.rstCode}`))));
  await Promise.all([received.promise, request.bytes > 0 ? send(stream, exchange, requestFraming.piece) : undefined]);
  reading.finish();
  around.count(reading.at);
}

function failure(connection: Connection, stream: ClientHttp2Stream, error: Error): Error {
  const isRefused = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
  return isRefused || (stream.id ?? 0) > connection.last ? new NotLookedAt(error.message) : error;
}

async function send(stream: ClientHttp2Stream, { request, gate }: Exchange, piece: number): Promise<void> {
  for (let sent = 0; sent < request.bytes; ) {
    const bytes = request.piece(sent, piece);
    sent += bytes.length;
    await gate.pass("in the request", sent);
    if (stream.destroyed) return;
    if (!stream.write(bytes)) await new Promise((resolve) => stream.once("drain", resolve).once("close", resolve));
  }
  stream.end();
}
