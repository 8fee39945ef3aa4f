/**
 * Mistakes that need two parts of the file to be seen. Works on the values as they were written, part by part, so that a
 * mistake in one part does not hide those of another: whatever has not the right form was reported by the schema.
 */
import { parseCidr } from "../protocols/address.ts";
import { childOf, schemaNodes } from "./json-schema.ts";
import { type Finding, type Path, quote } from "./problem.ts";
import { type Address, formatHostPort, parseListen } from "./quantities.ts";
import { didYouMean } from "./suggest.ts";

/** Servers of all pools together: a server id has 12 bits for its slot. */
export const MAX_SERVERS = 4_096;

/** Findings about how the parts of `file` go together. */
export function checkReferences(file: unknown): Finding[] {
  const services = mappingAt(file, "services");
  const pools = mappingAt(file, "pools");
  // Without a readable `pools`, which was reported, no service can name one.
  const known = pools ?? (isWholeFile(file) ? {} : undefined);
  return [
    ...checkEmptiness(file),
    ...entries(services).flatMap(([name, service]) => checkService(service, ["services", name], known)),
    ...checkServers(pools),
    ...checkListeners(file, services),
    ...checkAgentRole(file),
  ];
}

/** May a section that is not there be taken as missing? Not if a key is misspelt, or its value has not the right form. */
function isWholeFile(file: unknown): boolean {
  const known = schemaNodes.properties ?? {};
  return (
    isMapping(file) && !Object.hasOwn(file, "pools") && Object.keys(file).every((key) => Object.hasOwn(known, key))
  );
}

function checkEmptiness(file: unknown): Finding[] {
  const known = schemaNodes.properties ?? {};
  if (!isMapping(file) || Object.keys(file).some((key) => !Object.hasOwn(known, key))) return []; // a misspelt `services`
  if (Object.hasOwn(file, "services") || Object.hasOwn(file, "agent")) return [];
  const message = "the file has no `services`, so there is nothing to run";
  return [{ code: "config/nothing-to-run", path: [], at: "value", message, expected: "services and pools, or agent" }];
}

function checkService(service: unknown, path: Path, pools: unknown): Finding[] {
  if (!isMapping(service)) return [];
  const findings: Finding[] = checkPoolNames(childOf(service, "pool"), [...path, "pool"], path, pools);
  const routes = childOf(service, "routes");
  if (!Object.hasOwn(service, "pool") && !Object.hasOwn(service, "routes")) {
    const message = `service ${quote(path.at(-1))} has no pool`;
    findings.push({ code: "config/no-pool", path, at: "key", message, expected: "`pool` or `routes`", about: "pool" });
  }
  const seen = new Map<string, number>();
  for (const [index, route] of listOf(routes).entries()) {
    const at = [...path, "routes", index];
    findings.push(...checkRoute(route, at, path, pools));
    const match = matchOf(route);
    const first = match === undefined ? undefined : seen.get(match);
    if (match !== undefined && first === undefined) seen.set(match, index);
    if (first !== undefined) {
      const message = `this route is for the same clients as route ${first + 1}`;
      findings.push({ code: "config/duplicate-route", path: at, at: "value", message });
    }
    if (childOf(service, "pool") !== undefined && match === MATCHES_ALL) {
      const message = "this route is for all clients, and so is the service's `pool`";
      findings.push({ code: "config/conflict", path: at, at: "value", message, hint: "Leave one of them out." });
    }
    if (childOf(route, "collection") !== undefined && childOf(service, "protocol") !== "rdp") {
      const message = "a `collection` is read by services with `protocol: rdp` only";
      findings.push({ code: "config/conflict", path: [...at, "collection"], at: "key", message });
    }
  }
  if (childOf(service, "accept-proxy") === true && listOf(childOf(service, "trust")).length === 0) {
    const message = "`accept-proxy` without `trust`: no client could connect";
    const hint = "Name the balancers in front under `trust`.";
    findings.push({ code: "config/conflict", path: [...path, "accept-proxy"], at: "value", message, hint });
  }
  return findings;
}

const MATCHES_ALL = "[null,[]]";
const ROUTE_KEYS: ReadonlySet<string> = new Set(["source", "collection", "pool", "server"]);

/** Which clients a route is for, as text that is equal for equal routes; nothing where it cannot be read. */
function matchOf(route: unknown): string | undefined {
  if (!isMapping(route) || Object.keys(route).some((key) => !ROUTE_KEYS.has(key))) return undefined;
  const sources = listOf(childOf(route, "source")).map((source) => parseCidr(String(source)));
  if (sources.includes(undefined)) return undefined;
  const blocks = sources.map((block) => `${block?.address.join(".")}/${block?.bits}`).toSorted();
  const collection = childOf(route, "collection");
  return JSON.stringify([typeof collection === "string" ? collection.toLowerCase() : null, blocks]);
}

