/**
 * The load of HTTP and of TLS of the bytes test, in a process of its own: all clients and all servers, as load.ts has them for
 * TCP. Commands come as lines on standard input, answers go out as lines of JSON.
 *
 *   bun web-load.ts SEED LARGEST CA  listens, says {"ports": [...], "talk": port}: servers of HTTP, and one of bytes
 *   to WEB SECURE BYTES              ports of the balancer: HTTP, the same in TLS, and bytes in TLS
 *   rate N                           begins N sessions a second
 *   hold N                           begins N sessions that do not end before `release`; says "held" once all wait
 *   release                          lets them go on
 *   stop                             begins none any more; says how it was when all are over
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { ConnectionOptions } from "node:tls";
import { seeded } from "../../seeded.ts";
import { askOverHttp2 } from "./http2-client.ts";
import { fillNoise } from "./noise.ts";
import { askInTurn, bytes, listen, type Surroundings, serveBytes, serveRequests, tunnel } from "./web-peers.ts";
import { anySession, type Exchange, type Session } from "./web-plans.ts";
import { Refused, Wire } from "./wire.ts";

const SERVERS = 3;
const HOST = "web.example.test";
const SMALL = 100_000;
const LARGE_ONE_IN = 8;
/** A session that is not held is over within this time, or it never will be. */
const OVERDUE_MS = 20_000;
const TURN_MS = 10;
const KEPT_FAILURES = 20;

class WebLoad implements Surroundings {
  readonly exchanges = new Map<number, Exchange>();
  readonly #random: () => number;
  readonly #largest: number;
  readonly #tls: ConnectionOptions;
  readonly #running = new Set<Session>();
  /** Those of the newest `hold`, until all wait. */
  #holding: Session[] | null = null;
  #held: Session[] = [];
  #ports = { web: 0, secure: 0, bytes: 0 };
  #perTurn = 0;
  #due = 0;
  #numbers = 0;
  #stopping = false;
  readonly #report = { opened: 0, bytes: 0, kinds: {} as Record<string, number>, refused: 0, failed: 0, again: 0 };
  readonly #failures: string[] = [];

  constructor(seed: number, largest: number, ca: string) {
    this.#random = seeded(seed);
    this.#largest = largest;
    this.#tls = { ca: readFileSync(ca, "utf8"), servername: HOST };
    fillNoise(this.#random);
  }

  async run(): Promise<void> {
    const ports: number[] = [];
    while (ports.length < SERVERS) ports.push(await listen((wire) => serveRequests(this, wire)));
    say({ ports, talk: await listen((wire) => serveBytes(this, wire)) });
    createInterface({ input: process.stdin })
      .on("line", (line) => this.#obey(line.split(" ")))
      .on("close", () => process.exit(1)); // whoever started it is gone
    setInterval(() => this.#turn(), TURN_MS);
  }

  #turn(): void {
    this.#due = Math.min(this.#due + this.#perTurn, 10);
    for (; this.#due >= 1; this.#due--) this.#begin(SMALL, false);
    if (this.#holding?.every((session) => session.gate.reached || !this.#running.has(session))) {
      say({ held: this.#holding.length });
      this.#holding = null;
    }
    if (!this.#stopping || this.#running.size > 0) return;
    say({ report: { ...this.#report, failures: this.#failures } });
    process.exit(0);
  }

  // Sessions

  #begin(largest: number, held: boolean): Session {
    const session = anySession(this.#random, largest, () => ++this.#numbers, held);
    for (const exchange of session.exchanges) this.exchanges.set(exchange.number, exchange);
    this.#report.opened++;
    this.#report.kinds[session.kind] = (this.#report.kinds[session.kind] ?? 0) + 1;
    this.#running.add(session);
    void this.#go(session, held);
    return session;
  }

  async #go(session: Session, held: boolean): Promise<void> {
    const all = Promise.all([this.#client(session), ...session.exchanges.map(({ served }) => served.promise)]);
    const ended = all.then(
      () => null,
      (error: Error) => error,
    );
    const overdue = this.#overdue(session);
    const error = await Promise.race([ended, overdue.promise]);
    overdue.clear();
    this.#running.delete(session);
    const what = error?.message ?? askedTwice(session);
    if (error instanceof Refused) this.#refused(session, error);
    else if (what !== null) this.#failed(`${session.kind}${held ? ", held" : ""}: ${what}`);
    for (const { number } of session.exchanges) this.exchanges.delete(number);
  }

  #client(session: Session): Promise<void> {
    const { web, secure, bytes: plain } = this.#ports;
    const { source } = session;
    const http1 = { ...this.#tls, ALPNProtocols: ["http/1.1"] };
    switch (session.kind) {
      case "requests":
        return askInTurn(this, session, () => Wire.connect(web, source));
      case "requests in TLS":
        return askInTurn(this, session, () => Wire.connect(secure, source, http1));
      case "requests over HTTP/2":
        return askOverHttp2(this, session, secure, this.#tls);
      case "tunnel":
        return Wire.connect(web, source).then((wire) => tunnel(this, session, wire));
      case "tunnel in TLS":
        return Wire.connect(secure, source, http1).then((wire) => tunnel(this, session, wire));
      case "bytes in TLS":
        return Wire.connect(plain, source, this.#tls).then((wire) => bytes(this, session, wire));
    }
  }

  /** Resolves with an error once the session should have been over; while it is held it has time. */
  #overdue({ gate }: Session): { promise: Promise<Error>; clear: () => void } {
    let leftMs = OVERDUE_MS;
    const { promise, resolve } = Promise.withResolvers<Error>();
    const timer = setInterval(() => {
      leftMs -= gate.isHeld ? 0 : 1000;
      if (leftMs <= 0) resolve(new Error(`not over after ${OVERDUE_MS} ms`));
    }, 1000);
    return { promise, clear: () => clearInterval(timer) };
  }

  count(came: number): void {
    this.#report.bytes += came;
  }

  askedAgain(): void {
    this.#report.again++;
  }

  #refused({ kind }: Session, { message }: Error): void {
    this.#report.refused++;
    this.#keep(`${kind}: could not connect: ${message}`);
  }

  stranger(what: string): void {
    this.#failed(`nobody has sent ${what}`);
  }

  #failed(what: string): void {
    this.#report.failed++;
    this.#keep(what);
  }

  #keep(failure: string): void {
    if (this.#failures.length < KEPT_FAILURES) this.#failures.push(failure);
  }

  // Commands

  #obey([command, first, second, third]: string[]): void {
    switch (command) {
      case "to":
        this.#ports = { web: Number(first), secure: Number(second), bytes: Number(third) };
        break;
      case "rate":
        this.#perTurn = (Number(first) * TURN_MS) / 1000;
        break;
      case "hold":
        this.#held = Array.from({ length: Number(first) }, (_, nth) =>
          this.#begin(nth % LARGE_ONE_IN === 0 ? this.#largest : SMALL, true),
        );
        this.#holding = this.#held;
        break;
      case "release":
        for (const { gate } of this.#held) gate.release();
        break;
      case "stop":
        this.#stopping = true;
        this.#perTurn = 0;
        this.#due = 0;
    }
  }
}

/** A request with a body is nobody's to repeat. */
function askedTwice({ exchanges }: Session): string | null {
  const twice = exchanges.find(({ request, arrived }) => request.bytes > 0 && arrived !== 1);
  return twice === undefined ? null : `request ${twice.number} came ${twice.arrived} times`;
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

if (import.meta.main) {
  const [seed, largest, ca] = process.argv.slice(2);
  await new WebLoad(Number(seed), Number(largest), ca!).run();
}
