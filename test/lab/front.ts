/**
 * What stands before the nodes in a test. Holdfast it is, run as its examples say; with LAB_BALANCER=haproxy in the
 * environment it is HAProxy, configured to do the same: so the rig itself is proven by a balancer that it was not made for.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Balancer } from "../balancer/service/rig.ts";
import { HAProxy } from "./haproxy.ts";

const EXAMPLES = join(import.meta.dir, "../../examples");

/** True while the rig is proven with HAProxy: what only Holdfast can do is not tested then. */
export const IS_REFERENCE = process.env.LAB_BALANCER === "haproxy";

/** One balancer, and where its clients find it. */
export interface Front {
  /** Takes a node from the creation of sessions: those it knows still reach it. */
  drain(node: string): Promise<void>;
  /** Gives it back. */
  ready(node: string): Promise<void>;
  stop(): Promise<void>;
  /** Holdfast itself; absent: it is HAProxy. */
  readonly holdfast?: Balancer;
}

/** An example with its addresses and files replaced by the test's own. What is replaced must be there. */
export function example(name: string, replacements: Readonly<Record<string, string>>): string {
  let text = readFileSync(join(EXAMPLES, name), "utf8");
  for (const [from, to] of Object.entries(replacements)) {
    if (!text.includes(from)) throw new Error(`examples/${name} has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

/** Runs Holdfast. `pools`: where a node is drained. */
export async function holdfast(yaml: string, pools: readonly string[]): Promise<Front> {
  const balancer = await Balancer.start(yaml);
  const set = async (node: string, state: "drain" | "ready"): Promise<void> => {
    for (const pool of pools) await balancer.set(`${pool}/${node}`, state);
  };
  return {
    drain: (node) => set(node, "drain"),
    ready: (node) => set(node, "ready"),
    stop: () => balancer.stop(),
    holdfast: balancer,
  };
}

/** Runs HAProxy. `backends`: where a node is drained. */
export async function haproxy(configuration: string, backends: readonly string[]): Promise<Front> {
  const proxy = await HAProxy.start(configuration);
  const set = async (node: string, state: "drain" | "ready"): Promise<void> => {
    for (const backend of backends) await proxy.command(`set server ${backend}/${node} state ${state}`);
  };
  return { drain: (node) => set(node, "drain"), ready: (node) => set(node, "ready"), stop: () => proxy.stop() };
}
