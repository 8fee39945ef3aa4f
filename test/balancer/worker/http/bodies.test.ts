/** Bodies through a real worker: whole, in order, bounded, and never taken for whole when they are not. */
import { afterEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server as HttpServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { SERVICE } from "../../rig.ts";
import type { Peer } from "../../service/peers.ts";
import { WorkerRig } from "../worker-rig.ts";
import { HTTP, Stage, type StageSketch, textUntil } from "./stage.ts";

let stage: Stage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

async function open(sketch: StageSketch = {}): Promise<Stage> {
  stage = await Stage.open(sketch);
  return stage;
}

const HOST = "Host: a.test\r\n";
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const MIB = 1 << 20;

/** Bytes that repeat nowhere near. */
function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0, value = 0x12345; at < length; at++) {
    value = (Math.imul(value, 0x41c64e6d) + 12345) | 0;
    bytes[at] = value >>> 16;
  }
  return bytes;
}

const hashOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Sends as fast as the other side takes it; resolves with how much it took until it stopped, or all. */
async function pour(peer: Peer, piece: Uint8Array, most: number): Promise<number> {
  let poured = 0;
  while (poured < most) {
    poured += piece.length;
    if (peer.socket.write(piece)) continue;
    const drained = await Promise.race([once(peer.socket, "drain").then(() => true), Bun.sleep(500).then(() => false)]);
    if (!drained) break;
  }
  return poured;
}

