/** The streaming cluster of examples/by-address.yaml: nothing is read, the address that was dialled decides. */
import { expect, test } from "bun:test";
import { byAddress } from "./arrangements.ts";
import { NODES, OURS, PINNED, Stage } from "./stage.ts";
import { streamingSuite } from "./suite.ts";

const stage = streamingSuite(byAddress({ proxy: false }));

test("clients from one address stay on one node", async () => {
  const from = stage().newAddress();
  const { node } = await stage().client({ from }).connected();
  const others = [1, 2, 3].map(() => stage().client({ from }));
  for (const client of others) expect((await client.connected()).node).toBe(node);
});

test("a second domain has an address of its own, and its nodes another port with its certificate", async () => {
  const client = stage().client({ host: OURS });
  const { session } = await client.connected();
  expect(
    new Set(
      stage()
        .heardOf(session)
        .map(({ port }) => port),
    ),
  ).toEqual(new Set(["ours"]));
});

test("a node that takes no new sessions on its control port says so to who dials its address", async () => {
  const client = stage().client({ host: PINNED.push1 });
  expect(await client.error()).toBe(70);
});

test("each node can be reached directly, past the balancer", async () => {
  for (const name of NODES) {
    const { host, number } = stage().nodes.get(name)!.address("create");
    const direct = stage().client({ url: `https://${PINNED[name]}:${number}`, hosts: { [PINNED[name]]: host } });
    expect((await direct.connected()).node).toBe(name);
  }
});

test("with PROXY headers of version 1, nodes see the true address of their clients", async () => {
  const withHeaders = await Stage.start(
    byAddress({
      proxy: true,
      change: (yaml) => yaml.replaceAll(/^( +)servers:/gm, "$1proxy-protocol: v1\n$1servers:"),
    }),
  );
  try {
    const from = withHeaders.newAddress();
    const client = withHeaders.client({ from });
    const { session, clientIp } = await client.connected();
    expect(clientIp).toBe(from);
    for (const event of withHeaders.heardOf(session)) expect(event).toMatchObject({ proxy: "v1", client: from });
  } finally {
    await withHeaders.stop();
  }
});
