/** Requests and answers through a real worker, byte for byte. */
import { afterEach, describe, expect, test } from "bun:test";
import { Stage, type StageSketch, textUntil } from "./stage.ts";

let stage: Stage;
afterEach(() => stage.close());

async function open(sketch: StageSketch = {}): Promise<void> {
  stage = await Stage.open(sketch);
}

const HOST = "Host: a.test\r\n";
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** What the server gets for `request`, and what the client gets for `answer`. */
async function exchange(request: string, answer: string): Promise<{ got: string; answered: string }> {
  const client = await stage.client(request);
  const server = await stage.visitor();
  const got = await textUntil(server, "\r\n\r\n");
  server.send(answer);
  const answered = await textUntil(client, answer.slice(-2));
  return { got, answered };
}

describe("a request and its answer", () => {
  test("go through as they are", async () => {
    await open();
    expect(await exchange(GET, OK)).toEqual({ got: GET, answered: OK });
  });

  test("go through when they come byte by byte", async () => {
    await open();
    const client = await stage.client("");
    for (const byte of GET) {
      client.send(byte);
      await new Promise((sent) => client.socket.write("", sent));
    }
    const server = await stage.visitor();
    expect(await textUntil(server, "\r\n\r\n")).toBe(GET);
    for (const byte of OK) {
      server.send(byte);
      await new Promise((sent) => server.socket.write("", sent));
    }
    expect(await textUntil(client, "ok")).toBe(OK);
  });

  test("lose what is only for the next hop", async () => {
    await open();
    const { got, answered } = await exchange(
      `GET / HTTP/1.1\r\n${HOST}Connection: keep-alive, X-Mine\r\nKeep-Alive: timeout=5\r\nX-Mine: 1\r\nX-Yours: 2\r\n\r\n`,
      "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nX: y\r\nContent-Length: 2\r\n\r\nok",
    );
    expect(got).toBe(`GET / HTTP/1.1\r\n${HOST}X-Yours: 2\r\n\r\n`);
    expect(answered).toBe("HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 2\r\n\r\nok");
  });

  test("the host of an absolute target counts, and the server gets a path", async () => {
    await open();
    const { got } = await exchange(`GET http://b.test/x?y HTTP/1.1\r\n${HOST}\r\n`, OK);
    expect(got).toBe("GET /x?y HTTP/1.1\r\nHost: b.test\r\n\r\n");
  });

  test("OPTIONS * stays what it is", async () => {
    await open();
    const { got } = await exchange(`OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, OK);
    expect(got).toBe(`OPTIONS * HTTP/1.1\r\n${HOST}\r\n`);
  });

  test("fields are set and removed both ways", async () => {
    await open({
      http: {
        setRequest: [{ name: "X-In", value: "1" }],
        removeRequest: ["x-secret"],
        setResponse: [{ name: "X-Out", value: "2" }],
        removeResponse: ["server"],
      },
    });
    const { got, answered } = await exchange(
      `GET / HTTP/1.1\r\n${HOST}X-Secret: s\r\nx-in: 0\r\n\r\n`,
      "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 2\r\n\r\nok",
    );
    expect(got).toBe(`GET / HTTP/1.1\r\n${HOST}X-In: 1\r\n\r\n`);
    expect(answered).toBe("HTTP/1.1 200 OK\r\nX-Out: 2\r\nContent-Length: 2\r\n\r\nok");
  });

  test("a request has a name of its own where that is asked for", async () => {
    await open({ http: { requestId: true } });
    const client = await stage.client(`GET / HTTP/1.1\r\n${HOST}X-Request-Id: forged\r\n\r\n`);
    const server = await stage.visitor();
    const name = /\r\nX-Request-Id: ([0-9a-f]+-1)\r\n/.exec(await textUntil(server, "\r\n\r\n"))?.[1];
    expect(name).toBeDefined();
    server.send(OK);
    await textUntil(client, "ok");
    client.send(GET);
    const both = (await server.receive((bytes) => bytes.toString().split("\r\n\r\n").length === 3)).toString();
    expect(both).toContain(`X-Request-Id: ${name!.replace(/1$/, "2")}\r\n`);
  });
});

describe("requests on one connection", () => {
  test("go over one connection to the server, one after the other", async () => {
    await open();
    const client = await stage.client(GET);
    const server = await stage.visitor();
    for (let nth = 1; nth <= 5; nth++) {
      await server.receive((bytes) => bytes.length === GET.length * nth);
      server.send(OK);
      await client.receive((bytes) => bytes.length === OK.length * nth);
      if (nth < 5) client.send(GET);
    }
    expect(stage.servers[0]!.visitors).toHaveLength(1);
    await stage.rig.until("the place to be free", () => stage.rig.server("web", "s1").connections() === 0);
  });

  test("are answered in their order when they come at once, the next one sent only behind the answer", async () => {
    await open();
    const paths = Array.from({ length: 40 }, (_, index) => `/${index}`);
    const client = await stage.client(paths.map((path) => `GET ${path} HTTP/1.1\r\n${HOST}\r\n`).join(""));
    const server = await stage.visitor();
    let seen = "";
    for (const path of paths) {
      const bytes = (
        await server.receive((received) => received.toString().endsWith("\r\n\r\n") && received.length > seen.length)
      ).toString();
      expect(bytes.slice(seen.length)).toBe(`GET ${path} HTTP/1.1\r\n${HOST}\r\n`);
      seen = bytes;
      server.send(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`);
    }
    const text = await textUntil(client, "/39");
    expect([...text.matchAll(/\r\n\r\n(\/\d+)/g)].map((match) => match[1]!)).toEqual(paths);
  });

  test("a body in front of the next request is told from it, whatever its framing", async () => {
    await open();
    const sized = `POST /a HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc`;
    const chunked = `POST /b HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`;
    const client = await stage.client(sized + chunked + GET);
    let server = await stage.visitor();
    expect(await textUntil(server, "abc")).toBe(sized);
    server.send(OK);
    expect(await textUntil(server, "0\r\n\r\n")).toBe(sized + chunked);
    server.send(OK);
    server = await stage.visitor();
    expect(await textUntil(server, GET)).toBe(sized + chunked + GET);
    server.send(OK);
    expect(await textUntil(client, OK + OK + OK)).toBe(OK + OK + OK);
  });

  test("a chunked body that comes with the next request behind it, in a later packet", async () => {
    await open();
    const head = `POST /b HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`;
    const client = await stage.client(head);
    const server = await stage.visitor();
    await textUntil(server, head);
    client.send(`3\r\nabc\r\n0\r\n\r\n${GET}`);
    await textUntil(server, "0\r\n\r\n");
    server.send(OK);
    await textUntil(server, GET);
    server.send(OK);
    expect(await textUntil(client, OK + OK)).toBe(OK + OK);
  });

  test("end where the client says so", async () => {
    await open();
    const client = await stage.client(`GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
    const server = await stage.visitor();
    await textUntil(server, "\r\n\r\n");
    server.send(OK);
    expect(await client.ended).toBe("closed");
    expect(client.received.toString()).toBe("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
  });

  test("the server's end of its connection is not the client's", async () => {
    await open();
    const client = await stage.client(GET);
    const first = await stage.visitor();
    await textUntil(first, "\r\n\r\n");
    first.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    first.finish();
    expect(await textUntil(client, "ok")).toBe(OK);
    client.send(GET);
    const second = await stage.visitor(1);
    await textUntil(second, "\r\n\r\n");
    second.send(OK);
    expect(await textUntil(client, OK + OK)).toBe(OK + OK);
  });
});

describe("answers", () => {
  test("to HEAD have a length and no body", async () => {
    await open();
    const client = await stage.client(`HEAD / HTTP/1.1\r\n${HOST}\r\n`);
    const server = await stage.visitor();
    await textUntil(server, "\r\n\r\n");
    server.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    expect(await textUntil(client, "\r\n\r\n")).toBe("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    client.send(GET);
    await textUntil(server, GET);
    server.send(OK);
    expect(await textUntil(client, OK)).toContain(OK);
  });

  test.each([204, 304])("%d has no body, and the connection goes on", async (status) => {
    await open();
    const client = await stage.client(GET);
    const server = await stage.visitor();
    await textUntil(server, GET);
    server.send(`HTTP/1.1 ${status} X\r\n\r\n`);
    await textUntil(client, "\r\n\r\n");
    client.send(GET);
    await textUntil(server, GET + GET);
    server.send(OK);
    expect(await textUntil(client, OK)).toBe(`HTTP/1.1 ${status} X\r\n\r\n${OK}`);
  });

  test("in between (100, 103) are passed on as they come", async () => {
    await open();
    const client = await stage.client(`POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\nExpect: 100-continue\r\n\r\n`);
    const server = await stage.visitor();
    expect(await textUntil(server, "\r\n\r\n")).toContain("Expect: 100-continue\r\n");
    server.send("HTTP/1.1 100 Continue\r\n\r\n");
    await textUntil(client, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    await textUntil(server, "\r\n\r\nbody");
    server.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
    await textUntil(client, "</a.css>\r\n\r\n");
    server.send(OK);
    expect(await textUntil(client, "ok")).toBe(
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n${OK}`,
    );
  });

  test("until the end of the server's connection end the client's", async () => {
    await open();
    const client = await stage.client(GET);
    const server = await stage.visitor();
    await textUntil(server, GET);
    server.send("HTTP/1.1 200 OK\r\n\r\nsome");
    await textUntil(client, "some");
    server.send(" more");
    server.finish();
    expect(await client.ended).toBe("closed");
    expect(client.received.toString()).toBe("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome more");
  });

  test("in chunks keep their trailers", async () => {
    await open();
    const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";
    const client = await stage.client(`GET / HTTP/1.1\r\n${HOST}TE: trailers\r\n\r\n`);
    const server = await stage.visitor();
    await textUntil(server, "\r\n\r\n");
    server.send(chunked);
    expect(await textUntil(client, "X-Sum: 1\r\n\r\n")).toBe(chunked);
  });

  test("with a head of 40 KiB in pieces come whole", async () => {
    await open();
    const client = await stage.client(GET);
    const server = await stage.visitor();
    await textUntil(server, GET);
    const answer = `HTTP/1.1 200 OK\r\nX-Long: ${"x".repeat(40_000)}\r\nContent-Length: 2\r\n\r\nok`;
    for (let at = 0; at < answer.length; at += 7_000) {
      server.send(answer.slice(at, at + 7_000));
      await new Promise((sent) => server.socket.write("", sent));
    }
    expect(await textUntil(client, "ok")).toBe(answer);
  });
});

