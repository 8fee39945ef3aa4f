/** Responses of a server through the real program: what has one meaning arrives, and for anything else the client gets 502. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect, createServer, type Server } from "node:net";
import { Balancer } from "../../balancer/service/rig.ts";
import { type ResponseCase, responses } from "./smuggling/responses.ts";

setDefaultTimeout(30_000);

let server: Server;
let balancer: Balancer;
/** What the server answers. */
let answer = "";

beforeAll(async () => {
  server = createServer((socket) => {
    let came = "";
    socket.setEncoding("latin1");
    socket.on("data", (piece: string) => {
      came += piece;
      if (came.endsWith("\r\n\r\n")) socket.end(answer, "latin1");
    });
    socket.on("error", () => {});
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as { port: number };
  balancer = await Balancer.start(`
services:
  web: { listen: "127.0.0.1:0", protocol: http, forwarded: off, request-id: false, pool: web }
pools:
  web: { servers: { one: "127.0.0.1:${port}" } }
`);
});

afterAll(async () => {
  await balancer?.stop();
  server?.close();
});

/** Everything that a client gets who asks once. */
function ask(method: string): Promise<string> {
  return new Promise((resolve) => {
    let came = "";
    const socket = connect(balancer.port("web"), "127.0.0.1");
    socket.setEncoding("latin1");
    socket.on("data", (piece: string) => {
      came += piece;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(came));
    socket.write(`${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  });
}

/** What the client gets, who has asked for the connection's end. */
function expected(passed: string): string {
  const head = passed.lastIndexOf("HTTP/1.1 ");
  const end = passed.indexOf("\r\n\r\n", head);
  return `${passed.slice(0, end)}\r\nConnection: close${passed.slice(end)}`;
}

describe("a response with", () => {
  for (const one of responses satisfies readonly ResponseCase[]) {
    test(one.passed === null ? `${one.name}: 502` : `${one.name}: passed on`, async () => {
      answer = one.sent;
      const came = await ask(one.method);
      if (one.passed !== null) return expect(came).toBe(expected(one.passed));
      expect(came).toStartWith("HTTP/1.1 502 Bad Gateway\r\n");
      expect(came.split("HTTP/1.1").length).toBe(2);
      expect(came).not.toContain("smuggled");
    });
  }
});
