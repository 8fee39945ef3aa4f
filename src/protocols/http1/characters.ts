/** What a byte may be a part of in HTTP/1, as bits of one table: a byte is judged by one look. */

/** Of a field's name (RFC 9110 5.6.2: token). */
export const IN_TOKEN = 1;
/** Of a field's value (RFC 9110 5.5): visible, a blank, or of another alphabet; no other control character. */
export const IN_VALUE = 2;
/** Of a request's target: visible ASCII without the fragment's `#`. */
export const IN_TARGET = 4;
/** Of a host's name: letters, digits, hyphen, dot, and the underscore that is not allowed and used. */
export const IN_HOST = 8;
/** Of a method. Lower case is none of it: a server that took `head` for HEAD would send no body where we await one. */
export const IN_METHOD = 16;
/** A hexadecimal digit. */
export const IN_HEX = 32;
/** Of a request's target up to its query. */
export const IN_PATH = 64;

export const CHARACTERS = new Uint8Array(256);

function mark(kind: number, characters: string): void {
  for (let i = 0; i < characters.length; i++) CHARACTERS[characters.charCodeAt(i)]! |= kind;
}

const DIGITS = "0123456789";
const UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LETTERS = UPPER + UPPER.toLowerCase();
mark(IN_TOKEN, `${DIGITS}${LETTERS}!#$%&'*+-.^_\`|~`);
mark(IN_HOST, `${DIGITS}${LETTERS}-._`);
mark(IN_METHOD, `${DIGITS}${UPPER}-_`);
mark(IN_HEX, `${DIGITS}ABCDEFabcdef`);
mark(IN_VALUE, "\t ");
for (let byte = 0x21; byte < 0x7f; byte++) CHARACTERS[byte]! |= byte === 0x23 ? IN_VALUE : IN_VALUE | IN_TARGET;
for (let byte = 0x21; byte < 0x7f; byte++) if (byte !== 0x23 && byte !== 0x3f) CHARACTERS[byte]! |= IN_PATH;
for (let byte = 0x80; byte < 0x100; byte++) CHARACTERS[byte]! |= IN_VALUE;