describe("bodies of every size arrive whole", () => {
  const sizes = [0, 1, 16_383, 16_384, 16_385, MIB, 64 * MIB];
  let server: HttpServer;
  let rig: WorkerRig;

  test.each(["Content-Length", "Transfer-Encoding"])(
    "both ways, with %s",
    async (framing) => {
      server = createServer(async (request, response) => {
        const hash = createHash("sha256");
        for await (const piece of request) hash.update(piece as Buffer);
        const body = noise(Number(request.headers["x-size"]));
        response.setHeader("X-Hash", hash.digest("hex"));
        if (framing === "Content-Length") response.setHeader("Content-Length", body.length);
        for (let at = 0; at < body.length; at += 100_000) {
          if (!response.write(body.subarray(at, at + 100_000))) await once(response, "drain");
        }
        response.end();
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      rig = await WorkerRig.start({
        pools: {
          web: {
            keepAlive: { connections: 4, idleMs: 60_000 },
            servers: { one: (server.address() as AddressInfo).port },
          },
        },
        services: { web: { ...SERVICE, protocol: "http", http: HTTP } },
      });
      try {
        for (const size of sizes) {
          const body = noise(size);
          const sent = httpRequest({
            port: rig.port("web"),
            method: "POST",
            headers: { "X-Size": size, ...(framing === "Content-Length" ? { "Content-Length": size } : {}) },
          });
          for (let at = 0; at < size; at += 100_000) {
            if (!sent.write(body.subarray(at, at + 100_000))) await once(sent, "drain");
          }
          sent.end();
          const [answer] = (await once(sent, "response")) as [import("node:http").IncomingMessage];
          const hash = createHash("sha256");
          for await (const piece of answer) hash.update(piece as Buffer);
          expect(answer.headers["x-hash"]).toBe(hashOf(body));
          expect(hash.digest("hex")).toBe(hashOf(body));
        }
      } finally {
        server.closeAllConnections();
        server.close();
        await rig.stop();
      }
    },
    30_000,
  );
});

describe("a body is never held beyond a bound", () => {
  test("a client that reads nothing stops the server", async () => {
    const { rig } = await open();
    const client = await stage!.client(GET);
    client.socket.pause();
    const server = await stage!.visitor();
    await textUntil(server, GET);
    server.send(`HTTP/1.1 200 OK\r\nContent-Length: ${1024 * MIB}\r\n\r\n`);
    const poured = await pour(server, new Uint8Array(MIB), 200 * MIB);
    expect(poured).toBeLessThan(40 * MIB);
    expect(rig.server("web", "s1").connections()).toBe(1);
  });

  test("a server that reads nothing stops the client", async () => {
    await open();
    const client = await stage!.client(`POST / HTTP/1.1\r\n${HOST}Content-Length: ${1024 * MIB}\r\n\r\n`);
    const server = await stage!.visitor();
    await textUntil(server, "\r\n\r\n");
    server.socket.pause();
    expect(await pour(client, new Uint8Array(MIB), 200 * MIB)).toBeLessThan(40 * MIB);
  });

  test("the place at the server is free as soon as its answer is here, however slowly the client takes it", async () => {
    const { rig } = await open();
    const client = await stage!.client(GET);
    client.socket.pause();
    const server = await stage!.visitor();
    await textUntil(server, GET);
    // More than the sockets between hold, by less than one read: the rest waits for the client.
    server.send(`HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n${"x".repeat(8000)}`);
    await rig.until("the server to be free", () => rig.server("web", "s1").connections() === 0);
    client.socket.resume();
    await client.receive((bytes) => bytes.length > 8000);
  });
});

describe("an answer before the request is complete", () => {
  test("is passed on whole and is the connection's last", async () => {
    await open();
    const client = await stage!.client(`POST / HTTP/1.1\r\n${HOST}Content-Length: 1000000\r\n\r\nbegin`);
    const server = await stage!.visitor();
    await textUntil(server, "begin");
    server.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
    expect(await textUntil(client, "big")).toBe(
      "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig",
    );
    // What it sends on is dropped, and it does not lose its answer to a reset.
    client.send("x".repeat(100_000));
    client.finish();
    expect(await client.ended).toBe("closed");
  });

  test("gets through when the server has ended before the client has stopped sending", async () => {
    await open();
    const client = await stage!.client(`POST / HTTP/1.1\r\n${HOST}Content-Length: ${64 * MIB}\r\n\r\n`);
    const server = await stage!.visitor();
    await textUntil(server, "\r\n\r\n");
    server.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
    server.finish();
    await server.leave();
    // It may be cut off while it still sends.
    pour(client, new Uint8Array(MIB), 4 * MIB).catch(() => {});
    expect(await textUntil(client, "big")).toContain("413 Too Large");
  });
});

describe("what is cut off does not look whole", () => {
  test("an answer of known length", async () => {
    await open();
    const client = await stage!.client(GET);
    const server = await stage!.visitor();
    await textUntil(server, GET);
    server.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    await textUntil(client, "half");
    server.finish();
    expect(await client.ended).toBe("reset");
  });

  test("an answer in chunks", async () => {
    await open();
    const client = await stage!.client(GET);
    const server = await stage!.visitor();
    await textUntil(server, GET);
    server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    await textUntil(client, "half\r\n");
    server.finish();
    await client.ended;
    expect(client.received.toString()).not.toContain("\r\n0\r\n");
  });

  test("an answer until the end, when the server resets", async () => {
    await open();
    const client = await stage!.client(GET);
    const server = await stage!.visitor();
    await textUntil(server, GET);
    server.send("HTTP/1.1 200 OK\r\n\r\nhalf");
    await textUntil(client, "half");
    server.reset();
    expect(await client.ended).toBe("reset");
  });

  test("a request whose client ends within it", async () => {
    await open();
    const client = await stage!.client(`POST / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nhalf`);
    const server = await stage!.visitor();
    await textUntil(server, "half");
    client.finish();
    expect(await server.ended).toBe("reset");
  });

  test("chunks that are none, in an answer", async () => {
    await open();
    const client = await stage!.client(GET);
    const server = await stage!.visitor();
    await textUntil(server, GET);
    server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    await textUntil(client, "half\r\n");
    server.send("zz\r\n");
    await client.ended;
    expect(client.received.toString()).not.toContain("zz");
    expect(client.received.toString()).not.toContain("\r\n0\r\n");
  });
});

describe("a body passes while it comes", () => {
  test("each piece of an answer, without waiting for the next", async () => {
    await open();
    const client = await stage!.client(GET);
    const server = await stage!.visitor();
    await textUntil(server, GET);
    server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    await textUntil(client, "\r\n\r\n");
    for (const word of ["one", "two", "six"]) {
      server.send(`3\r\n${word}\r\n`);
      await textUntil(client, `3\r\n${word}\r\n`);
    }
    server.send("0\r\n\r\n");
    await textUntil(client, "0\r\n\r\n");
    client.send(GET);
    await textUntil(server, GET + GET);
    server.send(OK);
    await textUntil(client, OK);
  });

  test("both ways at once, where the server answers while it reads", async () => {
    await open();
    const client = await stage!.client(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`);
    const server = await stage!.visitor();
    await textUntil(server, "\r\n\r\n");
    server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    await textUntil(client, "\r\n\r\n");
    for (const word of ["one", "two", "six"]) {
      client.send(`3\r\n${word}\r\n`);
      await textUntil(server, `3\r\n${word}\r\n`);
      server.send(`3\r\n${word}\r\n`);
      await textUntil(client, `3\r\n${word}\r\n`);
    }
    client.send("0\r\n\r\n");
    await textUntil(server, "0\r\n\r\n");
    server.send("0\r\n\r\n");
    await textUntil(client, "0\r\n\r\n");
    expect(await client.ended).toBe("closed");
  });
});

test("a body of which a part came with the head, and the rest later, is not taken for the next request", async () => {
  await open();
  const head = `POST / HTTP/1.1\r\n${HOST}Content-Length: 100\r\n\r\n`;
  const client = await stage!.client(head + "a".repeat(90));
  const server = await stage!.visitor();
  await server.receive((bytes) => bytes.length === head.length + 90);
  client.send("b".repeat(10) + GET);
  await server.receive((bytes) => bytes.length === head.length + 100);
  server.send(OK);
  await textUntil(server, GET);
  server.send(OK);
  expect(await textUntil(client, OK + OK)).toBe(OK + OK);
});
