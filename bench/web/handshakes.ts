/** TLS handshakes, full or resumed, and nothing else. */
import type { Handle } from "../../src/os/openssl.ts";
import { dial } from "./client.ts";
import { Crowd, type Member, Pieces } from "./crowd.ts";
import type { WebAnswer, WebJob } from "./jobs.ts";
import { freeSession, TlsLine } from "./line.ts";

const scratch = new Uint8Array(16 * 1024);
/** Sessions to resume, of each target. */
const sessions = new Map<string, Handle[]>();
const SESSIONS = 8;

/**
 * One handshake. The client says at once that it has nothing to send, and reads until the server has closed: its tickets come
 * behind the client's last message, so they prove that the server, too, has got to the end.
 */
class Handshake implements Member {
  readonly line: TlsLine;
  readonly #done: (one: Handshake) => void;
  #arrived = false;

  constructor(fd: number, resumed: Handle | null, done: (one: Handshake) => void) {
    this.line = new TlsLine(fd, resumed);
    this.#done = done;
  }

  ready(): void {
    if (!this.#arrived) {
      if (!this.line.arrive()) return;
      this.#arrived = true;
      this.line.end();
    }
    for (;;) {
      const got = this.line.receive(scratch);
      if (got > 0) throw new Error("the server has sent something unasked");
      if (got === -1) return;
      this.#done(this);
      return;
    }
  }
}

export function handshakes({ target, count, concurrency, resume }: WebJob & { job: "handshakes" }): Partial<WebAnswer> {
  const key = `${target.host}:${target.port}`;
  let known: Handle[] = [];
  if (resume) {
    known = sessions.get(key) ?? [];
    if (known.length === 0) {
      run(target, SESSIONS, SESSIONS, null, (session) => known.push(session));
      sessions.set(key, known);
    }
  }
  const began = Bun.nanoseconds();
  let resumed = 0;
  run(target, count, concurrency, resume ? known : null, freeSession, (one) => {
    if (one.line.resumed) resumed++;
  });
  return { resumed, seconds: (Bun.nanoseconds() - began) / 1e9 };
}

function run(
  target: { host: string; port: number },
  count: number,
  concurrency: number,
  known: Handle[] | null,
  keep: (session: Handle) => void,
  look: (one: Handshake) => void = () => {},
): void {
  const crowd = new Crowd<Handshake>();
  const done = (one: Handshake): void => {
    const session = one.line.session();
    if (session === null) throw new Error("a server has closed without a ticket");
    keep(session);
    look(one);
    crowd.remove(one);
    pieces.end();
  };
  const pieces = new Pieces(count, () =>
    crowd.add(new Handshake(dial(target), known?.[pieces.begun % known.length] ?? null, done)),
  );
  pieces.start(concurrency);
  crowd.serve(pieces.over);
  crowd.dispose();
}
