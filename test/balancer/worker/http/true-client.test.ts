/** Requests through a proxy that is trusted: each is its own client's, whatever connection it comes over. */
import { afterEach, describe, expect, test } from "bun:test";
import { parseCidr } from "../../../../src/protocols/address.ts";
import { HTTP, Stage, type StageSketch, textUntil } from "./stage.ts";

let stage: Stage;
afterEach(() => stage.close());

const PROXY = [parseCidr("127.0.0.0/8")!];
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const from = (client: string, more = "") =>
  `GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: ${client}\r\n${more}\r\n`;

/** Its clients are behind a proxy that is trusted, unless it says otherwise. */
async function open({ service, ...sketch }: StageSketch = {}): Promise<void> {
  stage = await Stage.open({
    http: { forwarded: { mode: "replace", standard: false } },
    ...sketch,
    service: { trust: PROXY, ...service },
  });
}

/** What the server gets of these requests, which go over one connection, one after the other. */
async function served(...requests: string[]): Promise<string[]> {
  const proxy = await stage.client("");
  const heads: string[] = [];
  for (const [index, request] of requests.entries()) {
    proxy.send(request);
    const server = await stage.visitor();
    const ends = (bytes: Buffer) => bytes.toString().split("\r\n\r\n").length > index + 1;
    heads.push((await server.receive(ends)).toString().split("\r\n\r\n")[index]!);
    server.send(OK);
    await textUntil(proxy, OK.repeat(index + 1));
  }
  return heads;
}

const field = (name: string, head: string) =>
  head
    .split("\r\n")
    .filter((line) => line.startsWith(`${name}: `))
    .map((line) => line.slice(name.length + 2));

describe("what servers are told", () => {
  test("is the client of each request, not the proxy whose connection it is", async () => {
    await open();
    const heads = await served(from("192.0.2.1"), from("203.0.113.9, 2001:db8::7"), from("unknown"));
    expect(heads.map((head) => field("X-Forwarded-For", head))).toEqual([
      ["192.0.2.1"],
      ["2001:db8::7"],
      ["127.0.0.1"],
    ]);
  });

  test("is the whole list with the proxy at its end where lists are appended", async () => {
    await open({ http: { forwarded: { mode: "append", standard: true } } });
    const [head] = await served(from("203.0.113.9, 192.0.2.1", "Forwarded: for=203.0.113.9\r\n"));
    expect(field("X-Forwarded-For", head!)).toEqual(["203.0.113.9, 192.0.2.1, 127.0.0.1"]);
    expect(field("Forwarded", head!)).toEqual(['for=203.0.113.9, for=127.0.0.1;host="a.test";proto=http']);
  });

  test("is the peer where it is not trusted, whatever it says", async () => {
    await open({ service: { trust: [parseCidr("10.0.0.0/8")!] } });
    const [head] = await served(from("192.0.2.1"));
    expect(field("X-Forwarded-For", head!)).toEqual(["127.0.0.1"]);
  });

  test("follows a plan that trusts the proxy no longer, on a connection that was there before", async () => {
    await open();
    const proxy = await stage.client(from("192.0.2.1"));
    const server = await stage.visitor();
    await textUntil(server, "\r\n\r\n");
    server.send(OK);
    await textUntil(proxy, OK);
    const { pools, services } = stage.sketch;
    await stage.rig.adopt({ pools, services: { web: { ...services.web, trust: [] } } });
    proxy.send(from("192.0.2.1"));
    const told = () =>
      stage.servers[0]!.visitors.flatMap(({ received }) => field("X-Forwarded-For", received.toString()));
    await stage.rig.until("the second request", () => told().length === 2);
    expect(told()).toEqual(["192.0.2.1", "127.0.0.1"]);
  });

  test("is the client in a PROXY header too, so each client has connections to the server of its own", async () => {
    await open({ pool: { sendProxy: "v1" } });
    const proxy = await stage.client(from("192.0.2.1"));
    const first = await stage.visitor();
    expect(await textUntil(first, "\r\n\r\n")).toStartWith("PROXY TCP4 192.0.2.1 127.0.0.1 0 ");
    first.send(OK);
    await textUntil(proxy, OK);
    proxy.send(from("192.0.2.2"));
    const second = await stage.visitor(1);
    expect(await textUntil(second, "\r\n\r\n")).toStartWith("PROXY TCP4 192.0.2.2 127.0.0.1 0 ");
    second.send(OK);
    await textUntil(proxy, OK + OK);
    proxy.send(from("192.0.2.2"));
    const again = await second.receive((bytes) => bytes.toString().split("\r\n\r\n").length > 2);
    expect(again.toString().split("PROXY")).toHaveLength(2);
  });
});

test("who asks too often is refused, and others behind the same proxy are not", async () => {
  const limits = { ...HTTP.limits, requestsPerSource: 1, requestsPerSourceMs: 60_000 };
  const answer = { kind: "fixed", status: 200, contentType: "text/plain", body: new Uint8Array(), fields: [] } as const;
  await open({ http: { limits }, service: { routes: [{ pools: [], answer }] } });
  const proxy = await stage.client(from("192.0.2.1") + from("192.0.2.2") + from("192.0.2.1"));
  const text = await textUntil(proxy, "</html>\n");
  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 429"]);
});

test("a route for a network is for clients, and not for the proxy in front of them", async () => {
  const respond = (text: string) =>
    ({ kind: "fixed", status: 200, contentType: "text/plain", body: Buffer.from(text), fields: [] }) as const;
  await open({
    service: {
      routes: [
        { pools: [], source: [parseCidr("192.0.2.0/24")!], answer: respond("inside\n") },
        { pools: [], source: [parseCidr("127.0.0.0/8")!], answer: respond("proxy\n") },
        { pools: [], answer: respond("outside\n") },
      ],
    },
  });
  const proxy = await stage.client(from("192.0.2.1") + from("203.0.113.9") + from("nonsense"));
  const text = await textUntil(proxy, "proxy\n");
  expect(text.match(/inside|outside|proxy/g)).toEqual(["inside", "outside", "proxy"]);
});

test("a client comes back to its server by its own address, over whichever of the proxy's connections", async () => {
  await open({
    servers: 2,
    pool: { algorithm: "round-robin", persistence: { by: ["source"] } },
  });
  const placeOf = async (client: string) => {
    const before = stage.servers.map(({ visitors }) => visitors.length);
    const proxy = await stage.client(from(client, "Connection: close\r\n"));
    const heard = () => stage.servers.findIndex(({ visitors }, nth) => visitors.length > before[nth]!);
    await stage.rig.until("a server to be asked", () => heard() >= 0);
    const visitor = stage.servers[heard()]!.visitors.at(-1)!;
    await textUntil(visitor, "\r\n\r\n");
    visitor.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    await textUntil(proxy, "ok");
    return heard();
  };
  const [one, other] = [await placeOf("192.0.2.1"), await placeOf("192.0.2.2")];
  expect(one).not.toBe(other);
  expect(await placeOf("192.0.2.2")).toBe(other);
  expect(await placeOf("192.0.2.1")).toBe(one);
  expect(await placeOf("192.0.2.2")).toBe(other);
});
