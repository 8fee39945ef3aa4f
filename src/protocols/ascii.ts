/** Letters and digits as bytes: what the text protocols here have in common. Nothing in this file allocates. */

export const SPACE = 0x20;
export const TAB = 0x09;
export const CR = 0x0d;
export const LF = 0x0a;

/** Is it one of 0-9? */
export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** A-Z as a-z; every other byte as it is. */
export function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/** Is it a space or a tab? */
export function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

/** Is it a control character (C0 or DEL)? Bytes of other alphabets (0x80 and above) are not. */
export function isControl(byte: number): boolean {
  return byte < SPACE || byte === 0x7f;
}

/** Do the bytes at `from` begin with `word` (given in lower case), whatever their case? False if `to` comes first. */
export function startsWith(bytes: Uint8Array, from: number, to: number, word: Uint8Array): boolean {
  if (to - from < word.length) return false;
  for (let i = 0; i < word.length; i++) if (lower(bytes[from + i]!) !== word[i]) return false;
  return true;
}

/** Are the bytes `word` (given in lower case), whatever their case? */
export function isWordInAnyCase(bytes: Uint8Array, from: number, to: number, word: Uint8Array): boolean {
  return to - from === word.length && startsWith(bytes, from, to, word);
}

/** The decimal number that fills `bytes[from, to)`; -1 if it is empty, not only digits, or above `max` (at most 2^32). */
export function readDecimal(bytes: Uint8Array, from: number, to: number, max: number): number {
  if (from >= to || to - from > 10) return -1;
  let value = 0;
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if (!isDigit(byte)) return -1;
    value = value * 10 + (byte - 0x30);
  }
  return value <= max ? value : -1;
}

/** Writes a whole number in decimal at `into[at]`; returns the number of digits. */
export function writeDecimal(into: Uint8Array, at: number, value: number): number {
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  for (let i = digits - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 10)) into[at + i] = 0x30 + (rest % 10);
  return digits;
}

/** Text of ASCII characters as bytes, for constants. */
export function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
