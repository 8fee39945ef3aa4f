/** Clients who come back make a short handshake: in whichever worker, after a reload, after a takeover. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type Issued, TestAuthority } from "../worker/tls/certificates.ts";
import { connect, targets, until } from "../worker/tls/rig.ts";
import { Balancer, COMMAND } from "./rig.ts";

setDefaultTimeout(30_000);

const VISITS = 40;

let authority: TestAuthority;
let site: Issued;
let balancer: Balancer;
let successor: ReturnType<typeof takeOver> | undefined;
const server = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: { data: (socket, bytes) => void socket.write(bytes), error() {} },
});

beforeAll(async () => {
  authority = new TestAuthority();
  site = authority.issue(["DNS:a.test"]);
  balancer = await Balancer.start(`
workers: 2
services:
  echo:
    listen: 127.0.0.1:0
    protocol: tcp
    pool: servers
    tls: { certificates: [{ cert: ${site.files.chain}, key: ${site.files.key} }] }
pools:
  servers: { servers: { a: "127.0.0.1:${server.port}" } }
`);
});
afterAll(async () => {
  successor?.kill("SIGTERM");
  await successor?.exited;
  await balancer.stop();
  server.stop(true);
  authority.dispose();
});

let target: ReturnType<typeof targets>;

/** How many of so many visits, one after the other, resumed a session. */
async function resumed(visits: number): Promise<number> {
  let count = 0;
  for (let visit = 0; visit < visits; visit++) {
    const end = connect(balancer.port("echo"), target);
    end.write("hello");
    await until(() => end.text === "hello" || end.lost);
    if (end.lost) throw new Error(`a visit failed: ${end.tls?.failure?.detail}`);
    if (end.tls?.resumed) count++;
    end.channel?.close(false);
  }
  return count;
}

test("only the first visit makes a full handshake, over both workers", async () => {
  target = targets({ ca: authority.pem, name: "a.test" });
  const count = await resumed(VISITS);
  console.log(`resumed: ${count} of ${VISITS} visits over 2 workers`);
  expect(count).toBe(VISITS - 1);
});

test("a reload makes nobody begin anew", async () => {
  await balancer.api.reload();
  expect(await resumed(VISITS)).toBe(VISITS);
});

function takeOver() {
  const command = [COMMAND, "up", "--takeover", "-c", balancer.file, "--data", balancer.data];
  return Bun.spawn(command, { stdout: "pipe", stderr: "ignore" });
}

test("a takeover makes nobody begin anew", async () => {
  successor = takeOver();
  let said = "";
  const { stdout } = successor;
  void (async () => {
    for await (const bytes of stdout) said += Buffer.from(bytes).toString();
  })();
  await until(() => said.includes("takeover.done"));
  await balancer.ended();
  expect(await resumed(VISITS)).toBe(VISITS);
});
