/** Signed routing tokens for people and programs that hand them out. */
import { formatDuration } from "../../config/quantities.ts";
import type { Pool } from "../../config/schema.ts";
import { HoldfastError } from "../../errors.ts";
import { fingerprintServer, sealToken, type TokenKey, tokenLine } from "../../protocols/rdp/token.ts";

/**
 * The line for an .rdp file's `loadbalanceinfo` that leads to this server, signed with `key`. Good for the pool's lifetime
 * unless said otherwise. Throws HoldfastError `api/token-not-followed` where the pool would not follow it, or not that long.
 */
export function signToken(key: TokenKey, pool: Pool, server: string, nowSec: number, lifetimeMs?: number): string {
  const { persistence } = pool;
  if (!persistence?.by.includes("token")) {
    throw new HoldfastError("api/token-not-followed", `pool \`${pool.name}\` does not recognise clients by token`, {
      hint: "put `token` into `by` of the pool's `persistence`, reload, and ask again",
    });
  }
  const most = formatDuration(persistence.lifetime);
  if (lifetimeMs !== undefined && lifetimeMs > persistence.lifetime) {
    throw new HoldfastError(
      "api/token-not-followed",
      `pool \`${pool.name}\` follows a token for ${most} and no longer`,
      {
        hint: `ask for ${most} or less; or raise \`lifetime\` of the pool's \`persistence\`, reload, and ask again`,
      },
    );
  }
  const { high, low } = fingerprintServer(key, pool.name, server);
  const value = sealToken(key, {
    issuedSec: nowSec,
    expiresSec: nowSec + Math.ceil((lifetimeMs ?? persistence.lifetime) / 1000),
    serverHigh: high,
    serverLow: low,
    userHigh: 0,
    userLow: 0,
  });
  return tokenLine(value);
}
