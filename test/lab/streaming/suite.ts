/**
 * What a streaming cluster asks of its balancer whatever the arrangement: run for each of them, with the unmodified client of
 * npm. A client's own report and the nodes' logs are the judges.
 */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../../until.ts";
import { tcpBuffers } from "./kernel.ts";
import { type Arrangement, follow, NODES, type NodeName, PINNED, Stage } from "./stage.ts";

const SETUP_MS = 40_000;
/** Past the 4 s after which the client gives up a stream that does not flow, and past every one of its other patiences. */
const STREAM_UPDATES = 220; // one in 50 ms: 11 s
/** What the kernel holds of two connections at most. HAProxy stalls at 8 to 22 MB, where each may hold 37. */
const KERNEL_BYTES = 2 * tcpBuffers();
export const UPDATE_BYTES = 32_768;
/** 8 MB more than all that: so much a balancer would have to keep. */
export const FLOOD_UPDATES = Math.ceil((KERNEL_BYTES + (8 << 20)) / UPDATE_BYTES);

/** Runs the suite. `stage()` is there once its tests run. */
export function streamingSuite(arrangement: Arrangement): () => Stage {
  let stage: Stage;
  setDefaultTimeout(30_000);

  beforeAll(async () => {
    stage = await Stage.start(arrangement);
  }, SETUP_MS);
  afterEach(() => stage?.clear());
  afterAll(() => stage?.stop(), SETUP_MS);

  test("a client streams over WebSocket, all of it on the node of its session", async () => {
    const client = stage.client();
    const { status, session, node } = await client.connected();
    expect(status).toBe("CONNECTED:WS-STREAMING");
    await client.update(({ count }) => count >= 20);
    expect(follow(client.counts())).toBe(true);
    const heard = stage.heardOf(session);
    expect(heard.map(({ what, over, error }) => `${what} ${over} ${error}`)).toEqual([
      "create_session ws 0",
      "control ws 0",
    ]);
    expect(new Set(heard.map((event) => event.node))).toEqual(new Set([node]));
  });

  test("session-creating connections are balanced: both nodes get their share of new clients", async () => {
    const clients = Array.from({ length: 6 }, () => stage.client());
    const nodes = await Promise.all(clients.map(async (client) => (await client.connected()).node));
    for (const name of NODES) expect(nodes.filter((node) => node === name).length).toBeGreaterThanOrEqual(2);
  });

  test("where WebSocket is refused, a client streams over HTTP by itself", async () => {
    for (const node of stage.nodes.values()) node.refusesWebSockets = true;
    const clients = [stage.client(), stage.client()];
    for (const client of clients) {
      const { status, session } = await client.connected();
      expect(status).toBe("CONNECTED:HTTP-STREAMING");
      await client.update(({ count }) => count >= 20);
      expect(follow(client.counts())).toBe(true);
      expect(new Set(stage.heardOf(session).map(({ node }) => node)).size).toBe(1);
      expect(client.errors).toEqual([]);
    }
  });

  test("clients that may only poll get everything, each from the node of its session", async () => {
    const clients = [1, 2, 3].map(() => stage.client({ transport: "HTTP-POLLING" }));
    for (const client of clients) {
      const { status, session } = await client.connected();
      expect(status).toBe("CONNECTED:HTTP-POLLING");
      await client.update(({ count }) => count >= 40);
      expect(follow(client.counts())).toBe(true);
      const heard = stage.heardOf(session);
      expect(heard.filter(({ what, polling }) => what === "bind_session" && polling).length).toBeGreaterThan(3);
      expect(new Set(heard.map(({ node }) => node)).size).toBe(1);
      expect(client.errors).toEqual([]);
    }
  });

  test("clients whose WebSockets break come back to their sessions, and nothing is lost", async () => {
    const clients = [1, 2, 3, 4, 5, 6].map(() => stage.client());
    const sessions = await Promise.all(clients.map(async (client) => (await client.connected()).session));
    // The other node has fewer connections from now on: only who is recognised comes back to the fuller one.
    const [full, empty] = fullerFirst(sessions);
    await Promise.all(clients.filter((_, nth) => sessions[nth]!.startsWith(empty)).map((client) => client.leave()));
    for (const [nth, client] of clients.entries()) {
      const session = sessions[nth]!;
      if (!session.startsWith(full)) continue;
      await client.update(({ count }) => count >= 10, 0);
      const from = client.now;
      stage.nodeOf(session).sessions.get(session)!.cut();
      const again = await client.connected("CONNECTED:", from);
      expect(again.session).toBe(session);
      await client.update(({ count }) => count >= 40);
      expect(follow(client.counts())).toBe(true);
      expect(client.errors).toEqual([]);
      const binds = stage.heardOf(session).filter(({ what }) => what === "bind_session");
      expect(binds.length).toBeGreaterThan(0);
      for (const bind of binds) expect(bind).toMatchObject({ node: again.node, error: 0 });
    }
  });

  test("control and rebind requests go to the node that the host of the control link names", async () => {
    for (const [name, node] of stage.nodes) node.controlLink = PINNED[name];
    const clients = [1, 2, 3, 4].map(() => stage.client({ transport: "HTTP-STREAMING" }));
    for (const client of clients) await expectPinned(stage, client);
  });

  test("a control link that names the other node fails: so it is the host that brought the others home", async () => {
    stage.nodes.get("push2")!.controlLink = PINNED.push1;
    await stage.front.drain("push1");
    expect(await stage.client({ transport: "HTTP-STREAMING" }).error()).toBe(21);
  });

  test("a node is taken from session creation while control connections still reach it", async () => {
    for (const [name, node] of stage.nodes) node.controlLink = PINNED[name];
    const before = [1, 2, 3, 4].map(() => stage.client({ transport: "HTTP-STREAMING" }));
    const homes = await Promise.all(before.map(async (client) => (await client.connected()).session));
    const onFirst = homes.findIndex((session) => session.startsWith("push1."));
    expect(onFirst).toBeGreaterThanOrEqual(0);
    await stage.front.drain("push1");

    // New clients go elsewhere.
    const since = stage.log.events.length;
    const late = [1, 2, 3].map(() => stage.client());
    for (const client of late) expect((await client.connected()).node).toBe("push2");
    const created = stage.log.events.slice(since).filter(({ what }) => what === "create_session");
    expect(new Set(created.map(({ node }) => node))).toEqual(new Set(["push2"]));

    // Whose session is there binds again, over the control link.
    const client = before[onFirst]!;
    const from = client.now;
    stage.nodes.get("push1")!.sessions.get(homes[onFirst]!)!.rebind();
    await until(
      "the client to bind again",
      () =>
        stage.heardOf(homes[onFirst]!).filter(({ what, error }) => what === "bind_session" && error === 0).length > 1,
    );
    await client.update(() => true, from);
    expect(follow(client.counts())).toBe(true);
    expect(client.errors).toEqual([]);
  });

  test("a node that comes back takes up its share", async () => {
    await stage.front.drain("push1");
    const first = [1, 2, 3].map(() => stage.client());
    for (const client of first) expect((await client.connected()).node).toBe("push2");
    await stage.front.ready("push1");
    const next = [1, 2, 3].map(() => stage.client());
    for (const client of next) expect((await client.connected()).node).toBe("push1");
  });

  test("a stream stays a stream: nothing on the way holds it back", async () => {
    const client = stage.client({ transport: "HTTP" });
    const { session } = await client.connected();
    await client.update(({ count }) => count >= STREAM_UPDATES);
    expect(client.statuses().at(-1)).toBe("CONNECTED:HTTP-STREAMING");
    expect(follow(client.counts())).toBe(true);
    const heard = stage.heardOf(session).filter(({ what }) => what === "bind_session");
    expect(heard.map(({ polling, cause }) => `${polling} ${cause}`)).toEqual(["false http.loop"]);
  });

  for (const transport of ["HTTP-STREAMING", "WS-STREAMING"] as const) {
    test(`a client that stops reading stalls its node's writes, and loses nothing (${transport})`, async () => {
      const client = stage.client({ transport });
      const { session: id } = await client.connected();
      const node = stage.nodeOf(id);
      const session = node.sessions.get(id)!;
      client.pause();
      node.flood(session, FLOOD_UPDATES * UPDATE_BYTES, UPDATE_BYTES);
      await until(
        "the node's writes to stall",
        stalled(() => session.sentBytes),
        15_000,
      );
      expect(session.isFull).toBe(true);
      expect(session.sentBytes).toBeLessThan(KERNEL_BYTES + (1 << 20));
      expect(session.waiting).toBeGreaterThan(100);
      client.resume();
      // By HTTP this client looks at all that it has with each piece that comes: a part has to do.
      await client.update(({ count }) => count > (transport === "HTTP-STREAMING" ? 200 : FLOOD_UPDATES), 0, 25_000);
      expect(follow(client.counts())).toBe(true);
    });
  }

  return () => stage;
}

