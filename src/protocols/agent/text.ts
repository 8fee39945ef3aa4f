/**
 * The load agent that answers with one line of words over TCP: HAProxy's agent-check (configuration manual, "agent-check";
 * src/tcpcheck.c) and Loadbalancer.org's feedback agent, which says `75%`, `drain`, `down` or `up ready 75%`.
 *
 * Words are parted by spaces, tabs and commas, in any case; the last of each category counts. A `#` begins a description.
 */
import { CR, LF } from "../ascii.ts";
import { NEED_MORE, type Reasons } from "../result.ts";

/** Bound: the line, its end included. */
export const MAX_AGENT_LINE = 1024;
/** Unknown words that are kept for the log; more are only counted by their absence. */
export const MAX_UNKNOWN_WORDS = 8;
/** The greatest weight; percentages are of the configured weight and may be above 100, up to 256 times of it. */
export const MAX_AGENT_WEIGHT = 256;
const MAX_PERCENT = 25_600;
const MAX_CONNECTIONS = 0x7fffffff;

export const AGENT_EMPTY = -1;
export const AGENT_TOO_LONG = -2;
export const AGENT_REASONS: Reasons = { [AGENT_EMPTY]: "empty", [AGENT_TOO_LONG]: "too-long" };

export type AgentAdmin = "ready" | "drain" | "maint";
export type AgentHealth = "up" | "down" | "fail" | "stopped";

/**
 * What the agent said. To be applied in the order of the members; what it did not say (undefined) changes nothing, and only
 * the agent takes back what the agent set.
 */
export interface AgentReport {
  admin: AgentAdmin | undefined;
  /** Absolute, 0-256, or a percentage of the configured weight: never both. 0 is like drain. */
  weight: number | undefined;
  percent: number | undefined;
  /** Limit of connections; 0: none of the agent's. */
  maxconn: number | undefined;
  health: AgentHealth | undefined;
  /** The description behind `#`, for the log; "" if there is none. Printable characters only. */
  reason: string;
  /** Words that mean nothing here (at most MAX_UNKNOWN_WORDS), to be reported. */
  unknown: string[];
}

export function newAgentReport(): AgentReport {
  const nothing = { admin: undefined, weight: undefined, percent: undefined, maxconn: undefined, health: undefined };
  return { ...nothing, reason: "", unknown: [] };
}

/**
 * Reads an agent's line in `bytes[from, to)` up to its first CR or LF. Bound: MAX_AGENT_LINE, 1,024 bytes. `ended`: no
 * more will come, so a missing line end is no reason to wait.
 * @returns bytes used (> 0, `out` is filled), NEED_MORE (0; never when `ended`), or a reason (< 0). Makes strings: it is
 * for one answer every second or so.
 */
export function readAgentText(bytes: Uint8Array, from: number, to: number, ended: boolean, out: AgentReport): number {
  const limit = Math.min(to, from + MAX_AGENT_LINE);
  let end = from;
  while (end < limit && bytes[end] !== CR && bytes[end] !== LF) end++;
  if (end === limit) {
    if (limit - from === MAX_AGENT_LINE) return AGENT_TOO_LONG;
    if (!ended) return NEED_MORE;
  }
  const line = printable(bytes, from, end);
  const hash = line.indexOf("#");
  const words = (hash < 0 ? line : line.slice(0, hash)).split(/[ \t,]+/).filter((word) => word !== "");
  if (words.length === 0 && hash < 0) return AGENT_EMPTY;
  Object.assign(out, newAgentReport());
  if (hash >= 0) out.reason = line.slice(hash + 1).trim();
  for (const word of words) if (!readWord(word.toLowerCase(), out)) reportUnknown(word, out);
  return end === limit ? end - from : end + 1 - from;
}

/** Puts one word into `out`; false if it means nothing. */
function readWord(word: string, out: AgentReport): boolean {
  switch (word) {
    case "ready":
    case "drain":
    case "maint":
      out.admin = word;
      return true;
    case "up":
    case "down":
    case "fail":
    case "stopped":
      out.health = word;
      return true;
  }
  if (word.startsWith("maxconn:")) {
    const maxconn = decimal(word.slice("maxconn:".length), MAX_CONNECTIONS);
    if (maxconn !== undefined) out.maxconn = maxconn;
    return maxconn !== undefined;
  }
  const weight = word.startsWith("weight:") ? word.slice("weight:".length) : word;
  if (weight.endsWith("%")) return setWeight(out, undefined, decimal(weight.slice(0, -1), MAX_PERCENT));
  return weight !== word && setWeight(out, decimal(weight, MAX_AGENT_WEIGHT), undefined);
}

/** The last weight counts, whichever way it is written. */
function setWeight(out: AgentReport, weight: number | undefined, percent: number | undefined): boolean {
  if (weight === undefined && percent === undefined) return false;
  out.weight = weight;
  out.percent = percent;
  return true;
}

function decimal(text: string, max: number): number | undefined {
  if (!/^[0-9]{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}

function reportUnknown(word: string, out: AgentReport): void {
  if (out.unknown.length < MAX_UNKNOWN_WORDS) out.unknown.push(word);
}

/** The line as ASCII text; what is not printable (it may end in a log) becomes "?", a tab stays. */
function printable(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    text += (byte >= 0x20 && byte < 0x7f) || byte === 0x09 ? String.fromCharCode(byte) : "?";
  }
  return text;
}
