import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { certificateAttention, certificateStatus } from "../../../src/balancer/control/certificate-status.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { DAY_MS, makeCertificate } from "../../config/files.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-certificates-"));
afterAll(() => rmSync(folder, { recursive: true }));
makeCertificate(folder, "push", ["push.example.test", "*.example.test"], 40);
makeCertificate(folder, "soon", ["soon.example.test"], 10);
for (const name of ["a", "b"]) {
  mkdirSync(join(folder, name));
  makeCertificate(join(folder, name), "web", [`${name}.example.test`], 365);
}

const text = `
services:
  push: { listen: ":1", protocol: http, pool: web, tls: { certificates: [{ cert: push.crt, key: push.key }, { cert: soon.crt, key: soon.key }] } }
  push2: { listen: ":2", protocol: http, pool: web, tls: { certificates: [{ cert: push.crt, key: push.key }, { cert: a/web.crt, key: a/web.key }] } }
pools:
  web: { tls: { cert: b/web.crt, key: b/web.key }, servers: { a: "127.0.0.1:1" } }
`;
const { config, problems } = loadConfig({ text, name: join(folder, "holdfast.yaml") });

test("each certificate is listed once, with its hosts and who uses it", () => {
  expect(problems.map(({ code }) => code)).toEqual(["config/certificate-ends"]);
  const certificates = certificateStatus(config!);
  expect(certificates.map(({ name, usedBy }) => [name, usedBy])).toEqual([
    ["push.crt", ["service push", "service push2"]],
    ["soon.crt", ["service push"]],
    [join(folder, "a/web.crt"), ["service push2"]],
    [join(folder, "b/web.crt"), ["pool web"]],
  ]);
  expect(certificates[0]!.hosts).toEqual(["push.example.test", "*.example.test"]);
  expect(Date.parse(certificates[0]!.until)).toBeWithin(Date.now() + 39 * DAY_MS, Date.now() + 41 * DAY_MS);
});

test("a certificate that ends within 30 days wants attention, and one that has ended most of all", () => {
  const certificates = certificateStatus(config!);
  const nowMs = Date.parse(certificates[1]!.until) - 9.5 * DAY_MS;
  expect(certificateAttention(certificates, nowMs)).toEqual([
    { severity: "warning", text: "certificate soon.crt ends in 9 days" },
  ]);
  expect(certificateAttention(certificates, nowMs + 11 * DAY_MS)).toEqual([
    { severity: "warning", text: "certificate push.crt ends in 28 days" },
    { severity: "error", text: "certificate soon.crt has ended 1 day ago" },
  ]);
});
