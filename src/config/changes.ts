/** What a reload has to do: two configurations side by side. Pure. */
import { certificatesOf } from "./certificate-files.ts";
import { NamedFile } from "./named-file.ts";
import { formatHostPort } from "./quantities.ts";
import type { Config, Pool, Service } from "./schema.ts";

/** Names on both sides. `changed`: on both, and not the same. */
export interface NameChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
  readonly kept: readonly string[];
}

/** A socket that listens: kept as long as its address is listened on by any service. */
export interface ListenerChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly kept: readonly string[];
}

/** Servers as `pool/server`. One that has moved to another address counts under `moved` whatever else has changed. */
export interface ServerChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly moved: readonly string[];
  readonly reweighted: readonly string[];
  /** `limit` or `backup` is another. */
  readonly changed: readonly string[];
  readonly kept: readonly string[];
}

/** Routes of services that are on both sides, as the file counts them. One at its place with other words is `changed`. */
export interface RouteChanges {
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
}

/** Files that are named on both sides and have another content now, by path. */
export interface FileChanges {
  /** Certificates that we show, which are other ones or have another key now. */
  readonly certificates: readonly string[];
  readonly others: readonly string[];
}

export interface ConfigChanges {
  /** Services, apart from their routes and the content of files. */
  readonly services: NameChanges;
  readonly routes: RouteChanges;
  readonly files: FileChanges;
  readonly listeners: ListenerChanges;
  /** Pools, apart from their servers. */
  readonly pools: NameChanges;
  readonly servers: ServerChanges;
  /** Other parts of the file that are not the same: `log`, `metrics`. */
  readonly settings: readonly string[];
  /** Those of `settings` that a reload cannot apply. */
  readonly needRestart: readonly string[];
  /** "2 servers added, 1 weight changed, 3 listeners kept". */
  readonly summary: string;
}

const SETTINGS = [
  ...["data", "workers", "log", "metrics", "shutdown"],
  ...["tables", "tokens", "tickets", "agent"],
] as const satisfies readonly (keyof Config)[];
const NEED_RESTART: ReadonlySet<string> = new Set(["data", "workers", "tables", "tokens"]);

/** What is different in `after`. */
export function compareConfig(before: Config, after: Config): ConfigChanges {
  const services = compareNames(before.services, after.services, sameService);
  const routes = compareRoutes(before, after);
  const files = compareFiles(before, after);
  const pools = compareNames(before.pools, after.pools, samePool);
  const listeners = compareListeners(before, after);
  const servers = compareServers(before, after);
  const settings = SETTINGS.filter((key) => !same(before[key], after[key]));
  const needRestart = settings.filter((key) => NEED_RESTART.has(key));
  const changes = { services, routes, files, listeners, pools, servers, settings, needRestart };
  return { ...changes, summary: summarise(changes) };
}

function compareNames<T>(
  before: Readonly<Record<string, T>>,
  after: Readonly<Record<string, T>>,
  isSame: (a: T, b: T) => boolean,
): NameChanges {
  const both = Object.keys(after).filter((name) => Object.hasOwn(before, name));
  return {
    added: Object.keys(after).filter((name) => !Object.hasOwn(before, name)),
    removed: Object.keys(before).filter((name) => !Object.hasOwn(after, name)),
    changed: both.filter((name) => !isSame(before[name]!, after[name]!)),
    kept: both.filter((name) => isSame(before[name]!, after[name]!)),
  };
}

function compareListeners(before: Config, after: Config): ListenerChanges {
  const addresses = (services: Readonly<Record<string, Service>>) =>
    new Set(Object.values(services).flatMap((service) => service.listen.map(formatHostPort)));
  const [old, now] = [addresses(before.services), addresses(after.services)];
  return { added: [...now.difference(old)], removed: [...old.difference(now)], kept: [...now.intersection(old)] };
}

function compareServers(before: Config, after: Config): ServerChanges {
  const [old, now] = [serversOf(before), serversOf(after)];
  const { added, removed, changed, kept } = compareNames(old, now, same);
  const moved = changed.filter((name) => !same(old[name]!.address, now[name]!.address));
  const stayed = changed.filter((name) => !moved.includes(name));
  const reweighted = stayed.filter((name) => old[name]!.weight !== now[name]!.weight);
  return { added, removed, moved, reweighted, changed: stayed.filter((name) => !reweighted.includes(name)), kept };
}

