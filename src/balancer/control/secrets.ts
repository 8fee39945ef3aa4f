/** Keys that live in the data folder, made at the first start: fingerprints in the tables, and routing tokens. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HoldfastError } from "../../errors.ts";
import type { TokenKey } from "../../protocols/rdp/token.ts";

const FINGERPRINT_KEY_BYTES = 16;
const TOKEN_KEY_BYTES = 32;

/** The key of fingerprints, 16 bytes. A snapshot of the sticky table means nothing without it. */
export function fingerprintKey(data: string, random: (bytes: number) => Uint8Array): Uint8Array {
  return readOrMake(join(data, "fingerprint.key"), FINGERPRINT_KEY_BYTES, random);
}

/** The keys of routing tokens: `keyFile` as the file says it, or one of this node's own. */
export function tokenKeys(
  data: string,
  keyFile: string | undefined,
  random: (bytes: number) => Uint8Array,
): TokenKey[] {
  if (keyFile === undefined) return [{ id: 1, secret: readOrMake(join(data, "token.key"), TOKEN_KEY_BYTES, random) }];
  let secret: Uint8Array;
  try {
    secret = readFileSync(keyFile);
  } catch (error) {
    throw new HoldfastError("up/key-file", `the key of routing tokens cannot be read: ${(error as Error).message}`);
  }
  if (secret.length < TOKEN_KEY_BYTES) {
    throw new HoldfastError(
      "up/key-file",
      `${keyFile} has ${secret.length} bytes; a key has ${TOKEN_KEY_BYTES} or more`,
    );
  }
  return [{ id: 1, secret }];
}

function readOrMake(path: string, bytes: number, random: (bytes: number) => Uint8Array): Uint8Array {
  if (existsSync(path)) {
    const key = readFileSync(path);
    if (key.length === bytes) return key;
    throw new HoldfastError("up/key-file", `${path} has ${key.length} bytes instead of ${bytes}`);
  }
  const key = random(bytes);
  writeFileSync(path, key, { mode: 0o600, flag: "wx" });
  chmodSync(path, 0o600);
  return key;
}
