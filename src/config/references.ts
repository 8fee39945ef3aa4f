/**
 * Mistakes that need two parts of the file to be seen. Works on the values as they were written, part by part, so that a
 * mistake in one part does not hide those of another: whatever has not the right form was reported by the schema.
 */
import { childOf, schemaNodes } from "./json-schema.ts";
import { checkPools } from "./pool-rules.ts";
import { type Finding, type Path, quote } from "./problem.ts";
import { type Address, formatHostPort, parseListen } from "./quantities.ts";
import { checkService } from "./service-rules.ts";
import { entries, isMapping, listOf } from "./values.ts";

/** Findings about how the parts of `file` go together. */
export function checkReferences(file: unknown): Finding[] {
  const services = mappingAt(file, "services");
  const pools = mappingAt(file, "pools");
  // Without a readable `pools`, which was reported, no service can name one.
  const known = pools ?? (isWholeFile(file) ? {} : undefined);
  return [
    ...checkEmptiness(file),
    ...entries(services).flatMap(([name, service]) => checkService(service, ["services", name], known)),
    ...checkPools(pools),
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

function mappingAt(value: unknown, key: string): unknown {
  const found = childOf(value, key);
  return isMapping(found) ? found : undefined;
}
