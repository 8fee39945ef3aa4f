/** HTTP/2 from clients that are in use, over TLS, through a real worker to a server of HTTP/1.1. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { SERVICE } from "../../balancer/rig.ts";
import { HTTP } from "../../balancer/worker/http/stage.ts";
import { WorkerRig } from "../../balancer/worker/worker-rig.ts";
import { Authority } from "../../lab/certificates.ts";

const LARGE = 8 * 1024 * 1024;
const large = Buffer.alloc(LARGE, "0123456789abcdef");
const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

let authority: Authority;
let rig: WorkerRig;
let server: Server;
let url: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === "/large") {
      response.setHeader("content-length", LARGE);
      return response.end(large);
    }
    if (request.url === "/chunks") {
      response.write("one ");
      response.write("two ");
      return response.end("three");
    }
    if (request.url === "/echo") {
      const hash = createHash("sha256");
      let bytes = 0;
      request.on("data", (piece) => {
        hash.update(piece);
        bytes += piece.length;
      });
      request.on("end", () => response.end(`${request.method} ${bytes} ${hash.digest("hex")}`));
      return;
    }
    if (request.url === "/fields") {
      for (const [name, value] of Object.entries(request.headers)) {
        if (name.startsWith("x-") && value !== undefined) response.setHeader(name, value);
      }
      return response.end();
    }
    if (request.url === "/none") {
      response.statusCode = 204;
      return response.end();
    }
    response.setHeader("x-seen-host", request.headers.host ?? "");
    response.setHeader("set-cookie", ["a=1; Path=/", "b=2"]);
    response.end(`${request.method} ${request.url} ${request.headers.cookie ?? ""}`);
  });
  server.on("upgrade", (request, socket) => {
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on("data", (bytes: Buffer) => socket.write(bytes));
    socket.on("end", () => socket.end());
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  authority = new Authority();
  const { cert, key } = authority.issue("front.test");
  rig = await WorkerRig.start({
    pools: {
      web: {
        keepAlive: { connections: 32, idleMs: 60_000 },
        servers: { s1: (server.address() as AddressInfo).port },
      },
    },
    services: {
      web: {
        protocol: "http",
        http: HTTP,
        tls: {
          certificates: [{ chain: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8"), names: ["front.test"] }],
          minimum: "TLSv1.2",
          ciphers: "",
          cipherSuites: "",
          alpn: ["h2", "http/1.1"],
          clients: null,
        },
        timeouts: { ...SERVICE.timeouts, request: 10_000 },
      },
    },
  });
  url = `https://127.0.0.1:${rig.port("web")}`;
});

afterAll(async () => {
  await rig?.stop();
  server?.close();
  authority?.dispose();
});

async function run(...command: string[]): Promise<string> {
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe", stdin: "ignore" });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`${command[0]} ended with ${code}: ${err}${out}`);
  return out;
}

const curl = (...more: string[]) => run("curl", "-sk", "--http2", "--max-time", "20", ...more);

/** Runs a script in Node, whose HTTP/2 is nghttp2; it has `session`, and prints what it found. */
const node = (script: string) =>
  run(
    "node",
    "--input-type=module",
    "-e",
    `import { connect } from "node:http2";
     const session = connect(${JSON.stringify(url)}, { rejectUnauthorized: false, settings: { enableConnectProtocol: true } });
     const ask = (headers, body) => new Promise((resolve, reject) => {
       const stream = session.request(headers, { endStream: body === undefined });
       let text = "", found;
       stream.on("response", (h) => { found = h; });
       stream.on("data", (d) => { text += d; });
       stream.on("end", () => resolve({ headers: found, text }));
       stream.on("error", reject);
       if (body !== undefined) stream.end(body);
     });
     ${script}
     session.close();`,
  );

test("curl gets a page over HTTP/2", async () => {
  const out = await curl("-i", "-b", "x=1", "-b", "y=2", `${url}/page?q=1`);
  expect(out).toStartWith("HTTP/2 200");
  expect(out).toContain(`x-seen-host: 127.0.0.1:${rig.port("web")}`);
  expect(out).toContain("set-cookie: a=1; Path=/");
  expect(out).toContain("set-cookie: b=2");
  expect(out).not.toContain("connection:");
  expect(out).toEndWith("GET /page?q=1 x=1;y=2");
});

test("a body in chunks, none, and one that only HEAD asks about", async () => {
  expect(await curl(`${url}/chunks`)).toBe("one two three");
  expect(await curl("-i", `${url}/none`)).toStartWith("HTTP/2 204");
  const head = await curl("-I", `${url}/large`);
  expect(head).toContain(`content-length: ${LARGE}`);
});

