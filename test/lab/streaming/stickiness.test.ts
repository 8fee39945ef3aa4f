/** How long a streaming client is known, how it is forgotten, and what else only Holdfast is asked for. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { connect } from "node:tls";
import { holdfast as commandLine, stayAway } from "../../balancer/service/rig.ts";
import { curl } from "../curl.ts";
import { IS_REFERENCE } from "../front.ts";
import { endedHere, forNodeClients, passedThrough } from "./arrangements.ts";
import { cookieOf, nodeOf, sentBack, who } from "./asking.ts";
import { type Arrangement, follow, PUSH, Stage } from "./stage.ts";

const LIFETIME_MS = 2_000;
setDefaultTimeout(40_000);

let stage: Stage;

async function open(arrangement: Arrangement): Promise<Stage> {
  stage = await Stage.start(arrangement);
  return stage;
}

afterEach(() => stage?.stop());

/** The example with something else in it, which must be there. */
const changed =
  (from: string, to: string) =>
  (yaml: string): string => {
    if (!yaml.includes(from)) throw new Error(`the example has no ${from}`);
    return yaml.replaceAll(from, to);
  };

/** A client with a WebSocket that has run for some time without a break, all in one session. */
async function expectUnbroken(client: ReturnType<Stage["client"]>, from: number, session: string): Promise<void> {
  const { count } = await client.update(() => true);
  await client.update((update) => update.count > count + 5);
  expect(client.statuses(from)).toEqual([]);
  expect(follow(client.counts())).toBe(true);
  expect(stage.nodeOf(session).sessions.has(session)).toBe(true);
}

