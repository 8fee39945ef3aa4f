/**
 * The clients, in a process of their own. Takes a job a line on its standard input and answers each with a line; ends when
 * its input does. A connection that was refused, cut short or stalled ends the job with an error: a figure for work that
 * was not done is no figure.
 */
import { percentiles } from "./figures.ts";
import {
  close,
  connectBlocking,
  connectFrom,
  EDGE,
  type Endpoint,
  fail,
  IN,
  MSG_TRUNC,
  OUT,
  Poller,
  receive,
  send,
  socketAddress,
} from "./sockets.ts";
import { CONNECTION_CONFIRM, connectionRequest, DOWN, ECHO, MESSAGE_SIZE, ORDER_SIZE, order, UP } from "./wire.ts";

/** All jobs name the target, and whether an X.224 exchange comes before anything else. */
interface Target {
  target: Endpoint;
  rdp: boolean;
}
export type Job =
  /** Open, send 100 bytes, get 100 bytes, close; `hold`: stay open, until `release`. */
  | ({ job: "connections"; count: number; concurrency: number; hold?: boolean } & Target)
  | { job: "release" }
  /** `streams` connections at once, `bytes` on each. */
  | ({ job: "down" | "up"; streams: number; bytes: number } & Target)
  /** 64 bytes there and back on one connection, `count` times. */
  | ({ job: "round-trips"; count: number } & Target)
  /** From connect to the first byte of an answer, one connection after the other. */
  | ({ job: "first-bytes"; count: number } & Target);

export interface Answer {
  error?: string;
  seconds: number;
  /** Of the latency jobs, in microseconds. */
  p50?: number;
  p99?: number;
}

const SOURCES = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => socketAddress({ host: `127.0.1.${n}`, port: 0 }));
const REQUESTS = Array.from({ length: 500 }, (_, n) => connectionRequest(`user${n}`));
const MESSAGE = order(ECHO, 0, MESSAGE_SIZE);
const CONFIRM_SIZE = CONNECTION_CONFIRM.length;
const STALL_MS = 10_000;
const buffer = new Uint8Array(1024 * 1024);
const held: number[] = [];

/** What a connection of `connections` waits for. */
const CONNECTING = 1;
const CONFIRMING = 2;
const ANSWERING = 3;

for await (const line of console) {
  const began = Bun.nanoseconds();
  const answer: Answer = { seconds: 0 };
  try {
    Object.assign(answer, run(JSON.parse(line) as Job));
  } catch (error) {
    answer.error = String(error);
  }
  answer.seconds ||= (Bun.nanoseconds() - began) / 1e9;
  console.log(JSON.stringify(answer));
}

function run(job: Job): Partial<Answer> {
  switch (job.job) {
    case "connections":
      return connections(job.target, job.rdp, job.count, job.concurrency, job.hold ?? false);
    case "release":
      for (const fd of held.splice(0)) close(fd);
      return {};
    case "down":
    case "up":
      return bulk(job.target, job.rdp, job.job === "down" ? DOWN : UP, job.streams, job.bytes);
    case "round-trips":
      return roundTrips(job.target, job.rdp, job.count);
    case "first-bytes":
      return firstBytes(job.target, job.rdp, job.count);
  }
}

function connections(to: Endpoint, rdp: boolean, count: number, concurrency: number, hold: boolean): Partial<Answer> {
  const poller = new Poller();
  const target = socketAddress(to);
  const phase: number[] = [];
  const missing: number[] = [];
  let opened = 0;
  let asked = 0;
  let done = 0;

  const open = (): void => {
    if (opened === count) return;
    const fd = connectFrom(SOURCES[opened % SOURCES.length]!, target);
    opened++;
    phase[fd] = CONNECTING;
    poller.add(fd, IN | OUT | EDGE);
  };
  const ask = (fd: number, next: number, bytes: Uint8Array, answer: number): void => {
    if (send(fd, bytes) !== bytes.length) fail(`send on connection ${opened}`);
    phase[fd] = next;
    missing[fd] = answer;
  };
  const connected = (fd: number): void => {
    if (rdp) ask(fd, CONFIRMING, REQUESTS[asked++ % REQUESTS.length]!, CONFIRM_SIZE);
    else ask(fd, ANSWERING, MESSAGE, MESSAGE_SIZE);
  };
  const answered = (fd: number): void => {
    const got = receive(fd, buffer);
    if (got === -1) return;
    if (got <= 0) throw new Error(`the connection was ended before its answer, ${done} of ${count} were done`);
    missing[fd]! -= got;
    if (missing[fd]! > 0) return;
    if (phase[fd] === CONFIRMING) ask(fd, ANSWERING, MESSAGE, MESSAGE_SIZE);
    else finished(fd);
  };
  const finished = (fd: number): void => {
    phase[fd] = 0;
    if (hold) held.push(fd);
    else close(fd);
    done++;
    open();
  };

  const began = Bun.nanoseconds();
  for (let n = 0; n < concurrency; n++) open();
  while (done < count) {
    const events = poller.wait(STALL_MS);
    if (events <= 0) throw new Error(`nothing happened for ${STALL_MS} ms, ${done} of ${count} were done`);
    for (let event = 0; event < events; event++) {
      const fd = poller.fd(event);
      if (phase[fd] === CONNECTING) {
        if (poller.writable(event)) connected(fd);
      } else if (phase[fd]) answered(fd);
    }
  }
  const seconds = (Bun.nanoseconds() - began) / 1e9;
  poller.dispose();
  return { seconds };
}

