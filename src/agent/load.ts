/** One number out of what was measured: 0 idle to 100. Pure. */
import type { AgentRole } from "../config/schema.ts";

/** Shares from 0 to 1 of what the machine has; `sessions` is a count. */
export interface Measured {
  readonly cpu: number;
  readonly memory: number;
  readonly load: number;
  readonly sessions: number;
}

/** With this load or more a balancer sends no new clients. */
const OVERLOADED = 99;
/** The most that a mean can say: busy, but open. A busy CPU alone is no reason to close. */
const BUSIEST = 98;
/** From this share of memory on, one more session may be the one that ends the others. */
const MEMORY_FULL = 0.98;

/**
 * The mean of the shares by `weights`, 0 to 98. 99 when memory or sessions are full and count at all: what is full for good
 * must not be averaged away by an idle CPU. 0 when nothing counts.
 */
export function loadOf(measured: Measured, role: Pick<AgentRole, "weights" | "fullSessions">): number {
  const { weights, fullSessions } = role;
  if (weights.memory > 0 && measured.memory >= MEMORY_FULL) return OVERLOADED;
  if (weights.sessions > 0 && measured.sessions >= fullSessions) return OVERLOADED;
  const all = weights.cpu + weights.memory + weights.load + weights.sessions;
  if (all === 0) return 0;
  const sum =
    weights.cpu * measured.cpu +
    weights.memory * measured.memory +
    weights.load * measured.load +
    weights.sessions * (measured.sessions / fullSessions);
  return Math.min(BUSIEST, Math.round((100 * sum) / all));
}

/** What was measured, for people: "cpu 12 %, memory 56 %, load 20 %, 3 sessions". */
export function describe({ cpu, memory, load, sessions }: Measured): string {
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  return `cpu ${percent(cpu)}, memory ${percent(memory)}, load ${percent(load)}, ${sessions} sessions`;
}
