/** Text of the YAML to numbers and addresses: durations, sizes, rates, addresses, networks. Each parser is pure and total. */
import { type Cidr, formatAddress, parseAddress, parseCidr } from "../protocols/address.ts";
import { readAs } from "./section.ts";

/** Where to listen or connect. `host`: an IPv4 or IPv6 address without brackets, or for servers a DNS name. */
export interface Address {
  readonly host: string;
  /** 1 to 65535; 0 only where one listens: the system picks one. */
  readonly port: number;
}

/** So many in a time. */
export interface Rate {
  readonly count: number;
  readonly perMs: number;
}

/** HTTP status codes from `from` to `to`, both in it. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

/** Why a text was refused: what to write instead, if that is known. */
interface Refused {
  readonly hint: string | undefined;
}

const MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const LONG_UNITS: Readonly<Record<string, string>> = {
  ...{ sec: "s", secs: "s", second: "s", seconds: "s", min: "m", mins: "m", minute: "m", minutes: "m" },
  ...{ hr: "h", hrs: "h", hour: "h", hours: "h", day: "d", days: "d", millisecond: "ms", milliseconds: "ms" },
};

/** The longest duration: ten years. */
const MAX_DURATION_MS = 3_650 * 86_400_000;

/** Reads a duration such as `250ms`, `1.5s` or `8h`: milliseconds, at most ten years. */
export function parseDuration(text: string): number | Refused {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)\s*([a-z]{0,12})$/i.exec(text);
  if (match === null) return { hint: undefined };
  const [, amount = "", written = ""] = match;
  if (written === "") return { hint: `Write \`${amount}s\` for seconds.` };
  const unit = MS[written] === undefined ? LONG_UNITS[written.toLowerCase()] : written;
  if (unit === undefined) return { hint: undefined };
  if (text !== amount + unit) return { hint: `Write \`${amount}${unit}\`.` };
  const ms = Math.round(Number(amount) * MS[unit]!);
  return ms > MAX_DURATION_MS ? { hint: "The longest is `3650d`." } : ms;
}

/** Milliseconds as the YAML would say them: 28800000 is `8h`. */
export function formatDuration(ms: number): string {
  for (const unit of ["d", "h", "m", "s"]) {
    if (ms >= MS[unit]! && ms % MS[unit]! === 0) return `${ms / MS[unit]!}${unit}`;
  }
  return `${ms}ms`;
}

/** Reads a rate such as `50/s`, `600/m` or `1000/h`. */
export function parseRate(text: string): Rate | Refused {
  const match = /^(\d{1,9})\/(s|m|h)$/.exec(text);
  if (match === null) return { hint: /^\d{1,9}$/.test(text) ? `Write \`${text}/s\` for a second.` : undefined };
  const count = Number(match[1]);
  return count === 0 ? { hint: "At least `1/h`." } : { count, perMs: MS[match[2]!]! };
}

/** Reads one status (`200`) or a range (`200-399`). */
export function parseStatus(text: string): StatusRange | Refused {
  const match = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(text);
  if (match === null) return { hint: /^[1-5]xx$/i.test(text) ? `Write \`${text[0]}00-${text[0]}99\`.` : undefined };
  const from = Number(match[1]);
  const to = match[2] === undefined ? from : Number(match[2]);
  return to < from ? { hint: `Write \`${to}-${from}\`.` } : { from, to };
}

/** Reads an address to listen on: `10.0.0.1:3389`, `[::1]:3389`, or `:3389` for every address of the machine, both families. */
export function parseListen(text: string): Address | Refused {
  const split = splitPort(text);
  if ("hint" in split) return split;
  const { host, port } = split;
  if (host === "") return { host: "::", port };
  if (host === "*") return { hint: `Write \`:${port}\` for every address.` };
  const bytes = parseAddress(host);
  if (bytes !== undefined) return { host: formatAddress(bytes), port };
  if (host === "localhost") return { hint: `Write \`127.0.0.1:${port}\`.` };
  return { hint: isDnsName(host) ? "A name cannot be listened on." : undefined };
}

