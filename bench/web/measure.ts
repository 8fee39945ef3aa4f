/** One round of the web tables: HTTP, TLS and streams through each balancer in turn. */
import type { Samples, Table } from "../figures.ts";
import type { Listener } from "../peers.ts";
import { readMemory } from "../process.ts";
import { DIRECT } from "../report.ts";
import type { Cpus, Helper, Running } from "../rig.ts";
import type { Endpoint } from "../sockets.ts";
import { inSlices, measured, named, SLICES } from "../work.ts";
import { h2load } from "./h2load.ts";
import type { WebAnswer, WebJob } from "./jobs.ts";

export interface WebPlan {
  requests: number;
  visits: number;
  /** Of each of the four kinds. */
  handshakes: number;
  concurrency: number;
  /** Connections of the bulk, and the bytes on each in each direction. */
  bulk: number;
  bytes: number;
  echoes: number;
  trips: number;
  h2: number;
  streams: number;
  listenSeconds: number;
  idle: number;
  memoryRounds: number;
  /** Requests, connections, handshakes and messages through each balancer before the first round. */
  warmUp: number;
}

export const FULL_WEB: WebPlan = {
  requests: 24_000,
  visits: 4_000,
  handshakes: 1_000,
  concurrency: 50,
  bulk: 4,
  bytes: 32 * 2 ** 20,
  echoes: 24_000,
  trips: 4_000,
  h2: 24_000,
  streams: 1_000,
  listenSeconds: 3,
  idle: 5_000,
  memoryRounds: 2,
  warmUp: 30_000,
};

export const QUICK_WEB: WebPlan = {
  ...FULL_WEB,
  requests: 8_000,
  visits: 1_600,
  handshakes: 400,
  bytes: 8 * 2 ** 20,
  echoes: 8_000,
  trips: 1_000,
  h2: 8_000,
  listenSeconds: 2,
  idle: 2_000,
  memoryRounds: 1,
  warmUp: 10_000,
};

/** How much work a round is, for the reader. */
export function describeWeb(plan: WebPlan): string[] {
  return [
    `http, tls, before the first round: ${plan.warmUp} requests, connections, handshakes and messages through each balancer.`,
    `http, tls, a round: ${plan.requests} requests for a page of 1 KB on ${plan.concurrency} connections, of each kind; ` +
      `${plan.visits} connections with one request each; ${plan.handshakes} handshakes of each kind, ended without a ` +
      `request once tickets have come; ${(plan.bulk * plan.bytes) / 2 ** 20} MB in a response and as much in a request, ` +
      `on ${plan.bulk} connections; ${plan.echoes} WebSocket messages of 64 bytes on ${plan.concurrency} connections; ` +
      `${plan.trips} requests and messages on one connection; ${plan.h2} HTTP/2 requests by h2load. But for handshakes, ` +
      "connections and HTTP/2, connecting is not counted.",
    "A cookie keeps users on their servers in all of them (nginx: a random word whose hash picks the server; HAProxy: " +
      "`cookie insert indirect nocache`, the server's name; Holdfast: signed). Each answer is checked byte by byte, and " +
      "that it comes from its cookie's server. All reuse their connections to the servers (HAProxy: `http-reuse always`).",
    "Clients of TLS speak TLS 1.3 with X25519 and AES-128-GCM. Each handshake that should resume a session is asked whether it did.",
    `stream: ${plan.streams} chunked responses that bring 10 messages of 100 bytes a second each, ${plan.listenSeconds} s; ` +
      "nginx with `proxy_buffering off`, HAProxy with `option http-no-delay`.",
    `http, tls, idle memory: ${plan.idle} connections that have had their page, in a fresh process, ${plan.memoryRounds} time(s).`,
  ];
}

export type WebTable = Extract<Table, "http" | "tls" | "stream">;
export type WebLoad = Helper<WebJob, WebAnswer>;

export interface WebRound {
  plan: WebPlan;
  table: WebTable;
  /** The balancers, in the order of this round. */
  turns: Running[];
  load: WebLoad;
  /** One of the servers, for what is measured without a balancer. */
  server: Endpoint;
  into: Samples;
  threads: number;
  cpus: Cpus | undefined;
}

/** One certificate's listener, its TLS rows. */
const CERTIFICATES = [
  ["https", "p256"],
  ["rsa", "rsa"],
] as const;

const RELEASE = { job: "release" } as const;

export async function measureWebRound(round: WebRound): Promise<void> {
  if (round.table === "http") await http(round);
  else if (round.table === "tls") await tls(round);
  else await streams(round);
}

const at = (one: Running, listener: Listener): Endpoint => ({ host: "127.0.0.1", port: one.listen[listener] });

