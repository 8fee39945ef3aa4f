/**
 * Clients that mean harm, for longer and more of them than in the lab: what the process holds is bounded and given back, and
 * others are served meanwhile. slowhttptest in its modes, and floods of HTTP/2 (flood.ts).
 */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { Child } from "../lab/child.ts";
import { curl } from "../lab/curl.ts";
import { Site } from "../lab/web/site.ts";
import { until } from "../until.ts";
import { FLOODS, type FloodReport } from "./flood.ts";
import { forgetPeak, table, type Vitals, vitals } from "./vitals.ts";

const SETUP_MS = 40_000;
const SLOW_CONNECTIONS = 1000;
const SLOW_SECONDS = 45;
const FLOOD_CONNECTIONS = 20;
const FLOOD_SECONDS = 10;
/**
 * What attacks may add to the process. Most of it is the runtime's heap, which on a machine with much memory is only
 * collected thoroughly when it has doubled: see the last test.
 */
const MOST_MB = 500;
const REPEATED = 24;
const REPEATED_SECONDS = 2;
/** Others wait no longer for an answer; curl itself needs some of it to start. */
const SLOWEST_MS = 2000;

let site: Site;
let pid = 0;
let idle: Vitals;
const attackers: Child[] = [];
const rows: Record<string, string | number>[] = [];

beforeAll(async () => {
  site = await Site.start({ requestSec: 10, bodySec: 30 });
  pid = (await site.front.holdfast!.status()).pid;
  // What a process needs once is not what an attack costs.
  await flood(FLOODS[0]!, 2);
  await allGone();
  idle = vitals(pid);
}, SETUP_MS);

afterAll(async () => {
  console.log(`\n${table(rows)}\n`);
  await site?.stop();
}, SETUP_MS);

afterEach(async () => {
  for (const attacker of attackers.splice(0)) {
    attacker.signal("SIGKILL");
    await attacker.ended();
  }
});

const allGone = () =>
  until(
    "all of them to be gone",
    async () => (await site.front.holdfast!.status()).services.every(({ open }) => open === 0),
    40_000,
  );

async function flood(kind: string, seconds: number): Promise<string> {
  const program = join(import.meta.dir, "flood.ts");
  let said = "";
  const child = new Child(
    [process.execPath, program, kind, String(site.tlsPort), String(FLOOD_CONNECTIONS), String(seconds)],
    (line) => {
      said = line;
    },
  );
  attackers.push(child);
  if ((await child.exited) !== 0) throw new Error(child.output());
  const { connections, frames, mb, ends } = JSON.parse(said) as FloodReport;
  const how = Object.entries(ends).map(([end, count]) => `${count} ${end}`);
  return `${connections} connections, ${frames} frames, ${mb} MB; ${how.join(", ")}`;
}

async function slow(...mode: string[]): Promise<string> {
  const child = new Child([
    ...[
      "slowhttptest",
      ...mode,
      "-c",
      String(SLOW_CONNECTIONS),
      "-r",
      "200",
      "-l",
      String(SLOW_SECONDS),
      "-p",
      "3",
      "-v",
      "1",
    ],
  ]);
  attackers.push(child);
  await child.ended((SLOW_SECONDS + 30) * 1000);
  const [, lasted] = /Test ended on (\d+)th second/.exec(child.output()) ?? [];
  const [why] = /No open connections left|Hit test time limit/.exec(child.output()) ?? [];
  return `${SLOW_CONNECTIONS} connections, ${lasted} s: ${why}`;
}

/** Others ask meanwhile, one after the other, over both ways in. */
async function withOthers(attack: Promise<string>) {
  let over = false;
  const outcome = attack.finally(() => {
    over = true;
  });
  let served = 0;
  let slowest = 0;
  while (!over) {
    const began = performance.now();
    const secure = served % 2 === 1;
    const options = { ca: site.authority.file, hosts: { "web.example.test": "127.0.0.1" }, more: ["--http2"] };
    const { status } = secure ? await curl(`${site.tlsUrl}/small`, options) : await curl(`${site.url}/small`);
    expect(status).toBe(200);
    served++;
    slowest = Math.max(slowest, performance.now() - began);
  }
  return { said: await outcome, served, slowest };
}

async function expectBounded(name: string, begin: () => Promise<string>): Promise<void> {
  const before = vitals(pid);
  forgetPeak(pid);
  const began = performance.now();
  const { said, served, slowest } = await withOthers(begin());
  const during = vitals(pid);
  const tookMs = performance.now() - began;
  await allGone();
  const after = vitals(pid);
  rows.push({
    attack: name,
    "what became of it": said,
    "MB before": before.rss,
    peak: during.peak,
    after: after.rss,
    "CPU (%)": Math.round((100 * (during.cpuMs - before.cpuMs)) / tookMs),
    "others served": served,
    "slowest (ms)": Math.round(slowest),
    descriptors: after.descriptors,
  });
  console.log(JSON.stringify(rows.at(-1)));
  expect(during.peak - idle.rss).toBeLessThan(MOST_MB);
  expect(slowest).toBeLessThan(SLOWEST_MS);
  expect(served).toBeGreaterThan(20);
  // Connections to servers are kept for a while, some for each worker and server.
  expect(after.descriptors).toBeLessThan(idle.descriptors + 100);
}

const SLOW_MODES: Readonly<Record<string, () => readonly string[]>> = {
  "slow heads (-H)": () => ["-H", "-i", "5", "-u", `${site.url}/small`],
  "slow bodies (-B)": () => ["-B", "-i", "5", "-s", "8192", "-u", `${site.url}/size`],
  "slow readers (-X)": () => [
    "-X",
    "-w",
    "512",
    "-y",
    "1024",
    "-n",
    "1",
    "-z",
    "32",
    "-u",
    `${site.url}/bytes?size=1000000`,
  ],
  "many ranges (-R)": () => ["-R", "-a", "1", "-b", "3000", "-u", `${site.url}/bytes?size=4096`],
  "slow heads in TLS (-H)": () => ["-H", "-i", "5", "-u", `https://127.0.0.1:${site.tlsPort}/small`],
};

for (const [name, mode] of Object.entries(SLOW_MODES)) {
  test(name, () => expectBounded(name, () => slow(...mode())), (SLOW_SECONDS + 120) * 1000);
}

for (const name of FLOODS) {
  test(name, () => expectBounded(`h2: ${name}`, () => flood(name, FLOOD_SECONDS)), 120_000);
}

test("again and again: no more is held in the end than in the beginning", async () => {
  const kind = "100 large answers, nothing read";
  const held: number[] = [];
  while (held.length < REPEATED) {
    await flood(kind, REPEATED_SECONDS);
    await allGone();
    held.push(Math.round(vitals(pid).rss));
  }
  console.log(`\nMB held behind each of ${REPEATED} times "${kind}": ${held.join(" ")}\n`);
  const half = REPEATED / 2;
  expect(Math.max(...held.slice(half))).toBeLessThan(1.2 * Math.max(...held.slice(0, half)));
}, 300_000);
