/**
 * `holdfast demo`: sample servers, the real balancer in front of them and real clients, all on this machine. It tells what it
 * sees, changes nothing and leaves nothing behind.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { type Addresses, DemoBalancer, writeFile } from "../demo/balancer.ts";
import { type OwnProcess, type SampleServer, startSampleServer } from "../demo/children.ts";
import { PEOPLE } from "../demo/people.ts";
import { Round } from "../demo/round.ts";
import { typedCommand } from "../program.ts";
import { DemoTable, resultText } from "./demo-table.ts";
import { Exit } from "./exit.ts";
import { clockText } from "./figures.ts";
import { paint, type Terminal } from "./terminal.ts";

const PORTS = { desktops: 13389, tills: 13390 } as const;
const SERVERS = [
  ["rdp", "rds1"],
  ["rdp", "rds2"],
  ["rdp", "rds3"],
  ["tcp", "echo1"],
  ["tcp", "echo2"],
] as const;
/** A closed terminal is an end as well. */
const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs the demo. @returns 0; 1 if someone who could have had their session did not get it; 128 and the signal's number. */
export async function runDemo(terminal: Terminal): Promise<number> {
  const demo = new Demo(terminal);
  const end = (signal: NodeJS.Signals) => demo.stop(signal);
  for (const signal of ENDING) process.on(signal, end);
  try {
    return await demo.run();
  } catch (error) {
    // What a signal has cut short fails in many ways; none of them means anything.
    if (demo.stoppedBy === undefined) throw error;
    return 128 + constants.signals[demo.stoppedBy];
  } finally {
    await demo.cleanUp();
    for (const signal of ENDING) process.off(signal, end);
  }
}

class Demo {
  readonly #terminal: Terminal;
  readonly #stopping = new AbortController();
  readonly #processes: OwnProcess[] = [];
  #folder: string | undefined;
  stoppedBy: NodeJS.Signals | undefined;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  stop(signal: NodeJS.Signals): void {
    this.stoppedBy ??= signal;
    this.#stopping.abort();
  }

  async run(): Promise<number> {
    const { stdout } = this.#terminal;
    this.#say("All of it runs here, changes nothing on this machine and ends with Ctrl-C.");
    const folder = await mkdtemp(join(tmpdir(), "holdfast-demo-"));
    this.#folder = folder;
    const data = join(folder, "data");
    const ports = { desktops: await this.#freePort(PORTS.desktops), tills: await this.#freePort(PORTS.tills) };
    const servers = await Promise.all(
      SERVERS.map(([protocol, name]) => startSampleServer(protocol, name, (started) => this.#processes.push(started))),
    );
    const balancer = new DemoBalancer(await writeFile(folder, servers, ports), data);
    this.#processes.push(balancer.process);
    const addresses = await this.#unlessStopped(balancer.ready());
    this.#say(addressText(addresses, servers));

    const table = new DemoTable(
      this.#terminal,
      PEOPLE.map(({ name }) => name),
    );
    const round = new Round({
      ...{ balancer, addresses, servers },
      signal: this.#stopping.signal,
      teller: {
        say: (sentence) => this.#say(paint(stdout, "dim", sentence)),
        returned: (row) => stdout.write(table.row(row)),
      },
    });
    await this.#unlessStopped(round.play());
    this.#say(resultText(round.returns));
    const code = round.returns.some(({ result }) => result === "lost") ? Exit.NO : Exit.DONE;
    const self = typedCommand();
    if (!stdout.isTerminal) {
      this.#say(`Next: ${self} demo in a terminal, where it goes on until Ctrl-C.`);
      return code;
    }
    await this.#goOn(round, self, data);
    return code;
  }

  /** Everyone is at work, until a signal comes: that is the end that was asked for. */
  async #goOn(round: Round, self: string, data: string): Promise<void> {
    await this.#unlessStopped(
      round.stay((user, server) => this.#say(`${clockText(Date.now(), Date.now(), true)}  ${user} left ${server}`)),
    );
    this.#say(`Everyone is back at work. Next, in another terminal:
  export HOLDFAST_DATA=${data}
  ${self} status
  ${self} sessions list --user alice
  ${self} drain rds/rds2 --within 10s --wait
  ${self} ready rds/rds2
Ctrl-C ends the demo.`);
    const { signal } = this.#stopping;
    if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    this.#terminal.stdout.write("\n");
  }

  /** Ends what was started, and removes what was written. */
  async cleanUp(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#processes.map((child) => child.end()));
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }

  #say(text: string): void {
    this.#terminal.stdout.write(`${text}\n`);
  }

  /** The result of `work`, unless a signal comes first. */
  async #unlessStopped<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#stopping;
    const stopped = Promise.withResolvers<never>();
    const onAbort = () => stopped.reject(new Error("stopped"));
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    try {
      return await Promise.race([work, stopped.promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** The port if it is free; else 0, which lets the system pick one. Says so. */
  async #freePort(wanted: number): Promise<number> {
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false));
      probe.listen(wanted, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (!free) this.#say(`Port ${wanted} is taken: another one is used instead.`);
    return free ? wanted : 0;
  }
}

function addressText({ desktops, tills }: Addresses, servers: readonly SampleServer[]): string {
  const names = (wanted: string) =>
    servers
      .filter(({ protocol }) => protocol === wanted)
      .map(({ name }) => name)
      .join(", ");
  return `  desktops  ${desktops}  RDP: ${names("rdp")}, which show no desktop
  tills     ${tills}  TCP: ${names("tcp")}, which say who they are and echo
`;
}