/** Has a client's session its home where its control and rebind requests went, and did they go over the pinned host? */
async function expectPinned(stage: Stage, client: ReturnType<Stage["client"]>): Promise<void> {
  const { session, node } = await client.connected();
  await client.update(({ count }) => count >= 10);
  const heard = stage.heardOf(session).filter(({ what }) => what === "bind_session" || what === "control");
  expect(heard.length).toBeGreaterThanOrEqual(2);
  for (const event of heard) {
    expect(event).toMatchObject({ node, error: 0 });
    expect(event.host.split(":")[0]).toBe(PINNED[node as NodeName]);
  }
  expect(client.errors).toEqual([]);
}

/** The nodes of these sessions, the one with more of them first. */
function fullerFirst(sessions: readonly string[]): readonly [string, string] {
  const [one, two] = NODES.map((name) => `${name}.`) as [string, string];
  const ofOne = sessions.filter((session) => session.startsWith(one)).length;
  return ofOne * 2 >= sessions.length ? [one, two] : [two, one];
}

/** True once a number has not changed for a second of looks. */
function stalled(read: () => number): () => boolean {
  let last = -1;
  let same = 0;
  return () => {
    const now = read();
    same = now === last ? same + 1 : 0;
    last = now;
    return same >= 40;
  };
}
