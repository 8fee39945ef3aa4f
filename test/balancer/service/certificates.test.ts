/** Certificates and pages are files of the configuration: what a reload does when they have changed on disk. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { makeCertificate } from "../../config/files.ts";
import { Balancer } from "./rig.ts";

setDefaultTimeout(30_000);

const folder = mkdtempSync(join(tmpdir(), "holdfast-renewal-"));
const file = (name: string) => join(folder, name);
for (const name of ["first", "second"]) makeCertificate(folder, name, ["web.example.test"], 365);
makeCertificate(folder, "soon", ["web.example.test"], 10);

let balancer: Balancer;

beforeAll(async () => {
  use("first");
  writeFileSync(file("page.html"), "one");
  balancer = await Balancer.start(`
services:
  web:
    listen: 127.0.0.1:0
    protocol: http
    tls: { certificates: [{ cert: ${file("web.crt")}, key: ${file("web.key")} }] }
    routes: [{ path: /, respond: { file: ${file("page.html")} } }]
`);
});

afterAll(async () => {
  await balancer.stop();
  rmSync(folder, { recursive: true });
});

/** Puts a certificate and its key where the configuration has them. */
function use(name: string): void {
  copyFileSync(file(`${name}.crt`), file("web.crt"));
  copyFileSync(file(`${name}.key`), file("web.key"));
}

/** A connection over TLS that stays open. */
async function dial(): Promise<TLSSocket> {
  const options = { host: "127.0.0.1", port: balancer.port("web"), servername: "web.example.test" };
  const socket = connect({ ...options, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  return socket;
}

/** Which of the certificates a client is shown now. */
async function shown(): Promise<string | undefined> {
  const socket = await dial();
  const { raw } = socket.getPeerCertificate();
  socket.destroy();
  return ["first", "second", "soon"].find((name) => {
    const pem = readFileSync(file(`${name}.crt`), "utf8").replace(/-----[^-]+-----|\s/g, "");
    return Buffer.from(pem, "base64").equals(raw);
  });
}

/** The page, by one more request of an open connection. */
async function page(socket: TLSSocket): Promise<string> {
  socket.write("GET / HTTP/1.1\r\nHost: web.example.test\r\n\r\n");
  let answer = "";
  while (!/\r\n\r\n.{3}/s.test(answer)) {
    const [piece] = (await once(socket, "data")) as [Buffer];
    answer += piece.toString();
  }
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}

test("a certificate that was renewed on disk is shown after a reload, and open connections go on", async () => {
  use("first");
  await balancer.api.reload();
  const open = await dial();
  expect(await page(open)).toBe("one");
  use("second");
  expect(await shown()).toBe("first");
  expect((await balancer.api.reload()).summary).toStartWith("1 certificate replaced, 1 listener kept");
  expect(await shown()).toBe("second");
  expect(await page(open)).toBe("one");
  open.destroy();
});

test("a certificate without its key is refused, and the one before goes on being shown", async () => {
  use("first");
  await balancer.api.reload();
  copyFileSync(file("second.crt"), file("web.crt"));
  const { ok, problems } = await balancer.api.reload();
  expect(ok).toBe(false);
  expect(problems.map(({ code }) => code)).toEqual(["config/bad-key"]);
  expect(await shown()).toBe("first");
});

test("a page that has changed on disk is served after a reload", async () => {
  use("first");
  writeFileSync(file("page.html"), "two");
  expect((await balancer.api.reload()).summary).toContain("1 file changed");
  const socket = await dial();
  expect(await page(socket)).toBe("two");
  socket.destroy();
  writeFileSync(file("page.html"), "one");
});

test("a certificate that ends soon wants attention", async () => {
  use("soon");
  await balancer.api.reload();
  const { attention, certificates } = await balancer.status();
  expect(attention).toContainEqual({ severity: "warning", text: "certificate web.crt ends in 9 days" });
  expect(certificates).toMatchObject([{ name: "web.crt", hosts: ["web.example.test"], usedBy: ["service web"] }]);
});
