/**
 * The load agent that answers with a number over HTTP (Kemp's adaptive agent, article 115005405746): the body's first line
 * is a whole number. 0 idle to 98 busy; 99 and 100 no new sessions; 101 down; 102 disabled by its administrator.
 */
import { CR, isBlank, isDigit, LF } from "../ascii.ts";
import { NEED_MORE, type Reasons } from "../result.ts";

/** From this load on the server keeps its sessions and takes no new ones. */
export const LOAD_OVERLOADED = 99;
export const LOAD_DOWN = 101;
export const LOAD_DISABLED = 102;

/** Bound: the first line, its end included. */
export const MAX_LOAD_LINE = 64;

export const LOAD_NOT_A_NUMBER = -1;
export const LOAD_OUT_OF_RANGE = -2;
export const LOAD_TOO_LONG = -3;
export const LOAD_REASONS: Reasons = {
  [LOAD_NOT_A_NUMBER]: "not-a-number",
  [LOAD_OUT_OF_RANGE]: "out-of-range",
  [LOAD_TOO_LONG]: "too-long",
};

export interface LoadNumber {
  /** 0-102. */
  load: number;
}

export function newLoadNumber(): LoadNumber {
  return { load: 0 };
}

/**
 * Reads the first line of an agent's answer in `bytes[from, to)`; spaces around the number are allowed, lines after it are
 * not looked at. Bound: MAX_LOAD_LINE, 64 bytes. `ended`: no more will come, so a missing line end is no reason to wait.
 * @returns bytes used (> 0, `out` is filled), NEED_MORE (0; never when `ended`), or a reason (< 0).
 */
export function readLoadNumber(bytes: Uint8Array, from: number, to: number, ended: boolean, out: LoadNumber): number {
  const limit = Math.min(to, from + MAX_LOAD_LINE);
  let at = from;
  while (at < limit && isBlank(bytes[at]!)) at++;
  let load = 0;
  const digits = at;
  while (at < limit && isDigit(bytes[at]!)) {
    load = load * 10 + (bytes[at]! - 0x30);
    if (load > LOAD_DISABLED) return LOAD_OUT_OF_RANGE;
    at++;
  }
  if (at === digits && (at < limit || ended)) return LOAD_NOT_A_NUMBER;
  while (at < limit && isBlank(bytes[at]!)) at++;
  if (at === limit) {
    if (limit - from === MAX_LOAD_LINE) return LOAD_TOO_LONG;
    if (!ended) return NEED_MORE;
  } else {
    if (bytes[at] !== LF && bytes[at] !== CR) return LOAD_NOT_A_NUMBER;
    at++;
  }
  out.load = load;
  return at - from;
}
