/** Values of HTTP in the YAML: hosts, paths, fields and redirects. Each parser is pure and total, as those of `quantities.ts`. */
import { domainToASCII } from "node:url";
import { z } from "zod";
import { formatAddress, parseAddress } from "../protocols/address.ts";
import { readAs, type ValueMeta } from "./section.ts";

/** A host in lower case, or with `wildcard` every host below `name`. */
export interface HostName {
  readonly name: string;
  readonly wildcard: boolean;
}

type Refused = { readonly hint: string | undefined };

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** Reads a host: `push.example.test`, `*.example.test` (every host below it), or an address. Never with a port. */
export function parseHost(text: string): HostName | Refused {
  const isAddress = parseAddress(text.replace(/^\[(.*)\]$/, "$1"));
  if (isAddress !== undefined) {
    const plain = formatAddress(isAddress);
    return { name: plain.includes(":") ? `[${plain}]` : plain, wildcard: false };
  }
  if (text === "*") return { hint: "Leave the key out for every host." };
  const port = /^(.*):\d{1,5}$/.exec(text)?.[1];
  if (port !== undefined) return { hint: `A host has no port here: \`${port}\`.` };
  const url = /^[a-z]+:\/\/([^/:]+)/i.exec(text)?.[1];
  if (url !== undefined) return { hint: `Write \`${url}\`.` };
  if (/^\.[^.]/.test(text)) return { hint: `Write \`*${text}\` for every host below it.` };
  const wildcard = text.startsWith("*.");
  const name = (wildcard ? text.slice(2) : text).toLowerCase().replace(/\.$/, "");
  if (/[^ -~]/.test(name)) {
    const encoded = domainToASCII(name);
    return { hint: encoded === "" ? undefined : `Write \`${wildcard ? "*." : ""}${encoded}\`.` };
  }
  if (name.includes("*")) return { hint: "A `*` stands only for the first labels: `*.example.test`." };
  const isName = name.length <= 253 && !/^[\d.]+$/.test(name) && name.split(".").every((label) => LABEL.test(label));
  return isName ? { name, wildcard } : { hint: undefined };
}

/** A host as the YAML writes it. */
export function formatHost({ name, wildcard }: HostName): string {
  return wildcard ? `*.${name}` : name;
}

export const host = readAs<HostName>(
  {
    title: "a host",
    code: "config/bad-host",
    expected: "a host such as `www.example.test`, or `*.example.test` for all below it",
  },
  parseHost,
);

/** Where a redirect leads; what is absent is that of the request. */
export interface RedirectTarget {
  readonly scheme: "http" | "https";
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
}

/** Reads where a redirect leads: `https`, `http`, or a URL. One without a path keeps path and query of the request. */
export function parseRedirect(text: string): RedirectTarget | Refused {
  if (text === "https" || text === "http") return { scheme: text };
  const match = /^(https?):\/\/(\[[0-9a-f:.]{2,45}\]|[^/?#:@[\]]{1,253})(?::(\d{1,5}))?([/?][!-~]{0,2000})?$/i.exec(
    text,
  );
  if (match === null) {
    const isHost = /^[a-z0-9-]+(\.[a-z0-9-]+)+(\/.*)?$/i.test(text);
    return { hint: isHost ? `Write \`https://${text}\`.` : text.startsWith("/") ? "Write the whole URL." : undefined };
  }
  const [, scheme = "", written = "", port, path] = match;
  const parsed = parseHost(written);
  if ("hint" in parsed) return parsed;
  if (parsed.wildcard) return { hint: "A redirect leads to one host." };
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return { hint: "A port is 1 to 65535." };
  return {
    scheme: scheme.toLowerCase() as RedirectTarget["scheme"],
    host: parsed.name,
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(path === undefined ? {} : { path: path.startsWith("?") ? `/${path}` : path }),
  };
}

export const redirectTarget = readAs<RedirectTarget>(
  {
    title: "where to redirect to",
    code: "config/bad-redirect",
    expected: "`https`, `http`, or a URL such as `https://www.example.test/start`",
  },
  parseRedirect,
);

/** The beginning of a path. `/app` and `/app/` are the same; `/` is every path. */
export const pathPrefix = z
  .string()
  .max(1_024)
  .regex(/^\/[!"$->@-~]*$/)
  .meta({ title: "the beginning of a path", expected: "a path such as `/app`, without a query" } satisfies ValueMeta)
  .transform((path) => path.replace(/\/+$/, ""));

/** What the name of a field may look like (RFC 9110 5.1, 5.6.2). */
export const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
export const FIELD_NAME_RULE = "the name of a field, such as `X-Frame-Options`";

export const fieldName = readAs<string>(
  { title: "the name of a field", code: "config/bad-field", expected: FIELD_NAME_RULE },
  (text) => {
    if (FIELD_NAME.test(text)) return text;
    const name = /^([^:\s]+):/.exec(text)?.[1];
    return { hint: name !== undefined && FIELD_NAME.test(name) ? `Write \`${name}\`.` : undefined };
  },
);

/** The value of a field (RFC 9110 5.5): visible characters, blanks within. Nothing that could begin a new line. */
export const fieldValue = z
  .string()
  .max(4_096)
  .regex(/^(?:[!-~](?:[\t -~]*[!-~])?)?$/)
  .meta({
    title: "the value of a field",
    code: "config/bad-field",
    expected: "up to 4,096 visible ASCII characters and blanks within",
  } satisfies ValueMeta);

/** Fields to set: name to value. */
export const fields = z
  .record(z.string().regex(FIELD_NAME), fieldValue)
  .meta({ title: "fields", keys: FIELD_NAME_RULE } satisfies ValueMeta)
  .transform((record) => Object.entries(record).map(([name, value]) => ({ name, value })));
