/**
 * slowhttptest in its modes: clients that are slow on purpose hold no worker. Others are served meanwhile, and the slow ones
 * end, or cost no more than a connection each.
 */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../../until.ts";
import { Child } from "../child.ts";
import { curl } from "../curl.ts";
import { IS_REFERENCE } from "../front.ts";
import { Site } from "./site.ts";

const SETUP_MS = 40_000;
const REQUEST_SEC = 2;
const BODY_SEC = 2;
const CONNECTIONS = 200;
/** Longer than a slow head or body may take. */
const SECONDS = 8;
/** Requests of others while an attack lasts: they are several hundred a second here. Where a worker is held they are a few. */
const MANY = 20;
setDefaultTimeout(40_000);

let site: Site;
const attacks: Child[] = [];

beforeAll(async () => {
  site = await Site.start({ requestSec: REQUEST_SEC, bodySec: BODY_SEC });
}, SETUP_MS);

afterEach(async () => {
  for (const attack of attacks.splice(0)) {
    attack.signal("SIGKILL");
    await attack.ended();
  }
});

afterAll(() => site?.stop(), SETUP_MS);

/** What slowhttptest says at its end. */
interface Verdict {
  /** Why it ended. */
  readonly why: string;
  /** In whole seconds. */
  readonly lasted: number;
}

function attack(...mode: string[]): Promise<Verdict> {
  let verdict: Verdict = { why: "it said nothing", lasted: 0 };
  const child = new Child(
    [
      ...["slowhttptest", ...mode, "-c", String(CONNECTIONS), "-r", String(CONNECTIONS)],
      ...["-l", String(SECONDS), "-p", "3", "-v", "1"],
    ],
    (line) => {
      const [, lasted] = /Test ended on (\d+)th second/.exec(line) ?? [];
      const [why] = /No open connections left|Hit test time limit/.exec(line) ?? [];
      if (lasted !== undefined) verdict = { ...verdict, lasted: Number(lasted) };
      if (why !== undefined) verdict = { ...verdict, why };
    },
  );
  attacks.push(child);
  return child.exited.then(() => verdict);
}

/** Others ask, one after the other, as long as it lasts: each gets its answer, or curl gives up. @returns how many did */
async function othersMeanwhile(ended: Promise<Verdict>): Promise<number> {
  let over = false;
  void ended.then(() => {
    over = true;
  });
  let served = 0;
  for (; !over; served++) expect((await curl(`${site.url}/small`)).status).toBe(200);
  return served;
}

/** Every one of its connections was held for a while, and then ended by the balancer: not by the time of the test. */
async function expectEnded(afterSec: number, ...mode: string[]): Promise<void> {
  const ended = attack(...mode);
  expect(await othersMeanwhile(ended)).toBeGreaterThan(MANY);
  const { why, lasted } = await ended;
  expect(why).toBe("No open connections left");
  expect(lasted).toBeGreaterThanOrEqual(afterSec);
}

test("slow heads (-H): every connection is ended, and others are served meanwhile", () =>
  expectEnded(REQUEST_SEC, "-H", "-i", "1", "-u", `${site.url}/small`));

// HAProxy has no limit for these.
if (!IS_REFERENCE) {
  test("slow bodies (-B): every connection is ended, and others are served meanwhile", () =>
    expectEnded(BODY_SEC, "-B", "-i", "5", "-s", "8192", "-u", `${site.url}/size`));

  test("bodies that never pause and come slowly (-B): every connection is ended all the same", () =>
    expectEnded(BODY_SEC, "-B", "-i", "1", "-s", "8192", "-u", `${site.url}/size`));
}

test("many ranges (-R): others are served meanwhile", async () => {
  const ended = attack("-R", "-a", "1", "-b", "3000", "-u", `${site.url}/bytes?size=4096`);
  expect(await othersMeanwhile(ended)).toBeGreaterThan(MANY);
});

test("slow readers (-X): others are served meanwhile, and nothing is left of them when they go", async () => {
  const ended = attack(
    ...["-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-u", `${site.url}/bytes?size=1000000`],
  );
  expect(await othersMeanwhile(ended)).toBeGreaterThan(MANY);
  expect((await ended).why).toBe("Hit test time limit");
  const { holdfast } = site.front;
  if (!holdfast) return;
  await until("the slow readers to be gone", async () => (await holdfast.service("web")).open === 0);
});
