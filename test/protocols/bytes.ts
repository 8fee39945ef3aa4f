/** Bytes for tests: hexadecimal with a comment a field, or text. */

/** `hex("03 00 // TPKT", "0e")`: what stands behind `//` is a comment. */
export function hex(...lines: string[]): Uint8Array {
  const digits = lines.map((line) => line.replace(/\/\/.*/, "").replaceAll(/\s/g, "")).join("");
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new Error(`not hexadecimal: ${digits}`);
  return new Uint8Array(Buffer.from(digits, "hex"));
}

/** Text, one byte a character. */
export function text(characters: string): Uint8Array {
  return new Uint8Array(Buffer.from(characters, "latin1"));
}

/** The bytes as text. */
export function show(bytes: Uint8Array, from = 0, to = bytes.length): string {
  return Buffer.from(bytes.subarray(from, to)).toString("latin1");
}
