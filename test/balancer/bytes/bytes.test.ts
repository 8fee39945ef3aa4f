/**
 * What one side sends arrives at the other, whatever the balancer does meanwhile: connections of every kind (plans.ts), and
 * requests, tunnels and bytes in TLS (web-plans.ts), run while it is reloaded and taken over again and again. `npm run soak`
 * is the same for longer.
 *
 * HOLDFAST_ROUNDS, HOLDFAST_SEED and HOLDFAST_RATE (small connections a second) change what is done. HOLDFAST_MINUTES: rounds
 * begin for this long instead.
 */
import { afterAll, expect, test } from "bun:test";
import { Authority, type Certificate } from "../../lab/certificates.ts";
import { freePort } from "../../lab/ways.ts";
import { until } from "../../until.ts";
import { Lineage, LoadProcess, type Up, type WebLoadReport } from "./rig.ts";
import { KINDS } from "./web-plans.ts";

const MINUTES = Number(process.env.HOLDFAST_MINUTES ?? 0);
const ROUNDS = MINUTES > 0 ? Number.POSITIVE_INFINITY : Number(process.env.HOLDFAST_ROUNDS ?? 10);
const SEED = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);
const RATE = Number(process.env.HOLDFAST_RATE ?? 200);
/** A session is several requests, and one in TLS costs the load a handshake. */
const WEB_RATE = RATE / 10;
/** Connections that are in the middle of their work when a round's reload and takeover come. */
const HELD = 200;
const WEB_HELD = 40;
const LARGEST = 3_000_000;
const ROUND_WITHIN_MS = 30_000;

const lineage = new Lineage();
const authority = new Authority();
const load = new LoadProcess("load.ts", SEED, LARGEST);
const web = new LoadProcess<WebLoadReport>("web-load.ts", SEED, LARGEST, authority.file);

afterAll(async () => {
  await Promise.all([load.end(), web.end(), lineage.stop()]);
  authority.dispose();
});

interface Ports {
  readonly servers: readonly number[];
  readonly talk: number;
  readonly main: number;
  readonly talkers: number;
  readonly extra: number;
  readonly webServers: readonly number[];
  readonly bytesServer: number;
  readonly web: number;
  readonly secure: number;
  readonly bytes: number;
}

/** The file of a round: other weights and limits, a third server and a second listener that come and go, workers, keys. */
function configuration(round: number, ports: Ports, { cert, key }: Certificate): string {
  const [a, b, c] = ports.servers;
  const [x, y, z] = ports.webServers;
  const tls = `{ certificates: [{ cert: ${cert}, key: ${key} }] }`;
  return `
log: { access: ${round % 4 === 3} }
workers: ${[2, 3, 1][round % 3]}
services:
  main:
    listen: [127.0.0.1:${ports.main}${round % 2 === 0 ? `, 127.0.0.1:${ports.extra}` : ""}]
    pool: servers
    limits: { connections: ${round % 3 === 0 ? 50_000 : 20_000} }
  ${round % 5 < 3 ? "talk" : "talkers"}: { listen: 127.0.0.1:${ports.talkers}, pool: talkers }
  web: { listen: 127.0.0.1:${ports.web}, protocol: http, pool: web }
  secure: { listen: 127.0.0.1:${ports.secure}, protocol: http, tls: ${tls}, pool: web }
  bytes: { listen: 127.0.0.1:${ports.bytes}, protocol: tcp, tls: ${tls}, pool: bytes }
pools:
  servers:
    algorithm: ${["least-connections", "round-robin", "random"][round % 3]}
    servers:
      a: { address: 127.0.0.1:${a}, weight: ${1 + ((round * 37) % 200)} }
      b: 127.0.0.1:${b}
      ${round % 3 === 2 ? "" : `c: { address: 127.0.0.1:${c}, limit: ${10_000 + round} }`}
  talkers: { servers: { t: 127.0.0.1:${ports.talk} } }
  web:
    persistence: { by: ${round % 2 === 0 ? "cookie, name: SRV" : "source"} }
    servers:
      x: { address: 127.0.0.1:${x}, weight: ${1 + ((round * 61) % 200)} }
      y: 127.0.0.1:${y}
      ${round % 3 === 1 ? "" : `z: 127.0.0.1:${z}`}
  bytes: { servers: { b: 127.0.0.1:${ports.bytesServer} } }
`;
}

const howLong =
  MINUTES > 0 ? `${MINUTES} minutes of reloads and takeovers` : `${ROUNDS} reloads and ${ROUNDS} takeovers`;

test(
  `every byte arrives and nobody is refused through ${howLong} under load`,
  async () => {
    console.log(`seed ${SEED}`);
    const { ports: servers, talk } = await load.listening();
    const { ports: webServers, talk: bytesServer } = await web.listening();
    const [main, talkers, extra] = [await freePort(), await freePort(), await freePort()];
    const ours = { web: await freePort(), secure: await freePort(), bytes: await freePort() };
    const ports: Ports = { servers, talk, main, talkers, extra, webServers, bytesServer, ...ours };
    const write = (round: number) => lineage.write(configuration(round, ports, authority.issue("web.example.test")));
    write(0);
    let up: Up = await lineage.up();
    load.tell(`to ${main} ${talkers}`);
    web.tell(`to ${ours.web} ${ours.secure} ${ours.bytes}`);
    load.tell(`rate ${RATE}`);
    web.tell(`rate ${WEB_RATE}`);

    const endMs = performance.now() + MINUTES * 60_000;
    let rounds = 0;
    while (rounds < ROUNDS && (MINUTES === 0 || performance.now() < endMs)) {
      rounds++;
      const [held, webHeld] = await Promise.all([load.hold(HELD), web.hold(WEB_HELD)]);
      expect(held).toBeGreaterThan(HELD / 2);
      expect(webHeld).toBe(WEB_HELD);
      write(2 * rounds - 1);
      const reload = await lineage.command("reload");
      expect(reload).toMatchObject({ code: 0 });
      write(2 * rounds);
      const before = up;
      up = await lineage.takeOver();
      const { predecessor } = await lineage.status();
      expect(predecessor?.pid).toBe(before.pid);
      // All that are held, and those small ones that were there at that moment.
      expect(predecessor?.connections).toBeGreaterThan((held + webHeld) / 2);
      load.tell("release");
      web.tell("release");
      expect(await before.exited).toBe(0);
      await until("the predecessor to be forgotten", async () => (await lineage.status()).predecessor === undefined);
    }

    const reports = await Promise.all([load.stop(), web.stop()]);
    console.log(`${rounds} rounds`, JSON.stringify(reports, null, 1));
    for (const report of reports) {
      expect(report.failures).toEqual([]);
      expect(report).toMatchObject({ refused: 0, failed: 0 });
    }
    expect(reports[0].opened).toBeGreaterThan(rounds * HELD);
    expect(Object.keys(reports[0].kinds)).toHaveLength(14);
    expect(reports[1].opened).toBeGreaterThan(rounds * WEB_HELD);
    expect(Object.keys(reports[1].kinds)).toHaveLength(KINDS.length);
    // Who has a connection kept loses no request over it.
    expect(reports[1].again).toBe(0);
    const open = async () => (await lineage.status()).services.every((service) => service.open === 0);
    await until("all counts to be back at none", open);
    const status = await lineage.status();
    expect(status.pools.flatMap((pool) => pool.servers.map((server) => server.open))).toEqual(
      status.pools.flatMap((pool) => pool.servers.map(() => 0)),
    );
  },
  60_000 + MINUTES * 60_000 + (MINUTES > 0 ? 10 : ROUNDS) * ROUND_WITHIN_MS,
);
