/**
 * The load of the bytes test, in a process of its own: all clients and all servers, so that it knows of every byte whether it
 * arrived. Commands come as lines on standard input, answers go out as lines of JSON.
 *
 *   bun load.ts SEED LARGEST       listens, says {"ports": [...], "talk": port}
 *   to MAIN TALK                   ports of the balancer: the service in front of all servers, the one of those who speak first
 *   rate N                         opens N connections a second, one after the other
 *   hold N                         opens N connections that do not end before `release`; says "held" once all have begun
 *   release                        lets them go on
 *   stop                           opens none any more; says how it was when all are over
 */
import { writeSync } from "node:fs";
import { EAGAIN, errno, errnoName, sys } from "../../../src/os/libc.ts";
import { type Pollable, Poller, READABLE } from "../../../src/os/poller.ts";
import { seeded } from "../../seeded.ts";
import { fillNoise, Stream } from "./noise.ts";
import { anyPlan, type Kind, type Plan, quiet } from "./plans.ts";
import { Side, type Surroundings } from "./side.ts";
import { accept, connect, listen } from "./sockets.ts";

const SERVERS = 3;
const SOURCES = 50;
/** A connection that is not held is over within this time, or it never will be. */
const OVERDUE_MS = 20_000;
const LONGEST_SLEEP_MS = 10;
const KEPT_FAILURES = 20;
/** Largest stream of most connections; one in some of those that are held is as large as was asked for. */
const SMALL = 200_000;
const LARGE_ONE_IN = 8;

/** What the last line says. */
export interface LoadReport {
  readonly opened: number;
  readonly bytes: number;
  readonly kinds: Readonly<Partial<Record<Kind, number>>>;
  readonly refused: number;
  readonly failed: number;
  /** The first of them, in words. */
  readonly failures: readonly string[];
}

/** A connection, from both ends. */
interface Pair {
  readonly number: number;
  readonly plan: Plan;
  client: Side;
  server: Side | undefined;
  readonly serverStream: Stream;
  readonly batch: number;
  dueMs: number;
}

class Load implements Surroundings {
  readonly poller = new Poller();
  nowMs = performance.now();
  readonly #random: () => number;
  readonly #largest: number;
  readonly #pairs = new Map<number, Pair>();
  readonly #bySide = new Map<Side, Pair>();
  /** Servers that spoke first and have not met their client yet. */
  readonly #talkers = new Map<number, { side: Side; stream: Stream }>();
  readonly #anonymous = new Set<Side>();
  #later: { side: Side; atMs: number }[] = [];
  #numbers = 0;
  #ports = { main: 0, talk: 0 };
  #everyMs = Number.POSITIVE_INFINITY;
  #nextMs = 0;
  #batch = 0;
  #released = 0;
  #saidHeld = true;
  #stopping = false;
  #input = "";
  readonly #report = { opened: 0, bytes: 0, kinds: {} as Record<string, number>, refused: 0, failed: 0 };
  readonly #failures: string[] = [];

