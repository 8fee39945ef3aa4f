/** Opening connections: the users with their cookies, and what a connection is opened for. */
import { Client, NEWCOMER, type User } from "./client.ts";
import { Crowd, type Member, Pieces } from "./crowd.ts";
import type { Target, WebJob } from "./jobs.ts";
import { request } from "./wire.ts";

/** Users whom each target has given a cookie, made at its first job. */
const users = new Map<string, User[]>();
const USERS = 8;
const CONCURRENCY = 50;

/** An open connection. What is done with it changes from job to job. */
export class Opened extends Client implements Member {
  #arrived = false;
  /** Called whenever the connection is ready, once it has arrived. */
  whenReady: (one: Opened) => void;

  constructor(target: Target, user: User, whenReady: (one: Opened) => void, whenArrived: (one: Opened) => void) {
    super(target, user);
    this.whenReady = whenReady;
    this.#whenArrived = whenArrived;
  }
  readonly #whenArrived;

  ready(): void {
    if (!this.#arrived) {
      if (!this.line.arrive()) return;
      this.#arrived = true;
      this.#whenArrived(this);
    }
    this.whenReady(this);
  }
}

/** The users of a target. Throws when a newcomer is given no cookie: then nothing would be measured that is meant. */
export function usersOf(to: Target): User[] {
  const key = `${to.target.host}:${to.target.port}`;
  const known = users.get(key);
  if (known) return known;
  const made: User[] = [];
  for (const one of visit(to, USERS, () => NEWCOMER)) {
    const user = one.became();
    if (user.cookie === "") throw new Error(`a newcomer was given no cookie: ${one.answer.toString("latin1", 0, 300)}`);
    made.push(user);
  }
  users.set(key, made);
  return made;
}

/** So many connections, each of which has had its page; closed behind it. */
export function visit(to: Target, count: number, userOf: (n: number) => User, concurrency = CONCURRENCY): Opened[] {
  const crowd = new Crowd<Opened>();
  const seen: Opened[] = [];
  const whenReady = (one: Opened): void => {
    if (!one.readPage()) return;
    if (count <= USERS) seen.push(one);
    crowd.remove(one);
    pieces.end();
  };
  const whenArrived = (one: Opened): void => one.send(one.user.page);
  const pieces = new Pieces(count, () => crowd.add(new Opened(to, userOf(pieces.begun), whenReady, whenArrived)));
  pieces.start(concurrency);
  crowd.serve(pieces.over);
  crowd.dispose();
  return seen;
}

/** The connections that are open, between two jobs. */
export interface Open {
  crowd: Crowd<Opened>;
  ones: Opened[];
  what: "page" | "echo" | "stream";
}

export function open({ what, count, sticky, ...to }: WebJob & { job: "open" }): Open {
  const known = sticky ? usersOf(to) : [NEWCOMER];
  const crowd = new Crowd<Opened>();
  const ones: Opened[] = [];
  const idle = (): void => {};
  const whenReady = (one: Opened): void => {
    if (what === "page") {
      if (!one.readPage()) return;
    } else {
      const length = one.readHead(what === "echo" ? "101" : "200");
      if (length === 0) return;
      one.answer.copyWithin(0, length, one.length);
      one.length -= length;
    }
    one.whenReady = idle;
    ones.push(one);
    pieces.end();
  };
  const whenArrived = (one: Opened): void => one.send(request(what, one.user.cookie));
  const pieces = new Pieces(count, () =>
    crowd.add(new Opened(to, known[pieces.begun % known.length]!, whenReady, whenArrived)),
  );
  pieces.start(CONCURRENCY);
  crowd.serve(pieces.over);
  return { crowd, ones, what };
}
