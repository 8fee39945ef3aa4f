import { expect, test } from "bun:test";
import { createServer } from "node:net";
import { connect } from "node:tls";
import fc from "fast-check";
import {
  newClientHello,
  OFFERS_TLS10,
  OFFERS_TLS11,
  OFFERS_TLS12,
  OFFERS_TLS13,
  offersProtocol,
  readClientHello,
  SSL_V2,
} from "../../../src/protocols/tls/client-hello.ts";
import { hex, show, text } from "../bytes.ts";
import { buildClientHello, inRecords } from "../client-hellos.ts";

const hello = newClientHello();
const read = (bytes: Uint8Array) => readClientHello(bytes, 0, bytes.length, hello);
const name = () => show(hello.serverName, 0, hello.serverNameLength);

test("the server's name is compared without case and last dot", () => {
  read(inRecords(buildClientHello({ name: "WWW.Example.COM." })));
  expect(name()).toBe("www.example.com");
});

test("a hello without a name leaves none of the one before", () => {
  read(inRecords(buildClientHello({ name: "a.example", alpn: ["h2"] })));
  read(inRecords(buildClientHello({})));
  expect([name(), hello.alpnLength]).toEqual(["", 0]);
});

test("protocols are found by their whole name", () => {
  read(inRecords(buildClientHello({ alpn: ["http/1.1", "h2"] })));
  expect(["h2", "http/1.1", "h", "http/1.0", "2"].map((wanted) => offersProtocol(hello, text(wanted)))).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});

test("versions are what the extension lists, or all up to the one in front", () => {
  read(inRecords(buildClientHello({ versions: [0x7a7a, 0x0304] })));
  expect(hello.versions).toBe(OFFERS_TLS13);
  read(inRecords(buildClientHello({ versions: [], version: 0x0303 })));
  expect(hello.versions).toBe(OFFERS_TLS10 | OFFERS_TLS11 | OFFERS_TLS12);
});

test("a hello of SSL 2 is told apart from noise", () => {
  expect(read(hex("80 2e 01"))).toBe(SSL_V2);
});

test("in whatever records it comes, a hello says the same", () => {
  const message = buildClientHello({ name: "desk.example.com", alpn: ["h2", "http/1.1"] });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: message.length }), (most) => {
      const bytes = inRecords(message, most);
      expect(read(bytes)).toBe(bytes.length);
      expect([name(), show(hello.alpn, 0, hello.alpnLength), hello.versions]).toEqual([
        "desk.example.com",
        "\x02h2\x08http/1.1",
        OFFERS_TLS13 | OFFERS_TLS12,
      ]);
    }),
  );
});

test("what a real client sends is read", async () => {
  const first = Promise.withResolvers<Uint8Array>();
  const server = createServer((socket) => socket.once("data", (bytes: Buffer) => first.resolve(new Uint8Array(bytes))));
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as { port: number };
  const client = connect({ port, host: "127.0.0.1", servername: "Web.example", ALPNProtocols: ["h2", "http/1.1"] });
  client.on("error", () => {});
  const bytes = await first.promise;
  client.destroy();
  server.close();
  expect(read(bytes)).toBe(bytes.length);
  expect([name(), show(hello.alpn, 0, hello.alpnLength)]).toEqual(["web.example", "\x02h2\x08http/1.1"]);
  expect(hello.versions & OFFERS_TLS13).toBe(OFFERS_TLS13);
});
