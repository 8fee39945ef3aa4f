import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificates } from "../../bench/certificates.ts";
import { holdfast } from "../../bench/peers/holdfast.ts";
import { LISTENERS, type Listener } from "../../bench/peers.ts";
import { Helper, startServers } from "../../bench/rig.ts";
import type { Endpoint } from "../../bench/sockets.ts";
import type { WebAnswer, WebJob } from "../../bench/web/jobs.ts";
import { StreamReader } from "../../bench/web/streams.ts";
import { BODY, STREAM_FILLING, STREAM_FILLING_AT, STREAM_MESSAGE_BYTES } from "../../bench/web/wire.ts";

describe("the web load", () => {
  let servers: Helper;
  let load: Helper<WebJob, WebAnswer>;
  let to: { target: Endpoint; secure: false; sticky: false };
  const liars: Bun.TCPSocketListener<undefined>[] = [];

  beforeAll(async () => {
    const started = await startServers("web/servers.ts", undefined);
    servers = started.helper;
    load = new Helper("web/load.ts", undefined);
    to = { target: started.servers[1]!, secure: false, sticky: false };
  });
  afterAll(async () => {
    await load?.stop();
    await servers?.stop();
  });
  afterEach(async () => {
    await load.run({ job: "release" });
    for (const liar of liars.splice(0)) liar.stop(true);
  });

  /** A server that answers every request with these bytes. */
  function answering(bytes: Buffer): { target: Endpoint; secure: false; sticky: false } {
    const liar = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.write(bytes) },
    });
    liars.push(liar);
    return { target: { host: "127.0.0.1", port: liar.port }, secure: false, sticky: false };
  }
  const page = (body: Buffer) => Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n`), body]);

  test("pages, bulk and messages come through as they should", async () => {
    await load.run({ job: "open", what: "page", count: 3, ...to });
    await load.run({ job: "requests", count: 100 });
    await load.run({ job: "down", bytes: 3_000_000 });
    await load.run({ job: "up", bytes: 3_000_000 });
    expect((await load.run({ job: "round-trips", count: 10 })).p50).toBeGreaterThan(0);
    await load.run({ job: "release" });
    await load.run({ job: "open", what: "echo", count: 3, ...to });
    await load.run({ job: "echoes", count: 100 });
    await load.run({ job: "release" });
    await load.run({ job: "open", what: "stream", count: 20, ...to });
    expect((await load.run({ job: "listen", seconds: 0.5 })).messages).toBeGreaterThan(50);
  });

  test("a byte that was changed is no answer", async () => {
    const body = Buffer.from(BODY);
    body[700]! ^= 1;
    await expect(load.run({ job: "open", what: "page", count: 1, ...answering(page(body)) })).rejects.toThrow(
      "a wrong answer",
    );
  });

  test("a page that is longer than it should be is no answer", async () => {
    const longer = answering(page(Buffer.concat([BODY, Buffer.from("x")])));
    await expect(load.run({ job: "open", what: "page", count: 1, ...longer })).rejects.toThrow("a wrong answer");
  });

  test("a balancer that gives no cookie is not measured", async () => {
    await expect(load.run({ job: "open", what: "page", count: 1, ...to, sticky: true })).rejects.toThrow("no cookie");
  });
});

describe("a stream's messages", () => {
  const message = (number: number): Buffer => {
    const bytes = Buffer.alloc(STREAM_MESSAGE_BYTES, STREAM_FILLING);
    bytes.writeDoubleLE(1000 + number, 0);
    bytes.writeDoubleLE(number, STREAM_FILLING_AT - 8);
    return bytes;
  };
  const chunked = (...bodies: Buffer[]): Buffer =>
    Buffer.concat(
      bodies.flatMap((body) => [Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from("\r\n")]),
    );
  const read = (reader: StreamReader, bytes: Buffer): number[] => {
    const times: number[] = [];
    reader.take(bytes, bytes.length, (at) => times.push(at));
    return times;
  };

  test("are found wherever a balancer has cut them", () => {
    const two = Buffer.concat([message(0), message(1)]);
    for (let cut = 1; cut < two.length; cut++) {
      const bytes = chunked(two.subarray(0, cut), two.subarray(cut));
      for (const half of [cut, bytes.length - 3]) {
        const reader = new StreamReader();
        const times = [...read(reader, bytes.subarray(0, half)), ...read(reader, bytes.subarray(half))];
        expect(times).toEqual([1000, 1001]);
      }
    }
  });

  test("one that is missing is noticed", () => {
    expect(() => read(new StreamReader(), chunked(message(0), message(2)))).toThrow("message 2 came instead of 1");
  });
});

test("what is measured is a configuration that Holdfast accepts", async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-test-"));
  try {
    const executable = join(import.meta.dir, "../../bin/holdfast");
    const listen = Object.fromEntries(LISTENERS.map((name, n) => [name, 20_001 + n])) as Record<Listener, number>;
    const servers = [{ host: "127.0.0.1", port: 20_000 }];
    const certificates = makeCertificates(folder);
    const setting = { listen, servers, webServers: servers, certificates, threads: 1, folder };
    const [, , , file] = holdfast("Holdfast", executable).prepare(setting);
    const child = Bun.spawn([executable, "check", "-c", file!], { stdout: "pipe", stderr: "pipe" });
    const said = (await new Response(child.stdout).text()) + (await new Response(child.stderr).text());
    expect([await child.exited, said]).toEqual([0, expect.not.stringContaining("error[")]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
