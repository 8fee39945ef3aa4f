/**
 * What an administrator has forgotten: one client's association, or a share of a pool's. Live connections and requests go on;
 * whoever is meant is new with the next one.
 */
import type { Pool } from "../../config/schema.ts";
import { HoldfastError } from "../../errors.ts";
import { parseAddress } from "../../protocols/address.ts";
import { copyHostName, MAX_HOST } from "../../protocols/http1/host.ts";
import { newStickyCookie, openStickyCookie } from "../../protocols/http1/sticky-cookie.ts";
import type { TokenKey } from "../../protocols/rdp/token.ts";
import { normaliseUserName } from "../../protocols/rdp/user.ts";
import { newClient } from "../client.ts";
import { MaskedSource } from "../masked-source.ts";
import { COOKIE_ID_BYTES, FORGOTTEN_COOKIE, writeCookieId } from "../persistence/cookie-insert.ts";
import { Memory } from "../persistence/memory.ts";
import { Fingerprinter, saltOf } from "../shared/fingerprint.ts";
import { FORGOTTEN_PARTS } from "../shared/forgotten.ts";
import type { Scoreboard } from "../shared/scoreboard.ts";
import type { ServerId } from "../shared/server-id.ts";
import { StickyFlag, type StickyTable } from "../shared/sticky.ts";
import { RECOGNISED_BY } from "../shared/words.ts";
import type { ForgetResult, ForgetSelector } from "./balancer.ts";
import type { Slots } from "./slots.ts";

/** Ways of recognising by which one client can be named. A signed token is in the client's hands and ends by itself. */
export const FORGET_BY = ["user", "source", "cookie", "header", "query", "host"] as const;
type ForgetBy = (typeof FORGET_BY)[number];

/** Where a lifetime has no end: unix seconds of the year 2106. */
const FOREVER_SEC = 0xffffffff;

export interface ForgettingOptions {
  readonly sticky: StickyTable;
  readonly board: Scoreboard;
  readonly slots: Slots;
  readonly fingerprintKey: Uint8Array;
  readonly tokenKeys: readonly TokenKey[];
}

export class Forgetting {
  readonly #options: ForgettingOptions;
  readonly #fingerprinter: Fingerprinter;

  constructor(options: ForgettingOptions) {
    this.#options = options;
    this.#fingerprinter = new Fingerprinter(options.fingerprintKey);
  }

  /** `dryRun`: only says how many. Throws HoldfastError `api/bad-request` for what the pool does not recognise clients by. */
  forget(pool: Pool, selector: ForgetSelector, nowSec: number, dryRun: boolean): ForgetResult {
    if (selector.share !== undefined) return this.#forgetShare(pool, selector.share, nowSec, dryRun);
    const by = FORGET_BY.find((key) => selector[key] !== undefined);
    if (by === undefined)
      throw new HoldfastError("api/bad-request", `say whom: one of ${FORGET_BY.join(", ")}, or share`);
    const { persistence } = pool;
    if (!persistence?.by.includes(by)) {
      throw new HoldfastError("api/bad-request", `pool \`${pool.name}\` does not recognise clients by ${by}`, {
        hint: persistence ? `it does by ${persistence.by.join(", ")}` : "it recognises nobody",
      });
    }
    const value = selector[by]!;
    const known =
      by === "cookie" && persistence.mode !== "learn"
        ? this.#forgetCookie(pool, value, nowSec, dryRun)
        : this.#forgetValue(pool, by, value, nowSec, dryRun);
    return { pool: pool.name, forgotten: known ? 1 : 0, dryRun };
  }

