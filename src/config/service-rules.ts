/** Mistakes within a service that the schema cannot see: keys of another protocol, and keys that contradict each other. */
import { formatAddress, parseAddress } from "../protocols/address.ts";
import { PROTOCOLS, type Protocol } from "./choices.ts";
import { childOf } from "./json-schema.ts";
import { type Finding, type Path, quote } from "./problem.ts";
import { parseListen } from "./quantities.ts";
import { checkAnswer, checkPoolNames, checkRoutes } from "./route-rules.ts";
import { entries, isMapping, listOf } from "./values.ts";

/** Keys that only `http` has a use for: of a service, and of its parts. */
const HTTP_KEYS: readonly (readonly string[])[] = [
  ...["http2", "forwarded", "request-id", "headers", "hsts", "sorry"].map((key) => [key]),
  ...["keep-alive", "body"].map((key) => ["timeouts", key]),
  ...["requests-per-source", "concurrent-per-source", "head", "target", "fields", "body-rate", "streams"].map((key) => [
    "limits",
    key,
  ]),
  ["tls", "clients", "header"],
];

/** Fields of which the balancer itself takes care (RFC 9110 7.6.1, RFC 9112 6): another value would break the message. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  ...["connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"],
  "upgrade",
]);

/** Findings about one service. `pools`: undefined if they cannot be read. */
export function checkService(service: unknown, path: Path, pools: unknown): Finding[] {
  if (!isMapping(service)) return [];
  const findings: Finding[] = checkPoolNames(childOf(service, "pool"), [...path, "pool"], path, pools);
  if (!Object.hasOwn(service, "pool") && !Object.hasOwn(service, "routes")) {
    const message = `service ${quote(path.at(-1))} has no pool`;
    findings.push({ code: "config/no-pool", path, at: "key", message, expected: "`pool` or `routes`", about: "pool" });
  }
  findings.push(...checkRoutes(service, path, pools));
  const protocol = protocolOf(service);
  if (protocol !== undefined)
    findings.push(...checkKeys(service, path, protocol), ...checkTls(service, path, protocol));
  findings.push(...checkFields(service, path));
  findings.push(...checkAnswer(childOf(service, "sorry"), [...path, "sorry"]));
  if (childOf(service, "accept-proxy") === true && listOf(childOf(service, "trust")).length === 0) {
    const message = "`accept-proxy` without `trust`: no client could connect";
    const hint = "Name the balancers in front under `trust`.";
    findings.push({ code: "config/conflict", path: [...path, "accept-proxy"], at: "value", message, hint });
  }
  return findings;
}

/** The protocol of a service as it was written; undefined if there is none of that name. */
export function protocolOf(service: unknown): Protocol | undefined {
  const written = childOf(service, "protocol") ?? "tcp";
  return PROTOCOLS.find((protocol) => protocol === written);
}

function checkKeys(service: object, path: Path, protocol: Protocol): Finding[] {
  if (protocol === "http") return [];
  return HTTP_KEYS.flatMap((keys): Finding[] => {
    if (keys.reduce(childOf, service as unknown) === undefined) return [];
    const message = `${quote(keys.at(-1))} is for services with \`protocol: http\` only`;
    return [{ code: "config/conflict", path: [...path, ...keys], at: "key", message }];
  });
}

function checkTls(service: object, path: Path, protocol: Protocol): Finding[] {
  const tls = childOf(service, "tls");
  const conflict = (at: Path, message: string, hint?: string): Finding => {
    return { code: "config/conflict", path: [...path, ...at], at: "key", message, hint };
  };
  if (tls === undefined) {
    if (childOf(service, "hsts") === undefined || protocol !== "http") return [];
    return [conflict(["hsts"], "`hsts` without `tls`: browsers take it over TLS only (RFC 6797 7.2)")];
  }
  if (protocol === "tls") {
    const hint = "Use `protocol: http` or `tcp` to end TLS here, or leave `tls` out.";
    return [conflict(["tls"], "`protocol: tls` passes TLS on to the servers, so it cannot end here", hint)];
  }
  if (protocol === "rdp") {
    return [conflict(["tls"], "remote desktops begin without TLS and agree on it with the server: it cannot end here")];
  }
  const findings: Finding[] = [];
  if (protocol === "http" && childOf(tls, "alpn") !== undefined) {
    findings.push(conflict(["tls", "alpn"], "what an `http` service offers is said by `http2`", "Leave `alpn` out."));
  }
  const listened = listOf(childOf(service, "listen")).map((written) => {
    const address = typeof written === "string" ? parseListen(written) : undefined;
    return address === undefined || "hint" in address ? "::" : address.host;
  });
  const isEvery = listened.some((host) => host === "::" || host === "0.0.0.0");
  for (const [index, certificate] of listOf(childOf(tls, "certificates")).entries()) {
    const bytes = parseAddress(String(childOf(certificate, "address") ?? ""));
    if (bytes === undefined || isEvery || listened.includes(formatAddress(bytes))) continue;
    const message = `the service does not listen on ${quote(formatAddress(bytes))}`;
    findings.push({ ...conflict(["tls", "certificates", index, "address"], message), at: "value" });
  }
  return findings;
}

function checkFields(service: object, path: Path): Finding[] {
  const headers = childOf(service, "headers");
  const refuse = (at: Path, name: string, where: Finding["at"]): Finding[] => {
    if (!OWN_FIELDS.has(name.toLowerCase())) return [];
    const message = `${quote(name)} is the balancer's own: it says where a message begins, ends and goes to`;
    return [{ code: "config/conflict", path: [...path, "headers", ...at], at: where, message }];
  };
  return ["request", "response"].flatMap((side) => {
    const change = childOf(headers, side);
    const removed = childOf(change, "remove");
    return [
      ...entries(childOf(change, "set")).flatMap(([name]) => refuse([side, "set", name], name, "key")),
      ...listOf(removed).flatMap((name, index) =>
        refuse(Array.isArray(removed) ? [side, "remove", index] : [side, "remove"], String(name), "value"),
      ),
    ];
  });
}
