/** However the bytes are cut on their way, every server sees the same requests and every client the same answers. */
import { expect, test } from "bun:test";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { seeded } from "../../../seeded.ts";
import { Client } from "../../service/peers.ts";
import { WorkerRig } from "../worker-rig.ts";
import { HTTP } from "./stage.ts";

const REQUESTS = 40;
const ROUNDS = 12;

interface Exchange {
  readonly request: string;
  readonly answer: string;
}

/** Requests and answers of every framing, each marked by its number. */
function exchanges(random: () => number): Exchange[] {
  const pick = (most: number) => Math.floor(random() * most);
  const filler = () => "x".repeat(random() < 0.2 ? pick(40_000) : pick(50));
  return Array.from({ length: REQUESTS }, (_, number) => {
    const body = `${number}:${filler()}`;
    const chunks = () => {
      let text = "";
      for (let at = 0; at < body.length; ) {
        const length = Math.min(1 + pick(body.length), body.length - at);
        text += `${length.toString(16)}\r\n${body.slice(at, at + length)}\r\n`;
        at += length;
      }
      return `${text}0\r\n${random() < 0.3 ? "X-Trailer: 1\r\n" : ""}\r\n`;
    };
    const framed = (kind: number) =>
      kind === 0 ? `Content-Length: ${body.length}\r\n\r\n${body}` : `Transfer-Encoding: chunked\r\n\r\n${chunks()}`;
    const kind = pick(3);
    const request =
      kind === 2
        ? `GET /${number} HTTP/1.1\r\nHost: a\r\n\r\n`
        : `POST /${number} HTTP/1.1\r\nHost: a\r\n${framed(kind)}`;
    const early = random() < 0.2 ? "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" : "";
    const answer =
      random() < 0.2 ? `${early}HTTP/1.1 204 No Content\r\n\r\n` : `${early}HTTP/1.1 200 OK\r\n${framed(pick(2))}`;
    return { request, answer };
  });
}

/** Sends in pieces of any length, some of them one byte. */
async function inPieces(socket: Socket, text: string, random: () => number): Promise<void> {
  for (let at = 0; at < text.length && !socket.destroyed; ) {
    const length = random() < 0.3 ? 1 : 1 + Math.floor(random() * 9_000);
    socket.write(text.slice(at, at + length), "latin1");
    at += length;
    if (random() < 0.5) await new Promise((turn) => setImmediate(turn));
  }
}

test.each(Array.from({ length: ROUNDS }, (_, seed) => seed))(
  "requests one behind the other, cut anywhere (%d)",
  async (seed) => {
    const random = seeded(seed + 1);
    const list = exchanges(random);
    let seen = "";
    let due = 0;
    let sending = Promise.resolve();
    // One server: it answers a request once it has all of it, which it knows from the list.
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on("error", () => {});
      socket.on("data", (bytes) => {
        seen += bytes.toString("latin1");
        while (due < list.length && seen.length >= totals[due]!) {
          const { answer } = list[due++]!;
          sending = sending.then(() => inPieces(socket, answer, random));
        }
      });
    }).listen(0, "127.0.0.1");
    const totals: number[] = [];
    for (const { request } of list) totals.push((totals.at(-1) ?? 0) + request.length);
    await once(server, "listening");
    const rig = await WorkerRig.start({
      pools: {
        web: {
          keepAlive: { connections: 4, idleMs: 60_000 },
          servers: { one: (server.address() as { port: number }).port },
        },
      },
      services: { web: { protocol: "http", http: HTTP } },
    });
    try {
      const client = await Client.connect(rig.port("web"), { first: "" });
      const expected = list.map(({ answer }) => answer).join("");
      void inPieces(client.socket, list.map(({ request }) => request).join(""), random);
      const got = await client.receive((bytes) => bytes.length >= expected.length);
      expect(got.toString("latin1")).toBe(expected);
      expect(seen).toBe(list.map(({ request }) => request).join(""));
      await client.leave();
    } finally {
      server.close();
      await rig.stop();
    }
  },
);
