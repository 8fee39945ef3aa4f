/** Sessions that are resumed: in another worker, after a reload, with keys that change. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import type { TlsPlan } from "../../../../src/balancer/plan.ts";
import { type Issued, TestAuthority } from "./certificates.ts";
import { connect, open, run, TlsServer, targets, tlsPlan, until } from "./rig.ts";

const key = (fill: number) => new Uint8Array(80).fill(fill);

let authority: TestAuthority;
let users: TestAuthority;
let site: Issued & { names: string[] };
const servers: TlsServer[] = [];

beforeAll(() => {
  authority = new TestAuthority();
  users = new TestAuthority("Users");
  site = { ...authority.issue(["DNS:a.test", "DNS:b.test"]), names: ["a.test", "b.test"] };
});
afterAll(() => {
  authority.dispose();
  users.dispose();
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  expect([...open]).toEqual([]);
});

/** Two of them have contexts of their own, as two workers do, and the keys of the newest plan. */
function serve(keys: Uint8Array[], more: Partial<TlsPlan> = {}, certificate = site): TlsServer {
  const server = new TlsServer(tlsPlan([certificate], more), keys);
  server.onEnd = (end) => {
    end.onBytes = (bytes) => end.write(bytes);
    end.onEnded = () => end.channel!.close(false);
  };
  servers.push(server);
  return server;
}

/** A client that keeps its session: was it resumed? */
async function visit(server: TlsServer, target: ReturnType<typeof targets>): Promise<boolean> {
  const end = connect(server.port, target);
  end.write("hello");
  await until(() => end.text === "hello");
  end.channel!.close(false);
  return server.ends.at(-1)!.tls!.resumed;
}

const client = () => targets({ ca: authority.pem, name: "a.test" });

test("every visit behind the first resumes, in whichever worker", async () => {
  const workers = [serve([key(1)]), serve([key(1)])];
  const target = client();
  let resumed = 0;
  for (let visits = 0; visits < 20; visits++) if (await visit(workers[visits % 2]!, target)) resumed++;
  console.log(`resumed: ${resumed} of 20 visits to two contexts, the first of which could not`);
  expect(resumed).toBe(19);
});

test("a new key takes sessions of the old one, and replaces them", async () => {
  const server = serve([key(1)]);
  const target = client();
  expect(await visit(server, target)).toBe(false);
  server.adopt(tlsPlan([site]), [key(2), key(1)]);
  expect(await visit(server, target)).toBe(true);
  // The old key is gone: only who has visited in between still resumes.
  server.adopt(tlsPlan([site]), [key(3), key(2)]);
  expect(await visit(server, target)).toBe(true);
});

test("a session whose key is gone begins anew, without a failure", async () => {
  const server = serve([key(1)]);
  const target = client();
  await visit(server, target);
  server.adopt(tlsPlan([site]), [key(2)]);
  expect(await visit(server, target)).toBe(false);
  expect(await visit(server, target)).toBe(true);
});

test("TLS 1.2 resumes too, and gets a new ticket when the key has changed", async () => {
  const server = serve([key(1)]);
  const file = `${authority.folder}/session.pem`;
  let said = "";
  const s_client = async (...more: string[]) => {
    const { out } = await run(["openssl", "s_client", "-connect", `127.0.0.1:${server.port}`, "-tls1_2", ...more]);
    said = out;
    return out.includes("Reused, TLSv1.2");
  };
  expect(await s_client("-sess_out", file)).toBe(false);
  expect(await s_client("-sess_in", file)).toBe(true);
  server.adopt(tlsPlan([site]), [key(2), key(1)]);
  expect(await s_client("-sess_in", file)).toBe(true);
  // A ticket begins with the name of its key.
  expect(said).toContain("0000 - 02 02 02 02");
});

test("a renewed certificate leaves sessions alone", async () => {
  const server = serve([key(1)]);
  const target = client();
  await visit(server, target);
  const renewed = { ...authority.issue(["DNS:a.test", "DNS:b.test"]), names: site.names };
  server.adopt(tlsPlan([renewed]), [key(1)]);
  expect(await visit(server, target)).toBe(true);
});

test("a session of a service that asks for no certificate is none of one that requires it", async () => {
  const open = serve([key(1)]);
  const closed = serve([key(1)], { clients: { ca: users.pem, required: true, header: "" } });
  const target = client();
  await visit(open, target);
  expect(await visit(open, target)).toBe(true);
  const end = connect(closed.port, target);
  await until(() => end.lost || closed.ends[0]?.lost === true);
  expect(closed.ends[0]!.tls!.failure!.reason).toBe("no-client-certificate");
  end.channel!.close(false);
});

test("who was known by a certificate is known again when the session is resumed", async () => {
  const server = serve([key(1)], { clients: { ca: users.pem, required: true, header: "" } });
  const ada = users.issue([], { subject: "/CN=Ada" });
  const target = targets({ ca: authority.pem, name: "a.test", certificate: { chain: ada.chain, key: ada.key } });
  for (const resumed of [false, true]) {
    const end = connect(server.port, target);
    end.write("hello");
    await until(() => end.text === "hello");
    const { tls } = server.ends.at(-1)!;
    expect([tls!.resumed, tls!.peerCertificate()?.subject]).toEqual([resumed, "CN=Ada"]);
    end.channel!.close(false);
  }
});

test("without keys nothing is resumed and nothing fails", async () => {
  const server = serve([]);
  const target = client();
  expect([await visit(server, target), await visit(server, target)]).toEqual([false, false]);
});
