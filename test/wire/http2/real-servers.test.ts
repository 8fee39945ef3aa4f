/** HTTP/2 with servers that are in use: Node's, over TLS where both agree on it, and in plain text. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import type { Subprocess } from "bun";
import { SERVICE } from "../../balancer/rig.ts";
import { HTTP } from "../../balancer/worker/http/stage.ts";
import { WorkerRig } from "../../balancer/worker/worker-rig.ts";
import { Authority } from "../../lab/certificates.ts";

const LARGE = 4 * 1024 * 1024;
const large = Buffer.alloc(LARGE, "0123456789abcdef");
const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Prints its two ports: TLS, and plain text. Counts its sessions. */
const SERVER = `
import { createServer, createSecureServer } from "node:http2";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
const [cert, key] = process.argv.slice(1).map((path) => readFileSync(path));
let sessions = 0;
function serve(server) {
  server.on("session", () => sessions++);
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    const path = headers[":path"];
    if (headers[":protocol"] === "websocket") {
      stream.respond({ ":status": 200 });
      return stream.pipe(stream);
    }
    if (path === "/echo") {
      const hash = createHash("sha256");
      let bytes = 0;
      stream.on("data", (d) => { hash.update(d); bytes += d.length; });
      return stream.on("end", () => { stream.respond({ ":status": 200 }); stream.end(headers[":method"] + " " + bytes + " " + hash.digest("hex")); });
    }
    if (path === "/large") { stream.respond({ ":status": 200 }); return stream.end(Buffer.alloc(${LARGE}, "0123456789abcdef")); }
    if (path === "/none") { stream.respond({ ":status": 204 }, { endStream: true }); return; }
    if (path === "/early") { stream.additionalHeaders({ ":status": 103, link: "</a.css>; rel=preload" }); stream.respond({ ":status": 200, "content-length": 2 }); return stream.end("ok"); }
    if (path === "/reset") return stream.close(2);
    if (path === "/trailers") {
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "7" }));
      return stream.end("body");
    }
    if (path === "/sessions") { stream.respond({ ":status": 200 }); return stream.end(String(sessions)); }
    stream.respond({ ":status": 200, "x-seen": [headers[":scheme"], headers[":authority"], headers[":path"], headers.cookie ?? "-"].join(" ") });
    stream.end("hello");
  });
}
const settings = { enableConnectProtocol: true };
const secure = createSecureServer({ cert, key, settings });
const plain = createServer({ settings });
serve(secure);
serve(plain);
secure.listen(0, "127.0.0.1", () => plain.listen(0, "127.0.0.1", () => console.log(secure.address().port + " " + plain.address().port)));
`;

let authority: Authority;
let server: Subprocess<"ignore", "pipe", "inherit">;
let rig: WorkerRig;

