/** The clients and the servers of the web load. Whatever one of them sees that should not be is an error with words. */
import { createServer } from "node:net";
import { announced, closes, type Head, Incoming, sendBody, status } from "./messages.ts";
import { HEADER_BYTES, numberIn, type Stream } from "./noise.ts";
import type { Exchange, Place, Session } from "./web-plans.ts";
import { Wire } from "./wire.ts";

/** A request that has had no answer at all, over a connection that was used before: it may be asked again if it is safe. */
class Unanswered extends Error {}

/** Compares a stream as it comes. */
export class Reading {
  at = 0;
  readonly #stream: Stream;
  readonly #what: string;

  constructor(stream: Stream, what: string) {
    this.#stream = stream;
    this.#what = what;
  }

  readonly take = (bytes: Uint8Array): void => {
    if (!this.#stream.matches(this.at, bytes)) throw new Error(`byte ${this.at} of ${this.#what} is not what was sent`);
    this.at += bytes.length;
  };

  get left(): number {
    return this.#stream.bytes - this.at;
  }

  finish(): void {
    const { bytes } = this.#stream;
    if (this.at !== bytes) throw new Error(`${this.at} of ${bytes} bytes of ${this.#what} came`);
  }
}

/** What peers need of the load around them. */
export interface Surroundings {
  readonly exchanges: ReadonlyMap<number, Exchange>;
  /** Bytes that came and were as they should be. */
  count(bytes: number): void;
  /** A request without a body was asked again, its connection having ended without an answer. */
  askedAgain(): void;
  /** Something came to a server that nobody has sent. */
  stranger(what: string): void;
}

// Servers

/** Listens on a free port; `serve` has each connection. */
export function listen(serve: (wire: Wire) => Promise<void>): Promise<number> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const wire = new Wire(socket);
    void serve(wire).finally(() => wire.close());
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
}

/** A server of HTTP: answers what the path's number says. */
export async function serveRequests(around: Surroundings, wire: Wire): Promise<void> {
  const incoming = new Incoming(wire);
  let exchange: Exchange | undefined;
  try {
    for (;;) {
      exchange = undefined;
      const head = await incoming.head();
      if (head === null) return;
      exchange = around.exchanges.get(Number(head.first.split(" ")[1]?.slice(1)));
      if (exchange === undefined) return around.stranger(head.first);
      exchange.arrived++;
      if (head.fields.has("upgrade")) return await serveTunnel(around, wire, incoming, exchange);
      await serveRequest(around, wire, incoming, head, exchange);
    }
  } catch (error) {
    // Between two requests a connection may end in any way.
    exchange?.served.reject(atServer(error));
  }
}

async function serveRequest(
  around: Surroundings,
  wire: Wire,
  incoming: Incoming,
  head: Head,
  exchange: Exchange,
): Promise<void> {
  const reading = new Reading(exchange.request, "the request");
  const read = incoming.body(head, reading.take).then(() => {
    reading.finish();
    exchange.served.resolve();
    around.count(reading.at);
  });
  if (!exchange.answersAtOnce) await read;
  const { answer, answerFraming, gate } = exchange;
  const answered = (async () => {
    await wire.write(`HTTP/1.1 200 OK\r\n${announced(answer, answerFraming)}\r\n`);
    await sendBody(wire, answer, answerFraming, async (sent) => {
      await gate.pass("in the answer", sent);
      // Whoever has had a whole answer need not go on with the request.
      if (sent === answer.bytes) await read;
    });
  })();
  await Promise.all([read, answered]);
}

async function serveTunnel(around: Surroundings, wire: Wire, incoming: Incoming, exchange: Exchange): Promise<void> {
  await wire.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: bytes\r\nConnection: Upgrade\r\n\r\n");
  await serveStreams(around, wire, incoming, exchange, new Reading(exchange.request, "the client's bytes"));
}

/** A server behind TLS of bytes alone: whose they are stands at their head. */
export async function serveBytes(around: Surroundings, wire: Wire): Promise<void> {
  const incoming = new Incoming(wire);
  const header = Buffer.alloc(HEADER_BYTES);
  let come = 0;
  let exchange: Exchange | undefined;
  try {
    await incoming.exactly(HEADER_BYTES, (bytes) => {
      header.set(bytes, come);
      come += bytes.length;
    });
    exchange = around.exchanges.get(numberIn(header));
    if (exchange === undefined) return around.stranger(header.toString("hex"));
    exchange.arrived++;
    const reading = new Reading(exchange.request, "the client's bytes");
    reading.take(header);
    await serveStreams(around, wire, incoming, exchange, reading);
  } catch (error) {
    exchange?.served.reject(atServer(error));
  }
}

