/** Certificates of an authority that only the test knows, by the openssl command. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Certificate {
  /** PEM files. */
  readonly cert: string;
  readonly key: string;
}

/** A test's own certificate authority, in a folder of its own. */
export class Authority {
  readonly folder = mkdtempSync(join(tmpdir(), "holdfast-ca-"));
  #serial = 0;

  constructor() {
    openssl(
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
      ...["-subj", "/CN=Authority of a test", "-keyout", this.#at("ca.key"), "-out", this.file],
      ...["-addext", "keyUsage=critical,keyCertSign,cRLSign"],
    );
  }

  /** PEM file of the authority itself. */
  get file(): string {
    return this.#at("ca.crt");
  }

  get pem(): string {
    return readFileSync(this.file, "utf8");
  }

  /** A new certificate for `names` (subjectAltName; "*.example.test" too): each call makes another one. */
  issue(...names: string[]): Certificate {
    const serial = ++this.#serial;
    const cert = this.#at(`${serial}.crt`);
    const key = this.#at(`${serial}.key`);
    const request = this.#at(`${serial}.csr`);
    const extensions = this.#at(`${serial}.ext`);
    writeFileSync(extensions, `subjectAltName=${names.map((name) => `DNS:${name}`).join(",")}\n`);
    openssl(
      ...["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-subj", `/CN=${names[0]}`, "-keyout", key, "-out", request],
    );
    openssl(
      ...["x509", "-req", "-in", request, "-CA", this.file, "-CAkey", this.#at("ca.key"), "-days", "2"],
      ...["-set_serial", String(serial), "-extfile", extensions, "-out", cert],
    );
    return { cert, key };
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #at(name: string): string {
    return join(this.folder, name);
  }
}

/** Copies a certificate to `folder`/`name`.crt and .key, as a configuration names them; what was there is replaced. */
export function install(certificate: Certificate, folder: string, name: string): void {
  mkdirSync(folder, { recursive: true });
  copyFileSync(certificate.key, join(folder, `${name}.key`));
  copyFileSync(certificate.cert, join(folder, `${name}.crt`));
}

function openssl(...parameters: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...parameters], { stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`openssl ${parameters[0]}: ${stderr}`);
}