/** Reads a server's address: `10.0.0.1:3389`, `[fd00::1]:3389` or `name:3389`. */
export function parseServer(text: string): Address | Refused {
  const split = splitPort(text);
  if ("hint" in split) return split;
  const { host, port } = split;
  if (port === 0) return { hint: "A port is 1 to 65535." };
  if (host === "") return { hint: `A server needs a host: \`10.0.0.1:${port}\`.` };
  const bytes = parseAddress(host);
  const numeric = bytes === undefined ? undefined : formatAddress(bytes);
  if (numeric === "::" || numeric === "0.0.0.0") return { hint: "That is every address of a machine, not a server." };
  if (numeric !== undefined) return { host: numeric, port };
  return isDnsName(host) ? { host: host.toLowerCase(), port } : { hint: undefined };
}

/** Host and port of a text; the host of `[::1]:80` without brackets. */
function splitPort(text: string): Address | Refused {
  const match = /^(\[[^\]]{0,64}\]|[^:[\]]{0,255}):(\d{1,5})$/.exec(text);
  if (match === null) {
    if (/^\d{1,5}$/.test(text)) return { hint: `Write \`:${text}\` for every address.` };
    const unbracketed = /^(.*:.*):(\d{2,5})$/.exec(text);
    const isIPv6 = unbracketed !== null && parseAddress(unbracketed[1]!) !== undefined;
    if (isIPv6) return { hint: `Write \`"[${unbracketed[1]}]:${unbracketed[2]}"\`.` };
    if (parseAddress(text) !== undefined) {
      return { hint: `The port is missing: \`${text.includes(":") ? `"[${text}]:3389"` : `${text}:3389`}\`.` };
    }
    return { hint: isDnsName(text) ? `The port is missing: \`${text}:3389\`.` : undefined };
  }
  const [, host = "", digits = ""] = match;
  const port = Number(digits);
  if (port > 65_535) return { hint: "A port is at most 65535." };
  if (!host.startsWith("[")) return { host, port };
  const inner = host.slice(1, -1);
  return inner.includes(":") ? { host: inner, port } : { hint: `Write \`${inner}:${port}\`.` };
}

/** RFC 1123 2.1 with underscores, which Windows names have; never only digits and dots, which is a mistyped address. */
function isDnsName(text: string): boolean {
  if (text.length > 253 || /^[\d.]+$/.test(text)) return false;
  return text.split(".").every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label));
}

/** Reads a network: `10.0.0.0/8`, `fd00::/8`, or one address. Bits behind the prefix must be 0. */
export function parseNetwork(text: string): Cidr | Refused {
  const block = parseCidr(text);
  if (block === undefined) return { hint: undefined };
  const slash = text.indexOf("/");
  const base = formatAddress(block.address);
  const written = slash < 0 ? undefined : parseAddress(text.slice(0, slash));
  if (written !== undefined && formatAddress(written) !== base)
    return { hint: `Write \`${base}${text.slice(slash)}\`.` };
  return block;
}

/** An address as the YAML writes it; every address of both families is `:3389`. */
export function formatHostPort({ host, port }: Address): string {
  if (host === "::") return `:${port}`;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

export const duration = readAs<number>(
  { title: "a duration", code: "config/bad-duration", expected: "a number and ms, s, m, h or d" },
  parseDuration,
);

/** A duration that is not 0. */
export const positiveDuration = duration.refine((ms) => ms > 0, {
  params: { message: "a duration of 0 is not possible here", hint: "At least `1ms`." },
});

export const rate = readAs<Rate>(
  { title: "a rate", code: "config/bad-rate", expected: "a number for each s, m or h, such as `50/s`" },
  parseRate,
);

export const status = readAs<StatusRange>(
  { title: "a status", code: "config/bad-status", expected: "a status or a range, such as `200` or `200-399`" },
  parseStatus,
);

export const listenAddress = readAs<Address>(
  {
    title: "an address to listen on",
    code: "config/bad-address",
    expected: "an address and a port, such as `10.0.0.1:3389`, `[::1]:3389` or `:3389`",
  },
  parseListen,
);

export const serverAddress = readAs<Address>(
  {
    title: "a server's address",
    code: "config/bad-address",
    expected: "a host and a port, such as `10.0.0.1:3389`, `[fd00::1]:3389` or `name:3389`",
  },
  parseServer,
);

export const network = readAs<Cidr>(
  {
    title: "a network",
    code: "config/bad-network",
    expected: "a network or an address, such as `10.0.0.0/8` or `::1`",
  },
  parseNetwork,
);
