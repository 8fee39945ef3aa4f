/** Answers with a line of words over TCP: what HAProxy's agent-check and Loadbalancer.org's balancers ask. */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import type { Address } from "../config/quantities.ts";
import type { Timing } from "../deadlines/timing.ts";
import { LOAD_DISABLED, LOAD_DOWN, LOAD_OVERLOADED } from "../protocols/agent/number.ts";
import type { Listening } from "./number.ts";
import type { Sample } from "./sampler.ts";

const MOST_AT_ONCE = 256;
/** A balancer has this long to take its line and to close. */
const PATIENCE_MS = 2_000;
/** Balancers that are known to have heard `up ready`. With more of them, all hear it again. */
const MOST_BALANCERS = 1024;

/**
 * The line for each balancer: the idle share as a percentage of its weight (`66%`; `0%` when overloaded, which keeps the
 * clients it has), `down` or `maint`. The first after the agent has started begins with `up ready`, which takes back what an
 * earlier agent said; so does the first after `down` or `maint`. Every later one must not: `ready` would also end a drain
 * that a person set in an HAProxy. Each balancer has its own first one: two that watch the same server both need it.
 */
export class TextLines {
  readonly #heard = new Set<string>();

  /** The line for the balancer at `address`; undefined while the load is not known: no answer changes nothing. */
  lineFor(address: string, sample: Sample): string | undefined {
    if ("failure" in sample) return undefined;
    if (sample.load === LOAD_DOWN || sample.load === LOAD_DISABLED) {
      this.#heard.clear();
      return sample.load === LOAD_DOWN ? "down\n" : "maint\n";
    }
    const idle = sample.load >= LOAD_OVERLOADED ? 0 : 100 - sample.load;
    if (this.#heard.has(address)) return `${idle}%\n`;
    if (this.#heard.size >= MOST_BALANCERS) this.#heard.clear();
    this.#heard.add(address);
    return `up ready ${idle}%\n`;
  }
}

/** Serves the line to whoever connects. @throws when the address cannot be listened on. */
export async function serveText(listen: Address, sample: () => Sample, timing: Timing): Promise<Listening> {
  const lines = new TextLines();
  const open = new Set<Socket>();
  // Half-open: what the balancer sends is read before closing, else the reset could overtake the line.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    const stopTimer = timing.after(PATIENCE_MS, () => socket.destroy());
    socket.once("close", () => {
      stopTimer();
      open.delete(socket);
    });
    socket.on("error", () => socket.destroy());
    socket.resume();
    const line = lines.lineFor(socket.remoteAddress ?? "", sample());
    if (line === undefined) socket.destroy();
    else socket.end(line);
  });
  server.maxConnections = MOST_AT_ONCE;
  server.listen(listen.port, listen.host);
  await once(server, "listening");
  // From here on errors are of single connections (no descriptor left): the next one may work.
  server.on("error", () => {});
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : listen.port,
    stop: async () => {
      const closed = once(server, "close");
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
