/** Warnings about a file without mistakes: what will run, and hardly be what was meant. */
import { adviseTls } from "./advice-tls.ts";
import type { Protocol, RecognisedByName } from "./choices.ts";
import { type Finding, quote } from "./problem.ts";
import { formatDuration, formatHostPort } from "./quantities.ts";
import type { Config, Pool, Service } from "./schema.ts";

/** Which services can recognise a client in a way; every one by its source. `host` is the name in the handshake of TLS too. */
const READ_BY: Readonly<Partial<Record<RecognisedByName, readonly Protocol[]>>> = {
  token: ["rdp"],
  user: ["rdp"],
  cookie: ["http"],
  header: ["http"],
  query: ["http"],
  host: ["http", "tls"],
};

function canRead({ protocol, tls }: Service, way: RecognisedByName): boolean {
  return (READ_BY[way]?.includes(protocol) ?? true) || (way === "host" && tls !== undefined);
}

/** Warnings, in no order. */
export function advise(config: Config, nowMs: number): Finding[] {
  const usedBy = servicesOfPools(config);
  const ofPools = Object.values(config.pools).flatMap((pool) => {
    const services = usedBy.get(pool.name) ?? [];
    return [
      ...adviseUse(pool, services),
      ...advisePersistence(pool, services),
      ...adviseCookie(pool, services),
      ...adviseChecks(pool),
      ...adviseServers(pool, services),
    ];
  });
  return [...ofPools, ...Object.values(config.services).flatMap(adviseForwarding), ...adviseTls(config, nowMs)];
}

function servicesOfPools({ services }: Config): Map<string, Service[]> {
  const usedBy = new Map<string, Service[]>();
  for (const service of Object.values(services)) {
    for (const name of new Set(service.routes.flatMap((route) => route.pool))) {
      usedBy.set(name, [...(usedBy.get(name) ?? []), service]);
    }
  }
  return usedBy;
}

function adviseUse({ name, algorithm, agent }: Pool, services: readonly Service[]): Finding[] {
  const path = ["pools", name];
  const findings: Finding[] = [];
  if (services.length === 0) {
    findings.push({ code: "config/unused-pool", path, at: "key", message: `no service uses pool ${quote(name)}` });
  }
  if (algorithm === "least-load" && agent === undefined) {
    const message = "`least-load` without an `agent`: no server says how loaded it is";
    findings.push({ code: "config/no-agent", path: [...path, "algorithm"], at: "value", message });
  }
  return findings;
}

function advisePersistence({ name, persistence }: Pool, services: readonly Service[]): Finding[] {
  const path = ["pools", name];
  const rdp = services.find((service) => service.protocol === "rdp");
  if (persistence === undefined) {
    const pinned = rdp?.routes
      .filter((route) => route.pool.includes(name))
      .every((route) => route.server !== undefined);
    if (rdp === undefined || pinned) return [];
    const message = `pool ${quote(name)} has no persistence: users of ${quote(rdp.name)} who come back land on any server`;
    const hint = "Add `persistence: { by: [token, user, source] }`.";
    return [{ code: "config/no-persistence", path, at: "key", message, hint }];
  }
  const findings: Finding[] = [];
  const { by } = persistence;
  const unread = services.length === 0 ? [] : by.filter((way) => !services.some((service) => canRead(service, way)));
  const blind = services.find((service) => !by.some((way) => canRead(service, way)));
  const at = { code: "config/never-recognised", path: [...path, "persistence", "by"], at: "value" } as const;
  if (unread.length > 0) {
    const readers = [...new Set(unread.flatMap((way) => READ_BY[way] ?? []))].map(quote).join(" or ");
    const message = `no service of pool ${quote(name)} is ${readers}, so nobody is recognised by ${unread.map(quote).join(" or ")}`;
    findings.push({ ...at, message });
  } else if (blind !== undefined) {
    const message = `clients of ${quote(blind.name)}, which is ${quote(blind.protocol)}, are not recognised by ${by.map(quote).join(" or ")}`;
    findings.push({ ...at, message, hint: "Add `source`, or give it a pool of its own." });
  }
  if (persistence.lifetime < persistence.idle) {
    const { lifetime, idle } = persistence;
    const message = `\`lifetime\` (${formatDuration(lifetime)}) is shorter than \`idle\` (${formatDuration(idle)})`;
    findings.push({ code: "config/short-lifetime", path: [...path, "persistence", "lifetime"], at: "value", message });
  }
  return findings;
}

/** Browsers take a cookie that goes along with requests from other sites only if it is marked `Secure`. */
function adviseCookie({ name, persistence }: Pool, services: readonly Service[]): Finding[] {
  if (!persistence?.by.includes("cookie") || persistence.mode !== "insert") return [];
  if (persistence.sameSite !== "none") return [];
  const at = {
    code: "config/insecure-cookie",
    path: ["pools", name, "persistence", "same-site"],
    at: "value",
  } as const;
  if (persistence.secure === false) {
    return [{ ...at, message: "browsers refuse a cookie with `same-site: none` that is not marked `Secure`" }];
  }
  const plain = services.find(({ protocol, tls }) => protocol === "http" && tls === undefined);
  if (plain === undefined) return [];
  return [{ ...at, message: `service ${quote(plain.name)} has no \`tls\`, so browsers refuse its cookie` }];
}

function adviseForwarding({ name, protocol, forwarded }: Service): Finding[] {
  if (protocol !== "http" || forwarded.mode !== "off") return [];
  const message = "what clients say about their own address goes on to the servers";
  return [{ code: "config/believed-addresses", path: ["services", name, "forwarded"], at: "value", message }];
}

function adviseChecks({ name, health, agent, tls }: Pool): Finding[] {
  const findings: Finding[] = [];
  if (tls !== undefined && health?.check === "http" && health.port === undefined) {
    const message = `the servers of pool ${quote(name)} speak TLS, and this check does not`;
    findings.push({ code: "config/plain-check", path: ["pools", name, "health", "check"], at: "value", message });
  }
  for (const [key, check] of [["health", health] as const, ["agent", agent] as const]) {
    if (check === undefined || check.timeout < check.every) continue;
    const message = `\`timeout\` (${formatDuration(check.timeout)}) is not shorter than \`every\` (${formatDuration(check.every)})`;
    findings.push({ code: "config/slow-check", path: ["pools", name, key, "timeout"], at: "value", message });
  }
  return findings;
}

function adviseServers({ name, servers, agent }: Pool, services: readonly Service[]): Finding[] {
  const findings: Finding[] = [];
  const seen = new Map<string, string>();
  const listened = new Map(
    services.flatMap((service) => service.listen.map((address) => [formatHostPort(address), service.name] as const)),
  );
  for (const server of Object.values(servers)) {
    const path = ["pools", name, "servers", server.name];
    const address = formatHostPort(server.address);
    const other = seen.get(address);
    const service = listened.get(address);
    seen.set(address, server.name);
    if (other !== undefined) {
      const message = `${quote(server.name)} has the address of ${quote(other)}`;
      findings.push({ code: "config/same-server", path, at: "value", message });
    }
    if (service !== undefined) {
      const message = `${quote(server.name)} is the address that service ${quote(service)} listens on`;
      findings.push({ code: "config/loop", path, at: "value", message });
    }
  }
  if (agent !== undefined && Object.values(servers).some((server) => server.address.port === agent.port)) {
    const message = `port ${agent.port} is a server's own port, not the agent's`;
    findings.push({ code: "config/agent-port", path: ["pools", name, "agent", "port"], at: "value", message });
  }
  return findings;
}
