/** `holdfast agent`: says how loaded this machine is, to balancers that ask. */
import type { AgentRole } from "../config/schema.ts";
import { systemTiming, type Timing } from "../deadlines/timing.ts";
import { type Listening, serveNumber } from "./number.ts";
import { Sampler } from "./sampler.ts";
import { serveText } from "./text.ts";

export interface AgentDeps {
  readonly timing?: Timing;
  /** Where /proc and /run are; "/" but in tests. */
  readonly root?: string;
}

export interface RunningAgent {
  /** Where it listens; undefined for a protocol that is not in the file. */
  readonly numberPort: number | undefined;
  readonly textPort: number | undefined;
  stop(): Promise<void>;
}

/** Measures once, then listens. @throws the system's error when an address cannot be listened on; nothing is left open. */
export async function startAgent(role: AgentRole, deps: AgentDeps = {}): Promise<RunningAgent> {
  const timing = deps.timing ?? systemTiming;
  const sampler = new Sampler(role, timing, deps.root ?? "/");
  const listening: Listening[] = [];
  const stop = async () => {
    sampler.stop();
    await Promise.all(listening.map((each) => each.stop()));
  };
  const listen = async (each: Promise<Listening> | Listening) => {
    const done = await each;
    listening.push(done);
    return done.port;
  };
  const newest = () => sampler.newest();
  try {
    await sampler.start();
    const numberPort = role.number && (await listen(serveNumber(role.number, role.path, newest)));
    const textPort = role.text && (await listen(serveText(role.text, newest, timing)));
    return { numberPort, textPort, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
