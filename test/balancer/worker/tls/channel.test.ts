/** What a TLS channel says and does over a real socket, with itself, OpenSSL, the runtime's TLS and bare bytes as peers. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { OFFER_HTTP1, OFFER_HTTP2 } from "../../../../src/balancer/worker/tls/alpn.ts";
import { sys } from "../../../../src/os/libc.ts";
import { limitReceiveBuffer } from "../../bytes/sockets.ts";
import { type Issued, TestAuthority } from "./certificates.ts";
import { connect, type End, open, run, TlsServer, targets, tlsPlan, until } from "./rig.ts";

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;

let authority: TestAuthority;
let site: Issued & { names: string[] };
const servers: TlsServer[] = [];
const ends: End[] = [];

beforeAll(() => {
  authority = new TestAuthority();
  site = { ...authority.issue(["DNS:a.test", "IP:127.0.0.1"]), names: ["a.test"] };
});
afterAll(() => authority.dispose());
afterEach(() => {
  for (const end of ends.splice(0)) end.channel?.close(true);
  for (const server of servers.splice(0)) server.close();
  expect([...open]).toEqual([]);
});

function serve(more: Parameters<typeof tlsPlan>[1] = {}, onEnd: (end: End) => void = () => {}): TlsServer {
  const server = new TlsServer(tlsPlan([site], more));
  server.onEnd = onEnd;
  servers.push(server);
  return server;
}

function dialTo(server: TlsServer, set?: (end: End) => void, alpn: Uint8Array | null = null): End {
  const end = connect(server.port, targets({ ca: authority.pem, name: "a.test" }), alpn, set);
  ends.push(end);
  return end;
}

const echo = (end: End) => {
  end.onBytes = (bytes) => end.write(bytes);
};

describe("a handshake", () => {
  test("agrees on TLS 1.3 and tells what was agreed on", async () => {
    const server = serve({ alpn: ["h2", "http/1.1"] });
    const client = dialTo(server, undefined, OFFER_HTTP2);
    await until(() => client.established && server.ends[0]?.established === true);
    for (const { tls } of [client, server.ends[0]!]) {
      expect(tls).toMatchObject({ version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", alpn: "h2", resumed: false });
    }
    expect(server.ends[0]!.tls!.serverName).toBe("a.test");
  });

  test("agrees on the protocol that both know", async () => {
    const server = serve({ alpn: ["h2", "http/1.1"] });
    const client = dialTo(server, undefined, OFFER_HTTP1);
    await until(() => client.established && server.ends[0]?.established === true);
    expect([client.tls!.alpn, server.ends[0]!.tls!.alpn]).toEqual(["http/1.1", "http/1.1"]);
  });

  test("fails where both name protocols and none is the same", async () => {
    const server = serve({ alpn: ["h2"] });
    const client = dialTo(server, undefined, OFFER_HTTP1);
    await until(() => client.lost && server.ends[0]?.lost === true);
    expect(server.ends[0]!.tls!.failure!.reason).toBe("no-shared-protocol");
    expect(client.tls!.failure!.reason).toBe("peer-alert no-application-protocol");
  });

  test("goes through when the client's bytes come one by one", async () => {
    const server = serve({}, echo);
    const inside = new TlsServer(tlsPlan([site]));
    servers.push(inside);
    // Between the two: every byte of the client is a write of its own.
    const slow = Bun.listen<{ up: ReturnType<typeof connectTcp> }>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open(socket) {
          const up = connectTcp({ port: server.port, host: "127.0.0.1", noDelay: true });
          up.on("data", (bytes) => socket.write(bytes));
          up.on("error", () => {});
          socket.data = { up };
        },
        data(socket, bytes) {
          for (const byte of bytes) socket.data.up.write(Uint8Array.of(byte));
        },
        close(socket) {
          socket.data.up.destroy();
        },
      },
    });
    const client = connect(slow.port, targets({ ca: authority.pem, name: "a.test" }));
    ends.push(client);
    client.write("hello");
    await until(() => client.text === "hello");
    slow.stop(true);
  });

  test("tells of a client that is older than the minimum", async () => {
    const server = serve({ minimum: "TLSv1.3" });
    const { out } = await run(["openssl", "s_client", "-connect", `127.0.0.1:${server.port}`, "-tls1_2"]);
    expect(out).toContain("alert protocol version");
    expect(server.ends[0]!.tls!.failure!.reason).toBe("no-shared-version");
  });

  test("tells of a client with no cipher in common", async () => {
    const server = serve();
    await run(["openssl", "s_client", "-connect", `127.0.0.1:${server.port}`, "-tls1_2", "-cipher", "AES128-SHA"]);
    expect(server.ends[0]!.tls!.failure!.reason).toBe("no-shared-cipher");
  });

  test("tells of a client that leaves in the middle", async () => {
    const server = serve();
    const hello = await helloOf();
    const client = connectTcp({ port: server.port, host: "127.0.0.1" });
    client.on("error", () => {});
    client.write(hello);
    await until(() => server.ends.length === 1);
    client.destroy();
    await until(() => server.ends[0]!.lost);
    expect(["peer-closed", "peer-reset"]).toContain(server.ends[0]!.tls!.failure!.reason);
  });

  test("tells of bytes that are no TLS behind a good beginning", async () => {
    const server = serve();
    const client = connectTcp({ port: server.port, host: "127.0.0.1" });
    client.on("error", () => {});
    client.write(await helloOf());
    await until(() => server.ends.length === 1);
    client.write("GET / HTTP/1.1\r\n\r\n");
    await until(() => server.ends[0]!.lost);
    expect(server.ends[0]!.tls!.failure!.reason).toBe("not-tls");
    client.destroy();
  });

  test("tells what an alert of the peer says", async () => {
    const server = serve();
    const client = connect(server.port, targets({ ca: new TestAuthority("another").pem, name: "a.test" }));
    ends.push(client);
    await until(() => client.lost && server.ends[0]?.lost === true);
    expect(client.tls!.failure!.reason).toBe("unknown-ca");
    expect(server.ends[0]!.tls!.failure!.reason).toBe("peer-alert unknown-ca");
  });
});

/** A real ClientHello, as a program sends it. */
async function helloOf(): Promise<Uint8Array> {
  const got: Uint8Array[] = [];
  const sink = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data: (socket, bytes) => {
        got.push(new Uint8Array(bytes));
        socket.end();
      },
    },
  });
  await run(["openssl", "s_client", "-connect", `127.0.0.1:${sink.port}`, "-servername", "a.test"]);
  sink.stop(true);
  return Buffer.concat(got);
}

