/** Thousands of connections on which nothing happens: what they cost in memory, and that they are all there. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TCPSocketListener } from "bun";
import { Child } from "../lab/child.ts";
import { EventLog } from "../lab/session-log.ts";
import { freePort } from "../lab/ways.ts";
import { until } from "../until.ts";

const HOLDFAST = join(import.meta.dir, "../../bin/holdfast");
/** Two descriptors each in the balancer; 20,000 are allowed to a process on the machine that this was made for. */
const CONNECTIONS = 9_000;
/** Opened and closed before measuring, so that what the first connections of all cost is not counted. */
const WARM_UP = 500;
const STEP_MS = 30_000;
const END_MS = 20_000;

interface LogLine {
  readonly event: string;
  readonly pid?: number;
}

let folder: string;
let servers: TCPSocketListener[];
let balancer: Child;
let clients: Child;
/** What the clients answered. */
const answers = new EventLog<string>();
let port: number;
let pid: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-idle-"));
  servers = [1, 2, 3].map((nth) =>
    Bun.listen({ hostname: `127.0.0.${nth}`, port: 0, socket: { data: (socket, bytes) => void socket.write(bytes) } }),
  );
  port = await freePort();
  const list = servers.map(({ hostname, port }, nth) => `    s${nth}: "${hostname}:${port}"`);
  await Bun.write(
    join(folder, "holdfast.yaml"),
    `
log: { access: false }
services:
  idle: { listen: "127.0.0.1:${port}", protocol: tcp, pool: servers }
pools:
  servers:
   servers:
${list.join("\n")}
`,
  );
  const log = new EventLog<LogLine>();
  const command = [HOLDFAST, "up", "-c", join(folder, "holdfast.yaml"), "--data", join(folder, "data")];
  balancer = new Child(command, (line) => line.startsWith("{") && log.add(JSON.parse(line)));
  const gone = balancer.exited.then((code) => {
    throw new Error(`it ended with ${code}\n${balancer.output()}`);
  });
  gone.catch(() => {});
  const isReady = ({ event }: LogLine) => event === "balancer.ready";
  pid = (await Promise.race([log.waitFor("a balancer that is ready", isReady, END_MS), gone])).pid!;
  clients = new Child([process.execPath, join(import.meta.dir, "idle-clients.ts")], (line) => answers.add(line));
}, STEP_MS);

afterAll(async () => {
  clients?.closeInput();
  await clients?.ended(END_MS);
  balancer?.signal("SIGTERM");
  await balancer?.ended(END_MS);
  for (const server of servers ?? []) server.stop(true);
  await rm(folder, { recursive: true, force: true });
});

test(
  `${CONNECTIONS} idle connections all live, and leave nothing behind`,
  async () => {
    await order(`open ${port} ${WARM_UP}`);
    await order("say a");
    await order("close");
    await until("the connections to end", async () => (await service()).open === 0);
    const descriptors = await openDescriptors();
    const before = await memory();

    await order(`open ${port} ${CONNECTIONS}`);
    await until("the connections to be served", async () => (await service()).recognised.new === WARM_UP + CONNECTIONS);
    const idle = await memory();
    await order("say b");
    expect(await service()).toMatchObject({ open: CONNECTIONS, refused: {}, ended: { "client-closed": WARM_UP } });
    const used = await memory();

    await order("close");
    await until("the connections to end", async () => (await service()).open === 0);
    expect(await service()).toMatchObject({ refused: {}, ended: { "client-closed": WARM_UP + CONNECTIONS } });
    await until("the descriptors to be closed", async () => (await openDescriptors()) <= descriptors);

    const each = (name: string, now: Memory) =>
      `${name}: ${perConnection(now, before, "anonymous")} KB anonymous, ${perConnection(now, before, "shared")} KB shared`;
    console.log(`memory of the balancer for each of ${CONNECTIONS} connections, without the kernel's`);
    console.log(each("just opened", idle));
    console.log(each("after a byte each way", used));
    console.log(`resident: ${before.resident} KB before, ${idle.resident} opened, ${used.resident} used`);
  },
  2 * STEP_MS,
);

/** What the kernel says of the balancer's process, in KB. */
interface Memory {
  readonly resident: number;
  readonly anonymous: number;
  readonly shared: number;
}

async function memory(): Promise<Memory> {
  const text = await Bun.file(`/proc/${pid}/status`).text();
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1]);
  return { resident: field("VmRSS"), anonymous: field("RssAnon"), shared: field("RssShmem") };
}

function perConnection(now: Memory, before: Memory, part: "anonymous" | "shared"): string {
  return ((now[part] - before[part]) / CONNECTIONS).toFixed(2);
}

async function openDescriptors(): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

interface ServiceStatus {
  readonly open: number;
  readonly refused: Record<string, number>;
  readonly ended: Record<string, number>;
  readonly recognised: Record<string, number>;
}

async function service(): Promise<ServiceStatus> {
  const answer = await fetch("http://holdfast/api/v1/status", { unix: join(folder, "data/holdfast.sock") });
  const status = (await answer.json()) as { services: ServiceStatus[] };
  return status.services[0]!;
}

/** Gives the clients an order; resolves when it is done. */
async function order(text: string): Promise<void> {
  const from = answers.events.length;
  clients.say(text);
  const ended = clients.exited.then(() => Promise.reject(new Error(`${text}: ${clients.output()}`)));
  await Promise.race([answers.waitFor(text, () => true, STEP_MS, from), ended]);
}
