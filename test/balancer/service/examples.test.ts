/** Each example runs as it is, on the addresses that it names: in a network of its own, where nobody else has them. */
import { afterAll, afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../../config/files.ts";
import { Balancer } from "./rig.ts";

setDefaultTimeout(30_000);

const folder = mkdtempSync(join(tmpdir(), "holdfast-examples-"));
afterAll(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "certs"));
makeCertificate(join(folder, "certs"), "push", ["push.example.test", "*.example.test"], 365);
makeCertificate(join(folder, "certs"), "other", ["other.example.org"], 365);

let balancer: Balancer | undefined;
afterEach(async () => {
  await balancer?.stop();
  balancer = undefined;
});

async function start(example: string): Promise<Balancer> {
  const yaml = readFileSync(new URL(`../../../examples/${example}.yaml`, import.meta.url), "utf8");
  const prepare = `cp -r ${folder}/certs "$FOLDER" && ip link set lo up && exec "$@"`;
  balancer = await Balancer.start(yaml, { wrap: ["unshare", "--net", "sh", "-c", prepare, "sh"] });
  return balancer;
}

/** What curl prints, in the balancer's network. */
async function curl({ pid }: Balancer, ...args: string[]): Promise<string> {
  const command = ["nsenter", "--net", "--target", String(pid), "curl", "--silent", "--insecure", "--max-time", "10"];
  return new Response(Bun.spawn([...command, ...args], { stdout: "pipe" }).stdout).text();
}

async function listening(running: Balancer): Promise<Record<string, string[]>> {
  const { services } = await running.status();
  return Object.fromEntries(services.map(({ name, listen }) => [name, listen]));
}

test("rdp.yaml", async () => {
  expect(await listening(await start("rdp"))).toEqual({ desktops: ["127.0.0.1:13389"] });
});

test("by-address.yaml", async () => {
  expect(await listening(await start("by-address"))).toEqual({
    push: ["127.0.10.10:8443"],
    push1: ["127.0.10.1:8443"],
    push2: ["127.0.10.2:8443"],
    ours: ["127.0.10.20:8443"],
  });
});

test("web.yaml answers on both of its addresses, and says that no server is there", async () => {
  const running = await start("web");
  expect(await listening(running)).toEqual({ web: ["127.0.0.1:8081", "[::1]:8081"] });
  for (const host of ["127.0.0.1", "[::1]"]) {
    const status = await curl(running, "-o", "/dev/null", "-w", "%{http_code}", `http://${host}:8081/`);
    expect(status).toBe("503");
  }
});

test("streaming.yaml ends TLS, redirects to it, and shows each host its certificate", async () => {
  const running = await start("streaming");
  const print = ["-o", "/dev/null", "-w"];
  expect(await curl(running, ...print, "%{http_code} %{redirect_url}", "http://127.0.0.1:8080/a?b")).toBe(
    "308 https://127.0.0.1:8443/a?b",
  );
  const to = (host: string) => ["--resolve", `${host}:8443:127.0.0.1`, `https://${host}:8443/`];
  expect(await curl(running, ...print, "%{http_code} %{http_version}", ...to("push1.example.test"))).toBe("503 2");
  const trusting = (name: string) => ["--no-insecure", "--cacert", join(folder, "certs", `${name}.crt`)];
  const verified = [...print, "%{ssl_verify_result} %{http_code}"];
  expect(await curl(running, ...trusting("other"), ...verified, ...to("other.example.org"))).toStartWith("0 ");
  expect(await curl(running, ...trusting("push"), ...verified, ...to("push.example.test"))).toBe("0 503");
});