if (!IS_REFERENCE) {
  test("behind the lifetime of its stickiness a live WebSocket is untouched, and the next request may move", async () => {
    await open(endedHere((yaml) => forNodeClients(changed("lifetime: 6h", `lifetime: ${LIFETIME_MS}ms`)(yaml))));
    const client = stage.client();
    const { session } = await client.connected();
    const from = client.now;
    const first = await who(stage);
    const cookie = sentBack(cookieOf(first)!);
    // Only who is known reaches a server that is drained.
    await stage.front.drain(nodeOf(first));
    expect(nodeOf(await who(stage, PUSH, cookie))).toBe(nodeOf(first));
    await stayAway(LIFETIME_MS + 1_000);
    expect(nodeOf(await who(stage, PUSH, cookie))).not.toBe(nodeOf(first));
    await expectUnbroken(client, from, session);
  });

  test("one client is forgotten: its requests may move, everybody else stays, and live WebSockets go on", async () => {
    await open(endedHere());
    const client = stage.client();
    const { session } = await client.connected();
    const from = client.now;
    const answers = [await who(stage), await who(stage), await who(stage), await who(stage)];
    const cookies = answers.map((answer) => sentBack(cookieOf(answer)!));
    const home = nodeOf(answers[0]!);
    const [, value = ""] = cookies[0]!.Cookie.split("=");
    await stage.front.holdfast!.api.forget("push", { cookie: value }, { by: "tests", dryRun: false });
    // Only who is known reaches a server that is drained.
    await stage.front.drain(home);
    for (const [nth, answer] of answers.entries()) {
      const now = nodeOf(await who(stage, PUSH, cookies[nth]));
      if (nth === 0) expect(now).not.toBe(home);
      else expect(now).toBe(nodeOf(answer));
    }
    await expectUnbroken(client, from, session);
  });

  test("a share of all clients is forgotten, and live WebSockets go on", async () => {
    await open(passedThrough);
    const addresses = Array.from({ length: 40 }, () => stage.newAddress());
    const client = stage.client();
    const { session } = await client.connected();
    const from = client.now;
    const home = await nodeFor(stage.newAddress());
    const known: string[] = [];
    for (const address of addresses) if ((await nodeFor(address)) === home) known.push(address);
    expect(known.length).toBeGreaterThan(10);
    await stage.front.drain(home);
    for (const address of known) expect(await nodeFor(address)).toBe(home);
    await stage.front.holdfast!.api.forget("push-tls", { share: 0.5 }, { by: "tests", dryRun: false });
    let moved = 0;
    for (const address of known) if ((await nodeFor(address)) !== home) moved++;
    // Half of them, more or less: all or none is one in a thousand.
    expect(moved).toBeGreaterThan(0);
    expect(moved).toBeLessThan(known.length);
    await expectUnbroken(client, from, session);
  });

  test("reloads are not noticed: streams and polls go on, and nothing is lost", async () => {
    await open(endedHere());
    const { holdfast } = stage.front;
    const file = await Bun.file(holdfast!.file).text();
    const transports = ["WS-STREAMING", "HTTP-STREAMING", "HTTP-POLLING"] as const;
    const clients = transports.map((transport) => stage.client({ transport }));
    const sessions = await Promise.all(clients.map(async (client) => (await client.connected()).session));
    const from = clients.map((client) => client.now);
    for (let nth = 0; nth < 5; nth++) {
      const minimum = nth % 2 === 0 ? "TLSv1.3" : "TLSv1.2";
      holdfast!.write(changed("minimum: TLSv1.2", `minimum: ${minimum}`)(file));
      expect((await holdfast!.api.reload()).ok).toBe(true);
      for (const client of clients) await client.update(() => true);
    }
    for (const [nth, client] of clients.entries()) await expectUnbroken(client, from[nth]!, sessions[nth]!);
  });

  test("a client that names no host gets the certificate of the address that it has dialled", async () => {
    const other = "127.0.30.7";
    await open(
      endedHere((yaml) => {
        const [, listen = "", port = ""] = /(127\.0\.0\.1:(\d+))\n {4}protocol: http\n {4}tls/.exec(yaml) ?? [];
        const withListener = changed(
          `listen: ${listen}\n    protocol: http\n    tls`,
          `listen: [${listen}, "${other}:${port}"]\n    protocol: http\n    tls`,
        )(yaml);
        return withListener.replace(/(other-?\S*|\d+)\.key \}(?=\n {6}minimum)/, `$1.key, address: ${other} }`);
      }),
    );
    expect(await certificateAt("127.0.0.1", stage.port)).toContain(`DNS:${PUSH}`);
    expect(await certificateAt(other, stage.port)).toBe("DNS:*.other.test");
    // Who names a host gets that one's, wherever it was dialled.
    expect(await certificateAt(other, stage.port, PUSH)).toContain(`DNS:${PUSH}`);
  });

  test("who comes without TLS is sent on to it", async () => {
    await open(endedHere());
    const port = stage.front.holdfast!.port("redirect");
    const answer = await curl(`http://${PUSH}:${port}/a/b?c=d`, { hosts: stage.hosts });
    expect(answer.status).toBeGreaterThanOrEqual(301);
    expect(answer.status).toBeLessThanOrEqual(308);
    expect(answer.fields.get("location")).toEqual([`https://${PUSH}:${stage.port}/a/b?c=d`]);
  });

  test("check warns where the TLS of a control service is stricter than that of the service that creates", async () => {
    await open(endedHere());
    const { cert, key } = stage.certificate("push");
    const service = (listen: string, minimum: string, route: string): string =>
      `{ listen: "${listen}", protocol: http, tls: { minimum: ${minimum}, certificates: [{ cert: ${cert}, key: ${key} }] }, routes: [${route}] }`;
    const file = (control: string): string => `
services:
  push: ${service("127.0.0.1:0", "TLSv1.2", "{ pool: push }")}
  push1: ${service("127.0.0.2:0", control, "{ pool: push, server: push1 }")}
pools:
  push: { persistence: { by: cookie, name: HFID }, servers: { push1: "127.0.0.1:1", push2: "127.0.0.1:2" } }
`;
    expect(await warnings(file("TLSv1.3"))).toContain("push1");
    expect(await warnings(file("TLSv1.2"))).not.toContain("push1");
  });
}

/** The node that a client of TLS from `address` reaches, by a request of its own. */
async function nodeFor(from: string): Promise<string> {
  return nodeOf(
    await curl(`https://${PUSH}:${stage.port}/who`, { ca: stage.authority.file, hosts: stage.hosts, from }),
  );
}

/** The names in the certificate that is shown at an address. */
function certificateAt(host: string, port: number, servername?: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const options = { host, port, rejectUnauthorized: false, ...(servername !== undefined && { servername }) };
    const socket = connect(options, () => {
      resolve(socket.getPeerCertificate().subjectaltname);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

/** What `holdfast check` has to say about a file. */
async function warnings(yaml: string): Promise<string> {
  const file = join(stage.authority.folder, "holdfast.yaml");
  await Bun.write(file, yaml);
  const { code, out, err } = await commandLine("check", "-c", file);
  expect(code).toBe(0);
  return out + err;
}
