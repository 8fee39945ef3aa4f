/** Which certificate clients are shown, what they must show themselves, and what a reload changes. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { TlsPlan } from "../../../../src/balancer/plan.ts";
import { certificateField } from "../../../../src/balancer/worker/tls/peer-certificate.ts";
import { ServerContext } from "../../../../src/balancer/worker/tls/server-context.ts";
import { openssl } from "../../../../src/os/openssl.ts";
import { parseAddress } from "../../../../src/protocols/address.ts";
import { type Issued, TestAuthority } from "./certificates.ts";
import { connect, type End, LOCALHOST, open, run, TlsServer, targets, tlsPlan, until } from "./rig.ts";

type Named = Issued & { names: string[]; address?: Uint8Array };

let authority: TestAuthority;
let users: TestAuthority;
const made = new Map<string, Named>();
const servers: TlsServer[] = [];

/** A certificate whose subject says its names; made once. */
function certificate(names: string[], key: "P-256" | "RSA-2048" = "P-256"): Named {
  const id = `${names[0]} ${key}`;
  const known = made.get(id);
  if (known) return known;
  const issued = {
    ...authority.issue(
      names.map((name) => `DNS:${name}`),
      { subject: `/CN=${id}`, key },
    ),
    names,
  };
  made.set(id, issued);
  return issued;
}

beforeAll(() => {
  authority = new TestAuthority();
  users = new TestAuthority("Users");
});
afterAll(() => {
  authority.dispose();
  users.dispose();
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  expect([...open]).toEqual([]);
});

function serve(plan: TlsPlan): TlsServer {
  const server = new TlsServer(plan);
  server.onEnd = (end) => {
    end.onBytes = (bytes) => end.write(bytes);
    end.onEnded = () => end.channel!.close(false);
  };
  servers.push(server);
  return server;
}

/** The subject of the certificate that a client is shown who asks for `name`. */
async function shown(server: TlsServer, name: string | null, more: string[] = []): Promise<string> {
  const asked = name === null ? ["-noservername"] : ["-servername", name];
  const { out } = await run(["openssl", "s_client", "-connect", `127.0.0.1:${server.port}`, ...asked, ...more]);
  return /subject=CN = (.*)/.exec(out)?.[1] ?? "nothing";
}

