/** Load generators, and what they say became of it. */
import { Child } from "../child.ts";

/** More than they take: a generator that hangs has found something. */
const END_WITHIN_MS = 30_000;

export interface Outcome {
  /** Requests that got an answer of 200 to 299. */
  readonly good: number;
  /** Requests that got none, or another. */
  readonly failed: number;
  /** All that it printed, for the message of a failure. */
  readonly text: string;
}

/** A generator under way. */
export interface Load {
  readonly outcome: Promise<Outcome>;
}

/** h2load: HTTP/2 for a number of seconds, over connections that stay. */
export function h2load(url: string, address: string, seconds: number): Load {
  const { hostname, port, pathname } = new URL(url);
  return run(
    [
      ...["h2load", "--duration", String(seconds), "--clients", "10", "--max-concurrent-streams", "10"],
      ...["--connect-to", `${address}:${port}`, `https://${hostname}:${port}${pathname}`],
    ],
    (text) => {
      const [, succeeded, failed, , timeouts] =
        / (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(text)?.map(Number) ?? [];
      return { good: succeeded ?? 0, failed: sum(failed, timeouts), text };
    },
  );
}

/** wrk: HTTP/1.1 for a number of seconds, over connections that stay. `headers`: sent with each request. */
export function wrk(url: string, seconds: number, headers: readonly string[] = []): Load {
  return run(
    [
      ...["wrk", "--threads", "1", "--connections", "20", "--duration", `${seconds}s`, "--timeout", "5s"],
      ...headers.flatMap((header) => ["--header", header]),
      url,
    ],
    (text) => {
      const total = Number(/(\d+) requests in /.exec(text)?.[1] ?? 0);
      // It says nothing of what did not happen.
      const other = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
      const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text) ?? [];
      return { good: total - other, failed: other + sum(...errors.slice(1).map(Number)), text };
    },
  );
}

const sum = (...numbers: readonly (number | undefined)[]): number =>
  numbers.reduce((total: number, number) => total + (number ?? Number.POSITIVE_INFINITY), 0);

function run(command: string[], read: (text: string) => Outcome): Load {
  const child = new Child(command);
  const outcome = child.ended(END_WITHIN_MS).then((code) => {
    const text = child.output();
    if (code !== 0) throw new Error(`${command[0]} ended with ${code}\n${text}`);
    return read(text);
  });
  outcome.catch(() => {});
  return { outcome };
}
