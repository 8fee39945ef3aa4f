/** Web servers with their balancer: what the tests of this folder have in common. */
import { renameSync } from "node:fs";
import { join } from "node:path";
import { Authority } from "../certificates.ts";
import { Child } from "../child.ts";
import { type Front, haproxy, holdfast, IS_REFERENCE } from "../front.ts";
import { freePort } from "../ways.ts";

const SERVER = join(import.meta.dir, "server.ts");

export const HOST = "web.example.test";
export const SERVERS = ["a", "b", "c"] as const;
export type ServerName = (typeof SERVERS)[number];

/** One web server: a program of its own. */
export class WebServer {
  readonly name: string;
  readonly port: number;
  readonly #child: Child;

  private constructor(name: string, port: number, child: Child) {
    this.name = name;
    this.port = port;
    this.#child = child;
  }

  /** Starts one on `port`, or on any that is free. */
  static async start(name: string, port = 0): Promise<WebServer> {
    const listening = Promise.withResolvers<number>();
    const child = new Child([process.execPath, SERVER, name, String(port)], (line) => {
      if (line.startsWith("listening ")) listening.resolve(Number(line.slice("listening ".length)));
    });
    child.exited.then((code) => listening.reject(new Error(`${name} ended with ${code}\n${child.output()}`)));
    return new WebServer(name, await listening.promise, child);
  }

  /** Ends it as a crash would: nothing is finished, nothing is closed in order. */
  async kill(): Promise<void> {
    this.#child.signal("SIGKILL");
    await this.#child.ended();
  }
}

/** What the balancer is told besides. Timeouts are those of the services, in whole seconds. */
export interface SiteOptions {
  readonly requestSec?: number;
  readonly bodySec?: number;
  /** A line for each request. Of some hundred thousand only the rig would read them. */
  readonly accessLog?: boolean;
}

export class Site {
  readonly authority = new Authority();
  readonly servers = new Map<ServerName, WebServer>();
  front!: Front;
  /** Plain HTTP, and with TLS. */
  port = 0;
  tlsPort = 0;
  /** In files that keep their names. */
  readonly certificate = this.authority.issue(HOST);
  readonly #options: SiteOptions;

  private constructor(options: SiteOptions) {
    this.#options = options;
  }

  static async start(options: SiteOptions = {}): Promise<Site> {
    const site = new Site(options);
    try {
      const servers = await Promise.all(SERVERS.map((name) => WebServer.start(name)));
      for (const server of servers) site.servers.set(server.name as ServerName, server);
      site.port = await freePort();
      site.tlsPort = await freePort();
      site.front = IS_REFERENCE ? await haproxy(site.#reference(), ["web"]) : await holdfast(site.yaml(), ["web"]);
    } catch (failure) {
      await site.stop();
      throw failure;
    }
    return site;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get tlsUrl(): string {
    return `https://${HOST}:${this.tlsPort}`;
  }

  /** The configuration. `weight` is that of server a, so that it can differ, and `names` are the servers that there are. */
  yaml(weight = 100, names: readonly ServerName[] = SERVERS): string {
    const { cert, key } = this.certificate;
    const { requestSec = 10, bodySec = 30, accessLog = false } = this.#options;
    const timeouts = `{ request: ${requestSec}s, body: ${bodySec}s }`;
    const servers = names.map(
      (name) => `      ${name}: { address: ${this.#address(name)}, weight: ${name === "a" ? weight : 100} }`,
    );
    return `
log: { access: ${accessLog} }
services:
  web: { listen: "127.0.0.1:${this.port}", protocol: http, pool: web, timeouts: ${timeouts} }
  secure:
    listen: 127.0.0.1:${this.tlsPort}
    protocol: http
    pool: web
    timeouts: ${timeouts}
    tls: { certificates: [{ cert: ${cert}, key: ${key} }] }
pools:
  web:
    algorithm: round-robin
    persistence: { by: cookie, name: SRV, lifetime: 12h }
    health: { check: http, path: /health, every: 1s }
    servers:
${servers.join("\n")}
`;
  }

  /** Loads the configuration again, changed. Only Holdfast is asked to. */
  async reload(weight?: number, names?: readonly ServerName[]): Promise<void> {
    const { holdfast } = this.front;
    if (!holdfast) throw new Error("HAProxy is not reloaded here");
    holdfast.write(this.yaml(weight, names));
    const { ok, summary } = await holdfast.api.reload();
    if (!ok) throw new Error(`the reload was refused: ${summary}`);
  }

  /** Puts another certificate where the balancer finds it. */
  replaceCertificate(): void {
    const { cert, key } = this.authority.issue(HOST);
    renameSync(key, this.certificate.key);
    renameSync(cert, this.certificate.cert);
  }

  async stop(): Promise<void> {
    await this.front?.stop();
    await Promise.all([...this.servers.values()].map((server) => server.kill()));
    this.authority.dispose();
  }

  #address(name: ServerName): string {
    return `127.0.0.1:${this.servers.get(name)!.port}`;
  }

  #reference(): string {
    const { cert } = this.certificate;
    const { requestSec = 10, bodySec = 30 } = this.#options;
    const servers = SERVERS.map((name) => `  server ${name} ${this.#address(name)} cookie ${name} check inter 1s`);
    return `
frontend web
  mode http
  bind 127.0.0.1:${this.port}
  bind 127.0.0.1:${this.tlsPort} ssl crt ${cert} alpn h2,http/1.1
  timeout http-request ${requestSec}s
  timeout client ${bodySec}s
  default_backend web
backend web
  mode http
  balance roundrobin
  option redispatch
  retries 3
  retry-on conn-failure empty-response
  option httpchk
  http-check send meth GET uri /health ver HTTP/1.1 hdr Host web
  cookie SRV insert indirect nocache httponly secure attr "SameSite=Lax"
${servers.join("\n")}
`;
  }
}
