import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HealthCheck, Verdict } from "../../../../src/balancer/control/health/check.ts";
import { probe } from "../../../../src/balancer/control/health/probe.ts";
import { NamedFile } from "../../../../src/config/named-file.ts";
import { systemTiming } from "../../../../src/deadlines/timing.ts";
import { PROXY_V2_LOCAL } from "../../../../src/protocols/proxy.ts";
import { makeCertificate } from "../../../config/files.ts";
import { answering, openDescriptors, refusedPort, serve, silentPort } from "./servers.ts";

const timing = { every: 2_000, timeout: 1_500, fall: 3, rise: 2 };
const BRIEF = 250;

async function check(settings: object, port: number, host = "127.0.0.1"): Promise<Verdict> {
  const target = { pool: "rds", server: "rds1", host, port };
  return probe({ ...timing, ...settings } as HealthCheck, target, systemTiming).done;
}

describe("tcp", () => {
  test("a server that accepts a connection is alive, and the connection is closed", async () => {
    const server = await serve(() => {});
    expect(await check({ check: "tcp" }, server.port)).toEqual({ alive: true, reason: "connected" });
    await server.firstClosed;
    await server.stop();
  });

  test("a port where nobody listens is dead at once", async () => {
    expect(await check({ check: "tcp" }, await refusedPort())).toEqual({ alive: false, reason: "connection refused" });
  });

  test("a port of its own is checked in place of the server's", async () => {
    const server = await serve(() => {});
    expect((await check({ check: "tcp", port: server.port }, await refusedPort())).alive).toBe(true);
    await server.stop();
  });

  test("a host that says nothing is dead at the deadline, and its socket is given up", async () => {
    const silent = await silentPort();
    // The first probe opens what the process keeps for good.
    await check({ check: "tcp", timeout: BRIEF }, silent.port);
    const before = openDescriptors();
    const verdicts = await Promise.all(
      Array.from({ length: 5 }, () => check({ check: "tcp", timeout: BRIEF }, silent.port)),
    );
    expect(verdicts[0]).toEqual({ alive: false, reason: "no connection within 250 ms" });
    expect(openDescriptors()).toBe(before);
    silent.stop();
  });

  test("a name that does not exist is said to be one", async () => {
    const { alive, reason } = await check({ check: "tcp" }, 3389, "no-such-host.invalid");
    expect(alive).toBe(false);
    expect(["name not found", "name could not be looked up", "no connection within 1.5 s"]).toContain(reason);
  });
});

describe("rdp", () => {
  const CONFIRM = Buffer.from("030000130ed000001234000200080001000000", "hex");
  const FAILURE = Buffer.from("030000130ed000001234000300080005000000", "hex");

  test("a Connection Confirm is alive, and nothing but the request was sent", async () => {
    const server = await answering([CONFIRM], false);
    expect(await check({ check: "rdp" }, server.port)).toEqual({ alive: true, reason: "answered" });
    await server.firstClosed;
    expect(server.received().toString("hex")).toBe("030000130ee000000000000100080003000000");
    await server.stop();
  });

  test("a server that refuses the security asked for is alive", async () => {
    const server = await answering([FAILURE]);
    expect((await check({ check: "rdp" }, server.port)).alive).toBe(true);
    await server.stop();
  });

  test("an answer that comes byte by byte is put together", async () => {
    const server = await answering([...CONFIRM].map((byte) => Uint8Array.of(byte)));
    expect((await check({ check: "rdp" }, server.port)).alive).toBe(true);
    await server.stop();
  });

  test.each([
    ["SSH-2.0-OpenSSH_9.2p1\r\n", "answer is not RDP"],
    [Buffer.from("0300000b06800000000000", "hex"), "answer is not a Connection Confirm"],
    [Buffer.from("030000", "hex"), "closed within the answer"],
    ["", "closed without an answer"],
  ])("an answer of %p is dead: %s", async (answer, reason) => {
    const server = await answering([answer]);
    expect(await check({ check: "rdp" }, server.port)).toEqual({ alive: false, reason });
    await server.stop();
  });

  test("a server that accepts and then hangs is dead at the deadline, and sees the connection closed", async () => {
    const server = await serve(() => {});
    expect(await check({ check: "rdp", timeout: BRIEF }, server.port)).toEqual({
      alive: false,
      reason: "no whole answer within 250 ms",
    });
    await server.firstClosed;
    await server.stop();
  });

  test("a server that resets is dead", async () => {
    const server = await serve((socket) => socket.once("data", () => socket.resetAndDestroy()));
    expect(await check({ check: "rdp" }, server.port)).toEqual({ alive: false, reason: "connection reset" });
    await server.stop();
  });
});

