/** Mistakes within pools that the schema cannot see: servers, and what each way to recognise a client needs. */
import { childOf } from "./json-schema.ts";
import { type Finding, type Path, quote } from "./problem.ts";
import { entries, isMapping, listOf } from "./values.ts";
import { FIELD_NAME, FIELD_NAME_RULE } from "./web.ts";

/** Servers of all pools together: a server id has 12 bits for its slot. */
export const MAX_SERVERS = 4_096;

/** Ways that need the name of what they read. A pool has one name, so it has one of these ways. */
const NAMED: ReadonlySet<unknown> = new Set(["cookie", "header", "query"]);
/** Keys that only a cookie has a use for, and of those the ones that only our own has. */
const COOKIE_KEYS = ["mode", "same-site", "domain", "secure"];
const OWN_COOKIE_KEYS: ReadonlySet<string> = new Set(["same-site", "domain", "secure"]);

/** Findings about the pools, one after the other. */
export function checkPools(pools: unknown): Finding[] {
  const findings: Finding[] = [];
  let count = 0;
  for (const [name, pool] of entries(pools)) {
    const servers = childOf(pool, "servers");
    const path = ["pools", name, "servers"];
    findings.push(...checkPersistence(childOf(pool, "persistence"), ["pools", name, "persistence"]));
    findings.push(...checkTls(childOf(pool, "tls"), ["pools", name, "tls"]));
    if (!isMapping(servers)) continue;
    const size = Object.keys(servers).length;
    if (size === 0) {
      findings.push({ code: "config/no-servers", path, at: "key", message: `pool ${quote(name)} has no servers` });
    }
    if (count <= MAX_SERVERS && count + size > MAX_SERVERS) {
      const message = `with this pool there are more than ${MAX_SERVERS.toLocaleString("en")} servers`;
      findings.push({ code: "config/too-many-servers", path, at: "key", message });
    }
    count += size;
  }
  return findings;
}

function checkTls(tls: unknown, path: Path): Finding[] {
  if (childOf(tls, "key") === undefined || childOf(tls, "cert") !== undefined) return [];
  const message = "a `key` without its certificate";
  return [{ code: "config/conflict", path: [...path, "key"], at: "key", message, hint: "Add `cert`." }];
}

function checkPersistence(persistence: unknown, path: Path): Finding[] {
  if (!isMapping(persistence)) return [];
  const { by, name } = persistence;
  const ways = listOf(by);
  const conflict = (key: string, message: string, hint?: string): Finding => {
    return { code: "config/conflict", path: [...path, key], at: "key", message, hint };
  };
  const findings = ways.flatMap((word, index): Finding[] => {
    const at = { path: Array.isArray(by) ? [...path, "by", index] : [...path, "by"], at: "value" } as const;
    if (ways.indexOf(word) !== index) {
      return [{ code: "config/conflict", ...at, message: `${quote(word)} is in the list twice` }];
    }
    const first = ways.find((other) => NAMED.has(other));
    if (!NAMED.has(word) || first === word) return [];
    return [{ code: "config/conflict", ...at, message: `a pool recognises by ${quote(first)} or by ${quote(word)}` }];
  });
  const named = ways.find((word) => NAMED.has(word));
  if (named !== undefined && name === undefined) {
    const message = `persistence by ${quote(named)} needs \`name\``;
    findings.push({ code: "config/missing-key", path, at: "key", message, expected: nameRule(named), about: "name" });
  }
  if (named === undefined && name !== undefined && ways.length > 0) {
    findings.push(conflict("name", "a `name` without `cookie`, `header` or `query` in `by`: nothing has that name"));
  }
  if (named !== undefined && typeof name === "string" && name !== "" && !isNameOf(named, name)) {
    const message = `${quote(name)} cannot be the name of a ${named === "query" ? "parameter" : String(named)}`;
    findings.push({
      code: "config/bad-field",
      path: [...path, "name"],
      at: "value",
      message,
      expected: nameRule(named),
    });
  }
  for (const key of COOKIE_KEYS.filter((key) => Object.hasOwn(persistence, key))) {
    const mode = childOf(persistence, "mode") ?? "insert";
    if (!ways.includes("cookie")) findings.push(conflict(key, `${quote(key)} without \`cookie\` in \`by\``));
    else if (OWN_COOKIE_KEYS.has(key) && mode !== "insert") {
      findings.push(
        conflict(key, `${quote(key)} is for a cookie of our own: with \`mode: ${mode}\` it is the servers'`),
      );
    }
  }
  const prefix = /^__(?:Host|Secure)-/.exec(ways.includes("cookie") ? String(name) : "")?.[0];
  if (prefix === "__Host-" && Object.hasOwn(persistence, "domain")) {
    findings.push(conflict("domain", "browsers refuse a cookie `__Host-…` with a Domain"));
  }
  if (prefix !== undefined && persistence.secure === false) {
    findings.push(conflict("secure", `browsers refuse a cookie \`${prefix}…\` that is not marked \`Secure\``));
  }
  return findings;
}

function isNameOf(way: unknown, name: string): boolean {
  return way === "query" ? /^[A-Za-z0-9._~!$'()*,:@/%-]+$/.test(name) : FIELD_NAME.test(name);
}

function nameRule(way: unknown): string {
  if (way === "header") return FIELD_NAME_RULE;
  return way === "cookie"
    ? "the name of a cookie: letters, digits, dashes and underscores"
    : "the name of a parameter, as it stands in a URL";
}
