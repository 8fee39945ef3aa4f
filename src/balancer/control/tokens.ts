/** Signed routing tokens for people and programs that hand them out. */
import { fingerprintServer, sealToken, type TokenKey, tokenLine } from "../../protocols/rdp/token.ts";

/** A token is good for this long where neither its maker nor its pool says otherwise. */
const LIFETIME_MS = 24 * 3_600_000;

/** The line for an .rdp file's `loadbalanceinfo` that leads to this server, signed with `key`. */
export function signToken(
  key: TokenKey,
  pool: string,
  server: string,
  nowSec: number,
  lifetimeMs = LIFETIME_MS,
): string {
  const { high, low } = fingerprintServer(key, pool, server);
  const value = sealToken(key, {
    issuedSec: nowSec,
    expiresSec: nowSec + Math.ceil(lifetimeMs / 1000),
    serverHigh: high,
    serverLow: low,
    userHigh: 0,
    userLow: 0,
  });
  return tokenLine(value);
}