describe("http", () => {
  const web = { check: "http", path: "/health?deep=1", expect: { status: [{ from: 200, to: 399 }] } };
  const withBody = { ...web, expect: { ...web.expect, body: "all well" } };
  const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

  test("a good status is alive, and the request is a GET for that path with the server's address as Host", async () => {
    const server = await answering(["HTTP/1.1 204 No Content\r\n\r\n"], false);
    expect(await check(web, server.port)).toEqual({ alive: true, reason: "HTTP 204" });
    await server.firstClosed;
    const request = server.received().toString();
    expect(request).toStartWith("GET /health?deep=1 HTTP/1.1\r\n");
    expect(request).toContain(`\r\nHost: 127.0.0.1:${server.port}\r\n`);
    expect(request).toEndWith("\r\n\r\n");
    await server.stop();
  });

  test("a Host that was asked for is sent as it was written", async () => {
    const server = await answering(["HTTP/1.1 200 OK\r\n\r\n"]);
    await check({ ...web, host: "intranet.example.com" }, server.port);
    expect(server.received().toString()).toContain("\r\nHost: intranet.example.com\r\n");
    await server.stop();
  });

  test.each<[string, object, string[], Verdict]>([
    ["a 503 is dead", web, ["HTTP/1.1 503 Busy\r\n\r\n"], { alive: false, reason: "HTTP 503" }],
    [
      "a redirect is an answer, not followed",
      web,
      ["HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"],
      { alive: true, reason: "HTTP 302" },
    ],
    [
      "a status outside the list is dead",
      {
        ...web,
        expect: {
          status: [
            { from: 200, to: 200 },
            { from: 401, to: 401 },
          ],
        },
      },
      ["HTTP/1.1 204 No\r\n\r\n"],
      { alive: false, reason: "HTTP 204" },
    ],
    [
      "a status in the list is alive",
      {
        ...web,
        expect: {
          status: [
            { from: 200, to: 200 },
            { from: 401, to: 401 },
          ],
        },
      },
      ["HTTP/1.1 401 No\r\n\r\n"],
      { alive: true, reason: "HTTP 401" },
    ],
    [
      "an interim answer is passed over",
      web,
      ["HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 500 No\r\n\r\n"],
      { alive: false, reason: "HTTP 500" },
    ],
    [
      "text beyond the stated length does not count",
      withBody,
      ["HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nit is all we", "ll"],
      { alive: false, reason: 'HTTP 200, but the body lacks "all well"' },
    ],
    [
      "text at the end of a body without a length is found",
      withBody,
      ["HTTP/1.0 200 OK\r\n\r\nit is a", "ll well"],
      { alive: true, reason: "HTTP 200" },
    ],
    [
      "text that two chunks share is found",
      withBody,
      [CHUNKED, "5\r\nit is\r\n5;x=y\r\n all \r\n", "4\r\nwell\r\n0\r\n\r\n"],
      { alive: true, reason: "HTTP 200" },
    ],
    [
      "a body that ends without the text is dead",
      withBody,
      [`${CHUNKED}5\r\nhello\r\n0\r\n\r\n`],
      { alive: false, reason: 'HTTP 200, but the body lacks "all well"' },
    ],
    [
      "a broken chunk ends the body",
      withBody,
      [`${CHUNKED}zz\r\nall well`],
      { alive: false, reason: 'HTTP 200, but the body lacks "all well"' },
    ],
    [
      "what is not HTTP is dead",
      web,
      ["220 mail.example.com ESMTP\r\n"],
      { alive: false, reason: "answer is not HTTP (not-http)" },
    ],
    [
      "a head that ends early is dead",
      web,
      ["HTTP/1.1 200 OK\r\nServer: x"],
      { alive: false, reason: "closed within the answer" },
    ],
  ])("%s", async (_name, settings, pieces, verdict) => {
    const server = await answering(pieces);
    expect(await check(settings, server.port)).toEqual(verdict);
    await server.stop();
  });

  test("a body that is complete is judged without waiting for the server to close", async () => {
    const server = await answering(["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"], false);
    expect((await check(withBody, server.port)).reason).toBe('HTTP 200, but the body lacks "all well"');
    await server.stop();
  });

  test("of an endless body only the first 64 KiB are looked at", async () => {
    const server = await serve((socket) => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      const more = () => {
        while (!socket.destroyed && socket.write(Buffer.alloc(8192, "x")));
      };
      socket.on("drain", more);
      more();
    });
    expect((await check(withBody, server.port)).reason).toBe('HTTP 200, but the body lacks "all well"');
    await server.firstClosed;
    await server.stop();
  });

  test("a body that trickles for ever is dead at the deadline", async () => {
    const server = await serve((socket) => {
      const timer = setInterval(() => socket.write("x"), 5);
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.once("close", () => clearInterval(timer));
    });
    expect((await check({ ...withBody, timeout: BRIEF }, server.port)).reason).toBe("no whole answer within 250 ms");
    await server.firstClosed;
    await server.stop();
  });
});

