/**
 * The streaming cluster of examples/streaming.yaml, its second service: TLS passes through to the nodes by the name that the
 * client asks for, behind a PROXY header of version 2.
 */
import { expect, test } from "bun:test";
import { passedThrough } from "./arrangements.ts";
import { streamingSuite } from "./suite.ts";

const stage = streamingSuite(passedThrough);

test("a node sees the true address of its clients in a PROXY header of version 2", async () => {
  for (const transport of ["WS-STREAMING", "HTTP-STREAMING"] as const) {
    const from = stage().newAddress();
    const client = stage().client({ from, transport });
    const { session, clientIp } = await client.connected();
    expect(clientIp).toBe(from);
    for (const event of stage().heardOf(session)) expect(event).toMatchObject({ proxy: "v2", client: from });
  }
});

test("clients from one address stay on one node, and their data passes unread", async () => {
  const from = stage().newAddress();
  const { node } = await stage().client({ from }).connected();
  const others = [1, 2, 3].map(() => stage().client({ from }));
  for (const client of others) expect((await client.connected()).node).toBe(node);
});