describe("a client is shown", () => {
  test("the certificate for the name it asks for, exact before wildcard", async () => {
    const server = serve(
      tlsPlan([certificate(["first.test"]), certificate(["*.b.test"]), certificate(["a.b.test", "c.test"])]),
    );
    expect(await shown(server, "a.b.test")).toBe("a.b.test P-256");
    expect(await shown(server, "c.test")).toBe("a.b.test P-256");
    expect(await shown(server, "other.b.test")).toBe("*.b.test P-256");
    expect(await shown(server, "OTHER.B.TEST")).toBe("*.b.test P-256");
  });

  test("the first certificate where it asks for nothing, or for what nobody has", async () => {
    const server = serve(tlsPlan([certificate(["first.test"]), certificate(["*.b.test"])]));
    expect(await shown(server, null)).toBe("first.test P-256");
    expect(await shown(server, "unknown.test")).toBe("first.test P-256");
    // A wildcard stands for one label: not for two, not for none.
    expect(await shown(server, "x.y.b.test")).toBe("first.test P-256");
    expect(await shown(server, "b.test")).toBe("first.test P-256");
  });

  test("the certificate for the address it dialled, if it names nothing", async () => {
    const byAddress = { ...certificate(["address.test"]), address: LOCALHOST };
    const server = serve(tlsPlan([certificate(["first.test"]), byAddress, certificate(["*.b.test"])]));
    expect(await shown(server, null)).toBe("address.test P-256");
    expect(await shown(server, "x.b.test")).toBe("*.b.test P-256");
    const elsewhere = { ...certificate(["address.test"]), address: parseAddress("127.0.0.2")! };
    expect(await shown(serve(tlsPlan([certificate(["first.test"]), elsewhere])), null)).toBe("first.test P-256");
  });

  test("the kind of key that it understands, where a name has both", async () => {
    const server = serve(tlsPlan([certificate(["a.test"], "RSA-2048"), certificate(["a.test"])]));
    const only = (cipher: string) => shown(server, "a.test", ["-tls1_2", "-cipher", cipher]);
    expect(await only("ECDHE-RSA-AES128-GCM-SHA256")).toBe("a.test RSA-2048");
    expect(await only("ECDHE-ECDSA-AES128-GCM-SHA256")).toBe("a.test P-256");
  });

  test("the certificates between its own and the root", async () => {
    const { chain, key } = certificate(["a.test"]);
    const server = serve(tlsPlan([{ ...certificate(["a.test"]), chain: chain + authority.pem, key }]));
    const { out } = await run(["openssl", "s_client", "-connect", `127.0.0.1:${server.port}`, "-showcerts"]);
    expect(out.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  });
});

describe("a site that OpenSSL cannot serve is refused with a reason", () => {
  const plan = tlsPlan([]);

  test("a key of another certificate", () => {
    const wrong = { ...certificate(["a.test"]), key: certificate(["b.test"]).key };
    expect(() => new ServerContext([wrong], plan)).toThrow(
      "the key of the certificate for a.test: key values mismatch",
    );
  });

  test("a key that is too short", () => {
    const short = { ...authority.issue(["DNS:short.test"], { key: "RSA-1024" }), names: ["short.test"] };
    expect(() => new ServerContext([short], plan)).toThrow("the certificate for short.test: ee key too small");
  });

  test("a text that is no certificate", () => {
    const text = { ...certificate(["a.test"]), chain: "hello" };
    expect(() => new ServerContext([text], plan)).toThrow("the certificate for a.test: it is not PEM");
  });

  test("a cipher that does not exist", () => {
    expect(() => new ServerContext([certificate(["a.test"])], { ...plan, ciphers: "ROT13" })).toThrow(
      'ciphers "ROT13": no cipher match',
    );
  });
});

describe("clients with certificates", () => {
  const asks = (required: boolean) => ({ clients: { ca: users.pem, required, header: "" } });

  function come(server: TlsServer, issued: Issued | null): End {
    const certificate = issued && { chain: issued.chain, key: issued.key };
    const end = connect(server.port, targets({ ca: authority.pem, name: "a.test", certificate }));
    end.write("hello");
    return end;
  }

  test("are known by what they show", async () => {
    const server = serve(tlsPlan([certificate(["a.test"])], asks(true)));
    const ada = users.issue([], { subject: '/O=Example, "Ltd"/CN=Ada' });
    const end = come(server, ada);
    await until(() => end.text === "hello");
    const shows = server.ends[0]!.tls!.peerCertificate()!;
    expect(shows.subject).toBe('CN=Ada,O=Example\\, \\"Ltd\\"');
    expect(shows.pem).toBe(ada.chain);
    const { out } = await run(["openssl", "x509", "-in", ada.files.chain, "-noout", "-fingerprint", "-sha256"]);
    expect(shows.fingerprint).toBe(out.split("=")[1]!.trim().replaceAll(":", "").toLowerCase());
    expect(certificateField(shows)).toStartWith(`Hash=${shows.fingerprint};Subject="CN=Ada,O=Example\\\\, `);
    end.channel!.close(false);
  });

  test("come without one where it is only asked for", async () => {
    const server = serve(tlsPlan([certificate(["a.test"])], asks(false)));
    const end = come(server, null);
    await until(() => end.text === "hello");
    expect(server.ends[0]!.tls!.peerCertificate()).toBeNull();
    end.channel!.close(false);
  });

  test("are refused without one where it is required", async () => {
    const server = serve(tlsPlan([certificate(["a.test"])], asks(true)));
    const end = come(server, null);
    await until(() => end.lost && server.ends[0]?.lost === true);
    expect(server.ends[0]!.tls!.failure!.reason).toBe("no-client-certificate");
    end.channel!.close(false);
  });

  for (const required of [true, false]) {
    test(`are refused with one of a stranger, ${required ? "required" : "optional"}`, async () => {
      const server = serve(tlsPlan([certificate(["a.test"])], asks(required)));
      const end = come(server, authority.issue([], { subject: "/CN=Mallory" }));
      await until(() => end.lost && server.ends[0]?.lost === true);
      expect(server.ends[0]!.tls!.failure!.reason).toBe("unknown-ca");
      end.channel!.close(false);
    });
  }

  test("are refused with one that has expired", async () => {
    const server = serve(tlsPlan([certificate(["a.test"])], asks(true)));
    const end = come(server, users.issue([], { subject: "/CN=Ada", days: -1 }));
    await until(() => end.lost && server.ends[0]?.lost === true);
    expect(server.ends[0]!.tls!.failure!.reason).toBe("expired");
    end.channel!.close(false);
  });
});

describe("a reload", () => {
  test("shows a renewed certificate to new clients, and connections go on", async () => {
    const server = serve(tlsPlan([certificate(["a.test"])]));
    const target = targets({ ca: authority.pem, name: "a.test" });
    const before = connect(server.port, target);
    before.write("one ");
    await until(() => before.text === "one ");
    const renewed = { ...authority.issue(["DNS:a.test"], { subject: "/CN=renewed" }), names: ["a.test"] };
    server.adopt(tlsPlan([renewed]), []);
    Bun.gc(true);
    before.write("two");
    await until(() => before.text === "one two");
    expect(await shown(server, "a.test")).toBe("renewed");
    before.channel!.close(false);
  });

  test("keeps a context about which nothing changed", () => {
    const server = serve(tlsPlan([certificate(["a.test"]), certificate(["*.b.test"])]));
    const [a, b] = ["a.test", "x.b.test"].map((name) => server.sites.find(name, LOCALHOST));
    const renewed = { ...authority.issue(["DNS:*.b.test"]), names: ["*.b.test"] };
    server.adopt(tlsPlan([certificate(["a.test"]), renewed]), []);
    expect(server.sites.find("a.test", LOCALHOST)).toBe(a!);
    expect(server.sites.find("x.b.test", LOCALHOST)).not.toBe(b!);
  });

  test("changes nothing where it is refused", () => {
    const plan = tlsPlan([certificate(["a.test"])]);
    const server = serve(plan);
    const before = server.sites;
    expect(() => server.adopt(tlsPlan([{ ...certificate(["a.test"]), key: "" }]), [])).toThrow();
    expect(server.sites).toBe(before);
  });

  test("gives old contexts back", async () => {
    const server = serve(tlsPlan([certificate(["a.test"])]));
    const grown = async (times: number): Promise<number> => {
      const from = process.memoryUsage().rss;
      for (let time = 0; time < times; time++) {
        server.adopt(
          tlsPlan([certificate(["a.test"])], {
            cipherSuites: `TLS_AES_128_GCM_SHA256${":TLS_AES_256_GCM_SHA384".repeat(1 + (time % 2))}`,
          }),
          [],
        );
        if (time % 50 === 49) {
          Bun.gc(true);
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
      return process.memoryUsage().rss - from;
    };
    await grown(400);
    // A context has some 80 KiB with its certificate.
    expect(await grown(400)).toBeLessThan(8 << 20);
  });
});

test("a reload gives back the contexts that it replaces, and who is still about to use one has it made again", () => {
  const [kept, replaced] = [certificate(["kept.test"]), certificate(["replaced.test"])];
  const server = serve(tlsPlan([kept, replaced]));
  const contexts = ["kept.test", "replaced.test"].map((name) => server.sites.find(name, LOCALHOST));
  const renewed = { ...authority.issue(["DNS:replaced.test"]), names: ["replaced.test"] };
  server.adopt(tlsPlan([kept, renewed]), [new Uint8Array(80)]);
  expect(contexts.map(({ isMade }) => isMade)).toEqual([true, false]);
  expect(server.sites.find("kept.test", LOCALHOST)).toBe(contexts[0]!);
  openssl().SSL_free(contexts[1]!.newConnection());
  expect(contexts[1]!.isMade).toBe(true);
});