  /** What the sticky table remembers under a value. */
  #forgetValue(pool: Pool, by: ForgetBy, value: string, nowSec: number, dryRun: boolean): boolean {
    const memory = this.#memory(pool, RECOGNISED_BY.indexOf(by));
    const bytes = keyOf(pool, by, value);
    if (dryRun) return memory.find(bytes, 0, bytes.length, nowSec) > 0;
    return memory.forget(bytes, 0, bytes.length);
  }

  /** The client keeps the cookie, so the table remembers that it does not count any more. */
  #forgetCookie(pool: Pool, value: string, nowSec: number, dryRun: boolean): boolean {
    const persistence = pool.persistence!;
    if (persistence.mode === "prefix") {
      throw new HoldfastError("api/bad-request", "a cookie of the servers with our prefix lives as long as they say");
    }
    const cookie = newStickyCookie();
    const text = value.startsWith(`${persistence.name}=`) ? value.slice(persistence.name!.length + 1) : value;
    const bytes = new TextEncoder().encode(text);
    if (openStickyCookie(this.#options.tokenKeys, bytes, 0, bytes.length, cookie) < 0) {
      throw new HoldfastError("api/bad-request", "that is no value of a cookie of ours", {
        hint: `it has 56 characters, as a browser shows them for \`${persistence.name}\``,
      });
    }
    const server = this.#serversOf(pool).values().next().value;
    if (dryRun || server === undefined) return server !== undefined;
    const lifetimeSec = Math.ceil(persistence.lifetime / 1000);
    const id = new Uint8Array(COOKIE_ID_BYTES);
    writeCookieId(cookie.idHigh, cookie.idLow, id);
    this.#memory(pool, FORGOTTEN_COOKIE).remember(id, 0, COOKIE_ID_BYTES, server, nowSec, StickyFlag.FORGOTTEN);
    this.#forgotten(pool).forgetSome(Math.min(FOREVER_SEC, nowSec + lifetimeSec));
    return true;
  }

  /** Of what the sticky table remembers and, without being able to count them, of cookies. */
  #forgetShare(pool: Pool, share: number, nowSec: number, dryRun: boolean): ForgetResult {
    const { sticky } = this.#options;
    const parts = Math.min(FORGOTTEN_PARTS, Math.max(1, Math.round(share * FORGOTTEN_PARTS)));
    const forgotten = this.#forgotten(pool);
    const first = forgotten.nextPart();
    const servers = this.#serversOf(pool);
    const keys: Int32Array[] = [];
    let count = 0;
    sticky.forEach((key, known) => {
      if (!servers.has(known.server) || (known.flags & StickyFlag.FORGOTTEN) !== 0) return;
      if (((key[3]! >>> 24) - first + FORGOTTEN_PARTS) % FORGOTTEN_PARTS >= parts) return;
      count++;
      if (!dryRun) keys.push(key.slice());
    });
    for (const key of keys) sticky.forget(key);
    if (!dryRun) forgotten.forgetParts(parts, nowSec);
    const { persistence } = pool;
    const hasCookies = persistence?.by.includes("cookie") && persistence.mode === "insert";
    return {
      pool: pool.name,
      forgotten: count,
      ...(hasCookies && { shareOfCookies: parts / FORGOTTEN_PARTS }),
      dryRun,
    };
  }

  #forgotten(pool: Pool) {
    return this.#options.board.forgotten(this.#options.slots.pool(pool.name));
  }

  /** Those that have left the file but not their slots too. */
  #serversOf(pool: Pool): Set<ServerId> {
    const servers = [...this.#options.slots.allServers()].filter(([name]) => name.startsWith(`${pool.name}/`));
    return new Set(servers.map(([, id]) => id));
  }

  #memory(pool: Pool, kind: number): Memory {
    const { persistence } = pool;
    const seconds = (ms: number) => (kind === FORGOTTEN_COOKIE ? 0 : Math.ceil(ms / 1000));
    const setting = {
      table: this.#options.sticky,
      fingerprinter: this.#fingerprinter,
      salt: saltOf(pool.name),
      idleSec: seconds(persistence!.idle),
      lifetimeSec: seconds(persistence!.lifetime),
    };
    return new Memory(setting, kind);
  }
}

/** The bytes under which a pool remembers the value that a person typed. Throws HoldfastError `api/bad-request`. */
function keyOf(pool: Pool, by: ForgetBy, value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value);
  switch (by) {
    case "source": {
      const source = parseAddress(value);
      if (source === undefined) throw new HoldfastError("api/bad-request", `\`${value}\` is not an address`);
      return new MaskedSource(pool.persistence!.mask).of({ ...newClient(), source });
    }
    case "user": {
      const name = normaliseUserName(value);
      if (name === undefined) throw new HoldfastError("api/bad-request", `\`${value}\` names nobody`);
      return new TextEncoder().encode(name);
    }
    case "host": {
      const into = new Uint8Array(Math.max(MAX_HOST, bytes.length));
      return into.slice(0, copyHostName(bytes, 0, bytes.length, into, 0));
    }
    default:
      return bytes;
  }
}
