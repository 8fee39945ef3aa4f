/**
 * Seen in a load of half-closed connections on a busy machine: of some, whose end came in one segment with the rest of
 * their first bytes, the server never learnt that its client had finished, and they stayed for `half-close`. The kernel
 * tells of an end once; here it told while the request was still awaited.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { sys } from "../../../src/os/libc.ts";
import { localPort, MSG_DONTWAIT, MSG_NOSIGNAL, SHUT_WR } from "../../../src/os/socket.ts";
import { connect } from "../../balancer/bytes/sockets.ts";
import { Server } from "../../balancer/service/peers.ts";
import { Balancer } from "../../balancer/service/rig.ts";
import { hex } from "../../protocols/bytes.ts";
import { until } from "../../until.ts";

setDefaultTimeout(20_000);

/** xfreerdp 2.11.7 /u:alice. */
const REQUEST = hex(
  "03 00 002b", // TPKT: 43 bytes
  "26 e0 0000 0000 00", // X.224 Connection Request
  "436f6f6b69653a20 6d737473686173683d 616c696365 0d0a", // Cookie: mstshash=alice
  "01 00 0800 03000000", // RDP_NEG_REQ: TLS, CredSSP
);
const HEAD = REQUEST.subarray(0, 4);
/** Keeps bytes back until there is more to say: here, the end. */
const MSG_MORE = 0x8000;

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

/** Sends the head of a request and, once the balancer waits for the rest, `rest` and the end in one segment. */
async function sendAndEnd(rest: Uint8Array): Promise<{ fd: number; address: string }> {
  const fd = connect(1, balancer.port("desktops"), 0);
  send(fd, HEAD, 0);
  await until("the connection to be open", async () => {
    const { workers } = await balancer.status();
    return workers.some(({ connections }) => connections > 0);
  });
  if (rest.length > 0) send(fd, rest, MSG_MORE);
  sys.shutdown(fd, SHUT_WR);
  return { fd, address: `127.0.0.1:${localPort(fd)}` };
}

function send(fd: number, bytes: Uint8Array, flags: number): void {
  expect(Number(sys.send(fd, bytes, bytes.length, MSG_NOSIGNAL | MSG_DONTWAIT | flags))).toBe(bytes.length);
}

// Beyond 4096 bytes, some are left in the kernel when the request has been read.
for (const more of [0, 1, 4096, 20_000]) {
  test(`an end that comes with the request and ${more} bytes behind it reaches the server after them`, async () => {
    const nth = server.visitors.length;
    const sent = Buffer.concat([REQUEST, Buffer.alloc(more, "x")]);
    const client = await sendAndEnd(sent.subarray(HEAD.length));
    const visitor = await server.visitor(nth);
    const line = balancer.accessLine(client);
    expect(await visitor.ended).toBe("closed");
    expect(visitor.received.equals(sent)).toBe(true);
    visitor.finish();
    expect((await line).end).toBe("client-closed");
    sys.close(client.fd);
  });
}

test("an end in the middle of a request is the end at once", async () => {
  const client = await sendAndEnd(REQUEST.subarray(HEAD.length, 20));
  expect((await balancer.accessLine(client)).end).toBe("client-closed");
  sys.close(client.fd);
});
