/** One round: each row's work through each balancer in turn, next to each other in time so that they can be paired. */
import type { Samples } from "./figures.ts";
import type { Answer, Job } from "./load.ts";
import { readMemory } from "./process.ts";
import { DIRECT } from "./report.ts";
import type { Helper, Running } from "./rig.ts";
import type { Endpoint } from "./sockets.ts";
import { inSlices, SLICES } from "./work.ts";

export type Protocol = "tcp" | "rdp";
export type Load = Helper<Job, Answer>;

export interface Plan {
  rounds: number;
  connections: number;
  concurrency: number;
  streams: number;
  /** On each stream, in each direction. */
  bytes: number;
  trips: number;
  firsts: number;
  idle: number;
  memoryRounds: number;
  /** Connections through each balancer before the first round: what compiles itself as it runs has done so by then. */
  warmUp: number;
}

export const FULL: Plan = {
  rounds: 6,
  connections: 8_000,
  concurrency: 50,
  streams: 4,
  bytes: 64 * 2 ** 20,
  trips: 10_000,
  firsts: 2_000,
  idle: 5_000,
  memoryRounds: 3,
  warmUp: 30_000,
};

export const QUICK: Plan = {
  ...FULL,
  rounds: 3,
  connections: 3_000,
  bytes: 32 * 2 ** 20,
  trips: 3_000,
  firsts: 500,
  memoryRounds: 1,
  warmUp: 15_000,
};

/** How much work a round is, for the reader. */
export function describe(plan: Plan): string[] {
  return [
    `tcp, rdp, before the first round: ${plan.warmUp} connections of each through each balancer: Holdfast compiles itself while it runs.`,
    `tcp, rdp, a round: ${plan.connections} connections, ${plan.concurrency} at a time, 100 bytes each way (rdp: after the ` +
      "Connection Request of one of 500 users and its Confirm); " +
      `${(plan.bytes * plan.streams) / 2 ** 20} MB to the client and as much from it, on ${plan.streams} connections; ` +
      `${plan.trips} round trips of 64 bytes on one connection; ${plan.firsts} connections one after the other, each ` +
      "until the first byte of its answer.",
    `tcp, rdp, idle memory: ${plan.idle} connections that have carried their 100 bytes, in a fresh process, ${plan.memoryRounds} time(s).`,
  ];
}

interface Round {
  plan: Plan;
  protocol: Protocol;
  /** The balancers, in the order of this round. */
  turns: Running[];
  load: Load;
  /** One of the servers, for what is measured without a balancer. */
  server: Endpoint;
  into: Samples;
  threads: number;
}

export async function measureRound({ plan, protocol, turns, load, server, into, threads }: Round): Promise<void> {
  const takers = turns.filter(({ peer }) => peer.listeners.includes(protocol));
  const rdp = protocol === "rdp";
  const to = (one: Running) => ({ target: { host: "127.0.0.1", port: one.listen[protocol] }, rdp });
  const direct = { target: server, rdp };

  const crowd = { job: "connections", count: plan.connections / SLICES, concurrency: plan.concurrency } as const;
  for (const [one, { cpu, seconds }] of await inSlices(takers, (one) => load.run({ ...crowd, ...to(one) }))) {
    into.add(protocol, "connection", one.peer.name, cpu / 1000 / plan.connections);
    into.add(protocol, "rate", one.peer.name, plan.connections / seconds);
    into.add(protocol, "busy", one.peer.name, (100 * cpu) / (seconds * 1e9 * threads));
  }
  into.add(protocol, "rate", DIRECT, crowd.count / (await load.run({ ...crowd, ...direct })).seconds);

  for (const job of ["down", "up"] as const) {
    const bulk = { job, streams: plan.streams, bytes: plan.bytes / SLICES };
    for (const [one, { cpu }] of await inSlices(takers, (one) => load.run({ ...bulk, ...to(one) }))) {
      into.add(protocol, job, one.peer.name, cpu / 1000 / ((plan.streams * plan.bytes) / 2 ** 20));
    }
  }

  for (const [job, row, count] of [
    ["round-trips", "trip", plan.trips],
    ["first-bytes", "first", plan.firsts],
  ] as const) {
    const floor = await load.run({ job, count, ...direct });
    into.add(protocol, `${row}50`, DIRECT, floor.p50!);
    into.add(protocol, `${row}99`, DIRECT, floor.p99!);
    for (const one of takers) {
      const answer = await load.run({ job, count, ...to(one) });
      into.add(protocol, `${row}50`, one.peer.name, answer.p50! - floor.p50!);
      into.add(protocol, `${row}99`, one.peer.name, answer.p99! - floor.p99!);
    }
  }
}

/** Nothing of this is counted. */
export async function warmUp({ plan, protocol, turns, load }: Pick<Round, "plan" | "protocol" | "turns" | "load">) {
  for (const { peer, listen } of turns) {
    if (!peer.listeners.includes(protocol)) continue;
    const target = { host: "127.0.0.1", port: listen[protocol] };
    const crowd = { job: "connections", count: plan.warmUp, concurrency: plan.concurrency } as const;
    await load.run({ ...crowd, target, rdp: protocol === "rdp" });
  }
}

/** Enough connections for a fresh process to have loaded what it needs for one. */
const WARM_CONNECTIONS = 500;
/** Long enough for a collector to have gone over what connecting left behind. */
const MEMORY_SETTLE_MS = 1_000;

export async function measureMemory(measured: {
  plan: Plan;
  protocol: Protocol;
  fresh: Running;
  load: Load;
  into: Samples;
}): Promise<void> {
  try {
    await measureIdle(measured);
  } catch (error) {
    throw new Error(`${measured.fresh.peer.name}, idle: ${error instanceof Error ? error.message : error}`);
  }
}

async function measureIdle({ plan, protocol, fresh, load, into }: Parameters<typeof measureMemory>[0]): Promise<void> {
  const to = { target: { host: "127.0.0.1", port: fresh.listen[protocol] }, rdp: protocol === "rdp" };
  await load.run({ job: "connections", count: WARM_CONNECTIONS, concurrency: plan.concurrency, ...to });
  await Bun.sleep(MEMORY_SETTLE_MS);
  const before = readMemory(fresh.pids);
  await load.run({ job: "connections", count: plan.idle, concurrency: plan.concurrency, hold: true, ...to });
  await Bun.sleep(MEMORY_SETTLE_MS);
  const bytes = readMemory(fresh.pids) - before;
  await load.run({ job: "release" });
  into.add(protocol, "idle", fresh.peer.name, bytes / plan.idle);
  into.add(protocol, "empty", fresh.peer.name, before / 2 ** 20);
}
