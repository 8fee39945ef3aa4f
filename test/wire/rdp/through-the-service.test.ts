/** Requests as clients sent them, through the real service, cut wherever a network may cut them. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { Client, Server, type Visitor } from "../../balancer/service/peers.ts";
import { Balancer } from "../../balancer/service/rig.ts";
import { hex } from "../../protocols/bytes.ts";

setDefaultTimeout(20_000);

const ALICE = "436f6f6b69653a20 6d737473686173683d 616c696365 0d0a // Cookie: mstshash=alice";
/** xfreerdp 2.11.7 /u:alice. */
const REQUEST = hex("03 00 002b", "26 e0 0000 0000 00", ALICE, "01 00 0800 03000000");
/** xfreerdp 2.11.7 /u:alice /sec:rdp: no RDP_NEG_REQ. */
const PLAIN_REQUEST = hex("03 00 0023", "1e e0 0000 0000 00", ALICE);
/** What xrdp 0.9.21 answers: TLS. */
const CONFIRM = hex("03 00 0013", "0e d0 0000 1234 00", "02 00 0800 01000000");
const CLIENT_HELLO = hex("16 03 01 00 05", "01 00 00 01 03");

let server: Server;
let balancer: Balancer;

beforeAll(async () => {
  server = await Server.start("server", { answers: false });
  balancer = await Balancer.start(`
services: { desktops: { listen: "127.0.0.1:0", protocol: rdp, pool: rds } }
pools: { rds: { servers: { server: ${server.address} } } }
`);
});

afterAll(async () => {
  await balancer?.stop();
  await server?.stop();
});

const same = (bytes: Uint8Array) => (received: Buffer) => received.length >= bytes.length;

/** Sends the pieces one by one, each only when the one before has left. @returns the two ends */
async function connect(pieces: readonly Uint8Array[]): Promise<{ client: Client; visitor: Visitor }> {
  const nth = server.visitors.length;
  const client = await Client.connect(balancer.port("desktops"), { first: "" });
  for (const piece of pieces) {
    client.send(piece);
    // Two turns of the event loop: the kernel has sent it, as a segment of its own (TCP_NODELAY).
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  }
  return { client, visitor: await server.visitor(nth) };
}

for (const [name, request] of Object.entries({ "with RDP_NEG_REQ": REQUEST, "without RDP_NEG_REQ": PLAIN_REQUEST })) {
  test(`a request ${name} in two pieces, cut anywhere, reaches the server as it was`, async () => {
    for (let cut = 1; cut < request.length; cut++) {
      const { client, visitor } = await connect([request.subarray(0, cut), request.subarray(cut)]);
      expect(await visitor.receive(same(request))).toEqual(Buffer.from(request));
      await client.leave();
    }
  });
}

test("a request byte by byte reaches the server once, and the answer its client", async () => {
  const { client, visitor } = await connect([...REQUEST].map((byte) => new Uint8Array([byte])));
  expect(await visitor.receive(same(REQUEST))).toEqual(Buffer.from(REQUEST));
  visitor.send(CONFIRM);
  expect(await client.receive(same(CONFIRM))).toEqual(Buffer.from(CONFIRM));
  await client.leave();
});

test("what a hasty client sends behind its request follows it, in order", async () => {
  const all = new Uint8Array([...REQUEST, ...CLIENT_HELLO]);
  const { client, visitor } = await connect([all]);
  expect(await visitor.receive(same(all))).toEqual(Buffer.from(all));
  visitor.send(CONFIRM);
  await client.receive(same(CONFIRM));
  client.send(CLIENT_HELLO);
  const more = new Uint8Array([...all, ...CLIENT_HELLO]);
  expect(await visitor.receive(same(more))).toEqual(Buffer.from(more));
  await client.leave();
});

// xfreerdp /pcb:vm-7: the request follows in the same segment.
test("a preconnection blob is refused with its own reason, though a good request follows", async () => {
  const blob = hex("1e000000 00000000 02000000 00000000 0600 7600 6d00 2d00 3700 0000 0000");
  const visitors = server.visitors.length;
  const client = await Client.connect(balancer.port("desktops"), { first: new Uint8Array([...blob, ...REQUEST]) });
  await client.ended;
  expect((await balancer.accessLine(client)).end).toBe("bad-protocol");
  expect((await balancer.service("desktops")).refused["preconnection-blob"]).toBe(1);
  expect(server.visitors.length).toBe(visitors);
  await client.leave();
});
