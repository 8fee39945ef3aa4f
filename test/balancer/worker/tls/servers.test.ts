/** TLS with servers: whom we believe, and what the next connection saves. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import type { ServerTlsPlan } from "../../../../src/balancer/plan.ts";
import { TlsTargets } from "../../../../src/balancer/worker/tls/client-context.ts";
import { type Issued, TestAuthority } from "./certificates.ts";
import { connect, type End, open, TlsServer, targets, tlsPlan, until } from "./rig.ts";

let authority: TestAuthority;
const servers: TlsServer[] = [];

beforeAll(() => {
  authority = new TestAuthority();
});
afterAll(() => authority.dispose());
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  expect([...open]).toEqual([]);
});

function serve(issued: Issued, ticketKeys?: Uint8Array[]): TlsServer {
  const server = new TlsServer(tlsPlan([{ ...issued, names: ["server.test"] }]), ticketKeys);
  server.onEnd = (end) => {
    end.onBytes = (bytes) => end.write(bytes);
  };
  servers.push(server);
  return server;
}

/** What becomes of a connection to a server with this certificate: "ok", or why not. */
async function outcome(issued: Issued, tls: Partial<ServerTlsPlan>, host = ""): Promise<string> {
  const server = serve(issued);
  const end = connect(server.port, targets(tls, host));
  await until(() => end.established || end.lost);
  const result = end.established ? "ok" : end.tls!.failure!.reason;
  end.channel!.close(false);
  return result;
}

test("a server is believed whose certificate has the name and a known signer", async () => {
  const issued = authority.issue(["DNS:server.test", "DNS:*.wild.test"]);
  expect(await outcome(issued, { ca: authority.pem, name: "server.test" })).toBe("ok");
  expect(await outcome(issued, { ca: authority.pem }, "server.test")).toBe("ok");
  expect(await outcome(issued, { ca: authority.pem }, "one.wild.test")).toBe("ok");
});

test("an address is verified as an address", async () => {
  expect(await outcome(authority.issue(["IP:127.0.0.1"]), { ca: authority.pem })).toBe("ok");
  expect(await outcome(authority.issue(["IP:127.0.0.2"]), { ca: authority.pem })).toBe("name-mismatch");
  expect(await outcome(authority.issue(["DNS:127.0.0.1"]), { ca: authority.pem })).toBe("name-mismatch");
});

test("another name is refused", async () => {
  const issued = authority.issue(["DNS:server.test", "DNS:*.wild.test"]);
  expect(await outcome(issued, { ca: authority.pem, name: "other.test" })).toBe("name-mismatch");
  expect(await outcome(issued, { ca: authority.pem, name: "a.b.wild.test" })).toBe("name-mismatch");
});

test("an unknown signer is refused, also by the system's list", async () => {
  const stranger = new TestAuthority("Stranger");
  const issued = authority.issue(["DNS:server.test"]);
  expect(await outcome(issued, { ca: stranger.pem, name: "server.test" })).toBe("unknown-ca");
  expect(await outcome(issued, { name: "server.test" })).toBe("unknown-ca");
  stranger.dispose();
});

test("an expired certificate is refused", async () => {
  const issued = authority.issue(["DNS:server.test"], { days: -1 });
  expect(await outcome(issued, { ca: authority.pem, name: "server.test" })).toBe("expired");
});

test("a server that does not speak TLS is refused", async () => {
  const plain = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => void socket.write("HTTP/1.1 400 Bad Request\r\n\r\n") },
  });
  const end = connect(plain.port, targets({ verify: "none" }));
  await until(() => end.lost);
  expect(end.tls!.failure!.reason).toBe("not-tls");
  end.channel!.close(false);
  plain.stop(true);
});

test("anything goes where verification is switched off", async () => {
  const issued = authority.issue(["DNS:other.test"], { days: -1 });
  expect(await outcome(issued, { verify: "none", name: "server.test" })).toBe("ok");
});

test("nobody listening is a failed connect", async () => {
  const server = serve(authority.issue(["DNS:server.test"]));
  servers.pop();
  server.close();
  const end = connect(server.port, targets({ verify: "none" }));
  await until(() => end.lost);
  expect(end.tls!.failure!.reason).toBe("peer-reset");
  end.channel!.close(false);
});

async function ask(server: TlsServer, target: ReturnType<typeof targets>): Promise<End> {
  const end = connect(server.port, target);
  end.write("hello");
  await until(() => end.text === "hello");
  return end;
}

test("the second connection to a server resumes the session of the first, which may still be open", async () => {
  const server = serve(authority.issue(["DNS:server.test"]));
  const target = targets({ ca: authority.pem, name: "server.test" });
  const ends = [await ask(server, target), await ask(server, target), await ask(server, target)];
  expect(ends.map((end) => end.tls!.resumed)).toEqual([false, true, true]);
  for (const end of ends) end.channel!.close(false);
});

test("a reload that changes nothing about a server keeps its session, one that does begins anew", async () => {
  const server = serve(authority.issue(["DNS:server.test"]));
  const store = new TlsTargets();
  const ends: End[] = [];
  for (const minimum of ["TLSv1.2", "TLSv1.2", "TLSv1.3"] as const) {
    ends.push(await ask(server, targets({ ca: authority.pem, name: "server.test", minimum }, "", store)));
  }
  expect(ends.map((end) => end.tls!.resumed)).toEqual([false, true, false]);
  for (const end of ends) end.channel!.close(false);
});

test("who goes on with the plan before a reload still reaches a server whose rules have changed", async () => {
  const server = serve(authority.issue(["DNS:server.test"]));
  const store = new TlsTargets();
  const before = targets({ ca: authority.pem, name: "server.test" }, "", store);
  const first = await ask(server, before);
  targets({ ca: authority.pem, name: "server.test", minimum: "TLSv1.3" }, "", store);
  first.write("again");
  await until(() => first.text === "helloagain");
  const second = await ask(server, before);
  for (const end of [first, second]) end.channel!.close(false);
});
