/** Watching a server become empty: a line for each change, what blocks by name, and when it is safe to stop. */
import type { ApiClient } from "../api/client.ts";
import type { AdministrativeAnswer } from "../api/schemas.ts";
import type { PoolStatus, ServerStatus, Session, StatusReport } from "../balancer/control/balancer.ts";
import { printable } from "../config/problem.ts";
import { Exit } from "./exit.ts";
import { clockText, durationText, plural, sinceText } from "./figures.ts";
import { interruptible } from "./interrupt.ts";
import { cut } from "./line.ts";
import type { Stream } from "./terminal.ts";

const EVERY_MS = 1_000;
/** Connections that outlive the deadline by this much are not going to be ended any more: something is wrong. */
const OVERDUE_MS = 60_000;
/** Without a terminal a line comes for each change, but a quiet drain says so only this often. */
const QUIET_MS = 60_000;
const MAX_NAMED = 3;

interface Left {
  pool: PoolStatus;
  server: ServerStatus;
}

/** Waits until nothing is left on the server, or `atMostMs` have passed. Returns the exit code. */
export async function waitUntilEmpty(
  out: Stream,
  client: ApiClient,
  answer: AdministrativeAnswer,
  atMostMs: number | undefined,
): Promise<number> {
  const name = `${answer.pool}/${answer.server}`;
  const began = performance.now();
  const endedBefore = drainedIn(await client.status());
  const progress = new Progress(out, answer);
  const stopped = () => {
    out.write(`Only the watching has stopped: ${name} goes on draining. Back into service: holdfast ready ${name}\n`);
  };
  return interruptible(async (wait) => {
    for (;;) {
      const status = await client.status();
      const left = find(status, answer);
      const elapsedMs = performance.now() - began;
      if (left === null) return say(out, `${name} is no longer in the configuration.`, Exit.DONE);
      if (left.server.state !== "draining" && !isAway(left.server)) {
        const by = left.server.by === "" ? "" : ` by ${printable(left.server.by)}`;
        return say(out, `${name} is not draining any more: ${left.server.state}${by}.`, Exit.NO);
      }
      if (isEmpty(left)) {
        progress.end();
        const ended = Math.min(answer.stays.open, drainedIn(status) - endedBefore);
        return say(out, emptyText(name, answer, left, ended, elapsedMs), Exit.DONE);
      }
      const overdue = answer.ends !== null && Date.now() > Date.parse(answer.ends) + OVERDUE_MS;
      if (overdue || (atMostMs !== undefined && elapsedMs >= atMostMs)) {
        progress.end();
        const still = `${plural(left.server.open, "connection")} still open`;
        const names = await blockers(client, answer);
        return say(
          out,
          `The time is up: ${still} on ${name}${names}. Go on: holdfast drain ${name} --wait`,
          Exit.TIME_UP,
        );
      }
      await progress.show(left, client, elapsedMs);
      await wait(EVERY_MS);
    }
  }, stopped);
}

/** Prints one line that changes on a terminal; elsewhere a new line for each change. */
class Progress {
  readonly #out: Stream;
  readonly #answer: AdministrativeAnswer;
  #before = "";
  #saidAtMs = Number.NEGATIVE_INFINITY;

  constructor(out: Stream, answer: AdministrativeAnswer) {
    this.#out = out;
    this.#answer = answer;
  }

