/**
 * What one side sends arrives at the other, whatever the balancer does meanwhile: connections of every kind (plans.ts) run
 * while it is reloaded and taken over again and again. `npm run soak` is the same for longer.
 *
 * HOLDFAST_ROUNDS, HOLDFAST_SEED and HOLDFAST_RATE (small connections a second) change what is done.
 */
import { afterAll, expect, test } from "bun:test";
import { freePort } from "../../lab/ways.ts";
import { Lineage, LoadProcess, type Up, until } from "./rig.ts";

const ROUNDS = Number(process.env.HOLDFAST_ROUNDS ?? 10);
const SEED = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);
const RATE = Number(process.env.HOLDFAST_RATE ?? 200);
/** Connections that are in the middle of their work when a round's reload and takeover come. */
const HELD = 200;
const LARGEST = 3_000_000;
const ROUND_WITHIN_MS = 30_000;

const lineage = new Lineage();
const load = new LoadProcess(SEED, LARGEST);
const ended: Promise<number>[] = [];

afterAll(async () => {
  await Promise.all([load.end(), lineage.stop()]);
});

interface Ports {
  readonly servers: readonly number[];
  readonly talk: number;
  readonly main: number;
  readonly talkers: number;
  readonly extra: number;
}

/** The file of a round: other weights and limits, a third server and a second listener that come and go, workers. */
function configuration(round: number, ports: Ports): string {
  const [a, b, c] = ports.servers;
  return `
log: { access: ${round % 4 === 3} }
workers: ${[2, 3, 1][round % 3]}
services:
  main:
    listen: [127.0.0.1:${ports.main}${round % 2 === 0 ? `, 127.0.0.1:${ports.extra}` : ""}]
    pool: servers
    limits: { connections: ${round % 3 === 0 ? 50_000 : 20_000} }
  ${round % 5 < 3 ? "talk" : "talkers"}: { listen: 127.0.0.1:${ports.talkers}, pool: talkers }
pools:
  servers:
    algorithm: ${["least-connections", "round-robin", "random"][round % 3]}
    servers:
      a: { address: 127.0.0.1:${a}, weight: ${1 + ((round * 37) % 200)} }
      b: 127.0.0.1:${b}
      ${round % 3 === 2 ? "" : `c: { address: 127.0.0.1:${c}, limit: ${10_000 + round} }`}
  talkers: { servers: { t: 127.0.0.1:${ports.talk} } }
`;
}

test(
  `every byte arrives and nobody is refused through ${ROUNDS} reloads and ${ROUNDS} takeovers under load`,
  async () => {
    console.log(`seed ${SEED}`);
    const { ports: servers, talk } = await load.listening();
    const [main, talkers, extra] = [await freePort(), await freePort(), await freePort()];
    const ports: Ports = { servers, talk, main, talkers, extra };
    lineage.write(configuration(0, ports));
    let up: Up = await lineage.up();
    load.tell(`to ${main} ${talkers}`);
    load.tell(`rate ${RATE}`);

    for (let round = 1; round <= ROUNDS; round++) {
      const held = await load.hold(HELD);
      expect(held).toBeGreaterThan(HELD / 2);
      lineage.write(configuration(2 * round - 1, ports));
      const reload = await lineage.command("reload");
      expect(reload).toMatchObject({ code: 0 });
      lineage.write(configuration(2 * round, ports));
      const before = up;
      up = await lineage.takeOver();
      const { predecessor } = await lineage.status();
      expect(predecessor?.pid).toBe(before.pid);
      // All that are held, and those small ones that were there at that moment.
      expect(predecessor?.connections).toBeGreaterThan(held / 2);
      load.tell("release");
      ended.push(before.exited);
      expect(await before.exited).toBe(0);
      await until("the predecessor to be forgotten", async () => (await lineage.status()).predecessor === undefined);
    }

    const report = await load.stop();
    console.log(JSON.stringify(report, null, 1));
    expect(report.failures).toEqual([]);
    expect(report).toMatchObject({ refused: 0, failed: 0 });
    expect(report.opened).toBeGreaterThan(ROUNDS * HELD);
    expect(Object.keys(report.kinds)).toHaveLength(14);
    const open = async () => (await lineage.status()).services.every((service) => service.open === 0);
    await until("all counts to be back at none", open);
    const status = await lineage.status();
    expect(status.pools.flatMap((pool) => pool.servers.map((server) => server.open))).toEqual(
      status.pools.flatMap((pool) => pool.servers.map(() => 0)),
    );
  },
  60_000 + ROUNDS * ROUND_WITHIN_MS,
);
