/** Mistakes in the routes of a service: what they ask for, where they lead, and whether two are for the same clients. */
import { parseCidr } from "../protocols/address.ts";
import type { Protocol } from "./choices.ts";
import { childOf } from "./json-schema.ts";
import { type Finding, type Path, quote } from "./problem.ts";
import { parseListen } from "./quantities.ts";
import { didYouMean } from "./suggest.ts";
import { entries, isMapping, listOf, shortList } from "./values.ts";
import { formatHost, type HostName, parseHost, parseRedirect } from "./web.ts";

/** Keys of a route that only one protocol can read. */
const PROTOCOL_OF: Readonly<Record<string, Protocol>> = {
  host: "http",
  path: "http",
  header: "http",
  redirect: "http",
  respond: "http",
  sni: "tls",
  collection: "rdp",
};

/** The key that means the same with another protocol. */
const SAME_AS: Readonly<Record<string, string>> = { host: "sni", sni: "host" };

const TARGETS = ["pool", "redirect", "respond"] as const;

/** Findings about the routes of `service`. */
export function checkRoutes(service: object, path: Path, pools: unknown): Finding[] {
  const findings: Finding[] = [];
  const seen = new Map<string, number>();
  const protocol = String(childOf(service, "protocol") ?? "tcp");
  for (const [index, route] of listOf(childOf(service, "routes")).entries()) {
    if (!isMapping(route)) continue;
    const at = [...path, "routes", index];
    findings.push(...checkTarget(route, at, path, pools));
    findings.push(...checkProtocol(route, at, protocol));
    findings.push(...checkRedirect(route, at, service), ...checkAnswer(route.respond, [...at, "respond"]));
    const matches = matchesOf(route);
    const double = matches.find((match) => seen.has(match));
    if (double !== undefined) {
      const message = `this route is for the same clients as route ${seen.get(double)! + 1}`;
      findings.push({ code: "config/duplicate-route", path: at, at: "value", message, hint: hostOf(double, route) });
    }
    for (const match of matches) if (!seen.has(match)) seen.set(match, index);
    if (childOf(service, "pool") !== undefined && matches.includes(MATCHES_ALL)) {
      const message = "this route is for all clients, and so is the service's `pool`";
      findings.push({ code: "config/conflict", path: at, at: "value", message, hint: "Leave one of them out." });
    }
  }
  return findings;
}

/** As `matchesOf` writes it. */
const MATCHES_ALL = '[null,"",null,null,null,[]]';
const MATCH_KEYS: ReadonlySet<string> = new Set([
  ...["host", "sni", "path", "header", "source", "collection"],
  ...["pool", "server", "redirect", "respond"],
]);

/** Which clients a route is for, as texts that are equal for equal clients; none where it cannot be read. */
function matchesOf(route: Record<string, unknown>): string[] {
  if (Object.keys(route).some((key) => !MATCH_KEYS.has(key))) return [];
  const sources = listOf(route.source).map((source) => parseCidr(String(source)));
  const written = listOf(route.host ?? route.sni);
  const hosts = written.map((host) => parseHost(String(host)));
  if (sources.includes(undefined) || hosts.some((host) => "hint" in host)) return [];
  const blocks = sources.map((block) => `${block?.address.join(".")}/${block?.bits}`).toSorted();
  const path = String(route.path ?? "").replace(/\/+$/, "");
  const field = childOf(route.header, "name");
  const rest = [
    path,
    field === undefined ? null : String(field).toLowerCase(),
    childOf(route.header, "value") ?? null,
    typeof route.collection === "string" ? route.collection.toLowerCase() : null,
    blocks,
  ];
  const names = hosts.length === 0 ? [null] : hosts.map((host) => formatHost(host as HostName));
  return [...new Set(names.map((name) => JSON.stringify([name, ...rest])))];
}

/** Of a route with several hosts: which of them has another route. */
function hostOf(match: string, route: Record<string, unknown>): string | undefined {
  if (listOf(route.host ?? route.sni).length < 2) return undefined;
  return `It is ${quote((JSON.parse(match) as unknown[])[0])} that has two.`;
}

function checkTarget(route: Record<string, unknown>, path: Path, service: Path, pools: unknown): Finding[] {
  const targets = TARGETS.filter((key) => Object.hasOwn(route, key));
  const findings: Finding[] = [];
  if (targets.length === 0) {
    const message = "this route leads nowhere";
    const expected = "`pool`, `redirect` or `respond`";
    findings.push({ code: "config/no-target", path, at: "value", message, expected, about: "pool" });
  }
  for (const other of targets.slice(1)) {
    const message = `a route has ${quote(targets[0])} or ${quote(other)}, not both`;
    findings.push({ code: "config/conflict", path: [...path, other], at: "key", message });
  }
  if (Object.hasOwn(route, "server") && targets.length > 0 && !targets.includes("pool")) {
    const message = "a `server` is one of a `pool`, and this route has none";
    findings.push({ code: "config/conflict", path: [...path, "server"], at: "key", message });
  }
  findings.push(...checkPoolNames(route.pool, [...path, "pool"], service, pools));
  const { server } = route;
  if (typeof server !== "string") return findings;
  for (const name of listOf(route.pool)) {
    const servers = typeof name === "string" ? childOf(childOf(pools, name), "servers") : undefined;
    if (!isMapping(servers) || Object.hasOwn(servers, server)) continue;
    const known = Object.keys(servers);
    findings.push({
      code: "config/unknown-server",
      path: [...path, "server"],
      at: "value",
      message: `pool ${quote(name)} has no server ${quote(server)}`,
      expected: shortList(known),
      hint: didYouMean(server, known),
    });
  }
  return findings;
}

