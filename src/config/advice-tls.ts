/** Warnings about TLS: certificates that end, hosts without one, and control connections that not every client can make. */
import { certificatesOf } from "./certificate-files.ts";
import { covers, readChain } from "./certificates.ts";
import { type Finding, quote } from "./problem.ts";
import type { Config, Route, Service } from "./schema.ts";

const DAY_MS = 86_400_000;
/** From here on a certificate that ends is told of. */
export const ENDS_SOON_DAYS = 30;

/** Warnings, in no order. */
export function adviseTls(config: Config, nowMs: number): Finding[] {
  const services = Object.values(config.services);
  return [
    ...adviseEnds(config, nowMs),
    ...services.flatMap(adviseHosts),
    ...services.flatMap((service) => adviseControl(service, config)),
  ];
}

/** "has ended 3 days ago", "ends in 9 days". */
export function endText(endsMs: number, nowMs: number): string {
  const days = Math.floor(Math.abs(endsMs - nowMs) / DAY_MS);
  const time = days === 0 ? "less than a day" : `${days} day${days === 1 ? "" : "s"}`;
  return endsMs <= nowMs ? `has ended ${time} ago` : `ends in ${time}`;
}

function adviseEnds(config: Config, nowMs: number): Finding[] {
  return certificatesOf(config).flatMap(({ cert, path }): Finding[] => {
    const chain = readChain(cert);
    if ("unusable" in chain || chain.endsMs - nowMs > ENDS_SOON_DAYS * DAY_MS) return [];
    const message = `the certificate ${endText(chain.endsMs, nowMs)}`;
    return [{ code: "config/certificate-ends", path: [...path, "cert"], at: "value", message }];
  });
}

/** Exact hosts of routes that no certificate of the service is for. */
function adviseHosts({ name, tls, routes }: Service): Finding[] {
  if (tls === undefined) return [];
  const names = tls.certificates.flatMap(({ cert }) => {
    const chain = readChain(cert);
    return "unusable" in chain ? [] : chain.names;
  });
  return routes.flatMap((route, index): Finding[] => {
    const bare = (route.host ?? []).filter(
      (host) => !host.wildcard && isDnsName(host.name) && !covers(names, host.name),
    );
    if (bare.length === 0) return [];
    const hosts = bare.map((host) => quote(host.name)).join(", ");
    const message = `no certificate of ${quote(name)} is for ${hosts}`;
    return [{ code: "config/uncovered-host", path: ["services", name, "routes", index, "host"], at: "value", message }];
  });
}

function isDnsName(host: string): boolean {
  return /[a-z]/.test(host) && !host.startsWith("[");
}

/**
 * A session is created through one service and controlled through another, which is pinned to its server: whoever could
 * create it must be able to reach it.
 */
function adviseControl(control: Service, config: Config): Finding[] {
  const { tls } = control;
  if (tls === undefined || !control.routes.every(isPinned)) return [];
  const servers = serversOf(control.routes, config);
  const creating = Object.values(config.services).filter(
    (service) =>
      service !== control &&
      service.tls !== undefined &&
      serversOf(
        service.routes.filter((route) => !isPinned(route)),
        config,
      ).intersection(servers).size > 0,
  );
  return creating
    .map((service) => stricter(control, service))
    .filter((finding) => finding !== undefined)
    .slice(0, 1);
}

/** By what `control` asks for more than `first`, through which its clients come; undefined if it does not. */
function stricter(control: Service, first: Service): Finding | undefined {
  const [now, before] = [control.tls!, first.tls!];
  const [here, there] = [quote(control.name), quote(first.name)];
  const finding = (key: string, message: string): Finding => {
    const path = ["services", control.name, "tls", key];
    return { code: "config/stricter-control", path, at: "value", message };
  };
  if (now.minimum > before.minimum) {
    return finding(
      "minimum",
      `${here} wants ${now.minimum}, and ${there}, where its clients come from, ${before.minimum}`,
    );
  }
  if (now.clients?.required && !before.clients?.required) {
    return finding("clients", `${here} wants certificates of clients, and ${there}, where they come from, does not`);
  }
  if (isFewer(now.ciphers, before.ciphers)) {
    return finding("ciphers", `${here} has fewer ciphers than ${there}, where its clients come from`);
  }
  if (isFewer(now.cipherSuites, before.cipherSuites)) {
    return finding("cipher-suites", `${here} has fewer cipher suites than ${there}, where its clients come from`);
  }
  return undefined;
}

/** Does a list leave out something that `first` has? Without a list of its own, `first` has the usual ones. */
function isFewer(list: string | undefined, first: string | undefined): boolean {
  if (list === undefined || list === first) return false;
  if (first === undefined) return true;
  const words = new Set(list.split(/[:, ]+/));
  return first.split(/[:, ]+/).some((word) => !words.has(word));
}

function isPinned(route: Route): boolean {
  return route.server !== undefined;
}

/** Machines that routes lead to. A server has other ports in other pools, so its port does not count. */
function serversOf(routes: readonly Route[], { pools }: Config): Set<string> {
  const hosts = routes.flatMap(({ pool, server }) =>
    pool.flatMap((name) => {
      const servers = pools[name]?.servers ?? {};
      return Object.values(servers)
        .filter((one) => server === undefined || one.name === server)
        .map(({ address }) => address.host);
    }),
  );
  return new Set(hosts);
}
