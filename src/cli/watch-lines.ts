/** Watching without a screen: a line for each change of a state, or one JSON object each time. */
import type { StatusReport } from "../balancer/control/balancer.ts";
import { printable } from "../config/problem.ts";
import { HoldfastError } from "../errors.ts";
import { clockText } from "./figures.ts";
import { interruptible } from "./interrupt.ts";
import { stateText } from "./state.ts";
import type { Terminal } from "./terminal.ts";

/** Where the next report comes from. */
export interface StatusSource {
  read(): Promise<StatusReport>;
  everyMs: number;
}

/** One object a line, until a signal or until the process behind the socket is gone. */
export async function watchJson(terminal: Terminal, first: StatusReport, source: StatusSource): Promise<number> {
  return interruptible(async (wait) => {
    for (let status = first; ; status = await source.read()) {
      terminal.stdout.write(`${JSON.stringify(status)}\n`);
      await wait(source.everyMs);
    }
  });
}

/** One line for each state at the beginning, then one for each change. */
export async function watchChanges(terminal: Terminal, first: StatusReport, source: StatusSource): Promise<number> {
  return interruptible(async (wait) => {
    let known = new Map<string, string>();
    let status: StatusReport | null = first;
    for (;;) {
      const now = Date.now();
      const clock = clockText(now, now, true);
      if (status !== null) {
        const states = statesOf(status, terminal.glyphs);
        for (const [name, state] of states) {
          if (known.get(name) !== state) terminal.stdout.write(`${clock}  ${name}  ${state}\n`);
        }
        for (const name of known.keys()) {
          if (!states.has(name)) terminal.stdout.write(`${clock}  ${name}  is gone\n`);
        }
        known = states;
      } else if (known.size > 0) {
        terminal.stdout.write(`${clock}  holdfast  does not answer\n`);
        known = new Map();
      }
      await wait(source.everyMs);
      status = await readOrNull(source);
    }
  });
}

/** Null while nothing runs behind the socket: a restart is no reason to stop watching. */
export async function readOrNull(source: StatusSource): Promise<StatusReport | null> {
  try {
    return await source.read();
  } catch (error) {
    if (error instanceof HoldfastError && error.exitCode === NOT_RUNNING) return null;
    throw error;
  }
}
const NOT_RUNNING = 3;

function statesOf(status: StatusReport, glyphs: boolean): Map<string, string> {
  const states = new Map([["generation", String(status.generation.number)]]);
  for (const { name, state } of status.services) states.set(name, stateText(state, glyphs));
  for (const pool of status.pools) {
    for (const { name, state, reason, by } of pool.servers) {
      const why = [by === "" ? "" : `by ${printable(by)}`, printable(reason)].filter((part) => part !== "");
      states.set(`${pool.name}/${name}`, [stateText(state, glyphs), ...why].join(", "));
    }
  }
  return states;
}
