/**
 * The streaming cluster of examples/streaming.yaml, its first service: TLS ends at the balancer, `push` is balanced with a
 * cookie, `push1` and `push2` are pinned by host.
 */
import { expect, test } from "bun:test";
import { type ConnectionOptions, connect } from "node:tls";
import { until } from "../../until.ts";
import { IS_REFERENCE } from "../front.ts";
import { endedHere } from "./arrangements.ts";
import { cookieOf, nodeOf, sentBack, who } from "./asking.ts";
import { bufferingProxy, greedyHop } from "./buffering.ts";
import { PINNED, PUSH, Stage } from "./stage.ts";
import { FLOOD_UPDATES, streamingSuite, UPDATE_BYTES } from "./suite.ts";

const stage = streamingSuite(endedHere());

test("a node sees the true address of its clients, and a forged X-Forwarded-For does not get through", async () => {
  for (const transport of ["WS-STREAMING", "HTTP-STREAMING"] as const) {
    const from = stage().newAddress();
    const client = stage().client({
      from,
      transport,
      headers: { "X-Forwarded-For": "6.6.6.6", Forwarded: "for=6.6.6.6" },
    });
    const { session } = await client.connected();
    await client.update(({ count }) => count > 3);
    expect((await client.status("CONNECTED:")).clientIp).toBe(from);
    const heard = stage().heardOf(session);
    expect(heard.length).toBeGreaterThan(1);
    for (const event of heard) {
      expect(event.forwardedFor).toEqual([from]);
      expect(event.forwardedProto).toBe("https");
      expect(event.forwardedPort).toBe(String(stage().port));
    }
  }
});

test("who sends the cookie back reaches the same node, and who does not is balanced", async () => {
  const first = await who(stage());
  const cookie = sentBack(cookieOf(first)!);
  for (let again = 0; again < 6; again++) expect(nodeOf(await who(stage(), PUSH, cookie))).toBe(nodeOf(first));
  const others = await Promise.all([1, 2, 3, 4, 5, 6].map(() => who(stage())));
  expect(new Set(others.map(nodeOf)).size).toBe(2);
});

test("the cookie is for every path and not for scripts", async () => {
  const line = cookieOf(await who(stage()))!;
  const attributes = line
    .split(/;\s*/)
    .slice(1)
    .map((attribute) => attribute.toLowerCase());
  expect(attributes).toContain("path=/");
  expect(attributes).toContain("httponly");
});

test("the hosts push1 and push2 are pinned, with a cookie of the other or without one", async () => {
  for (const [node, host] of Object.entries(PINNED)) {
    for (let again = 0; again < 3; again++) expect(nodeOf(await who(stage(), host))).toBe(node);
    const cookie = sentBack(cookieOf(await who(stage()))!);
    for (let again = 0; again < 3; again++) expect(nodeOf(await who(stage(), host, cookie))).toBe(node);
  }
});

test("a proxy that buffers makes the client fall back to polling: so the stream that stayed one was none", async () => {
  const proxy = bufferingProxy(`https://127.0.0.1:${stage().port}`, PUSH, stage().authority.pem);
  try {
    const client = stage().client({ url: `http://127.0.0.1:${proxy.port}`, transport: "HTTP" });
    const { status, session } = await client.connected("CONNECTED:HTTP-POLLING");
    expect(status).toBe("CONNECTED:HTTP-POLLING");
    const heard = stage().heardOf(session);
    expect(heard.map(({ cause }) => cause)).toContain("http.streaming.unavailable");
  } finally {
    proxy.stop();
  }
});

test("a hop that takes what nobody reads is found out: the node's writes do not stall", async () => {
  const hop = await greedyHop(stage().port);
  try {
    const client = stage().client({ url: `https://${PUSH}:${hop.port}`, transport: "HTTP-STREAMING" });
    const { session: id } = await client.connected();
    const node = stage().nodeOf(id);
    const session = node.sessions.get(id)!;
    client.pause();
    node.flood(session, FLOOD_UPDATES * UPDATE_BYTES, UPDATE_BYTES);
    await until("all of it to be taken", () => session.sentBytes > FLOOD_UPDATES * UPDATE_BYTES, 20_000);
  } finally {
    hop.stop();
  }
});

test("each domain has its certificate: by name, by one of several names, by a wildcard, and the first without a name", async () => {
  const at = { host: "127.0.0.1", port: stage().port };
  const push = [PUSH, PINNED.push1, PINNED.push2].map((name) => `DNS:${name}`).join(", ");
  expect(await certificateOf({ ...at, servername: PUSH })).toBe(push);
  expect(await certificateOf({ ...at, servername: PINNED.push2 })).toBe(push);
  expect(await certificateOf({ ...at, servername: "anything.other.test" })).toBe("DNS:*.other.test");
  expect(await certificateOf(at)).toBe(push);
});

/** The names in the certificate that a server shows. */
function certificateOf(options: ConnectionOptions): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...options, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subjectaltname);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

if (!IS_REFERENCE) {
  test("the example as it is: its cookie is sent over TLS only, names no server, and cannot be made up", async () => {
    const asItIs = await Stage.start(endedHere((yaml) => yaml));
    try {
      const line = cookieOf(await who(asItIs))!;
      expect(line.toLowerCase()).toMatch(/; *secure(;|$)/);
      const [cookie = ""] = line.split(";");
      expect(cookie).not.toContain("push");
      expect(cookie).not.toMatch(/\d+\.\d+\.\d+\.\d+/);
      // One letter changed, in the middle: another gets his own server, and a cookie of his own.
      const middle = Math.floor(cookie.length / 2);
      const forged = cookie.slice(0, middle) + (cookie[middle] === "A" ? "B" : "A") + cookie.slice(middle + 1);
      expect(cookieOf(await who(asItIs, PUSH, { Cookie: cookie }))).toBeUndefined();
      expect(cookieOf(await who(asItIs, PUSH, { Cookie: forged }))).toBeDefined();
    } finally {
      await asItIs.stop();
    }
  });

  test("a client that is not recognised fails: that of npm, which keeps a Secure cookie to itself", async () => {
    const inTurn = (yaml: string): string => yaml.replaceAll("algorithm: least-connections", "algorithm: round-robin");
    const unrecognised = await Stage.start(endedHere(inTurn));
    try {
      expect(await unrecognised.client({ transport: "HTTP-POLLING" }).error()).toBe(21);
    } finally {
      await unrecognised.stop();
    }
  });
}
