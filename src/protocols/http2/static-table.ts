/** The fields that both sides of HPACK know from the beginning (RFC 7541 Appendix A), as bytes. */
import { ascii, lower } from "../ascii.ts";

const ENTRIES = [
  ":authority",
  ":method GET",
  ":method POST",
  ":path /",
  ":path /index.html",
  ":scheme http",
  ":scheme https",
  ":status 200",
  ":status 204",
  ":status 206",
  ":status 304",
  ":status 400",
  ":status 404",
  ":status 500",
  "accept-charset",
  "accept-encoding gzip, deflate",
  "accept-language",
  "accept-ranges",
  "accept",
  "access-control-allow-origin",
  "age",
  "allow",
  "authorization",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
  "content-range",
  "content-type",
  "cookie",
  "date",
  "etag",
  "expect",
  "expires",
  "from",
  "host",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "last-modified",
  "link",
  "location",
  "max-forwards",
  "proxy-authenticate",
  "proxy-authorization",
  "range",
  "referer",
  "refresh",
  "retry-after",
  "server",
  "set-cookie",
  "strict-transport-security",
  "transfer-encoding",
  "user-agent",
  "vary",
  "via",
  "www-authenticate",
];

/** Indices 1 to 61 are this table's. */
export const STATIC_ENTRIES = ENTRIES.length;

// Indices that are written without a search.
export const AUTHORITY = 1;
export const METHOD = 2;
export const PATH = 4;
export const SCHEME_HTTP = 6;
export const SCHEME_HTTPS = 7;
export const STATUS = 8;

/** Names and values one behind the other. */
export const STATIC_BYTES = ascii(ENTRIES.map((entry) => entry.replace(" ", "")).join(""));
/** Of index i: the name begins at [2i], its value at [2i + 1] and ends at [2i + 2]. */
export const STATIC_BOUNDS = new Uint16Array(2 * STATIC_ENTRIES + 3);

for (let i = 1, at = 0; i <= STATIC_ENTRIES; i++) {
  const entry = ENTRIES[i - 1]!;
  const space = entry.indexOf(" ");
  const nameLength = space < 0 ? entry.length : space;
  STATIC_BOUNDS[2 * i] = at;
  STATIC_BOUNDS[2 * i + 1] = at + nameLength;
  at += space < 0 ? nameLength : entry.length - 1;
  STATIC_BOUNDS[2 * i + 2] = at;
}

const BUCKETS = 256;
/** First index with the name of a bucket; 0: none. Names that fall together stand in the next free buckets. */
const FIRST_WITH_NAME = new Uint8Array(BUCKETS);

function bucketOf(bytes: Uint8Array, from: number, to: number): number {
  const first = lower(bytes[from]!);
  const last = lower(bytes[to - 1]!);
  const middle = lower(bytes[from + ((to - from) >> 1)]!);
  return (first * 7 + last * 29 + middle * 13 + (to - from) * 31) & (BUCKETS - 1);
}

for (let i = 1; i <= STATIC_ENTRIES; i++) {
  const from = STATIC_BOUNDS[2 * i]!;
  const to = STATIC_BOUNDS[2 * i + 1]!;
  if (staticName(STATIC_BYTES, from, to) !== 0) continue;
  let bucket = bucketOf(STATIC_BYTES, from, to);
  while (FIRST_WITH_NAME[bucket] !== 0) bucket = (bucket + 1) & (BUCKETS - 1);
  FIRST_WITH_NAME[bucket] = i;
}

/** The lowest index whose name is `bytes[from, to)` (not empty), whatever its case; 0 if there is none. */
export function staticName(bytes: Uint8Array, from: number, to: number): number {
  let bucket = bucketOf(bytes, from, to);
  for (;;) {
    const index = FIRST_WITH_NAME[bucket]!;
    if (index === 0) return 0;
    if (isNameOf(index, bytes, from, to)) return index;
    bucket = (bucket + 1) & (BUCKETS - 1);
  }
}

function isNameOf(index: number, bytes: Uint8Array, from: number, to: number): boolean {
  const at = STATIC_BOUNDS[2 * index]!;
  if (STATIC_BOUNDS[2 * index + 1]! - at !== to - from) return false;
  for (let i = 0; i < to - from; i++) if (STATIC_BYTES[at + i] !== lower(bytes[from + i]!)) return false;
  return true;
}
