/**
 * The single executable, on a machine that has nothing of the project: every process of it runs in a mount namespace in
 * which an empty folder lies over the checkout, node_modules included.
 */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { Child } from "../lab/child.ts";
import { EventLog } from "../lab/session-log.ts";
import { freePort } from "../lab/ways.ts";

const CHECKOUT = join(import.meta.dir, "../..");
const HIDDEN = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', CHECKOUT];
const BUILD_MS = 60_000;
const EVENT_MS = 20_000;
const END_MS = 20_000;
setDefaultTimeout(60_000);

interface LogLine {
  readonly event: string;
  readonly msg: string;
  readonly pid?: number;
}

let folder: string;
let executable: string;
let echo: Server;
let port: number;
const running = new Set<Child>();
const sockets = new Set<Socket>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-executable-"));
  executable = join(folder, "holdfast");
  const build = Bun.spawn([process.execPath, "build.ts", executable], { cwd: CHECKOUT, stdout: "ignore" });
  expect(await build.exited).toBe(0);

  echo = createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(0, "127.0.0.1");
  await once(echo, "listening");
  port = await freePort();
  const { port: echoPort } = echo.address() as AddressInfo;
  await Bun.write(
    join(folder, "holdfast.yaml"),
    `
workers: 2
services:
  echo: { listen: "127.0.0.1:${port}", protocol: tcp, pool: servers }
pools:
  servers: { servers: { one: "127.0.0.1:${echoPort}" } }
`,
  );
}, BUILD_MS);

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const child of running) child.signal("SIGTERM");
  await Promise.all([...running].map((child) => child.ended(END_MS)));
  running.clear();
});

afterAll(async () => {
  echo?.close();
  await rm(folder, { recursive: true, force: true });
});

test("the command line answers, and knows its version", async () => {
  expect(await run("--version")).toEqual({ code: 0, out: `${packageJson.version}\n` });
  expect(await run("check", "-c", "holdfast.yaml")).toEqual({
    code: 0,
    out: expect.stringContaining("1 service, 1 pool, 1 server"),
  });
});

test("what lies in the folder that it is started in changes nothing, from a checkout neither", async () => {
  const cwd = await mkdtemp(join(folder, "strange-"));
  await Bun.write(join(cwd, "bunfig.toml"), 'preload = ["./preload.ts"]');
  await Bun.write(join(cwd, "preload.ts"), 'console.log("this runs"); process.exit(9);');
  await Bun.write(join(cwd, ".env"), "HOLDFAST_DATA=/elsewhere");
  for (const command of [[executable], [join(CHECKOUT, "bin/holdfast")]]) {
    const { exitCode, stdout, stderr } = Bun.spawnSync([...command, "status"], { cwd });
    expect({ exitCode, out: String(stdout) }).toEqual({ exitCode: 3, out: "" });
    expect(String(stderr)).toContain(`nothing is running behind ${join(cwd, "holdfast-data")}`);
  }
});

test("it relays, says how it is, and ends on SIGTERM", async () => {
  const { child } = await up([...HIDDEN, executable]);
  const socket = await open();
  expect(await say(socket, "through the executable")).toBe("through the executable");

  const status = JSON.parse((await run("status", "--json", "--data", "data")).out);
  expect(status).toMatchObject({ version: packageJson.version, services: [{ name: "echo", open: 1 }] });

  socket.destroy();
  child.signal("SIGTERM");
  expect(await child.ended(END_MS)).toBe(0);
});

test("a worker that fails is replaced, and the log names file and line of the source", async () => {
  const { log } = await up([...HIDDEN, executable]);
  const unix = join(folder, "data/holdfast.sock");
  await fetch("http://holdfast/rehearse/throw/0", { unix, method: "POST" });
  const lost = await log.waitFor("the loss of a worker", ({ event }) => event === "worker.lost", EVENT_MS);
  expect(lost.msg).toMatch(/src\/balancer\/worker\/main\.ts:\d+:\d+/);
  expect(await say(await open(), "still here")).toBe("still here");
});

test("it takes over from a checkout: connections live on where they are, new ones come to it", async () => {
  const before = await up([join(CHECKOUT, "bin/holdfast")]);
  const old = await open();
  expect(await say(old, "before")).toBe("before");

  const after = await up([...HIDDEN, executable], "--takeover");
  expect(after.pid).not.toBe(before.pid);
  expect(await say(old, "after")).toBe("after");
  expect(await say(await open(), "to the executable")).toBe("to the executable");
  const status = JSON.parse((await run("status", "--json", "--data", "data")).out);
  expect(status).toMatchObject({ pid: after.pid, services: [{ name: "echo", open: 2 }] });

  old.destroy();
  expect(await before.child.ended(END_MS)).toBe(0);
  expect(await say(await open(), "alone")).toBe("alone");
});

/** Runs the executable to its end. */
async function run(...args: string[]): Promise<{ code: number; out: string }> {
  const child = Bun.spawn([...HIDDEN, executable, ...args], { cwd: folder, stdout: "pipe", stderr: "inherit" });
  const out = await new Response(child.stdout).text();
  return { code: await child.exited, out };
}

/** Starts `command up`; resolves when it is ready, rejects when it ends instead. */
async function up(command: string[], ...options: string[]) {
  const log = new EventLog<LogLine>();
  const args = ["up", "-c", join(folder, "holdfast.yaml"), "--data", join(folder, "data"), ...options];
  const read = (line: string) => line.startsWith("{") && log.add(JSON.parse(line));
  const child = new Child([...command, ...args], read, { HOLDFAST_REHEARSE: "1" });
  running.add(child);
  const gone = child.exited.then((code) => {
    throw new Error(`it ended with ${code}\n${child.output()}`);
  });
  gone.catch(() => {});
  const isReady = ({ event }: LogLine) => event === "balancer.ready";
  const ready = await Promise.race([log.waitFor("a balancer that is ready", isReady, EVENT_MS), gone]);
  return { child, log, pid: ready.pid };
}

/** A connection to the service. */
async function open(): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port });
  sockets.add(socket);
  await once(socket, "connect");
  return socket;
}

/** Sends `text`. @returns what came back, as long as what was sent. */
async function say(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  let heard = "";
  while (heard.length < text.length) heard += String((await once(socket, "data"))[0]);
  return heard;
}
