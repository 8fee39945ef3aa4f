/** The first moments of a balancer: a real process, real servers. */
import { afterAll, expect, test } from "bun:test";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../lab/ways.ts";

const COMMAND = join(import.meta.dir, "../../../bin/holdfast");
const SERVERS = ["a", "b", "c", "d"];
const LIMIT_MS = 20_000;

const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

test(
  "who comes in the very moment that it starts finds every server in use",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "holdfast-start-"));
    ends.push(() => rm(folder, { recursive: true, force: true }));
    const ports = await Promise.all(SERVERS.map(startServer));
    const port = await freePort();
    const file = join(folder, "holdfast.yaml");
    await Bun.write(
      file,
      `services: { all: { listen: "127.0.0.1:${port}", pool: all } }
pools:
  all:
    algorithm: round-robin
    health: { check: tcp }
    servers: { ${SERVERS.map((name, i) => `${name}: 127.0.0.1:${ports[i]}`).join(", ")} }
`,
    );
    const balancer = Bun.spawn([COMMAND, "up", "-c", file, "--data", join(folder, "data")], { stdout: "ignore" });
    ends.push(() => {
      balancer.kill("SIGTERM");
      return balancer.exited;
    });

    const answers: string[] = [];
    while (answers.length < 2 * SERVERS.length) {
      const answer = await ask(port);
      if (answer !== "refused") answers.push(answer);
    }
    expect(answers.sort()).toEqual([...SERVERS, ...SERVERS].sort());
  },
  LIMIT_MS,
);

test(
  "a start that fails at its last step ends the process, and leaves neither a port nor a socket behind",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "holdfast-start-"));
    ends.push(() => rm(folder, { recursive: true, force: true }));
    const [taken, port] = [await startServer("metrics"), await freePort()];
    const file = join(folder, "holdfast.yaml");
    await Bun.write(
      file,
      `services: { all: { listen: "127.0.0.1:${port}", pool: all } }
pools: { all: { servers: { a: "127.0.0.1:${taken}" } } }
metrics: { listen: "127.0.0.1:${taken}" }
`,
    );
    const balancer = Bun.spawn([COMMAND, "up", "-c", file, "--data", join(folder, "data")], { stderr: "pipe" });
    ends.push(() => balancer.kill("SIGTERM"));
    expect(await new Response(balancer.stderr).text()).toStartWith(
      `error[socket]: the metrics page cannot listen on 127.0.0.1:${taken}:`,
    );
    expect(await balancer.exited).toBe(1);
    expect(await ask(port)).toBe("refused");
    expect(
      await Array.fromAsync(new Bun.Glob("*.sock*").scan({ cwd: join(folder, "data"), onlyFiles: false })),
    ).toEqual([]);
  },
  LIMIT_MS,
);

/** A server that says its name and ends. @returns its port */
async function startServer(name: string): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.end(name);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  ends.push(() => server.close());
  return portOf(server);
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

/** @returns what came, "refused" when nobody listens yet */
function ask(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes;
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      text = error.code === "ECONNREFUSED" ? "refused" : `failed: ${error.code}`;
    });
    socket.on("close", () => resolve(text));
  });
}
