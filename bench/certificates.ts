/** The two certificates that the balancers show, made anew for each run. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface CertificateFiles {
  cert: string;
  key: string;
  /** Both in one file, as HAProxy wants them. */
  both: string;
}

export interface Certificates {
  p256: CertificateFiles;
  rsa: CertificateFiles;
}

/** What clients ask for (SNI, Host). */
export const HOST = "bench.example.test";

/** Makes both in `folder`, with the command `openssl`. */
export function makeCertificates(folder: string): Certificates {
  return {
    p256: makeCertificate(folder, "p256", ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    rsa: makeCertificate(folder, "rsa", ["-newkey", "rsa:2048"]),
  };
}

function makeCertificate(folder: string, name: string, key: string[]): CertificateFiles {
  const files = {
    cert: join(folder, `${name}.crt`),
    key: join(folder, `${name}.key`),
    both: join(folder, `${name}.pem`),
  };
  const identity = ["-subj", `/CN=${HOST}`, "-addext", `subjectAltName=DNS:${HOST}`, "-days", "365"];
  const made = Bun.spawnSync(
    ["openssl", "req", "-x509", "-nodes", ...key, ...identity, "-keyout", files.key, "-out", files.cert],
    { stderr: "pipe" },
  );
  if (made.exitCode !== 0) throw new Error(`openssl: ${made.stderr}`);
  writeFileSync(files.both, readFileSync(files.cert, "utf8") + readFileSync(files.key, "utf8"));
  return files;
}
