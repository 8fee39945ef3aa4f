/** Starts and ends the processes of a run: the servers, the load, the balancers, each on the CPUs that it may use. */
import { readFileSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { join } from "node:path";
import { LISTENERS, type Listener, type Peer, type Setting } from "./peers.ts";
import { family } from "./process.ts";
import type { Endpoint } from "./sockets.ts";

const READY_MS = 20_000;
const STOP_MS = 5_000;

/** The balancer has CPUs of its own, if there are more of them than it has threads; what surrounds it has the others. */
export interface Cpus {
  balancer: string;
  others: string;
}

export function shareCpus(threads: number): Cpus | undefined {
  const allowed = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  const cpus = allowed.split(",").flatMap((range) => {
    const [first, last] = range.split("-").map(Number);
    return Array.from({ length: (last ?? first!) - first! + 1 }, (_, n) => first! + n);
  });
  if (cpus.length <= threads) return undefined;
  return { balancer: cpus.slice(0, threads).join(), others: cpus.slice(threads).join() };
}

/** The command on these CPUs. */
export const on = (cpus: string | undefined, command: string[]) =>
  cpus ? ["taskset", "-c", cpus, ...command] : command;

/** A process that answers in lines. Ends when `stop` closes its input. */
export class Helper<Job extends { job: string } = never, Answer extends { error?: string } = never> {
  readonly #process;
  readonly #lines: AsyncIterator<string>;

  constructor(script: string, cpus: Cpus | undefined) {
    const command = [process.execPath, join(import.meta.dir, script)];
    this.#process = Bun.spawn(on(cpus?.others, command), { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    this.#lines = linesOf(this.#process.stdout);
  }

  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("a helper of the bench has ended early; its error is above");
    return value;
  }

  async run(job: Job): Promise<Answer> {
    this.#process.stdin.write(`${JSON.stringify(job)}\n`);
    this.#process.stdin.flush();
    const answer = JSON.parse(await this.line()) as Answer;
    if (answer.error) throw new Error(`${job.job}: ${answer.error}`);
    return answer;
  }

  async stop(): Promise<void> {
    this.#process.stdin.end();
    await this.#process.exited;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
}

/** A balancer that runs and takes connections. */
export class Running {
  readonly peer: Peer;
  readonly listen: Record<Listener, number>;
  /** Its processes, as they were when it was ready. */
  readonly pids: number[];
  readonly #process: Bun.Subprocess;

  private constructor(peer: Peer, listen: Record<Listener, number>, process: Bun.Subprocess) {
    this.peer = peer;
    this.listen = listen;
    this.#process = process;
    this.pids = family(process.pid);
  }

  static async start(peer: Peer, setting: Omit<Setting, "listen">, cpus: Cpus | undefined): Promise<Running> {
    const ports = await freePorts(LISTENERS.length);
    const listen = Object.fromEntries(LISTENERS.map((name, n) => [name, ports[n]!])) as Record<Listener, number>;
    const log = join(setting.folder, "output.log");
    const command = peer.prepare({ ...setting, listen });
    const child = Bun.spawn(on(cpus?.balancer, command), { stdout: Bun.file(log), stderr: Bun.file(`${log}.errors`) });
    try {
      for (const name of peer.listeners) await answers(listen[name], child);
    } catch (error) {
      for (const pid of family(child.pid).reverse()) endNow(pid);
      const said = [log, `${log}.errors`].map((path) => readFileSync(path, "utf8")).join("");
      throw new Error(`${peer.name} did not start: ${error}\n${command.join(" ")}\n${said.slice(-2000)}`);
    }
    return new Running(peer, listen, child);
  }

  async stop(): Promise<void> {
    const pids = family(this.#process.pid);
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => pids.reverse().forEach(endNow), STOP_MS);
    await this.#process.exited;
    clearTimeout(timer);
  }
}

function endNow(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** Comes back once the port takes connections; rejects when the process ends first, or after READY_MS. */
async function answers(port: number, child: Bun.Subprocess): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (child.exitCode === null && performance.now() < deadline) {
    if (await canConnect(port)) return;
    await Bun.sleep(20);
  }
  throw new Error(child.exitCode === null ? `port ${port} stayed shut` : `it ended with ${child.exitCode}`);
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Servers in a process of their own (`servers.ts`, `web/servers.ts`), and where they listen. */
export async function startServers(
  script: string,
  cpus: Cpus | undefined,
): Promise<{ helper: Helper; servers: Endpoint[] }> {
  const helper = new Helper(script, cpus);
  const { servers } = JSON.parse(await helper.line()) as { servers: Endpoint[] };
  return { helper, servers };
}
