/** The real command line as a child process, in front of a fake balancer behind the real API on a real socket. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApi } from "../../src/api/app.ts";
import { serveApi } from "../../src/api/serve.ts";
import type { Log } from "../../src/observe/log.ts";
import { FakeBalancer } from "../api/fake-balancer.ts";

const HOLDFAST = join(import.meta.dir, "../../bin/holdfast");
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {}, setLevel() {} };

export interface Result {
  code: number;
  out: string;
  err: string;
}

/** No terminal, 80 columns, UTF-8, UTC. */
const ENVIRONMENT = { PATH: process.env.PATH ?? "", LC_ALL: "C.UTF-8", TZ: "UTC", COLUMNS: "80", USER: "anna" };

export class Rig {
  readonly folder = mkdtempSync(join(tmpdir(), "holdfast-cli-"));
  readonly balancer = new FakeBalancer();
  #stop: () => Promise<void> = async () => {};

  /** Puts the fake behind the socket. Without it nothing is running. */
  async serve(): Promise<void> {
    const app = createApi({ balancer: this.balancer, log: SILENT, requestId: () => "r-1" });
    this.#stop = (await serveApi(app, join(this.folder, "holdfast.sock"))).stop;
  }

  /** Starts a command, behind `before` if given (setpriv …); the data folder comes by the environment. */
  start(args: string[], env: Record<string, string> = {}, before: string[] = []) {
    return Bun.spawn([...before, HOLDFAST, ...args], {
      cwd: this.folder,
      env: { ...ENVIRONMENT, HOLDFAST_DATA: this.folder, ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  }

  /** Runs a command to its end. */
  async run(args: string[], env: Record<string, string> = {}, before: string[] = []): Promise<Result> {
    const child = this.start(args, env, before);
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { code, out, err };
  }

  async stop(): Promise<void> {
    await this.#stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