  constructor(seed: number, largest: number) {
    this.#random = seeded(seed);
    this.#largest = largest;
    fillNoise(this.#random);
    const ports = Array.from({ length: SERVERS }, () => this.#serve((fd) => this.#acceptMain(fd)));
    const talk = this.#serve((fd) => this.#acceptTalker(fd));
    say({ ports, talk });
  }

  #serve(take: (fd: number) => void): number {
    const { fd, port } = listen();
    const owner: Pollable = {
      onReady: () => {
        for (let taken = accept(fd); taken >= 0; taken = accept(fd)) take(taken);
      },
    };
    this.poller.add(fd, READABLE, owner);
    return port;
  }

  run(): void {
    sys.fcntl(0, 4, 0o4000); // F_SETFL, O_NONBLOCK: commands are looked for between two turns
    while (!this.#stopping || this.#pairs.size > 0) {
      const ready = this.poller.wait(this.#later.some(({ atMs }) => atMs <= this.nowMs) ? 0 : LONGEST_SLEEP_MS);
      this.nowMs = performance.now();
      if (ready > 0) this.poller.dispatch(ready);
      this.#goOn();
      this.#open();
      this.#lookAround();
      this.#readCommands();
    }
    say({ report: { ...this.#report, failures: this.#failures } satisfies LoadReport });
  }

  #goOn(): void {
    const later = this.#later;
    this.#later = [];
    for (const entry of later) {
      if (entry.atMs <= this.nowMs) entry.side.goOn();
      else this.#later.push(entry);
    }
  }

  later(side: Side, atMs: number): void {
    this.#later.push({ side, atMs });
  }

  // Clients

  #open(): void {
    if (this.nowMs < this.#nextMs || this.#everyMs === Number.POSITIVE_INFINITY) return;
    for (let most = 20; most > 0 && this.#nextMs <= this.nowMs; most--) {
      this.#nextMs += this.#everyMs;
      this.#client(SMALL, 0);
    }
    this.#nextMs = Math.max(this.#nextMs, this.nowMs - 100);
  }

  #client(largest: number, batch: number): void {
    const plan = anyPlan(this.#random, largest);
    const number = ++this.#numbers;
    this.#report.opened++;
    this.#report.kinds[plan.kind] = (this.#report.kinds[plan.kind] ?? 0) + 1;
    const source = 1 + Math.floor(this.#random() * SOURCES);
    const port = plan.serverSpeaksFirst ? this.#ports.talk : this.#ports.main;
    const fd = connect(source, port, plan.client.receiveBuffer);
    if (fd < 0) return this.#refused(plan.kind, errnoName(-fd));
    const stream = this.#stream(number, plan.client.bytes);
    const serverStream = this.#stream(number, plan.kind === "nothing" ? 0 : plan.server.bytes);
    const expected = plan.serverSpeaksFirst
      ? (side: Side, talker: number) => this.#meetTalker(side, talker)
      : serverStream;
    const client = new Side(this, fd, plan.client, stream, expected);
    const pair: Pair = { number, plan, client, server: undefined, serverStream, batch, dueMs: this.nowMs + OVERDUE_MS };
    if (batch > 0) this.#hold(client, batch);
    this.#pairs.set(number, pair);
    this.#bySide.set(client, pair);
  }

  #stream(number: number, bytes: number): Stream {
    return new Stream(number, bytes, Math.floor(this.#random() * (1 << 22)));
  }

  /** Half of a stream can go before the pause, but not so little that the server does not know whose it is. */
  #hold(side: Side, batch: number): void {
    if (batch <= this.#released) return;
    side.held = true;
    const bytes = Math.min(side.stream.bytes, this.#largest);
    const before = side.plan.trickles ? 0 : Math.floor((bytes * this.#random()) / 2);
    side.holdAt = Math.min(bytes, Math.max(8, before));
  }

  // Servers

  #acceptMain(fd: number): void {
    // Whose it is stands at the head of its stream, and with it what to do.
    const side = new Side(this, fd, { ...quiet, begins: "after-end" }, this.#stream(0, 0), (_, number) =>
      this.#meetClient(side, number),
    );
    side.connected = true;
    this.#anonymous.add(side);
  }

  #meetClient(side: Side, number: number): Stream | undefined {
    const pair = this.#pairs.get(number);
    if (pair === undefined || pair.server !== undefined) return undefined;
    this.#anonymous.delete(side);
    side.become(pair.plan.server, pair.serverStream);
    pair.server = side;
    this.#bySide.set(side, pair);
    if (pair.batch > 0 && this.#random() < 0.5) this.#hold(side, pair.batch);
    return pair.client.stream;
  }

  #acceptTalker(fd: number): void {
    const number = ++this.#numbers;
    let plan = anyPlan(this.#random, SMALL);
    while (!plan.serverSpeaksFirst) plan = anyPlan(this.#random, SMALL);
    const stream = this.#stream(number, plan.server.bytes);
    const side = new Side(this, fd, plan.server, stream, this.#stream(number, 0));
    side.connected = true;
    this.#talkers.set(number, { side, stream });
    this.#anonymous.add(side);
  }

  #meetTalker(client: Side, number: number): Stream | undefined {
    const talker = this.#talkers.get(number);
    const pair = this.#bySide.get(client);
    if (talker === undefined || pair === undefined) return undefined;
    this.#talkers.delete(number);
    this.#anonymous.delete(talker.side);
    pair.server = talker.side;
    this.#bySide.set(talker.side, pair);
    return talker.stream;
  }

  // Ends

  done(side: Side): void {
    this.#anonymous.delete(side);
    this.#report.bytes += side.received;
    const pair = this.#bySide.get(side);
    if (pair === undefined) return;
    if (!pair.client.connected) {
      this.#forget(pair);
      return this.#refused(pair.plan.kind, errnoName(pair.client.code));
    }
    if (pair.client.isDone && (pair.server === undefined || pair.server.isDone)) this.#judge(pair);
  }

  #judge(pair: Pair): void {
    this.#forget(pair);
    const what = wrong(pair);
    if (what !== null) this.#failed(pair, what);
  }

  #forget({ number, client, server }: Pair): void {
    this.#pairs.delete(number);
    this.#bySide.delete(client);
    if (server !== undefined) this.#bySide.delete(server);
  }

  #refused(kind: Kind, code: string): void {
    this.#report.refused++;
    this.#keep(`${kind}: could not connect: ${code}`);
  }

  #failed(pair: Pair, what: string): void {
    this.#report.failed++;
    const { plan, client, server, batch } = pair;
    const where = batch > 0 ? `held in batch ${batch}` : "small";
    const ends = `client ${client.describe()}; server ${server === undefined ? "never came" : server.describe()}`;
    this.#keep(`${plan.kind} (${where}): ${what}. ${ends}`);
  }

  #keep(failure: string): void {
    if (this.#failures.length < KEPT_FAILURES) this.#failures.push(failure);
  }

  #lookAround(): void {
    if (!this.#saidHeld) {
      const pairs = [...this.#pairs.values()].filter(({ batch }) => batch === this.#batch);
      if (pairs.every(({ client }) => client.isHolding || client.isDone)) {
        this.#saidHeld = true;
        say({ held: pairs.length });
      }
    }
    for (const pair of this.#pairs.values()) {
      if (pair.batch > this.#released) pair.dueMs = this.nowMs + OVERDUE_MS;
      if (this.nowMs < pair.dueMs) continue;
      this.#forget(pair);
      this.#failed(pair, `not over after ${OVERDUE_MS} ms`);
      pair.client.giveUp();
      pair.server?.giveUp();
    }
  }

  // Commands

  #readCommands(): void {
    const bytes = new Uint8Array(1024);
    const got = Number(sys.read(0, bytes, bytes.length));
    if (got < 0 && errno() === EAGAIN) return;
    if (got <= 0) process.exit(1); // whoever started it is gone
    const lines = (this.#input + Buffer.from(bytes.subarray(0, got)).toString()).split("\n");
    this.#input = lines.pop()!;
    for (const line of lines) this.#obey(line.split(" "));
  }

  #obey([command, first, second]: string[]): void {
    switch (command) {
      case "to":
        this.#ports = { main: Number(first), talk: Number(second) };
        break;
      case "rate":
        this.#everyMs = 1000 / Number(first);
        this.#nextMs = this.nowMs;
        break;
      case "hold":
        this.#batch++;
        this.#saidHeld = false;
        for (let left = Number(first); left > 0; left--) {
          this.#client(left % LARGE_ONE_IN === 0 ? this.#largest : SMALL, this.#batch);
        }
        break;
      case "release":
        this.#released = this.#batch;
        for (const { client, server } of this.#pairs.values()) {
          client.release();
          server?.release();
        }
        break;
      case "stop":
        this.#stopping = true;
        this.#everyMs = Number.POSITIVE_INFINITY;
    }
  }
}

/** What was wrong with a connection that is over; null: nothing. */
function wrong({ plan, client, server }: Pair): string | null {
  if (client.wrongAt >= 0) return `the client's byte ${client.wrongAt} is not what the server sent`;
  if (server !== undefined && server.wrongAt >= 0) return `the server's byte ${server.wrongAt} is not what was sent`;
  const hasAll = (reader: Side, writer: Side) => reader.ending === "end" && reader.received === writer.stream.bytes;
  switch (plan.kind) {
    case "nothing":
      return client.ending === "end" ? null : "the client did not see the server's end";
    case "client resets":
      return server === undefined || server.ending === "reset" ? null : "the server did not see the client's reset";
    case "server resets":
      return client.ending === "reset" ? null : "the client did not see the server's reset";
  }
  if (server === undefined) return "it reached no server";
  if (plan.kind === "client leaves a stream") {
    return server.ending === "reset" ? null : "the server was not told that the client has gone";
  }
  if (!hasAll(client, server)) return "the client did not get everything";
  if (plan.kind !== "server answers and leaves" && !hasAll(server, client)) return "the server did not get everything";
  return null;
}

function say(line: object): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

if (import.meta.main) {
  const [seed, largest] = process.argv.slice(2).map(Number);
  new Load(seed!, largest!).run();
}
