/**
 * `npm run bench`: Holdfast, HAProxy and nginx on this machine, in turns, round after round; prints a table and writes it
 * to bench/results/. `--help` has the options.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { makeCertificates } from "./certificates.ts";
import { Samples, TABLES, type Table } from "./figures.ts";
import type { Answer, Job } from "./load.ts";
import { describe, FULL, measureMemory, measureRound, type Plan, QUICK, warmUp } from "./measure.ts";
import { haproxy } from "./peers/haproxy.ts";
import { holdfast } from "./peers/holdfast.ts";
import { nginx } from "./peers/nginx.ts";
import type { Peer } from "./peers.ts";
import { report } from "./report.ts";
import { Helper, Running, shareCpus, startServers } from "./rig.ts";
import type { WebAnswer, WebJob } from "./web/jobs.ts";
import {
  describeWeb,
  FULL_WEB,
  measureWebMemory,
  measureWebRound,
  QUICK_WEB,
  type WebTable,
  warmUpWeb,
} from "./web/measure.ts";

const HELP = `npm run bench -- [options]

  --quick            less work and fewer rounds; writes no page
  --rounds N         rounds that are counted (${FULL.rounds}; ${QUICK.rounds} if quick)
  --threads N        threads that move bytes, on each side (1)
  --only TABLE       one of tcp, rdp, http, tls, stream; can be given more than once
  --haproxy PATH     another HAProxy beside the one of the distribution; can be given more than once
  --holdfast PATH    the executable that is measured (bin/holdfast)
  --beside PATH      another Holdfast beside it, to see what a change did; can be given more than once
  --name NAME        of the page: bench/results/<date>-NAME.md
`;

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    threads: { type: "string", default: "1" },
    only: { type: "string", multiple: true, default: [] },
    haproxy: { type: "string", multiple: true, default: [] },
    holdfast: { type: "string", default: join(import.meta.dir, "..", "bin", "holdfast") },
    beside: { type: "string", multiple: true, default: [] },
    name: { type: "string" },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (options.help) {
  console.log(HELP);
  process.exit(0);
}

const base = options.quick ? QUICK : FULL;
const plan: Plan = { ...base, rounds: Number(options.rounds ?? base.rounds) };
const threads = Number(options.threads);
const webPlan = options.quick ? QUICK_WEB : FULL_WEB;
const all = Object.keys(TABLES) as Table[];
const tables = all.filter((table) => options.only.length === 0 || options.only.includes(table));
const unknown = options.only.filter((name) => !all.includes(name as Table));
if (!(plan.rounds >= 1) || !(threads >= 1) || unknown.length > 0) {
  console.error(HELP);
  process.exit(2);
}

const peers: Peer[] = [
  holdfast("Holdfast", resolve(options.holdfast)),
  ...options.beside.map((path) => holdfast(`Holdfast at ${path}`, resolve(path))),
  haproxy("HAProxy", "haproxy"),
];
const versions = new Map<string, string>();
for (const path of options.haproxy) {
  const version = await versionOf([resolve(path), "-v"]);
  const short = /version (\S+?)[-\s]/.exec(`${version} `)?.[1] ?? path;
  peers.push(haproxy(`HAProxy ${short}`, resolve(path)));
}
peers.push(nginx("nginx", "nginx"));
for (const peer of peers) versions.set(peer.name, await versionOf(peer.version));

const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
const ours = shareCpus(threads);
const samples = new Samples();
const certificates = makeCertificates(folder);
const { helper: servers, servers: endpoints } = await startServers("servers.ts", ours);
const { helper: web, servers: webEndpoints } = await startServers("web/servers.ts", ours);
const load = new Helper<Job, Answer>("load.ts", ours);
const webLoad = new Helper<WebJob, WebAnswer>("web/load.ts", ours);
const running: Running[] = [];
const start = (peer: Peer, run: string) =>
  Running.start(
    peer,
    {
      servers: endpoints,
      webServers: webEndpoints,
      certificates,
      threads,
      folder: join(folder, `${peers.indexOf(peer)}-${run}`),
    },
    ours,
  );
const isWeb = (table: Table): table is WebTable => table !== "tcp" && table !== "rdp";
const taking = (table: Table) => (one: Running) => one.peer.listeners.includes(TABLES[table]);

try {
  for (const peer of peers) running.push(await start(peer, "work"));
  say("warming up");
  for (const table of tables) {
    if (isWeb(table)) {
      await warmUpWeb({ plan: webPlan, table, turns: running.filter(taking(table)), load: webLoad, cpus: ours });
    } else await warmUp({ plan, protocol: table, turns: running, load });
  }
  for (let round = 0; round <= plan.rounds; round++) {
    const turns = running.map((_, n) => running[(n + round) % running.length]!);
    // The first round is not counted: it warms every process up.
    const into = round === 0 ? new Samples() : samples;
    say(round === 0 ? "a round that is not counted" : `round ${round} of ${plan.rounds}`);
    for (const table of tables) {
      if (isWeb(table)) {
        const takers = turns.filter(taking(table));
        const server = webEndpoints[0]!;
        await measureWebRound({
          plan: webPlan,
          table,
          turns: takers,
          load: webLoad,
          server,
          into,
          threads,
          cpus: ours,
        });
      } else await measureRound({ plan, protocol: table, turns, load, server: endpoints[0]!, into, threads });
    }
  }
  for (const one of running.splice(0)) await one.stop();
  for (let round = 1; round <= plan.memoryRounds; round++) {
    say(`memory, round ${round} of ${plan.memoryRounds}`);
    for (const table of tables) {
      if (table === "stream" || round > (isWeb(table) ? webPlan : plan).memoryRounds) continue;
      for (const peer of peers.filter((one) => one.listeners.includes(TABLES[table]))) {
        const fresh = await start(peer, `${table}-memory-${round}`);
        running.push(fresh);
        if (isWeb(table)) await measureWebMemory({ plan: webPlan, table, fresh, load: webLoad, into: samples });
        else await measureMemory({ plan, protocol: table, fresh, load, into: samples });
        await fresh.stop();
        running.pop();
      }
    }
  }
  publish();
} finally {
  for (const one of running) await one.stop();
  for (const helper of [load, webLoad, servers, web]) await helper.stop();
  rmSync(folder, { recursive: true, force: true });
}

function publish(): void {
  const date = new Date().toISOString().slice(0, 10);
  const page = report(
    {
      date,
      command: ["npm run bench", ...(Bun.argv.length > 2 ? ["--", ...Bun.argv.slice(2)] : [])].join(" "),
      commit: commit(),
      rounds: plan.rounds,
      threads,
      pinned: ours !== undefined,
      versions,
      work: [
        ...(tables.some((table) => !isWeb(table)) ? describe(plan) : []),
        ...(tables.some(isWeb) ? describeWeb(webPlan) : []),
      ],
    },
    peers,
    tables,
    samples,
  );
  console.log(page);
  if (options.quick) return;
  const name = options.name ?? `${cpus()[0]?.model ?? "machine"} ${cpus().length} cores`;
  const results = join(import.meta.dir, "results");
  mkdirSync(results, { recursive: true });
  const path = join(results, `${date}-${name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.md`);
  writeFileSync(path, page);
  say(`written to ${path}`);
}

function commit(): string {
  const git = (...words: string[]) =>
    Bun.spawnSync(["git", ...words], { cwd: import.meta.dir })
      .stdout.toString()
      .trim();
  return `${git("rev-parse", "--short", "HEAD") || "unknown"}${git("status", "--porcelain", "--", "../src", "../bin") ? ", with changes" : ""}`;
}

async function versionOf(command: string[]): Promise<string> {
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const said = (await new Response(child.stdout).text()) + (await new Response(child.stderr).text());
  return said.trim().split("\n")[0] ?? "";
}

function say(what: string): void {
  console.error(`bench: ${what}`);
}