async function serveStreams(
  around: Surroundings,
  wire: Wire,
  incoming: Incoming,
  exchange: Exchange,
  reading: Reading,
): Promise<void> {
  await bothWays(wire, incoming, exchange, exchange.answer, "in the answer", reading);
  around.count(reading.at);
  exchange.served.resolve();
}

/** Sends one stream and reads the other, until both sides have ended. */
async function bothWays(
  wire: Wire,
  incoming: Incoming,
  { requestFraming, gate, halfCloses }: Exchange,
  stream: Stream,
  place: Place,
  reading: Reading,
): Promise<void> {
  const framing = { chunked: false, piece: requestFraming.piece };
  const sent = sendBody(wire, stream, framing, (bytes) => gate.pass(place, bytes));
  if (halfCloses) await Promise.all([sent.then(() => wire.end()), incoming.rest(reading.take)]);
  else {
    await Promise.all([sent, incoming.exactly(reading.left, reading.take)]);
    wire.end();
    await incoming.rest(reading.take);
  }
  reading.finish();
}

const atServer = (error: unknown) => new Error(`at the server: ${(error as Error).message}`);

// Clients

/** Requests one after the other. `connect` opens a connection whenever there is none that can be used. */
export async function askInTurn(around: Surroundings, session: Session, connect: () => Promise<Wire>): Promise<void> {
  let open: Open | null = null;
  const usable = async (known: Open | null): Promise<Open> => {
    if (known !== null && !known.wire.isOver) return known;
    const wire = await connect();
    return { wire, incoming: new Incoming(wire), wasUsed: false };
  };
  try {
    for (const exchange of session.exchanges) {
      await exchange.gate.pass("between requests");
      const first: Open = await usable(open);
      open = first;
      try {
        open = await ask(around, first, exchange);
      } catch (error) {
        if (!(error instanceof Unanswered) || !first.wasUsed || exchange.request.bytes > 0) throw error;
        around.askedAgain();
        first.wire.close();
        open = await usable(null);
        open = await ask(around, open, exchange);
      }
      await Bun.sleep(session.restMs);
    }
  } finally {
    open?.wire.close();
  }
}

/** A connection that is kept. */
interface Open {
  readonly wire: Wire;
  readonly incoming: Incoming;
  readonly wasUsed: boolean;
}

/** @returns the connection, if it is kept. */
async function ask(around: Surroundings, { wire, incoming }: Open, exchange: Exchange): Promise<Open | null> {
  const { number, request, answer, requestFraming } = exchange;
  const method = request.bytes === 0 ? "GET" : "POST";
  const sent = (async () => {
    await wire.write(
      `${method} /${number} HTTP/1.1\r\nHost: web.example.test\r\n${announced(request, requestFraming)}\r\n`,
    );
    await sendBody(wire, request, requestFraming, (bytes) => exchange.gate.pass("in the request", bytes));
  })();
  const received = (async () => {
    const head = await incoming.head().catch((error: Error) => {
      throw new Unanswered(`lost before the answer: ${error.message}`);
    });
    if (head === null) throw new Unanswered("it ended before the answer");
    if (status(head) !== 200) throw new Error(`answered "${head.first}"`);
    const reading = new Reading(answer, "the answer");
    await incoming.body(head, reading.take);
    reading.finish();
    around.count(reading.at);
    return !closes(head);
  })();
  const [keeps] = await Promise.all([received, sent]);
  if (keeps) return { wire, incoming, wasUsed: true };
  wire.close();
  return null;
}

/** An upgrade, and bytes both ways until both sides have ended. */
export async function tunnel(around: Surroundings, { exchanges }: Session, wire: Wire): Promise<void> {
  const exchange = exchanges[0]!;
  const incoming = new Incoming(wire);
  await wire.write(
    `GET /${exchange.number} HTTP/1.1\r\nHost: web.example.test\r\nUpgrade: bytes\r\nConnection: Upgrade\r\n\r\n`,
  );
  const head = await incoming.head();
  if (head === null || status(head) !== 101) throw new Error(`answered "${head?.first}" to an upgrade`);
  await clientStreams(around, wire, incoming, exchange);
}

/** Bytes both ways until both sides have ended. */
export async function bytes(around: Surroundings, { exchanges }: Session, wire: Wire): Promise<void> {
  await clientStreams(around, wire, new Incoming(wire), exchanges[0]!);
}

async function clientStreams(around: Surroundings, wire: Wire, incoming: Incoming, exchange: Exchange): Promise<void> {
  const reading = new Reading(exchange.answer, "the server's bytes");
  try {
    await bothWays(wire, incoming, exchange, exchange.request, "in the request", reading);
    around.count(reading.at);
  } finally {
    wire.close();
  }
}