function serversOf({ pools }: Config): Record<string, Pool["servers"][string]> {
  const entries = Object.values(pools).flatMap((pool) =>
    Object.values(pool.servers).map((server) => [`${pool.name}/${server.name}`, server] as const),
  );
  return Object.fromEntries(entries);
}

/** Of the routes that one side does not have, as many as both sides have have changed; the rest came or went. */
function compareRoutes(before: Config, after: Config): RouteChanges {
  let [added, removed, changed] = [0, 0, 0];
  for (const { name, routes } of Object.values(after.services)) {
    const old = before.services[name]?.routes;
    if (old === undefined) continue;
    const [was, is] = [new Set(old.map(textOf)), new Set(routes.map(textOf))];
    const [gone, come] = [was.difference(is).size, is.difference(was).size];
    changed += Math.min(gone, come);
    added += Math.max(0, come - gone);
    removed += Math.max(0, gone - come);
  }
  return { added, removed, changed };
}

function compareFiles(before: Config, after: Config): FileChanges {
  const [old, now] = [filesOf(before), filesOf(after)];
  const isReplaced = ({ path, digest }: NamedFile) => old.has(path) && old.get(path) !== digest;
  const shown = certificatesOf(after);
  const replaced = shown.filter(({ cert, key }) => isReplaced(cert) || isReplaced(key)).map(({ cert }) => cert.path);
  const paths = new Set(shown.flatMap(({ cert, key }) => [cert.path, key.path]));
  const others = [...now].filter(([path, digest]) => old.has(path) && old.get(path) !== digest && !paths.has(path));
  return { certificates: [...new Set(replaced)], others: others.map(([path]) => path) };
}

/** Digest by path of every file that the configuration names. */
function filesOf(value: unknown, into: Map<string, string> = new Map()): Map<string, string> {
  if (value instanceof NamedFile) into.set(value.path, value.digest);
  else if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    for (const inner of Object.values(value)) filesOf(inner, into);
  }
  return into;
}

function sameService(a: Service, b: Service): boolean {
  return textOf({ ...a, routes: undefined }) === textOf({ ...b, routes: undefined });
}

function samePool(a: Pool, b: Pool): boolean {
  return textOf({ ...a, servers: undefined }) === textOf({ ...b, servers: undefined });
}

/** Parts of a configuration are plain values, made in one order by the schema. */
function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** A part without what its files hold: a certificate that was replaced is no other service. */
function textOf(part: unknown): string {
  return JSON.stringify(part, (key, value) => (key === "digest" ? undefined : value));
}

function summarise({
  services,
  routes,
  files,
  listeners,
  pools,
  servers,
  settings,
  needRestart,
}: Omit<ConfigChanges, "summary">): string {
  const parts = [
    count(services.added, "service", "added"),
    count(services.removed, "service", "removed"),
    count(services.changed, "service", "changed"),
    count(routes.added, "route", "added"),
    count(routes.removed, "route", "removed"),
    count(routes.changed, "route", "changed"),
    count(files.certificates, "certificate", "replaced"),
    count(files.others, "file", "changed"),
    count(pools.added, "pool", "added"),
    count(pools.removed, "pool", "removed"),
    count(pools.changed, "pool", "changed"),
    count(servers.added, "server", "added"),
    count(servers.removed, "server", "removed"),
    count(servers.moved, "server", "moved"),
    count(servers.reweighted, "weight", "changed"),
    count(servers.changed, "server", "changed"),
    count(settings, "setting", "changed"),
    count(listeners.added, "listener", "added"),
    count(listeners.removed, "listener", "removed"),
  ].filter((part) => part !== "");
  const done = parts.length === 0 ? ["nothing changed"] : parts;
  const kept = count(listeners.kept, "listener", "kept");
  const sentence = [...done, ...(kept === "" ? [] : [kept])].join(", ");
  return needRestart.length === 0 ? sentence : `${sentence}; a change of ${needRestart.join(", ")} needs a restart`;
}

function count(names: readonly string[] | number, what: string, did: string): string {
  const many = typeof names === "number" ? names : names.length;
  return many === 0 ? "" : `${many} ${what}${many === 1 ? "" : "s"} ${did}`;
}
