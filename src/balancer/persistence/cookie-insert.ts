/**
 * Our own cookie: the client itself carries where it belongs, signed and naming no address (protocols/http1/sticky-cookie.ts).
 * It is set with the answer, and only when it must change: for a client that has none or is on another server now, and when
 * a good part of the idle time has passed since it was written. Servers do not see it.
 *
 * A WebSocket gets no second answer that could renew the cookie. As long as one is open, the sticky table is told of the
 * cookie's id, so that who loses the connection after a day comes back to the same server.
 */
import { ascii, writeDecimal } from "../../protocols/ascii.ts";
import { type CookiePair, findCookie, findPair, spanOfPair } from "../../protocols/http1/cookies.ts";
import type { Span } from "../../protocols/http1/fields.ts";
import { newStickyCookie, STICKY_COOKIE_CHARACTERS } from "../../protocols/http1/sticky-cookie.ts";
import type { Candidate } from "../candidate.ts";
import type { Client } from "../client.ts";
import { Reason, Recognised } from "../shared/words.ts";
import { Memory } from "./memory.ts";
import type { PersistenceSetting, Recogniser } from "./persistence.ts";
import { ServersByFingerprint } from "./servers-by-fingerprint.ts";

/** Written anew once this part of the idle time has passed: a client may be forgotten that much earlier than it should. */
const RENEWED_AFTER = 1 / 8;
/** Kind of the fingerprints of single cookies that were forgotten. Not a position in RECOGNISED_BY. */
export const FORGOTTEN_COOKIE = 0x46;
/** Most digits of Max-Age. */
const MAX_DIGITS = 10;
export const COOKIE_ID_BYTES = 8;

/** `mode: insert`. */
export function insertedCookie(setting: PersistenceSetting): Recogniser {
  return new InsertedCookie(setting);
}

class InsertedCookie implements Recogniser {
  readonly fieldBytes: number;
  readonly #setting: PersistenceSetting;
  readonly #servers: ServersByFingerprint;
  /** Clients that are connected for long, by the ids of their cookies; and those that were forgotten. */
  readonly #connected: Memory;
  readonly #forgotten: Memory;
  readonly #name: Uint8Array;
  /** What stands before and behind the value, in plain text and under TLS. */
  readonly #before: Uint8Array;
  readonly #plain: Uint8Array;
  readonly #secure: Uint8Array;
  readonly #renewAfterSec: number;
  readonly #span: Span = { at: 0, end: 0 };
  readonly #pair: CookiePair = { index: 0, at: 0, end: 0 };
  readonly #cookie = newStickyCookie();
  readonly #id = new Uint8Array(COOKIE_ID_BYTES);

  constructor(setting: PersistenceSetting) {
    const { name, sameSite, secure, domain } = setting.plan;
    this.#setting = setting;
    this.#servers = new ServersByFingerprint(setting.servers);
    this.#connected = new Memory(setting, Recognised.COOKIE);
    this.#forgotten = new Memory({ ...setting, idleSec: 0 }, FORGOTTEN_COOKIE);
    this.#name = ascii(name);
    this.#before = ascii(`Set-Cookie: ${name}=`);
    const site = sameSite[0]!.toUpperCase() + sameSite.slice(1);
    const attributes = `; Path=/; HttpOnly; SameSite=${site}${domain === "" ? "" : `; Domain=${domain}`}`;
    const age = setting.lifetimeSec === 0 ? "" : "; Max-Age=";
    this.#plain = ascii(`${attributes}${age}`);
    this.#secure = ascii(`${attributes}${secure ? "; Secure" : ""}${age}`);
    this.#renewAfterSec = setting.idleSec === 0 ? Number.POSITIVE_INFINITY : setting.idleSec * RENEWED_AFTER;
    this.fieldBytes = this.#before.length + STICKY_COOKIE_CHARACTERS + this.#secure.length + MAX_DIGITS + "\r\n".length;
  }