describe("bytes", () => {
  const noise = crypto.getRandomValues(new Uint8Array(65_536));
  const MiB = Buffer.concat(Array.from({ length: 16 }, () => noise));
  const large = Buffer.concat(Array.from({ length: 24 }, () => MiB));
  const sha = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

  test("24 MiB each way at once arrive whole", async () => {
    const server = serve({}, (end) => {
      end.keeps = false;
      end.write(large, true);
    });
    const client = dialTo(server, (end) => {
      end.keeps = false;
      end.write(large, true);
    });
    await until(() => client.ended && server.ends[0]?.ended === true);
    const received = [client, server.ends[0]!].map(({ hash }) => hash.digest("hex"));
    expect(received).toEqual([sha(large), sha(large)]);
    expect([client.tls!.truncated, server.ends[0]!.tls!.truncated]).toEqual([false, false]);
  });

  test("several large transfers at once do not mix", async () => {
    const server = serve({}, (end) => {
      end.keeps = false;
      end.onBytes = (bytes) => end.write(bytes);
    });
    const clients = Array.from({ length: 8 }, (_, index) => {
      const mine = MiB.subarray(index * 1000);
      const client = dialTo(server, (end) => {
        end.keeps = false;
        end.write(mine);
      });
      return { client, mine };
    });
    await until(() => clients.every(({ client, mine }) => client.receivedBytes >= mine.length));
    for (const { client, mine } of clients) expect(client.hash.digest("hex")).toBe(sha(mine));
  });

  test("a reader that stops stops the writer within a bounded number of bytes", async () => {
    const server = serve({}, (end) => {
      end.paused = true;
    });
    const client = dialTo(server);
    client.write(large);
    let before = -1;
    await until(() => {
      const settled = client.established && client.unwritten === before;
      before = client.unwritten;
      return settled && server.ends[0]?.established === true && !client.channel!.writable;
    });
    expect(client.unwritten).toBeGreaterThan(8 << 20);
    server.ends[0]!.keeps = false;
    server.ends[0]!.resume();
    await until(() => server.ends[0]!.receivedBytes === large.length);
    expect(server.ends[0]!.hash.digest("hex")).toBe(sha(large));
  });

  test("a socket that takes only parts of what is written gets everything", async () => {
    const server = serve({}, (end) => {
      end.onEstablished = () => {
        sys.setsockopt(end.channel!.fd, SOL_SOCKET, SO_SNDBUF, new Int32Array([4096]), 4);
        end.write(MiB, true);
      };
    });
    const client = dialTo(server, (end) => {
      end.keeps = false;
    });
    limitReceiveBuffer(client.channel!.fd, 65_536);
    await until(() => client.ended);
    expect(client.hash.digest("hex")).toBe(sha(MiB));
  });

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    test(`of the runtime's own ${version} arrive whole`, async () => {
      const server = serve({}, echo);
      const options = { port: server.port, host: "127.0.0.1", servername: "a.test", ca: authority.pem };
      const client = connectTls({ ...options, maxVersion: version });
      const hash = new Bun.CryptoHasher("sha256");
      let received = 0;
      client.on("data", (bytes: Uint8Array) => {
        received += bytes.length;
        hash.update(bytes);
      });
      client.write(MiB);
      await until(() => received >= MiB.length);
      expect(hash.digest("hex")).toBe(sha(MiB));
      expect(server.ends[0]!.tls!.version).toBe(version);
      const closed = once(client, "close");
      client.end();
      await until(() => server.ends[0]!.ended);
      server.ends[0]!.channel!.close(false);
      await closed;
    });
  }

  test("go on through changes of the keys that the peer makes and asks for", async () => {
    const server = serve({}, echo);
    const where = ["-connect", `127.0.0.1:${server.port}`];
    const client = Bun.spawn(["openssl", "s_client", ...where, "-tls1_3", "-msg"], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "ignore",
    });
    let out = "";
    void (async () => {
      for await (const bytes of client.stdout) out += Buffer.from(bytes).toString();
    })();
    await until(() => server.ends[0]?.established === true && out.includes("Early data was not sent"));
    // A line that is only K changes the client's own keys and asks for new ones of ours; k changes its own.
    for (const [command, word] of [
      ["K", "one"],
      ["k", "two"],
      ["K", "three"],
    ] as const) {
      const changes = out.split("KeyUpdate").length;
      client.stdin.write(`${command}\n`);
      await until(() => out.split("KeyUpdate").length > changes);
      client.stdin.write(`${word}\n`);
      await until(() => out.includes(`\n${word}\n`));
    }
    expect(out.match(/<<< TLS 1.3, Handshake \[length 0005\], KeyUpdate/g)).toHaveLength(2);
    client.kill();
    await client.exited;
  });
});