/** Opens connections before each part and closes them behind it, so that neither is counted. */
function over(load: WebLoad, listener: Listener, what: "page" | "echo", count: number) {
  const secure = listener === "https";
  const opening = { job: "open", what, count, sticky: true, secure } as const;
  return {
    before: (one: Running) => load.run({ ...opening, target: at(one, listener) }),
    after: () => load.run(RELEASE),
  };
}

async function http(round: WebRound): Promise<void> {
  const { plan, turns, load, server, into, threads } = round;
  for (const [key, listener, newcomers] of [
    ["request", "http", false],
    ["newcomer", "http", true],
    ["forwarded", "forwarded", false],
  ] as const) {
    const job = { job: "requests", count: plan.requests / SLICES, newcomers } as const;
    const around = over(load, listener, "page", plan.concurrency);
    for (const [one, { cpu, seconds }] of await inSlices(turns, () => load.run(job), around)) {
      into.add("http", key, one.peer.name, cpu / 1000 / plan.requests);
      if (key !== "request") continue;
      into.add("http", "requests", one.peer.name, plan.requests / seconds);
      into.add("http", "busy", one.peer.name, (100 * cpu) / (seconds * 1e9 * threads));
    }
  }
  const direct = { target: server, secure: false, sticky: false } as const;
  await load.run({ job: "open", what: "page", count: plan.concurrency, ...direct });
  const { seconds } = await load.run({ job: "requests", count: plan.requests / SLICES });
  into.add("http", "requests", DIRECT, plan.requests / SLICES / seconds);
  await load.run(RELEASE);

  await visits(round);
  await bulk(round, "http");
  const messages = { job: "echoes", count: plan.echoes / SLICES } as const;
  const around = over(load, "http", "echo", plan.concurrency);
  for (const [one, { cpu }] of await inSlices(turns, () => load.run(messages), around)) {
    into.add("http", "echo", one.peer.name, cpu / 1000 / plan.echoes);
  }
  for (const [what, key] of [
    ["page", "request"],
    ["echo", "echo"],
  ] as const) {
    const trips = { job: "round-trips", count: plan.trips } as const;
    await load.run({ job: "open", what, count: 1, ...direct });
    const floor = await load.run(trips);
    await load.run(RELEASE);
    addLatency(into, "http", key, DIRECT, floor);
    for (const one of turns) {
      const around = over(load, "http", what, 1);
      const answer = await named(one, async () => {
        await around.before(one);
        return load.run(trips);
      });
      await around.after();
      addLatency(into, "http", key, one.peer.name, answer, floor);
    }
  }
}

async function visits({ plan, turns, load, into }: WebRound): Promise<void> {
  const job = { job: "visits", count: plan.visits / SLICES, concurrency: plan.concurrency, secure: false } as const;
  for (const [one, { cpu }] of await inSlices(turns, (one) => load.run({ ...job, target: at(one, "http") }))) {
    into.add("http", "visit", one.peer.name, cpu / 1000 / plan.visits);
  }
}

async function bulk({ plan, turns, load, into, table }: WebRound, listener: Listener): Promise<void> {
  for (const job of ["down", "up"] as const) {
    const body = { job, bytes: plan.bytes / SLICES };
    for (const [one, { cpu }] of await inSlices(turns, () => load.run(body), over(load, listener, "page", plan.bulk))) {
      into.add(table, job, one.peer.name, cpu / 1000 / ((plan.bulk * plan.bytes) / 2 ** 20));
    }
  }
}

async function tls(round: WebRound): Promise<void> {
  const { plan, turns, load, into, cpus } = round;
  const part = { count: plan.handshakes / SLICES, concurrency: plan.concurrency };
  for (const [listener, key] of CERTIFICATES) {
    for (const resume of [false, true]) {
      let resumed = new Map<string, number>();
      const handshakes = async (one: Running): Promise<WebAnswer> => {
        const answer = await load.run({ job: "handshakes", ...part, resume, target: at(one, listener) });
        resumed = resumed.set(one.peer.name, (resumed.get(one.peer.name) ?? 0) + answer.resumed!);
        return answer;
      };
      for (const [one, { cpu }] of await inSlices(turns, handshakes)) {
        into.add("tls", `${resume ? "resumed" : "full"}-${key}`, one.peer.name, cpu / 1000 / plan.handshakes);
        if (resume) into.add("tls", "share", one.peer.name, (100 * resumed.get(one.peer.name)!) / plan.handshakes);
      }
    }
  }
  const requests = { job: "requests", count: plan.requests / SLICES } as const;
  const around = over(load, "https", "page", plan.concurrency);
  for (const [one, { cpu }] of await inSlices(turns, () => load.run(requests), around)) {
    into.add("tls", "request", one.peer.name, cpu / 1000 / plan.requests);
  }
  await bulk(round, "https");
  // Its process has to start, and its handshakes count: fewer and longer parts.
  const parts = SLICES / 2;
  const work = async (one: Running) => {
    const { cookie } = await load.run({ job: "cookie", target: at(one, "https"), secure: true });
    return h2load(at(one, "https"), cookie!, plan.h2 / parts, cpus);
  };
  for (const [one, { cpu }] of await inSlices(turns, work, undefined, parts)) {
    into.add("tls", "h2", one.peer.name, cpu / 1000 / plan.h2);
  }
}

