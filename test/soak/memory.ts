/**
 * What the process holds over time: requests over HTTP/1.1 and HTTP/2, in the clear and in TLS, also towards the server; new
 * handshakes, clients that vanish in the middle, and a reload every ten seconds that brings another certificate. Neither
 * memory nor descriptors grow steadily.
 *
 * HOLDFAST_MINUTES: how long, 10 unless told otherwise.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect as connectPlain } from "node:net";
import { connect as connectTls } from "node:tls";
import { Child } from "../lab/child.ts";
import { freePort } from "../lab/ways.ts";
import { HOST, Site } from "../lab/web/site.ts";
import { until } from "../until.ts";
import { table, type Vitals, vitals } from "./vitals.ts";

const MINUTES = Number(process.env.HOLDFAST_MINUTES ?? 10);
const SETUP_MS = 40_000;
const RELOAD_EVERY_MS = 10_000;
const SAMPLE_EVERY_MS = 10_000;
/** Moderate, so that the machine is not what is measured: requests a second of each kind, and new handshakes. */
const REQUESTS = 150;
const HANDSHAKES = 20;
const VANISHING = 10;
/** Between two thirds of the time. The runtime's heap goes up and down by more than this within each. */
const MOST_GROWTH = 1.15;

let site: Site;
/** A service whose servers speak TLS: the site itself. */
let doublePort = 0;
let pid = 0;
const loads: Child[] = [];
let isOver = false;

/** The site's file, with a way through ourselves twice: we are the client of our own TLS. */
function configuration(weight: number): string {
  const twice = `  twice: { listen: "127.0.0.1:${doublePort}", protocol: http, pool: twice }\npools:\n`;
  const server = `{ servers: { itself: 127.0.0.1:${site.tlsPort} }, tls: { ca: ${site.authority.file}, name: ${HOST} } }`;
  return `${site.yaml(weight).replace("pools:\n", twice)}  twice: ${server}\n`;
}

beforeAll(async () => {
  site = await Site.start();
  doublePort = await freePort();
  await reload(100);
  pid = (await site.front.holdfast!.status()).pid;
}, SETUP_MS);

afterAll(async () => {
  isOver = true;
  for (const load of loads) load.signal("SIGKILL");
  await Promise.all(loads.map((load) => load.ended()));
  await site?.stop();
}, SETUP_MS);

async function reload(weight: number): Promise<void> {
  const { holdfast } = site.front;
  holdfast!.write(configuration(weight));
  const { ok, summary } = await holdfast!.api.reload();
  if (!ok) throw new Error(`the reload was refused: ${summary}`);
}

interface Generated {
  good: number;
  failed: number;
}

