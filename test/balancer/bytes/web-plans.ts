/** What the clients of the web load do over one connection, drawn at random. */
import type { Framing } from "./messages.ts";
import { Stream } from "./noise.ts";

/**
 * `requests`: one after the other, over a connection that is kept. `tunnel`: bytes both ways behind an upgrade. `bytes`:
 * both ways in TLS that ends at the balancer, without HTTP.
 */
export const KINDS = [
  "requests",
  "requests in TLS",
  "requests over HTTP/2",
  "tunnel",
  "tunnel in TLS",
  "bytes in TLS",
] as const;
export type Kind = (typeof KINDS)[number];

/** Where a session that is held waits. */
export const PLACES = ["in the request", "in the answer", "between requests"] as const;
export type Place = (typeof PLACES)[number];

/** Stops who comes to its place, once that is allowed to, until it is released. */
export class Gate {
  readonly #place: Place | null;
  /** Most bytes that go before. */
  readonly #after: number;
  #held: PromiseWithResolvers<void> | null;
  /** Somebody waits here. */
  reached = false;

  constructor(place: Place | null, after = 0) {
    this.#place = place;
    this.#after = after;
    this.#held = place === null ? null : Promise.withResolvers();
  }

  async pass(place: Place, bytes = Number.POSITIVE_INFINITY): Promise<void> {
    if (this.#held === null || place !== this.#place || bytes <= this.#after) return;
    this.reached = true;
    await this.#held.promise;
  }

  get isHeld(): boolean {
    return this.#held !== null;
  }

  release(): void {
    this.#held?.resolve();
    this.#held = null;
  }
}

/** A request and its answer; or the two streams of a tunnel. */
export interface Exchange {
  readonly number: number;
  readonly request: Stream;
  readonly answer: Stream;
  readonly requestFraming: Framing;
  readonly answerFraming: Framing;
  /** The answer does not wait for the end of the request. */
  readonly answersAtOnce: boolean;
  /** A side of a tunnel ends when it has sent everything, not when it has read everything too. */
  readonly halfCloses: boolean;
  readonly gate: Gate;
  /** How often it has come to a server. */
  arrived: number;
  /** Resolves when a server has had all of the request as it was sent; rejects with what was wrong. */
  readonly served: PromiseWithResolvers<void>;
}

export interface Session {
  readonly kind: Kind;
  readonly exchanges: readonly Exchange[];
  readonly gate: Gate;
  /** Of the client: 127.0.0.`source`. */
  readonly source: number;
  /** Most milliseconds between two requests. */
  readonly restMs: number;
}

export type Random = () => number;

const MOST_EXCHANGES = 12;
const SOURCES = 50;
const WITHOUT_BODY = 0.4;
const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
/** From a few bytes to `most`, small ones as often as large ones. */
const size = (random: Random, most: number) => 8 + Math.floor(most ** random());

/** `next` numbers exchanges. `held`: it stops somewhere until it is released. */
export function anySession(random: Random, most: number, next: () => number, held: boolean): Session {
  const kind = pick(random, KINDS);
  const isRequests = kind.startsWith("requests");
  const count = isRequests ? 1 + Math.floor(random() * MOST_EXCHANGES) : 1;
  // Whoever waits between two requests has had an answer before.
  const place = held ? pick(random, isRequests && count > 1 ? PLACES : PLACES.slice(0, 2)) : null;
  const at = place === "between requests" ? 1 + Math.floor(random() * (count - 1)) : Math.floor(random() * count);
  const exchanges: Exchange[] = [];
  for (let nth = 0; nth < count; nth++) {
    const isHere = nth === at;
    exchanges.push(anyExchange(random, kind, most, next(), isHere ? place : null));
  }
  const gate = exchanges[at]!.gate;
  return { kind, exchanges, gate, source: 1 + Math.floor(random() * SOURCES), restMs: random() < 0.5 ? 0 : 50 };
}

function anyExchange(random: Random, kind: Kind, most: number, number: number, place: Place | null): Exchange {
  const isEmpty = kind.startsWith("requests") && place !== "in the request" && random() < WITHOUT_BODY;
  const requestBytes = isEmpty ? 0 : size(random, most);
  const answerBytes = size(random, most);
  const bytes = place === "in the answer" ? answerBytes : requestBytes;
  const after = place === "between requests" ? 0 : Math.floor((bytes * random()) / 2);
  const served = Promise.withResolvers<void>();
  served.promise.catch(() => {});
  return {
    number,
    request: new Stream(number, requestBytes, Math.floor(random() * (1 << 22))),
    answer: new Stream(number, answerBytes, Math.floor(random() * (1 << 22))),
    requestFraming: framing(random, requestBytes),
    answerFraming: framing(random, answerBytes),
    answersAtOnce: random() < 0.5,
    // The runtime's TLS ends when its peer does.
    halfCloses: kind === "tunnel" && random() < 0.5,
    gate: new Gate(place, after),
    arrived: 0,
    served,
  };
}

/** Not more than some hundred pieces for one body. */
function framing(random: Random, bytes: number): Framing {
  return { chunked: random() < 0.5, piece: Math.max(pick(random, [1 << 16, 16_384, 1460, 100]), bytes >> 8) };
}
