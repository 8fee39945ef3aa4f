/** Load through change: what is loaded, crashes or is replaced while requests are under way must not cost one of them. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { connect } from "node:tls";
import { stayAway } from "../../balancer/service/rig.ts";
import { until } from "../../until.ts";
import { curl } from "../curl.ts";
import { IS_REFERENCE } from "../front.ts";
import { h2load, type Outcome, wrk } from "./load.ts";
import { HOST, type ServerName, Site, WebServer } from "./site.ts";

const SETUP_MS = 40_000;
const SECONDS = 5;
const RELOADS = 10;
setDefaultTimeout(40_000);

let site: Site;

beforeAll(async () => {
  site = await Site.start();
}, SETUP_MS);

afterAll(() => site?.stop(), SETUP_MS);

/** A load that did something, all of it good. */
function expectAllGood({ good, failed, text }: Outcome): void {
  if (failed !== 0) console.log(text);
  expect(failed).toBe(0);
  expect(good).toBeGreaterThan(20);
}

const small = (url: string): string => `${url}/small`;

test("nothing fails where nothing changes, and what fails is counted", async () => {
  expectAllGood(await h2load(small(site.tlsUrl), "127.0.0.1", 1).outcome);
  expectAllGood(await wrk(small(site.url), 1).outcome);
  const missing = `/missing`;
  const overH2 = await h2load(site.tlsUrl + missing, "127.0.0.1", 1).outcome;
  expect(overH2.good).toBe(0);
  expect(overH2.failed).toBeGreaterThan(100);
  const overH1 = await wrk(site.url + missing, 1).outcome;
  expect(overH1.good).toBe(0);
  expect(overH1.failed).toBeGreaterThan(100);
});

test("no request fails when a server dies: each is safe to ask again, and another answers", async () => {
  const ofB = await cookieOf("b");
  const loads = [
    h2load(small(site.tlsUrl), "127.0.0.1", SECONDS),
    wrk(small(site.url), SECONDS),
    // People who belong to the server that dies.
    wrk(small(site.url), SECONDS, [`Cookie: ${ofB}`]),
  ];
  const { port } = site.servers.get("b")!;
  // Well into the load; dead for some of it, and back before its end.
  await stayAway(1_500);
  await site.servers.get("b")!.kill();
  await stayAway(1_500);
  site.servers.set("b", await WebServer.start("b", port));
  for (const { outcome } of loads) expectAllGood(await outcome);
});

if (!IS_REFERENCE) {
  test(`no request fails through ${RELOADS} reloads that change weights, take a server away and bring it back`, async () => {
    const loads = [h2load(small(site.tlsUrl), "127.0.0.1", SECONDS), wrk(small(site.url), SECONDS)];
    for (let nth = 0; nth < RELOADS; nth++) {
      await stayAway((SECONDS * 1000 - 1000) / RELOADS);
      await (nth % 2 === 0 ? site.reload(50, ["a", "b"]) : site.reload());
    }
    for (const { outcome } of loads) expectAllGood(await outcome);
  });

  test("certificates are replaced under load: no request fails, and new connections get the new one", async () => {
    const load = h2load(small(site.tlsUrl), "127.0.0.1", SECONDS);
    let done = false;
    const seen: string[] = [];
    const handshakes = (async () => {
      while (!done) seen.push(await serialOf(site.tlsPort));
    })();
    const first = await serialOf(site.tlsPort);
    const shown = [first];
    for (let nth = 0; nth < 4; nth++) {
      await stayAway(1000);
      site.replaceCertificate();
      await site.reload();
      shown.push(await serialOf(site.tlsPort));
    }
    expect(new Set(shown).size).toBe(5);
    expectAllGood(await load.outcome);
    done = true;
    await handshakes;
    expect(seen.length).toBeGreaterThan(20);
    // Never an older one again, and never another.
    const order = seen.map((serial) => shown.indexOf(serial));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(order).not.toContain(-1);
  });
}

/** The cookie of a person who belongs to a server, as it is sent back. */
async function cookieOf(server: ServerName): Promise<string> {
  const jar = async (): Promise<string | undefined> => {
    const { fields, body } = await curl(`${site.url}/who`);
    return JSON.parse(body).server === server ? fields.get("set-cookie")?.[0]?.split(";")[0] : undefined;
  };
  return until(`a new person on ${server}`, jar);
}

/** Makes a new connection and a request on it. @returns the serial number of the certificate that was shown */
function serialOf(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, servername: HOST, rejectUnauthorized: false };
    const socket = connect(options, () => {
      const { serialNumber } = socket.getPeerCertificate();
      socket.on("data", (bytes) => {
        if (!bytes.toString("latin1").startsWith("HTTP/1.1 200")) reject(new Error(`answered ${bytes}`));
        resolve(serialNumber);
        socket.destroy();
      });
      socket.write(`GET /small HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    });
    socket.on("error", reject);
  });
}