/** h2load at a rate, until the time is over. @returns what became of its requests */
async function h2load(url: string, ...more: string[]): Promise<Generated> {
  const { hostname, port, pathname, search } = new URL(url);
  const child = new Child([
    ...["h2load", "--duration", String(MINUTES * 60), "--clients", "10", "--rps", String(REQUESTS / 10), ...more],
    ...["--connect-to", `127.0.0.1:${port}`, `${new URL(url).protocol}//${hostname}:${port}${pathname}${search}`],
  ]);
  loads.push(child);
  await child.exited;
  const [, good, failed, , timeouts] =
    / (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(child.output())?.map(Number) ?? [];
  if (good === undefined) throw new Error(child.output());
  return { good, failed: failed! + timeouts! };
}

/** One new connection with a handshake of its own and a request; or one that vanishes somewhere before its end. */
function handshake(vanishes: boolean): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connectTls({ host: "127.0.0.1", port: site.tlsPort, servername: HOST, ca: site.authority.pem });
  socket.on("secureConnect", () => {
    socket.write(`GET /bytes?size=20000 HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
  });
  let come = 0;
  socket.on("data", (bytes) => {
    come += bytes.length;
  });
  socket.on("error", () => {});
  socket.on("close", () => resolve(vanishes || come > 20_000));
  if (vanishes) setTimeout(() => socket.destroy(), Math.random() * 6);
  return promise;
}

/** Half a ClientHello, half a request, or nothing. */
function rudeness(): void {
  const plain = Math.random() < 0.5;
  const socket = connectPlain(plain ? site.port : site.tlsPort, "127.0.0.1");
  socket.on("error", () => {});
  socket.on("connect", () => {
    socket.write(plain ? "GET /small HTT" : Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3));
    setTimeout(() => socket.resetAndDestroy(), Math.random() * 100);
  });
}

/** Calls `act` so many times a second until the time is over. @returns how many did not end well */
async function often(
  perSecond: number,
  act: () => Promise<boolean> | undefined,
): Promise<{ done: number; bad: number }> {
  const running = new Set<Promise<void>>();
  const count = { done: 0, bad: 0 };
  const watch = async (one: Promise<boolean>): Promise<void> => {
    if (!(await one)) count.bad++;
  };
  for (; !isOver; await Bun.sleep(1000 / perSecond)) {
    const one = act();
    count.done++;
    if (one === undefined) continue;
    const watched = watch(one);
    running.add(watched);
    void watched.then(() => running.delete(watched));
  }
  await Promise.all(running);
  return count;
}

test(
  `memory and descriptors do not grow in ${MINUTES} minutes of requests, handshakes and reloads`,
  async () => {
    const before = vitals(pid);
    const requests = [
      h2load(`http://${HOST}:${site.port}/small`, "--h1"),
      h2load(`https://${HOST}:${site.tlsPort}/small`, "--h1"),
      h2load(`https://${HOST}:${site.tlsPort}/small`, "--max-concurrent-streams", "5"),
      h2load(`http://${HOST}:${doublePort}/bytes?size=3000`, "--h1"),
    ];
    const others = [
      often(HANDSHAKES, () => handshake(false)),
      often(VANISHING, () => handshake(true)),
      often(VANISHING, () => void rudeness()),
    ];
    const samples: Vitals[] = [];
    const rows: Record<string, number>[] = [];
    const began = performance.now();
    let reloads = 0;
    const reloading = (async () => {
      while (!isOver) {
        await Bun.sleep(RELOAD_EVERY_MS);
        site.replaceCertificate();
        await reload(++reloads % 2 === 0 ? 100 : 50);
      }
    })();
    const ended = Promise.all(requests).finally(() => {
      isOver = true;
    });
    while (!isOver) {
      await Promise.race([ended, Bun.sleep(SAMPLE_EVERY_MS)]);
      const sample = vitals(pid);
      samples.push(sample);
      rows.push({
        s: Math.round((performance.now() - began) / 1000),
        MB: sample.rss,
        descriptors: sample.descriptors,
        "CPU (%)": Math.round((sample.cpuMs - (samples.at(-2)?.cpuMs ?? before.cpuMs)) / (SAMPLE_EVERY_MS / 100)),
        reloads,
      });
      console.log(JSON.stringify(rows.at(-1)));
    }
    const [answers, [whole]] = await Promise.all([ended, Promise.all(others), reloading]);
    console.log(`\n${table(rows)}\n\nbefore: ${JSON.stringify(before)}; requests: ${JSON.stringify(answers)}; `);
    console.log(`new connections: ${JSON.stringify(whole)}\n`);
    expect(answers.map(({ failed }) => failed)).toEqual(answers.map(() => 0));
    expect(whole!.bad).toBe(0);

    // The first third is for what a process needs once: compiled code, a heap, kept connections.
    const third = Math.floor(samples.length / 3);
    const mean = (part: readonly Vitals[]) => part.reduce((sum, { rss }) => sum + rss, 0) / part.length;
    expect(mean(samples.slice(2 * third))).toBeLessThan(MOST_GROWTH * mean(samples.slice(third, 2 * third)));
    // All connections of clients are gone; those to servers are kept for a while.
    await until("clients to be gone", async () =>
      (await site.front.holdfast!.status()).services.every(({ open }) => open === 0),
    );
    expect(vitals(pid).descriptors).toBeLessThan(before.descriptors + 50);
  },
  MINUTES * 60_000 + 120_000,
);
