/** The balancer of the demo: `holdfast up` as a process of its own, and what its log says. */
import { join } from "node:path";
import { ApiClient, socketIn } from "../api/client.ts";
import { SUPERVISED } from "../process/supervisor.ts";
import { failure, OwnProcess, type SampleServer } from "./children.ts";

const START_WITHIN_MS = 10_000;
/** An access line comes within a twentieth of a second; a dead server is seen within two checks. */
const LOG_WITHIN_MS = 5_000;

/** What the demo reads of a log line. */
interface LogLine {
  readonly event: string;
  readonly client?: string;
  readonly server?: string;
  readonly recognisedBy?: string;
}

interface Waiting {
  readonly fits: (line: LogLine) => boolean;
  readonly found: (line: LogLine) => void;
  readonly failed: (error: Error) => void;
}

/** Where the services listen: `host:port`. */
export interface Addresses {
  readonly desktops: string;
  readonly tills: string;
}

export class DemoBalancer {
  readonly api: ApiClient;
  readonly process: OwnProcess;
  readonly #waiting = new Set<Waiting>();
  #gone = false;

  /** Runs `file` with the data folder `data`. The demo is its supervisor. */
  constructor(file: string, data: string) {
    this.api = new ApiClient(socketIn(data));
    const args = ["up", "-c", file, "--data", data];
    this.process = new OwnProcess(args, { [SUPERVISED]: "1" }, (line) => this.#read(line));
    void this.process.exited.then(() => {
      this.#gone = true;
      const error = failure(`the balancer ended: ${this.process.lastWords()}`);
      for (const { failed } of this.#waiting) failed(error);
    });
  }

  /** Resolves when it serves. */
  async ready(): Promise<Addresses> {
    await this.#line("the balancer did not start", START_WITHIN_MS, ({ event }) => event === "balancer.ready");
    const { services } = await this.api.status();
    const addressOf = (name: string) => services.find((service) => service.name === name)?.listen[0] ?? "";
    return { desktops: addressOf("desktops"), tills: addressOf("tills") };
  }

  /** How the connection from `client` (host:port) was recognised, from its line in the access log. Ask before it ends. */
  async recognisedBy(client: string): Promise<string> {
    const what = `the access log has no line for ${client}`;
    const line = await this.#line(
      what,
      LOG_WITHIN_MS,
      (one) => one.event === "connection.end" && one.client === client,
    );
    return line.recognisedBy ?? "";
  }

  /** Resolves when it has seen that the server is down. Ask before it dies. */
  async seesDown(server: string): Promise<void> {
    const what = `the balancer did not see that ${server} is down`;
    await this.#line(what, LOG_WITHIN_MS, (one) => one.event === "server.down" && one.server === server);
  }

  #line(otherwise: string, withinMs: number, fits: (line: LogLine) => boolean): Promise<LogLine> {
    if (this.#gone) return Promise.reject(failure(`the balancer ended: ${this.process.lastWords()}`));
    const { promise, resolve, reject } = Promise.withResolvers<LogLine>();
    const waiting: Waiting = { fits, found: resolve, failed: reject };
    const late = setTimeout(() => reject(failure(otherwise)), withinMs);
    this.#waiting.add(waiting);
    return promise.finally(() => {
      clearTimeout(late);
      this.#waiting.delete(waiting);
    });
  }

  #read(text: string): void {
    if (!text.startsWith("{")) return;
    const line = JSON.parse(text) as LogLine;
    for (const { fits, found } of [...this.#waiting]) if (fits(line)) found(line);
  }
}

/** Writes the demo's file into `folder`. Port 0: the system picks one. @returns its path. */
export async function writeFile(
  folder: string,
  servers: readonly SampleServer[],
  ports: { desktops: number; tills: number },
): Promise<string> {
  const file = join(folder, "holdfast.yaml");
  await Bun.write(file, yaml(servers, ports));
  return file;
}

function yaml(servers: readonly SampleServer[], ports: { desktops: number; tills: number }): string {
  const list = (wanted: string) =>
    servers
      .filter(({ protocol }) => protocol === wanted)
      .map(({ name, port }) => `      ${name}: ${serverText(name, port)}\n`)
      .join("");
  return `# Written by \`holdfast demo\`; gone when it ends.
services:
  desktops: { listen: "127.0.0.1:${ports.desktops}", protocol: rdp, pool: rds }
  tills: { listen: "127.0.0.1:${ports.tills}", pool: echo }
pools:
  rds:
    persistence: { by: [token, user, source] }
    health: { check: rdp, every: 500ms, timeout: 400ms, fall: 2, rise: 1 }
    servers:
${list("rdp")}  echo:
    persistence: { by: source }
    health: { check: tcp, every: 500ms, timeout: 400ms, fall: 2, rise: 1 }
    servers:
${list("tcp")}shutdown: { within: 1s }
`;
}

/** rds3 is a smaller machine: it gets few users. */
function serverText(name: string, port: number): string {
  return name === "rds3" ? `{ address: "127.0.0.1:${port}", weight: 30 }` : `127.0.0.1:${port}`;
}
