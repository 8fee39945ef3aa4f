import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { covers, matchKey, readChain, readKey } from "../../src/config/certificates.ts";
import { NamedFile } from "../../src/config/named-file.ts";
import { makeCertificate } from "./files.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-keys-"));
afterAll(() => rmSync(folder, { recursive: true }));

function openssl(...args: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args], { cwd: folder, stderr: "pipe" });
  if (exitCode !== 0) throw new Error(stderr.toString());
}

const text = (name: string) => readFileSync(join(folder, name), "utf8");
const chainOf = (pem: string) => readChain(new NamedFile("a.crt", Buffer.from(pem)));
const keyOf = (pem: string) => readKey(new NamedFile("a.key", Buffer.from(pem)));

/** Do a certificate and a key belong together? Otherwise why not. */
function together(certificate: string, secret: string): true | string {
  const [chain, key] = [chainOf(certificate), keyOf(secret)];
  if ("unusable" in chain) return chain.unusable;
  if ("unusable" in key) return key.unusable;
  return matchKey(chain, key.key)?.unusable ?? true;
}

const KINDS = [
  ["RSA", "rsa:2048", []],
  ["P-256", "ec", ["-pkeyopt", "ec_paramgen_curve:P-256"]],
  ["P-384", "ec", ["-pkeyopt", "ec_paramgen_curve:P-384"]],
  ["P-521", "ec", ["-pkeyopt", "ec_paramgen_curve:P-521"]],
  ["Ed25519", "ed25519", []],
] as const;

test.each(KINDS)("a key of the kind %s belongs to its certificate", (name, kind, options) => {
  const files = ["-keyout", `${name}.key`, "-out", `${name}.crt`];
  openssl("req", "-x509", "-newkey", kind, ...options, "-nodes", ...files, "-days", "2", "-subj", "/CN=a.test");
  expect(together(text(`${name}.crt`), text(`${name}.key`))).toBe(true);
});

test("keys in the older notations of OpenSSL are read, with what stands before them", () => {
  makeCertificate(folder, "made", ["a.test"], 2);
  openssl("ec", "-in", "made.key", "-out", "sec1.key");
  openssl("ecparam", "-name", "prime256v1", "-out", "parameters");
  expect(text("sec1.key")).toContain("BEGIN EC PRIVATE KEY");
  expect(together(text("made.crt"), text("parameters") + text("sec1.key"))).toBe(true);
});

test("line ends of Windows and words between the blocks do not matter", () => {
  makeCertificate(folder, "windows", ["a.test"], 2);
  const written = (name: string) => `Bag Attributes\n    friendlyName: a -- b\n${text(name)}`.replaceAll("\n", "\r\n");
  expect(together(written("windows.crt"), written("windows.key"))).toBe(true);
});

test("names are those of subjectAltName in lower case, and the common name only without them", () => {
  makeCertificate(folder, "names", ["A.test", "*.B.test"], 2);
  expect(chainOf(text("names.crt"))).toMatchObject({ names: ["a.test", "*.b.test"] });
  const subject = "/C=DE/O=Müller, Söhne \\/ CN=wrong.test/CN=Right.test/emailAddress=x@y.test";
  openssl("req", "-x509", "-key", "names.key", "-out", "common.crt", "-days", "2", "-utf8", "-subj", subject);
  expect(chainOf(text("common.crt"))).toMatchObject({ names: ["right.test"] });
});

test("a wildcard stands for one label", () => {
  const names = ["a.test", "*.b.test"];
  expect(["a.test", "x.b.test", "b.test", "x.y.b.test", "localhost"].map((host) => covers(names, host))).toEqual([
    ...[true, true, false, false, false],
  ]);
});

test("a file of nothing but beginnings is refused in no time", () => {
  const begin = performance.now();
  expect(chainOf("-----BEGIN CERTIFICATE-----\n".repeat(30_000))).toMatchObject({ unusable: "has no certificate" });
  expect(chainOf("-----BEGIN A-----\nx".repeat(30_000))).toMatchObject({ unusable: "has no certificate" });
  expect(performance.now() - begin).toBeLessThan(3_000); // a bound against squares: the machine is shared
});

test("the first certificate of a file is the server's own, and the others go along", () => {
  makeCertificate(folder, "one", ["one.test"], 2);
  makeCertificate(folder, "two", ["two.test"], 2);
  writeFileSync(join(folder, "both.crt"), text("two.crt") + text("one.crt"));
  expect(chainOf(text("both.crt"))).toMatchObject({ names: ["two.test"], pem: text("both.crt") });
});