beforeAll(async () => {
  authority = new Authority();
  const front = authority.issue("front.test");
  const back = authority.issue("back.test");
  server = Bun.spawn(["node", "--input-type=module", "-e", SERVER, back.cert, back.key], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = server.stdout.getReader();
  const [secure, plain] = new TextDecoder()
    .decode((await reader.read()).value)
    .trim()
    .split(" ")
    .map(Number);
  reader.releaseLock();
  const pool = { http2: true, keepAlive: { connections: 8, idleMs: 60_000 } };
  const service = { protocol: "http" as const, http: HTTP, timeouts: { ...SERVICE.timeouts, request: 10_000 } };
  rig = await WorkerRig.start({
    pools: {
      secure: {
        ...pool,
        tls: {
          ca: authority.pem,
          verify: "full",
          name: "back.test",
          minimum: "TLSv1.2",
          ciphers: "",
          cipherSuites: "",
          certificate: null,
        },
        servers: { s1: secure! },
      },
      plain: { ...pool, servers: { s1: plain! } },
    },
    services: {
      secure: { ...service, routes: [{ pools: ["secure"] }] },
      plain: { ...service, routes: [{ pools: ["plain"] }] },
      front: {
        ...service,
        routes: [{ pools: ["plain"] }],
        tls: {
          certificates: [
            { chain: readFileSync(front.cert, "utf8"), key: readFileSync(front.key, "utf8"), names: ["front.test"] },
          ],
          minimum: "TLSv1.2",
          ciphers: "",
          cipherSuites: "",
          alpn: ["h2", "http/1.1"],
          clients: null,
        },
      },
    },
  });
});

afterAll(async () => {
  await rig?.stop();
  server?.kill();
  await server?.exited;
  authority?.dispose();
});

async function curl(...command: string[]): Promise<string> {
  const child = Bun.spawn(["curl", "-sk", "--max-time", "20", ...command], { stdout: "pipe", stdin: "ignore" });
  return new Response(child.stdout).text();
}

for (const name of ["secure", "plain"] as const) {
  describe(`over ${name === "secure" ? "TLS" : "plain text"}`, () => {
    const url = (path: string) => `http://127.0.0.1:${rig.port(name)}${path}`;

    test("a client of HTTP/1.1 gets a page", async () => {
      const out = await curl("-i", "-b", "a=1", url("/page?x=1"));
      expect(out).toStartWith("HTTP/1.1 200");
      const scheme = name === "secure" ? "https" : "http";
      expect(out).toContain(`x-seen: ${scheme} 127.0.0.1:${rig.port(name)} /page?x=1 a=1`);
      expect(out).toEndWith("hello");
    });

    test("bodies both ways arrive byte for byte", async () => {
      const down = new Uint8Array(await (await fetch(url("/large"))).arrayBuffer());
      expect(digest(down)).toBe(digest(large));
      const up = await fetch(url("/echo"), { method: "POST", body: large });
      expect(await up.text()).toBe(`POST ${LARGE} ${digest(large)}`);
    });

    test("no body, 1xx, HEAD and trailers", async () => {
      expect(await curl("-i", url("/none"))).toStartWith("HTTP/1.1 204");
      const early = await curl("-i", url("/early"));
      expect(early).toContain("HTTP/1.1 103");
      expect(early).toEndWith("\r\n\r\nok");
      expect(await curl("-I", url("/page"))).toStartWith("HTTP/1.1 200");
      const trailers = await curl("-i", "--raw", url("/trailers"));
      expect(trailers).toContain("x-sum: 7");
    });

    test("a stream that the server resets is a bad answer", async () => {
      expect(await curl("-o", "/dev/null", "-w", "%{http_code}", url("/reset"))).toMatch(/^50[23]$/);
    });

    test("fifty requests in a row, and fifty at once, share few connections", async () => {
      const before = Number(await curl(url("/sessions")));
      for (let i = 0; i < 50; i++) expect(await (await fetch(url("/page"))).text()).toBe("hello");
      const all = await Promise.all(Array.from({ length: 50 }, async () => (await fetch(url("/page"))).text()));
      expect(all).toEqual(Array(50).fill("hello"));
      expect(Number(await curl(url("/sessions")))).toBe(before);
    });

    test("a WebSocket is an extended CONNECT", async () => {
      const client = connect(rig.port(name), "127.0.0.1");
      client.write(
        "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      );
      const answer = String((await once(client, "data"))[0]);
      expect(answer).toStartWith("HTTP/1.1 101 Switching Protocols\r\n");
      // The example of RFC 6455 1.3.
      expect(answer.toLowerCase()).toContain(
        "\r\nsec-websocket-accept: s3ppLmbitxaq9kygzzhzrbk+xoo=\r\n".toLowerCase(),
      );
      client.write("there and back");
      expect(String((await once(client, "data"))[0])).toBe("there and back");
      const ended = once(client, "end");
      client.end();
      await ended;
    });
  });
}

test("HTTP/2 on both sides", async () => {
  const out = await curl("--http2", "-i", `https://127.0.0.1:${rig.port("front")}/page`);
  expect(out).toStartWith("HTTP/2 200");
  expect(out).toEndWith("hello");
});

test("h2load through HTTP/2 on both sides: none of 3,000 fails", async () => {
  const child = Bun.spawn(
    ["h2load", "-n", "3000", "-c", "4", "-m", "25", "-t", "1", `https://127.0.0.1:${rig.port("front")}/page`],
    { stdout: "pipe" },
  );
  const out = await new Response(child.stdout).text();
  expect(out).toContain("3000 succeeded, 0 failed, 0 errored, 0 timeout");
  expect(out).toContain("status codes: 3000 2xx");
});