/** Connects, and makes the X.224 exchange if it is RDP; the socket blocks. */
function arrive(to: Endpoint, rdp: boolean): number {
  const fd = connectBlocking(socketAddress(to));
  if (rdp) exchange(fd, REQUESTS[0]!, CONFIRM_SIZE);
  return fd;
}

function exchange(fd: number, bytes: Uint8Array, answer: number): void {
  if (send(fd, bytes) !== bytes.length) fail("send");
  for (let missing = answer; missing > 0; ) {
    const got = receive(fd, buffer);
    if (got <= 0) fail(`no answer (${got})`);
    missing -= got;
  }
}

function bulk(to: Endpoint, rdp: boolean, direction: number, streams: number, bytes: number): Partial<Answer> {
  const poller = new Poller();
  const left: number[] = [];
  const fds: number[] = [];
  for (let n = 0; n < streams; n++) {
    const fd = arrive(to, rdp);
    fds.push(fd);
    if (send(fd, order(direction, bytes)) !== ORDER_SIZE) fail("send");
    left[fd] = bytes;
    poller.add(fd, direction === DOWN ? IN : OUT);
  }
  let done = 0;
  const finish = (fd: number): void => {
    left[fd] = 0;
    done++;
    close(fd);
  };
  const take = (fd: number): void => {
    const got = receive(fd, buffer, MSG_TRUNC);
    if (got <= 0) fail(`a download ended with ${left[fd]} bytes missing`);
    left[fd]! -= got;
    if (left[fd] === 0) finish(fd);
  };
  const give = (fd: number): void => {
    const sent = send(fd, buffer, Math.min(left[fd]!, buffer.length));
    if (sent < 0) fail(`an upload ended with ${left[fd]} bytes left`);
    left[fd]! -= sent;
    if (left[fd] === 0) poller.change(fd, IN);
  };
  const began = Bun.nanoseconds();
  while (done < streams) {
    const events = poller.wait(STALL_MS);
    if (events <= 0) throw new Error(`nothing happened for ${STALL_MS} ms`);
    for (let event = 0; event < events; event++) {
      const fd = poller.fd(event);
      if (direction === DOWN) take(fd);
      else if (left[fd]! > 0) give(fd);
      else {
        if (receive(fd, buffer) !== 1) fail("an upload was not confirmed");
        finish(fd);
      }
    }
  }
  const seconds = (Bun.nanoseconds() - began) / 1e9;
  poller.dispose();
  return { seconds };
}

function roundTrips(to: Endpoint, rdp: boolean, count: number): Partial<Answer> {
  const fd = arrive(to, rdp);
  const message = order(ECHO, 0, 64);
  const times = new Float64Array(count);
  for (let n = 0; n < count; n++) {
    const began = Bun.nanoseconds();
    exchange(fd, message, message.length);
    times[n] = Bun.nanoseconds() - began;
  }
  close(fd);
  return percentiles(times);
}

function firstBytes(to: Endpoint, rdp: boolean, count: number): Partial<Answer> {
  const target = socketAddress(to);
  const times = new Float64Array(count);
  for (let n = 0; n < count; n++) {
    const began = Bun.nanoseconds();
    const fd = connectBlocking(target);
    if (rdp) exchange(fd, REQUESTS[n % REQUESTS.length]!, CONFIRM_SIZE);
    else exchange(fd, MESSAGE, MESSAGE_SIZE);
    times[n] = Bun.nanoseconds() - began;
    close(fd);
  }
  return percentiles(times);
}