test("8 MiB down and 8 MiB up arrive byte for byte", async () => {
  const child = Bun.spawn(["curl", "-sk", "--http2", `${url}/large`], { stdout: "pipe" });
  expect(digest(new Uint8Array(await new Response(child.stdout).arrayBuffer()))).toBe(digest(large));
  const up = Bun.spawn(["curl", "-sk", "--http2", "--data-binary", "@-", `${url}/echo`], {
    stdin: large,
    stdout: "pipe",
  });
  expect(await new Response(up.stdout).text()).toBe(`POST ${LARGE} ${digest(large)}`);
});

test("an upload of unknown length goes on in chunks", async () => {
  const child = Bun.spawn(["curl", "-sk", "--http2", "-T", "-", `${url}/echo`], { stdin: large, stdout: "pipe" });
  expect(await new Response(child.stdout).text()).toBe(`PUT ${LARGE} ${digest(large)}`);
});

test("nghttp finds nothing to complain about", async () => {
  const out = await run("nghttp", "-v", "--no-verify-peer", "-y", `${url}/chunks`, `${url}/page`);
  expect(out).toContain(":status: 200");
  expect(out).toContain("three");
  expect(out).not.toContain("error_code=PROTOCOL_ERROR");
});

test("h2load: 5,000 requests over 100 streams at a time, none fails", async () => {
  const out = await run("h2load", "-n", "5000", "-c", "4", "-m", "25", "-t", "1", `${url}/page`);
  expect(out).toContain("5000 succeeded, 0 failed, 0 errored, 0 timeout");
  expect(out).toContain("status codes: 5000 2xx");
});

test("h2load: twelve downloads of 8 MiB at once through windows of 16 KiB", async () => {
  const out = await run("h2load", "-n", "12", "-c", "2", "-m", "6", "-t", "1", "-w", "14", "-W", "15", `${url}/large`);
  expect(out).toContain("12 succeeded, 0 failed, 0 errored, 0 timeout");
  expect(Number(/\((\d+)\) data/.exec(out)![1])).toBe(12 * LARGE);
});

test("Node gets a hundred pages at once over one connection", async () => {
  const out = await node(`
    const all = await Promise.all(Array.from({ length: 100 }, (_, i) => ask({ ":path": "/n" + i, cookie: "c=" + i })));
    console.log(all.every(({ headers, text }, i) => headers[":status"] === 200 && text === "GET /n" + i + " c=" + i));`);
  expect(out).toBe("true\n");
});

test("Node uploads on twenty streams at once", async () => {
  const out = await node(`
    const body = Buffer.alloc(300_000, "x");
    const all = await Promise.all(Array.from({ length: 20 }, () => ask({ ":method": "POST", ":path": "/echo" }, body)));
    console.log(new Set(all.map(({ text }) => text)).size, all[0].text.slice(0, 11));`);
  expect(out).toBe("1 POST 300000\n");
});

test("fields of every kind come through Node's HPACK and ours and back as they were", async () => {
  const out = await node(`
    let seed = 1;
    const below = (limit) => (seed = (seed * 48271) % 2147483647) % limit;
    const word = (length) => Array.from({ length }, () => String.fromCharCode(33 + below(94))).join("");
    const values = Array.from({ length: 40 }, () => word(1 + below(300)));
    let wrong = 0;
    for (let round = 0; round < 200; round++) {
      const sent = {};
      for (let i = below(12); i >= 0; i--) sent["x-" + below(60)] = below(3) ? values[below(40)] : word(1 + below(60));
      const { headers } = await ask({ ":path": "/fields", ...sent });
      const got = Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith("x-")));
      for (const name in sent) if (got[name] !== sent[name]) wrong++;
      if (Object.keys(got).length !== Object.keys(sent).length) wrong++;
    }
    console.log(wrong);`);
  expect(out).toBe("0\n");
});

test("a WebSocket over a stream is an upgraded connection to the server", async () => {
  const out = await node(`
    await new Promise((resolve) => session.once("remoteSettings", resolve));
    const stream = session.request({
      ":method": "CONNECT", ":protocol": "websocket", ":scheme": "https", ":path": "/ws", ":authority": "front.test",
      "sec-websocket-version": "13",
    });
    const headers = await new Promise((resolve) => stream.once("response", resolve));
    stream.write("ping");
    const echo = await new Promise((resolve) => stream.once("data", resolve));
    const ended = new Promise((resolve) => stream.once("end", resolve));
    stream.end();
    stream.resume();
    await ended;
    console.log(headers[":status"], headers["sec-websocket-accept"], String(echo));`);
  expect(out).toBe("200 undefined ping\n");
});

test("a request that the client gives up is given up at the server", async () => {
  const gone = new Promise<void>((resolve) => {
    server.once("request", (_, response) => {
      response.writeContinue();
      response.once("close", resolve);
    });
  });
  await node(`
    const stream = session.request({ ":method": "POST", ":path": "/echo" });
    stream.on("error", () => {});
    stream.write("x");
    await new Promise((resolve) => stream.once("continue", resolve));
    stream.close(8);
    await new Promise((resolve) => stream.once("close", resolve));`);
  await gone;
});