describe("https", () => {
  const web = { check: "https", path: "/", verify: true, expect: { status: [{ from: 200, to: 399 }] } };
  const secure = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: selfSigned(),
    fetch: (request) => new Response(`secure, for ${request.headers.get("host")}`),
  });
  afterAll(() => secure.stop(true));

  test("a self-signed certificate is dead when certificates are verified", async () => {
    const verdict = await check(web, secure.port!);
    expect(verdict).toEqual({ alive: false, reason: "certificate is self-signed" });
  });

  test("with verify: false any certificate is good", async () => {
    const settings = {
      ...web,
      verify: false,
      host: "elsewhere.example.com",
      expect: { ...web.expect, body: "for elsewhere" },
    };
    expect(await check(settings, secure.port!)).toEqual({ alive: true, reason: "HTTP 200" });
  });

  test("a server that never finishes the handshake is dead at the deadline and sees the connection closed", async () => {
    const server = await serve(() => {});
    expect((await check({ ...web, timeout: BRIEF }, server.port)).reason).toBe("no connection within 250 ms");
    await server.firstClosed;
    await server.stop();
  });

  test("a server that speaks plain HTTP is dead", async () => {
    const server = await answering(["HTTP/1.1 400 Bad Request\r\n\r\n"]);
    expect((await check({ ...web, verify: false }, server.port)).alive).toBe(false);
    await server.stop();
  });

  describe("as the pool's `tls` says", () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-certificate-"));
    afterAll(() => rmSync(folder, { recursive: true }));
    for (const name of ["server", "client"]) makeCertificate(folder, name, [`${name}.example.test`], 2);
    const file = (name: string) => new NamedFile(name, readFileSync(join(folder, name)));
    const own = { ca: file("server.crt"), name: "server.example.test" };
    const tls = { key: file("server.key").text, cert: file("server.crt").text };

    test("a certificate of the pool's own authority is good, for the name that the pool expects", async () => {
      const server = Bun.serve({ hostname: "127.0.0.1", port: 0, tls, fetch: () => new Response() });
      expect(await check({ ...web, ...own }, server.port!)).toEqual({ alive: true, reason: "HTTP 200" });
      const { reason } = await check({ ...web, ...own, name: "other.example.test" }, server.port!);
      expect(reason).toBe("certificate is for another name");
      await server.stop(true);
    });

    test("a server that wants a certificate gets the pool's", async () => {
      const wanting = { ...tls, ca: file("client.crt").text, requestCert: true, rejectUnauthorized: true };
      const server = Bun.serve({ hostname: "127.0.0.1", port: 0, tls: wanting, fetch: () => new Response() });
      expect((await check({ ...web, ...own }, server.port!)).alive).toBe(false);
      const shown = { cert: file("client.crt"), key: file("client.key") };
      expect(await check({ ...web, ...own, ...shown }, server.port!)).toEqual({ alive: true, reason: "HTTP 200" });
      await server.stop(true);
    });

    test("a PROXY header goes before the handshake", async () => {
      const behind = Bun.serve({ hostname: "127.0.0.1", port: 0, tls, fetch: () => new Response() });
      const header = PROXY_V2_LOCAL;
      const server = await serve((socket) => {
        const inner = connect(behind.port!, "127.0.0.1");
        inner.on("error", () => socket.destroy());
        let skip = header.length;
        socket.on("data", (piece: Buffer) => {
          inner.write(piece.subarray(skip));
          skip = Math.max(0, skip - piece.length);
        });
        inner.pipe(socket);
      });
      const target = { pool: "web", server: "a", host: "127.0.0.1", port: server.port, proxyProtocol: "v2" } as const;
      const settings = { ...timing, ...web, ...own } as unknown as HealthCheck;
      expect(await probe(settings, target, systemTiming).done).toEqual({ alive: true, reason: "HTTP 200" });
      expect(server.received().subarray(0, header.length)).toEqual(Buffer.from(header));
      await server.stop();
      await behind.stop(true);
    });
  });
});

/** A certificate for `localhost`, made for this run. */
function selfSigned(): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-certificate-"));
  makeCertificate(folder, "made", ["localhost"], 2);
  const made = {
    key: readFileSync(join(folder, "made.key"), "utf8"),
    cert: readFileSync(join(folder, "made.crt"), "utf8"),
  };
  rmSync(folder, { recursive: true });
  return made;
}
