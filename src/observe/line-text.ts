/** Pieces of access lines. What came from the network is text here only once nothing in it can break a line. */

const decoder = new TextDecoder();
/** ASCII without control characters, quotation marks and backslashes: as it is in JSON, and in the combined format. */
const PLAIN = /^[ !#-[\]-~]*$/;
export const NO_VALUE = "null";

/** Bytes as a JSON string: UTF-8 with what is none replaced, and control characters too. `cut`: more came, and `…` says so. */
export function jsonText(bytes: Uint8Array, from: number, to: number, cut: boolean): string {
  const text = Buffer.prototype.latin1Slice.call(bytes, from, to);
  if (PLAIN.test(text)) return cut ? `"${text}…"` : `"${text}"`;
  const decoded = decoder.decode(bytes.subarray(from, to)).replace(/\p{Cc}/gu, "\ufffd");
  return JSON.stringify(cut ? `${decoded}…` : decoded);
}

/**
 * Bytes as the combined format has them between quotation marks, as Apache httpd writes them: `\"` and `\\`, and `\xHH` for
 * what is not visible ASCII. Nothing at all is `-`.
 */
export function combinedText(bytes: Uint8Array, from: number, to: number): string {
  if (from === to) return "-";
  const text = Buffer.prototype.latin1Slice.call(bytes, from, to);
  return PLAIN.test(text) ? text : text.replace(/[^ !#-[\]-~]/g, escapeForCombined);
}

function escapeForCombined(character: string): string {
  if (character === '"' || character === "\\") return `\\${character}`;
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

/** A name of the configuration as a JSON string. */
export function quotedName(name: string | undefined): string {
  return name === undefined ? NO_VALUE : JSON.stringify(name);
}

/** To a tenth of a millisecond; null for what did not happen. */
export function milliseconds(ms: number): number | "null" {
  return ms < 0 ? NO_VALUE : Math.round(ms * 10) / 10;
}

/** Times as RFC 3339 with milliseconds; what stays the same for a second is made once. */
export class TimeText {
  #second = Number.NaN;
  #text = "";

  /** `ms`: unix milliseconds. */
  of(ms: number): string {
    const whole = Math.floor(ms);
    const second = Math.floor(whole / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = new Date(second * 1000).toISOString().slice(0, -4);
    }
    return `${this.#text}${String(whole - second * 1000).padStart(3, "0")}Z`;
  }
}
