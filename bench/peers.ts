/** The balancers that are measured: how each is configured and started, one process for both services. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Endpoint } from "./sockets.ts";

export type Protocol = "tcp" | "rdp";

/** What a peer is told: where to listen, whom to dial, how many threads move bytes, a folder of its own. */
export interface Setting {
  listen: Record<Protocol, number>;
  servers: Endpoint[];
  threads: number;
  folder: string;
}

export interface Peer {
  /** The column's title. */
  name: string;
  /** What is held against the others: Holdfast. */
  ours: boolean;
  protocols: Protocol[];
  /** The command that prints the version, somewhere in its first line. */
  version: string[];
  /** Writes what it needs into the folder; the command to run. */
  prepare(setting: Setting): string[];
}

/** Connections that a peer can hold: those of the memory rows and some. HAProxy wants 2.5 descriptors for each. */
const MOST_CONNECTIONS = 7_000;

export function holdfast(name: string, executable: string): Peer {
  return {
    name,
    ours: true,
    protocols: ["tcp", "rdp"],
    version: [executable, "--version"],
    prepare({ listen, servers, threads, folder }) {
      const list = servers.map(({ host, port }, n) => `      s${n}: ${host}:${port}`).join("\n");
      return written(
        folder,
        "holdfast.yaml",
        `
data: ${folder}/data
workers: ${threads}
log: { access: false, level: warn }
shutdown: { within: 1s }
services:
  plain: { listen: 127.0.0.1:${listen.tcp}, protocol: tcp, pool: relayed }
  desktops: { listen: 127.0.0.1:${listen.rdp}, protocol: rdp, pool: remembered }
pools:
  relayed:
    algorithm: least-connections
    servers:
${list}
  remembered:
    algorithm: least-connections
    persistence: { by: [token, user], idle: 8h }
    servers:
${list}
`,
        (file) => [executable, "up", "-c", file],
      );
    },
  };
}

export function haproxy(name: string, executable: string): Peer {
  return {
    name,
    ours: false,
    protocols: ["tcp", "rdp"],
    version: [executable, "-v"],
    prepare({ listen, servers, threads, folder }) {
      const list = servers.map(({ host, port }, n) => `  server s${n} ${host}:${port}`).join("\n");
      return written(
        folder,
        "haproxy.cfg",
        `
global
  nbthread ${threads}
  maxconn ${MOST_CONNECTIONS}
defaults
  mode tcp
  option splice-auto
  balance leastconn
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen plain
  bind 127.0.0.1:${listen.tcp}
${list}
listen desktops
  bind 127.0.0.1:${listen.rdp}
  tcp-request inspect-delay 5s
  tcp-request content accept if RDP_COOKIE
  persist rdp-cookie
  stick-table type string len 64 size 1m expire 8h
  stick on rdp_cookie(mstshash)
${list}
`,
        (file) => [executable, "-db", "-f", file],
      );
    },
  };
}

export function nginx(name: string, executable: string): Peer {
  return {
    name,
    ours: false,
    protocols: ["tcp"],
    version: [executable, "-v"],
    prepare({ listen, servers, threads, folder }) {
      const list = servers.map(({ host, port }) => `    server ${host}:${port};`).join("\n");
      return written(
        folder,
        "nginx.conf",
        `
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
worker_processes ${threads};
worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log crit;
events { worker_connections ${2 * MOST_CONNECTIONS}; }
stream {
  access_log off;
  proxy_timeout 1h;
  upstream relayed {
    least_conn;
${list}
  }
  server {
    listen 127.0.0.1:${listen.tcp} backlog=4096;
    proxy_pass relayed;
  }
}
`,
        (file) => [executable, "-p", folder, "-e", `${folder}/error.log`, "-c", file],
      );
    },
  };
}

function written(folder: string, name: string, text: string, command: (file: string) => string[]): string[] {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name);
  writeFileSync(file, text.trimStart());
  return command(file);
}