  async show({ pool, server }: Left, client: ApiClient, elapsedMs: number): Promise<void> {
    const { connected, disconnected } = server.sessions;
    const counts = pool.directory
      ? [`${connected} connected`, `${disconnected} disconnected`]
      : [`${server.open} connected`, ...rememberedText(server)];
    const same = counts.join() === this.#before;
    if (!this.#out.isTerminal && same && elapsedMs - this.#saidAtMs < QUIET_MS) return;
    this.#before = counts.join();
    this.#saidAtMs = elapsedMs;

    const now = Date.now();
    const parts = [clockText(now, now, true), ...counts];
    if (this.#answer.ends !== null) {
      parts.push(`${durationText(Math.max(0, Date.parse(this.#answer.ends) - now))} left`);
    }
    const gone = this.#answer.stays.open - server.open;
    if (gone > 0 && elapsedMs >= 10_000) parts.push(`${((gone / elapsedMs) * 60_000).toFixed(1)} leave a minute`);
    const blocking = await longestIdle(client, this.#answer, now);
    if (blocking !== null) parts.push(blocking);
    const line = cut(parts.join("   "), this.#out.isTerminal ? this.#out.width() - 1 : Number.POSITIVE_INFINITY);
    this.#out.write(this.#out.isTerminal ? `\r${line}\x1b[K` : `${line}\n`);
  }

  /** Leaves the line as it is. */
  end(): void {
    if (this.#out.isTerminal && this.#before !== "") this.#out.write("\n");
  }
}

function say(out: Stream, text: string, code: number): number {
  out.write(`${text}\n`);
  return code;
}

function find(status: StatusReport, answer: { pool: string; server: string }): Left | null {
  const pool = status.pools.find(({ name }) => name === answer.pool);
  const server = pool?.servers.find(({ name }) => name === answer.server);
  return pool === undefined || server === undefined ? null : { pool, server };
}

/** Down or in maintenance: what drains may fail meanwhile and is still on its way to being empty. */
function isAway(server: ServerStatus): boolean {
  return server.state === "down" || server.state === "maintenance";
}

/** Over when nothing is open and, where a directory knows, no session is there either. */
function isEmpty({ pool, server }: Left): boolean {
  return server.open === 0 && (!pool.directory || server.sessions.connected + server.sessions.disconnected === 0);
}

function emptyText(name: string, answer: AdministrativeAnswer, left: Left, ended: number, elapsedMs: number): string {
  const were = answer.stays.open;
  const counted = were === 0 ? "nobody was there" : `${Math.max(0, were - ended)} left, ${ended} were ended`;
  const empty = `${name} is empty after ${durationText(elapsedMs)}: ${counted}.`;
  const back = `Back into service: holdfast ready ${name}`;
  const { remembered, sessions } = left.server;
  const { disconnected } = sessions;
  if (!left.pool.directory && remembered === undefined && disconnected > 0) {
    const them = disconnected === 1 ? "1 user who was there" : `${disconnected} users who were there`;
    return `${empty} No connection is open, but nothing says that the sessions of ${them} are over: stopping it may end them. ${back}`;
  }
  const safe = `${empty} Safe to stop. ${back}`;
  if (left.pool.directory || remembered === undefined || remembered.count === 0) return safe;
  const until = remembered.until === null ? "" : `, the last until ${clockText(remembered.until, Date.now())}`;
  return `${safe}\n${plural(remembered.count, "user")} still remembered there${until}: who comes back earlier is sent to it as long as it drains.`;
}

function rememberedText({ remembered }: ServerStatus): string[] {
  return remembered === undefined ? [] : [`${remembered.count} remembered`];
}

const drainedIn = (status: StatusReport) =>
  status.services.reduce((sum, service) => sum + (service.ended.drained ?? 0), 0);

async function longestIdle(
  client: ApiClient,
  { pool, server }: AdministrativeAnswer,
  now: number,
): Promise<string | null> {
  const { items } = await client.sessions({ pool, server, limit: 1_000 });
  const idle = items.filter((session) => session.state === "disconnected");
  if (idle.length === 0) return items.length === 0 || items.length > MAX_NAMED ? null : `left: ${users(items)}`;
  const longest = idle.reduce((a, b) => (Date.parse(a.lastSeen) <= Date.parse(b.lastSeen) ? a : b));
  return `longest idle: ${users([longest])} ${sinceText(longest.lastSeen, now)}`;
}

async function blockers(client: ApiClient, { pool, server }: AdministrativeAnswer): Promise<string> {
  const { items } = await client.sessions({ pool, server, state: "connected", limit: MAX_NAMED });
  return items.length === 0 ? "" : ` (${users(items)}${items.length === MAX_NAMED ? " …" : ""})`;
}

function users(sessions: readonly Session[]): string {
  return sessions.map((session) => (session.user === "" ? session.from : printable(session.user))).join(", ");
}
