/** Certificates of an authority that only the test knows: what is wrong with them is up to the test. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const KEYS = {
  "P-256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
  "RSA-2048": ["-newkey", "rsa:2048"],
  "RSA-1024": ["-newkey", "rsa:1024"],
} as const;

export interface Issued {
  /** PEM. */
  readonly chain: string;
  readonly key: string;
  readonly files: { readonly chain: string; readonly key: string };
}

export class TestAuthority {
  readonly folder = mkdtempSync(join(tmpdir(), "holdfast-tls-"));
  readonly pem: string;
  #serial = 0;

  constructor(name = "Authority of a test") {
    openssl(
      "req",
      "-x509",
      ...KEYS["P-256"],
      "-nodes",
      "-days",
      "2",
      "-subj",
      `/CN=${name}`,
      "-keyout",
      this.#at("ca.key"),
      "-out",
      this.file,
    );
    this.pem = readFileSync(this.file, "utf8");
  }

  get file(): string {
    return this.#at("ca.crt");
  }

  /** A certificate for `names` ("DNS:a.test", "IP:127.0.0.1"). */
  issue(names: readonly string[], options: { days?: number; key?: keyof typeof KEYS; subject?: string } = {}): Issued {
    const serial = ++this.#serial;
    const [chain, key, request, extensions] = ["crt", "key", "csr", "ext"].map((end) =>
      this.#at(`${serial}.${end}`),
    ) as [string, string, string, string];
    writeFileSync(extensions, names.length > 0 ? `subjectAltName=${names.join(",")}\n` : "");
    const subject = options.subject ?? `/CN=${serial}`;
    openssl(
      "req",
      "-new",
      ...KEYS[options.key ?? "P-256"],
      "-nodes",
      "-subj",
      subject,
      "-keyout",
      key,
      "-out",
      request,
    );
    const by = ["-CA", this.file, "-CAkey", this.#at("ca.key"), "-set_serial", String(serial)];
    openssl(
      "x509",
      "-req",
      "-in",
      request,
      ...by,
      "-days",
      String(options.days ?? 2),
      "-extfile",
      extensions,
      "-out",
      chain,
    );
    return { chain: readFileSync(chain, "utf8"), key: readFileSync(key, "utf8"), files: { chain, key } };
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #at(name: string): string {
    return join(this.folder, name);
  }
}

function openssl(...parameters: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...parameters], { stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`openssl ${parameters[0]}: ${stderr}`);
}