  recognise(client: Client, nowSec: number): number {
    client.cookieIdHigh = client.cookieIdLow = 0;
    const opened = this.#open(client);
    if (opened === 0) return 0;
    if (opened < 0) return -Reason.COOKIE_INVALID;
    client.cookieIdHigh = this.#cookie.idHigh;
    client.cookieIdLow = this.#cookie.idLow;
    if (!this.#isRemembered(nowSec)) return -Reason.FORGOTTEN;
    const server = this.#servers.find(this.#cookie.serverHigh, this.#cookie.serverLow);
    return server === undefined ? -Reason.COOKIE_UNKNOWN_SERVER : server.plan.id;
  }

  /** The client is told with the answer: see writeFields. */
  remember(): void {}

  touch(client: Client, nowSec: number): void {
    if (client.cookieServer === 0) return;
    this.#setId(client.cookieIdHigh, client.cookieIdLow);
    this.#connected.remember(this.#id, 0, COOKIE_ID_BYTES, client.cookieServer, nowSec);
  }

  hide({ request }: Client, out: Span): void {
    if (request === null) return;
    const { bytes, head } = request;
    if (findPair(bytes, head.fields, this.#name, this.#pair, this.#span)) {
      spanOfPair(bytes, head.fields, this.#pair, out);
    }
  }

  /** What the client carries, only an answer could take away. The cookie of another server replaces it. */
  forget(): void {}

  writeFields(client: Client, server: Candidate, secure: boolean, nowSec: number, out: Uint8Array, at: number): number {
    const cookie = this.#cookie;
    const { tokenHigh, tokenLow, id } = server.plan;
    const isKnown =
      this.#open(client) > 0 &&
      cookie.serverHigh === tokenHigh >>> 0 &&
      cookie.serverLow === tokenLow >>> 0 &&
      this.#isRemembered(nowSec);
    client.cookieServer = id;
    if (!isKnown) {
      cookie.serverHigh = tokenHigh >>> 0;
      cookie.serverLow = tokenLow >>> 0;
      cookie.idHigh = this.#setting.cookies.randomWord();
      cookie.idLow = this.#setting.cookies.randomWord();
      // Whoever comes back within the very second of being forgotten is not forgotten again.
      cookie.issuedSec = Math.max(nowSec, this.#setting.forgotten.countsFrom(cookie.idHigh));
    }
    client.cookieIdHigh = cookie.idHigh;
    client.cookieIdLow = cookie.idLow;
    if (isKnown && nowSec - cookie.seenSec < this.#renewAfterSec) return at;
    cookie.seenSec = nowSec;
    return this.#write(secure, nowSec, out, at);
  }

  #write(secure: boolean, nowSec: number, out: Uint8Array, at: number): number {
    const { lifetimeSec, cookies } = this.#setting;
    const attributes = secure ? this.#secure : this.#plain;
    out.set(this.#before, at);
    let end = cookies.write(this.#cookie, out, at + this.#before.length);
    out.set(attributes, end);
    end += attributes.length;
    if (lifetimeSec > 0) end += writeDecimal(out, end, Math.max(0, this.#cookie.issuedSec + lifetimeSec - nowSec));
    out[end] = 0x0d;
    out[end + 1] = 0x0a;
    return end + 2;
  }

  /** Opens the client's cookie into `#cookie`: above 0; 0: it has none; below: it is none of ours. */
  #open({ request }: Client): number {
    if (request === null || !findCookie(request.bytes, request.head.fields, this.#name, this.#span)) return 0;
    return this.#setting.cookies.open(request.bytes, this.#span.at, this.#span.end, this.#cookie);
  }

  /** Is the opened cookie neither too old nor forgotten by an administrator? */
  #isRemembered(nowSec: number): boolean {
    const { issuedSec, seenSec, idHigh, idLow } = this.#cookie;
    const { lifetimeSec, idleSec, forgotten } = this.#setting;
    if (lifetimeSec !== 0 && nowSec - issuedSec >= lifetimeSec) return false;
    if (forgotten.has(idHigh, issuedSec)) return false;
    this.#setId(idHigh, idLow);
    if (forgotten.mayHaveSome(nowSec) && this.#forgotten.find(this.#id, 0, COOKIE_ID_BYTES, nowSec) > 0) return false;
    if (idleSec === 0 || nowSec - seenSec < idleSec) return true;
    return this.#connected.find(this.#id, 0, COOKIE_ID_BYTES, nowSec) > 0;
  }

  #setId(high: number, low: number): void {
    writeCookieId(high, low, this.#id);
  }
}

/** The id of a cookie as the sticky table is asked for it. */
export function writeCookieId(high: number, low: number, into: Uint8Array): void {
  for (let i = 0; i < 4; i++) {
    into[i] = high >>> (24 - 8 * i);
    into[4 + i] = low >>> (24 - 8 * i);
  }
}
