/** Debian's Chromium before the balancer: HTTP/2, WebSocket, the sticky cookie and a server that is drained. */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { IS_REFERENCE } from "../front.ts";
import { HOST, SERVERS, type ServerName, Site } from "./site.ts";

const SETUP_MS = 40_000;
setDefaultTimeout(30_000);

let site: Site;
let browser: Browser;

beforeAll(async () => {
  site = await Site.start({ accessLog: true });
  // It has a user data folder of its own, and is told to end with its driver.
  browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", `--host-resolver-rules=MAP ${HOST} 127.0.0.1`],
  });
}, SETUP_MS);

afterEach(async () => {
  for (const context of browser?.contexts() ?? []) await context.close();
});

afterAll(async () => {
  await browser?.close();
  await site?.stop();
}, SETUP_MS);

/** A person with a browser that knows nothing yet. */
const person = (): Promise<BrowserContext> => browser.newContext({ ignoreHTTPSErrors: true });

async function open(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${site.tlsUrl}/`);
  return page;
}

const serverOf = (page: Page): Promise<string> => page.title();

test("a page comes by HTTP/2", async () => {
  const page = await open(await person());
  expect(SERVERS).toContain((await serverOf(page)) as ServerName);
  expect(await page.evaluate("protocol()")).toBe("h2");
});

test("a WebSocket of the page echoes, on the page's server", async () => {
  const page = await open(await person());
  const server = await serverOf(page);
  for (const text of ["hello", "x".repeat(100_000)]) {
    expect(await page.evaluate(`echo(${JSON.stringify(text)})`)).toBe(`${server}: ${text}`);
  }
});

if (!IS_REFERENCE) {
  test("a WebSocket goes over the page's own HTTP/2 connection (RFC 8441)", async () => {
    const page = await open(await person());
    const { holdfast } = site.front;
    const from = holdfast!.log.events.length;
    await page.evaluate(`echo("hello")`);
    const line = await holdfast!.heard("request.end", (line) => "target" in line && line.target === "/echo", from);
    expect(line).toMatchObject({ version: "2", service: "secure" });
  });
}

test("what a page loads and sends arrives whole, several at a time", async () => {
  const page = await open(await person());
  const sizes = [0, 1, 16_384, 1_000_000, 5_000_000];
  const loaded = `Promise.all(${JSON.stringify(sizes)}.map(async (size) =>
    (await (await fetch("/bytes?size=" + size)).arrayBuffer()).byteLength))`;
  expect(await page.evaluate(loaded)).toEqual(sizes);
  const sent = `Promise.all(${JSON.stringify(sizes)}.map(async (size) =>
    Number(await (await fetch("/size", { method: "POST", body: new Uint8Array(size) })).text())))`;
  expect(await page.evaluate(sent)).toEqual(sizes);
});

test("a person stays on one server by a cookie that scripts do not see, and others are balanced", async () => {
  const servers = new Set<string>();
  for (let nth = 0; nth < 6; nth++) {
    const context = await person();
    const page = await open(context);
    const server = await serverOf(page);
    servers.add(server);
    for (let again = 0; again < 4; again++) {
      await page.reload();
      expect(await serverOf(page)).toBe(server);
    }
    const cookies = (await context.cookies()).filter(({ name }) => name === "SRV");
    expect(cookies).toMatchObject([{ path: "/", httpOnly: true, secure: true, sameSite: "Lax" }]);
    expect(await page.evaluate("document.cookie")).not.toContain("SRV");
  }
  expect(servers.size).toBe(SERVERS.length);
});

test("without the cookie, the same person does not stay: so it is what keeps them", async () => {
  const context = await person();
  const page = await open(context);
  const servers = new Set([await serverOf(page)]);
  for (let again = 0; again < 6; again++) {
    await context.clearCookies();
    await page.reload();
    servers.add(await serverOf(page));
  }
  expect(servers.size).toBeGreaterThan(1);
});

test("a server that is drained keeps the person it knows and gets nobody new", async () => {
  const context = await person();
  const page = await open(context);
  const server = await serverOf(page);
  await site.front.drain(server);
  try {
    await page.reload();
    expect(await serverOf(page)).toBe(server);
    expect(await page.evaluate(`echo("still here")`)).toBe(`${server}: still here`);
    for (let nth = 0; nth < 6; nth++) expect(await serverOf(await open(await person()))).not.toBe(server);
    await page.reload();
    expect(await serverOf(page)).toBe(server);
  } finally {
    await site.front.ready(server);
  }
});