describe("the end", () => {
  test("the client's end does not end what is sent to it", async () => {
    const server = serve({}, (end) => {
      end.write("before, ");
    });
    const client = dialTo(server);
    client.write("question", true);
    await until(() => server.ends[0]?.ended === true);
    expect(server.ends[0]!.text).toBe("question");
    server.ends[0]!.write("and after", true);
    await until(() => client.ended);
    expect(client.text).toBe("before, and after");
    expect([client.tls!.truncated, server.ends[0]!.tls!.truncated]).toEqual([false, false]);
  });

  test("an end without close_notify is told", async () => {
    const server = serve({}, echo);
    const client = dialTo(server);
    client.write("hello");
    await until(() => client.text === "hello");
    sys.shutdown(client.channel!.fd, 1);
    await until(() => server.ends[0]!.ended);
    expect(server.ends[0]!.tls!.truncated).toBe(true);
    expect(server.ends[0]!.text).toBe("hello");
  });

  test("a reset is a loss, not an end", async () => {
    const server = serve({}, echo);
    const client = dialTo(server);
    client.write("hello");
    await until(() => client.text === "hello");
    client.channel!.close(true);
    await until(() => server.ends[0]!.lost);
    expect(server.ends[0]!.channel!.lostBy).toBeGreaterThan(0);
    expect(server.ends[0]!.ended).toBe(false);
  });

  test("what a channel has taken arrives although it is closed at once", async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(3 << 20).subarray(0, 65_536));
    let taken = 0;
    const server = serve({}, (end) => {
      end.onEstablished = () => {
        // Until the socket is full, and some of the last piece is still with the channel.
        for (;;) {
          const now = end.channel!.write(bytes, bytes.length);
          taken += now;
          if (!end.channel!.writable) break;
        }
        end.channel!.close(false);
      };
    });
    const client = dialTo(server, (end) => {
      end.keeps = false;
      end.paused = true;
    });
    await until(() => taken > 0);
    client.resume();
    await until(() => client.ended);
    expect(client.receivedBytes).toBe(taken);
    expect(client.tls!.truncated).toBe(false);
  });

  test("closing twice is closing once", async () => {
    const server = serve();
    const client = dialTo(server);
    await until(() => client.established);
    client.channel!.close(false);
    client.channel!.close(true);
    await until(() => server.ends[0]?.ended === true);
    expect(server.ends[0]!.tls!.truncated).toBe(false);
  });

  test("bytes changed on the way are a loss with an alert", async () => {
    const server = serve({}, echo);
    const client = dialTo(server);
    client.write("hello");
    await until(() => client.text === "hello");
    const forged = Buffer.from(`1703030020${"00".repeat(32)}`, "hex");
    sys.send(client.channel!.fd, forged, forged.length, 0x4040);
    await until(() => server.ends[0]!.lost && client.lost);
    expect(server.ends[0]!.tls!.failure!.reason).toBe("protocol-error");
    expect(client.tls!.failure!.reason).toBe("peer-alert bad-record-mac");
  });
});