async function streams({ plan, turns, load, server, into }: WebRound): Promise<void> {
  const opening = { job: "open", what: "stream", count: plan.streams, secure: false } as const;
  const listening = { job: "listen", seconds: plan.listenSeconds } as const;
  await load.run({ ...opening, target: server, sticky: false });
  const floor = await load.run(listening);
  await load.run(RELEASE);
  addLatency(into, "stream", "message", DIRECT, floor);
  for (const one of turns) {
    const answer = await named(one, async () => {
      await load.run({ ...opening, target: at(one, "streams"), sticky: true });
      return measured(one, () => load.run(listening));
    });
    await load.run(RELEASE);
    into.add("stream", "message", one.peer.name, answer.cpu / 1000 / answer.messages!);
    addLatency(into, "stream", "message", one.peer.name, answer, floor);
  }
}

const NO_FLOOR = { p50: 0, p99: 0 };

function addLatency(
  into: Samples,
  table: WebTable,
  key: string,
  column: string,
  answer: Pick<WebAnswer, "p50" | "p99">,
  floor: Pick<WebAnswer, "p50" | "p99"> = NO_FLOOR,
): void {
  into.add(table, `${key}50`, column, answer.p50! - floor.p50!);
  into.add(table, `${key}99`, column, answer.p99! - floor.p99!);
}

/** Nothing of this is counted. */
export async function warmUpWeb({ plan, table, turns, load, cpus }: Omit<WebRound, "into" | "server" | "threads">) {
  const { warmUp, concurrency } = plan;
  for (const one of turns) {
    await named(one, async () => {
      if (table === "http") {
        for (const [listener, what, job] of [
          ["http", "page", { job: "requests", count: warmUp }],
          ["http", "page", { job: "requests", count: warmUp, newcomers: true }],
          ["forwarded", "page", { job: "requests", count: warmUp }],
          ["http", "echo", { job: "echoes", count: warmUp }],
        ] as const) {
          const { before, after } = over(load, listener, what, concurrency);
          await before(one);
          await load.run(job);
          await after();
        }
        await load.run({ job: "visits", count: warmUp, concurrency, target: at(one, "http"), secure: false });
      } else if (table === "tls") {
        const half = { job: "handshakes", count: warmUp / 2, concurrency, target: at(one, "https") } as const;
        await load.run({ ...half, resume: false });
        await load.run({ ...half, resume: true });
        const { before, after } = over(load, "https", "page", concurrency);
        await before(one);
        await load.run({ job: "requests", count: warmUp });
        await after();
        const { cookie } = await load.run({ job: "cookie", target: at(one, "https"), secure: true });
        await h2load(at(one, "https"), cookie!, warmUp, cpus);
      }
      // The streams' messages are many: the round that is not counted does for them.
    });
  }
}

/** Long enough for a collector to have gone over what connecting left behind. */
const MEMORY_SETTLE_MS = 1_000;
/** Opened before, a few at a time: enough for a fresh process to have loaded what it needs, too few to leave it pools. */
const WARM_TIMES = 10;
const WARM_CONNECTIONS = 50;

/** Memory for each connection that has had a page and stays. `fresh` has served nobody yet. */
export async function measureWebMemory({
  plan,
  table,
  fresh,
  load,
  into,
}: Pick<WebRound, "plan" | "load" | "into"> & { table: "http" | "tls"; fresh: Running }): Promise<void> {
  const listener = table === "tls" ? "https" : "http";
  const { before: warm, after } = over(load, listener, "page", WARM_CONNECTIONS);
  const { before: fill } = over(load, listener, "page", plan.idle);
  await named(fresh, async () => {
    for (let times = 0; times < WARM_TIMES; times++) {
      await warm(fresh);
      await after();
    }
    await Bun.sleep(MEMORY_SETTLE_MS);
    const before = readMemory(fresh.pids);
    await fill(fresh);
    await Bun.sleep(MEMORY_SETTLE_MS);
    const bytes = readMemory(fresh.pids) - before;
    await after();
    into.add(table, "idle", fresh.peer.name, bytes / plan.idle);
    into.add(table, "empty", fresh.peer.name, before / 2 ** 20);
  });
}
