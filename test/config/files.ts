/** Certificates, keys and pages for tests of configurations, made by the openssl command. */
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const DAY_MS = 86_400_000;

/** Makes a self-signed certificate `NAME.crt`, and its key `NAME.key` unless `key` names another's. */
export function makeCertificate(
  folder: string,
  name: string,
  hosts: readonly string[],
  days: number,
  key?: string,
): void {
  const names = hosts.map((host) => `DNS:${host}`).join(",");
  const made =
    key === undefined
      ? ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", `${name}.key`]
      : ["-key", `${key}.key`];
  const subject = ["-subj", `/CN=${hosts[0]}`, "-addext", `subjectAltName=${names}`];
  openssl(folder, ["req", "-x509", ...made, "-out", `${name}.crt`, "-days", String(days), ...subject]);
}

/** All that the golden files name, under `certs/` and `pages/`. */
export function makeFiles(folder: string): void {
  const certs = join(folder, "certs");
  const pages = join(folder, "pages");
  mkdirSync(certs);
  mkdirSync(pages);
  makeCertificate(certs, "push", ["push.example.test", "*.example.test"], 3_650);
  makeCertificate(certs, "other", ["other.example.org"], 3_650);
  makeCertificate(certs, "soon", ["push.example.test"], 12, "push");
  makeCertificate(certs, "old", ["push.example.test"], 1, "push");
  const read = (name: string) => readFileSync(join(certs, name));
  writeFileSync(join(certs, "both.pem"), Buffer.concat([read("push.key"), read("push.crt")]));
  writeFileSync(join(certs, "swapped.crt"), Buffer.concat([read("other.crt"), read("push.crt")]));
  openssl(certs, ["pkey", "-in", "push.key", "-aes128", "-passout", "pass:secret", "-out", "locked.key"]);
  writeFileSync(join(certs, "broken.crt"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  writeFileSync(join(certs, "not.pem"), "nothing of the kind");
  writeFileSync(join(certs, "new.ticket"), new Uint8Array(80).fill(1));
  writeFileSync(join(certs, "short.ticket"), new Uint8Array(48));
  writeFileSync(join(pages, "sorry.html"), "<h1>Back soon</h1>");
  copyFileSync(join(pages, "sorry.html"), join(pages, "large.html"));
  appendFileSync(join(pages, "large.html"), new Uint8Array(1_048_576));
}

function openssl(folder: string, args: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args], { cwd: folder, stderr: "pipe" });
  if (exitCode !== 0) throw new Error(stderr.toString());
}
