/** The balancers that are measured: what each is told, and what it tells. One process serves every listener. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Certificates } from "./certificates.ts";
import type { Endpoint } from "./sockets.ts";

/**
 * What a balancer listens with. `http` keeps users on their server by a cookie and writes nothing else into requests;
 * `forwarded` is the same with the client's address and a request's id; `streams` is set up for streaming;
 * `https` is `http` over TLS with a P-256 certificate, `rsa` the same with RSA-2048.
 */
export const LISTENERS = ["tcp", "rdp", "http", "forwarded", "streams", "https", "rsa"] as const;
export type Listener = (typeof LISTENERS)[number];

/** What a peer is told: where to listen, whom to dial, how many threads move bytes, a folder of its own. */
export interface Setting {
  listen: Record<Listener, number>;
  /** Of `tcp` and `rdp`. */
  servers: Endpoint[];
  /** Of all others. */
  webServers: Endpoint[];
  certificates: Certificates;
  threads: number;
  folder: string;
}

export interface Peer {
  /** The column's title. */
  name: string;
  /** What is held against the others: Holdfast. */
  ours: boolean;
  listeners: readonly Listener[];
  /** The command that prints the version, somewhere in its first line. */
  version: string[];
  /** Writes what it needs into the folder; the command to run. */
  prepare(setting: Setting): string[];
}

/** Connections that a peer can hold: those of the memory rows and some. HAProxy wants 2.5 descriptors for each. */
export const MOST_CONNECTIONS = 7_000;

/** The name of the sticky cookie. */
export const COOKIE = "SRV";

/** Writes a configuration file; the command that `command` makes of its path. */
export function written(folder: string, name: string, text: string, command: (file: string) => string[]): string[] {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name);
  writeFileSync(file, text.trimStart());
  return command(file);
}
