/**
 * The web clients, in a process of their own. Takes a job a line on its standard input (`jobs.ts`) and answers each with a
 * line; ends when its input does. An answer that is wrong in any byte ends the job with an error: a figure for work that was
 * not done is no figure.
 */
import { percentiles } from "../figures.ts";
import { down, up } from "./bulk.ts";
import { NEWCOMER } from "./client.ts";
import { handshakes } from "./handshakes.ts";
import type { WebAnswer, WebJob } from "./jobs.ts";
import { type Open, type Opened, open, usersOf, visit } from "./open.ts";
import { listen } from "./streams.ts";
import { CLIENT_MESSAGE } from "./wire.ts";

let held: Open | undefined;

for await (const line of console) {
  const began = Bun.nanoseconds();
  const answer: WebAnswer = { seconds: 0 };
  try {
    Object.assign(answer, run(JSON.parse(line) as WebJob));
  } catch (error) {
    release();
    answer.error = String(error);
  }
  answer.seconds ||= (Bun.nanoseconds() - began) / 1e9;
  console.log(JSON.stringify(answer));
}

function run(job: WebJob): Partial<WebAnswer> {
  switch (job.job) {
    case "open":
      if (held) throw new Error("the connections of the last job are still open");
      held = open(job);
      return {};
    case "release":
      release();
      return {};
    case "cookie":
      return { cookie: usersOf(job)[0]!.cookie };
    case "requests":
      return requests(job.count, job.newcomers ?? false);
    case "echoes":
      return echoes(job.count);
    case "round-trips":
      return roundTrips(job.count);
    case "down":
      down(opened(), job.bytes);
      return {};
    case "up":
      up(opened(), job.bytes);
      return {};
    case "listen":
      return listen(opened(), job.seconds);
    case "visits": {
      const users = usersOf(job);
      const began = Bun.nanoseconds();
      visit(job, job.count, (n) => users[n % users.length]!, job.concurrency);
      return { seconds: (Bun.nanoseconds() - began) / 1e9 };
    }
    case "handshakes":
      return handshakes(job);
  }
}

function opened(): Open {
  if (!held) throw new Error("nothing is open");
  return held;
}

function release(): void {
  held?.crowd.dispose();
  held = undefined;
}

/** Does something `count` times over all connections that are open, one at a time on each. */
function inTurns(count: number, ask: (one: Opened) => void, answered: (one: Opened) => boolean): void {
  const { crowd, ones } = opened();
  let asked = 0;
  let done = 0;
  const whenReady = (one: Opened): void => {
    // An event may also say that the connection can be written to, between two questions.
    if (!answered(one)) return;
    done++;
    if (asked === count) return;
    asked++;
    ask(one);
  };
  for (const one of ones) {
    one.whenReady = whenReady;
    if (asked === count) continue;
    asked++;
    ask(one);
  }
  crowd.serve(() => done === count);
}

function requests(count: number, newcomers: boolean): Partial<WebAnswer> {
  const was = opened().ones.map((one) => one.user);
  if (newcomers) for (const one of opened().ones) one.user = NEWCOMER;
  inTurns(
    count,
    (one) => one.send(one.user.page),
    (one) => one.readPage() && (!newcomers || one.wasGivenCookie()),
  );
  for (const [n, one] of opened().ones.entries()) one.user = was[n]!;
  return {};
}

function echoes(count: number): Partial<WebAnswer> {
  inTurns(
    count,
    (one) => one.send(CLIENT_MESSAGE),
    (one) => one.readMessage(),
  );
  return {};
}

function roundTrips(count: number): Partial<WebAnswer> {
  const { crowd, ones, what } = opened();
  const one = ones[0]!;
  const times = new Float64Array(count);
  let done = false;
  one.whenReady = () => {
    done = what === "echo" ? one.readMessage() : one.readPage();
  };
  const over = (): boolean => done;
  for (let n = 0; n < count; n++) {
    const began = Bun.nanoseconds();
    done = false;
    one.send(what === "echo" ? CLIENT_MESSAGE : one.user.page);
    crowd.serve(over);
    times[n] = Bun.nanoseconds() - began;
  }
  return percentiles(times);
}