function checkProtocol(route: Record<string, unknown>, path: Path, protocol: string): Finding[] {
  return Object.entries(PROTOCOL_OF).flatMap(([key, reader]): Finding[] => {
    if (!Object.hasOwn(route, key) || protocol === reader) return [];
    const message = `${quote(key)} is read by services with \`protocol: ${reader}\` only`;
    const same = SAME_AS[key];
    const hint = same !== undefined && PROTOCOL_OF[same] === protocol ? `Use \`${same}\`.` : undefined;
    return [{ code: "config/conflict", path: [...path, key], at: "key", message, hint }];
  });
}

function checkRedirect(route: Record<string, unknown>, path: Path, service: object): Finding[] {
  const { redirect } = route;
  const to = childOf(redirect, "to");
  const target = typeof to === "string" ? parseRedirect(to) : undefined;
  if (target === undefined || "hint" in target) return [];
  const written = childOf(redirect, "port");
  if (target.host !== undefined && written !== undefined) {
    const message = "the port of a URL stands in the URL";
    return [{ code: "config/conflict", path: [...path, "redirect", "port"], at: "key", message }];
  }
  const port = target.port ?? (typeof written === "number" ? written : target.scheme === "https" ? 443 : 80);
  const isSameScheme = (target.scheme === "https") === (childOf(service, "tls") !== undefined);
  const listens = listOf(childOf(service, "listen")).some((address) => {
    const parsed = typeof address === "string" ? parseListen(address) : undefined;
    return parsed !== undefined && !("hint" in parsed) && parsed.port === port;
  });
  const isSameHost = target.host === undefined || isFor(route, target.host);
  if (!isSameScheme || !listens || !isSameHost || target.path !== undefined) return [];
  const message = "this redirect leads back to this route: clients would go round";
  return [{ code: "config/conflict", path: [...path, "redirect", "to"], at: "value", message }];
}

/** Is the route for `host` by its own name? A wildcard does not count: another route may be for that one host. */
function isFor(route: Record<string, unknown>, host: string): boolean {
  return listOf(route.host).some((written) => {
    const parsed = parseHost(String(written));
    return !("hint" in parsed) && !parsed.wildcard && parsed.name === host;
  });
}

/** Statuses whose answers have no content (RFC 9110 6.4.1). */
const WITHOUT_CONTENT: ReadonlySet<unknown> = new Set([204, 205, 304]);
/** Fields of an answer that the rest of it says. */
const SAID_BY_US: ReadonlySet<string> = new Set([
  ...["connection", "content-length", "content-type", "date", "keep-alive", "transfer-encoding", "upgrade"],
]);

/** Findings about `respond` or `sorry`. */
export function checkAnswer(answer: unknown, path: Path): Finding[] {
  if (!isMapping(answer)) return [];
  const findings: Finding[] = [];
  const content = ["body", "file"].filter((key) => Object.hasOwn(answer, key));
  if (content.length === 2) {
    const message = "an answer has a `body` or a `file`, not both";
    findings.push({ code: "config/conflict", path: [...path, "file"], at: "key", message });
  } else if (content.length === 1 && WITHOUT_CONTENT.has(answer.status)) {
    const message = `an answer with status ${answer.status} has no content`;
    findings.push({ code: "config/conflict", path: [...path, content[0]!], at: "key", message });
  }
  for (const [name] of entries(answer.headers)) {
    if (!SAID_BY_US.has(name.toLowerCase())) continue;
    const message = `${quote(name)} follows from the answer itself`;
    const hint = name.toLowerCase() === "content-type" ? "Use `type`." : undefined;
    findings.push({ code: "config/conflict", path: [...path, "headers", name], at: "key", message, hint });
  }
  return findings;
}

/** Findings about the pools that are named at `path`. */
export function checkPoolNames(written: unknown, path: Path, service: Path, pools: unknown): Finding[] {
  const findings: Finding[] = [];
  const seen = new Set<string>();
  for (const [index, name] of listOf(written).entries()) {
    if (typeof name !== "string") continue;
    const at = Array.isArray(written) ? [...path, index] : path;
    if (seen.has(name)) {
      const message = `pool ${quote(name)} is in the list twice`;
      findings.push({ code: "config/conflict", path: at, at: "value", message });
    }
    seen.add(name);
    if (!isMapping(pools) || Object.hasOwn(pools, name)) continue;
    const known = Object.keys(pools);
    findings.push({
      code: "config/unknown-pool",
      path: at,
      at: "value",
      message: `service ${quote(service.at(-1))} uses a pool that this file does not have`,
      expected: known.length === 0 ? "a pool under `pools`" : shortList(known),
      hint: didYouMean(name, known),
    });
  }
  return findings;
}
