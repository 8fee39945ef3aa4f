import { afterAll, beforeAll, expect, test } from "bun:test";
import { tryTls } from "../../../src/balancer/control/tls-trial.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { type Issued, TestAuthority } from "../worker/tls/certificates.ts";

let authority: TestAuthority;
let site: Issued;

beforeAll(() => {
  authority = new TestAuthority();
  site = authority.issue(["DNS:a.test"]);
});
afterAll(() => authority.dispose());

/** What is wrong with a file, as `check` tells it. */
function problems(ofService: string, ofPool = "{ verify: false }"): string[] {
  const text = [
    "services:",
    "  web:",
    "    listen: 127.0.0.1:1",
    "    protocol: tcp",
    "    pool: servers",
    `    tls: ${ofService}`,
    "pools:",
    "  servers:",
    `    tls: ${ofPool}`,
    "    servers: { a: 127.0.0.1:2 }",
  ].join("\n");
  const found = loadConfig({ text, name: `${authority.folder}/file.yaml` }, Date.now(), tryTls).problems;
  return found
    .filter(({ severity }) => severity === "error")
    .map(({ line, code, message }) => `${line} ${code} ${message}`);
}

const certificates = ({ files }: Issued) => `certificates: [{ cert: ${files.chain}, key: ${files.key} }]`;

test("nothing is wrong with what OpenSSL takes", () => {
  expect(problems(`{ ${certificates(site)} }`)).toEqual([]);
});

test("ciphers that OpenSSL does not know are told with their place", () => {
  expect(problems(`{ ${certificates(site)}, ciphers: ROT13 }`)).toEqual([
    '6 tls/unusable ciphers "ROT13": no cipher match',
  ]);
});

test("so is a pool whose TLS cannot be used", () => {
  expect(problems(`{ ${certificates(site)} }`, "{ verify: false, cipher-suites: TLS_ROT13 }")).toEqual([
    '9 tls/unusable cipher suites "TLS_ROT13": no cipher match',
  ]);
});

test("a key that is too short for OpenSSL is told", () => {
  const short = authority.issue(["DNS:short.test"], { key: "RSA-1024" });
  expect(problems(`{ ${certificates(short)} }`).join()).toMatch(/^6 .*(too small|too short|1024)/);
});
