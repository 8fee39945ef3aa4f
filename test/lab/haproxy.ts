/** HAProxy with a configuration of the test's, in a folder of its own. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../until.ts";
import { Child } from "./child.ts";

const GLOBAL = (socket: string): string => `
global
  stats socket ${socket} level admin
  nbthread 1
  maxconn 2000
  # The key of x.crt is in x.key.
  ssl-load-extra-del-ext
defaults
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
`;

export class HAProxy {
  readonly #folder = mkdtempSync(join(tmpdir(), "holdfast-haproxy-"));
  readonly #child: Child;

  private constructor(configuration: string) {
    const file = join(this.#folder, "haproxy.cfg");
    writeFileSync(file, GLOBAL(this.#socket) + configuration);
    this.#child = new Child(["haproxy", "-db", "-f", file]);
  }

  static async start(configuration: string): Promise<HAProxy> {
    const proxy = new HAProxy(configuration);
    const gone = proxy.#child.exited.then((code) => {
      throw new Error(`haproxy ended with ${code}\n${proxy.#child.output()}`);
    });
    gone.catch(() => {});
    await Promise.race([until("HAProxy to answer", () => proxy.command("show info").catch(() => undefined)), gone]);
    return proxy;
  }

  get #socket(): string {
    return join(this.#folder, "admin");
  }

  /** One command of its admin socket. @returns the answer */
  async command(line: string): Promise<string> {
    const socket = connect(this.#socket);
    await once(socket, "connect");
    socket.end(`${line}\n`);
    let answer = "";
    for await (const bytes of socket) answer += bytes;
    return answer;
  }

  async stop(): Promise<void> {
    this.#child.signal("SIGTERM");
    await this.#child.ended(1000);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