describe("a client of HTTP/1.0", () => {
  test("gets an answer and the end", async () => {
    await open();
    const client = await stage.client(`GET / HTTP/1.0\r\n${HOST}\r\n`);
    const server = await stage.visitor();
    expect(await textUntil(server, "\r\n\r\n")).toBe(GET);
    server.send(OK);
    expect(await client.ended).toBe("closed");
    expect(client.received.toString()).toMatch(/^HTTP\/1\.[01] 200 OK\r\n.*\r\n\r\nok$/s);
  });

  test("gets no chunks, but their data until the end", async () => {
    await open();
    const client = await stage.client(`GET / HTTP/1.0\r\n${HOST}Connection: keep-alive\r\n\r\n`);
    const server = await stage.visitor();
    await textUntil(server, "\r\n\r\n");
    server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    await textUntil(client, "hello");
    server.send("6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n");
    expect(await client.ended).toBe("closed");
    const text = client.received.toString();
    expect(text).not.toContain("Transfer-Encoding");
    expect(text.endsWith("\r\n\r\nhello world")).toBe(true);
  });

  test("that asks for it keeps its connection", async () => {
    await open();
    const request = `GET / HTTP/1.0\r\n${HOST}Connection: keep-alive\r\n\r\n`;
    const client = await stage.client(request);
    const server = await stage.visitor();
    await textUntil(server, "\r\n\r\n");
    server.send(OK);
    expect(await textUntil(client, "ok")).toContain("Connection: keep-alive\r\n");
    client.send(request);
    await textUntil(server, GET + GET);
    server.send(OK);
    await client.receive((bytes) => bytes.toString().split("ok").length === 3);
  });

  test("gets nothing in between", async () => {
    await open();
    const client = await stage.client(`GET / HTTP/1.0\r\n${HOST}\r\n`);
    const server = await stage.visitor();
    await textUntil(server, "\r\n\r\n");
    server.send(`HTTP/1.1 103 Early Hints\r\n\r\n${OK}`);
    await client.ended;
    expect(client.received.toString()).not.toContain("103");
  });
});