function checkRoute(route: unknown, path: Path, service: Path, pools: unknown): Finding[] {
  const names = childOf(route, "pool");
  const findings = checkPoolNames(names, [...path, "pool"], service, pools);
  const server = childOf(route, "server");
  if (typeof server !== "string") return findings;
  for (const name of listOf(names)) {
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

function checkPoolNames(written: unknown, path: Path, service: Path, pools: unknown): Finding[] {
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

function checkServers(pools: unknown): Finding[] {
  const findings: Finding[] = [];
  let count = 0;
  for (const [name, pool] of entries(pools)) {
    const servers = childOf(pool, "servers");
    const path = ["pools", name, "servers"];
    findings.push(
      ...checkRecognition(childOf(childOf(pool, "persistence"), "by"), ["pools", name, "persistence", "by"]),
    );
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

function checkRecognition(by: unknown, path: Path): Finding[] {
  const words = listOf(by);
  return words.flatMap((word, index): Finding[] => {
    if (words.indexOf(word) === index) return [];
    const message = `${quote(word)} is in the list twice`;
    return [{ code: "config/conflict", path: [...path, index], at: "value", message }];
  });
}

/** Addresses that are listened on twice, over services, metrics and agent. Port 0 never collides. */
function checkListeners(file: unknown, services: unknown): Finding[] {
  const findings: Finding[] = [];
  const taken = new Map<number, { address: Address; by: string }[]>();
  for (const { written, path, by } of listeners(file, services)) {
    const address = typeof written === "string" ? parseListen(written) : undefined;
    if (address === undefined || "hint" in address || address.port === 0) continue;
    const samePort = taken.get(address.port) ?? [];
    const other = samePort.find((earlier) => covers(earlier.address, address));
    if (other === undefined) {
      taken.set(address.port, [...samePort, { address, by }]);
      continue;
    }
    const where = formatHostPort(other.address);
    const message =
      where === formatHostPort(address)
        ? `${quote(where)} is already taken by ${other.by}`
        : `${quote(formatHostPort(address))} is already covered by ${quote(where)} of ${other.by}`;
    findings.push({ code: "config/address-taken", path, at: "value", message });
  }
  return findings;
}

interface Listener {
  readonly written: unknown;
  readonly path: Path;
  readonly by: string;
}

function listeners(file: unknown, services: unknown): Listener[] {
  const ofServices = entries(services).flatMap(([name, service]) => {
    const written = childOf(service, "listen");
    const path = ["services", name, "listen"];
    return listOf(written).map((item, index) => ({
      written: item,
      path: Array.isArray(written) ? [...path, index] : path,
      by: `service ${quote(name)}`,
    }));
  });
  return [
    ...ofServices,
    { written: childOf(childOf(file, "metrics"), "listen"), path: ["metrics", "listen"], by: "`metrics`" },
    { written: childOf(childOf(file, "agent"), "number"), path: ["agent", "number"], by: "`agent`" },
    { written: childOf(childOf(file, "agent"), "text"), path: ["agent", "text"], by: "`agent`" },
  ];
}

/** Do two addresses with one port collide? `::` takes both families, `0.0.0.0` every IPv4 address. */
function covers(a: Address, b: Address): boolean {
  if (a.host === b.host || a.host === "::" || b.host === "::") return true;
  const bothIPv4 = !a.host.includes(":") && !b.host.includes(":");
  return bothIPv4 && (a.host === "0.0.0.0" || b.host === "0.0.0.0");
}

function checkAgentRole(file: unknown): Finding[] {
  const agent = childOf(file, "agent");
  if (!isMapping(agent) || childOf(agent, "number") !== undefined || childOf(agent, "text") !== undefined) return [];
  const message = "the agent needs `number` or `text`: an address to answer on";
  return [{ code: "config/missing-key", path: ["agent"], at: "key", message }];
}

function shortList(words: readonly string[]): string {
  return words.slice(0, 3).join(", ") + (words.length > 3 ? ", ..." : "");
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function mappingAt(value: unknown, key: string): unknown {
  const found = childOf(value, key);
  return isMapping(found) ? found : undefined;
}

function entries(value: unknown): [string, unknown][] {
  return isMapping(value) ? Object.entries(value) : [];
}

/** One value or a list, as a list; nothing is the empty list. */
function listOf(value: unknown): unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}
